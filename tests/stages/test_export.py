"""Export: the original's layout there and back, weights for other software, and what is refused."""

import json
import pickle

import cv2
import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch

from digit.config import resolve, to_dict
from digit.data.dataset import read_image, read_mask
from digit.data.fits import read_fits
from digit.data.index import open_index
from digit.data.lmdb_file import LmdbFile, write_lmdb
from digit.data.store import Store
from digit.errors import UserError
from digit.layout import Layout
from digit.model.weights import load_model
from digit.stages.check import check
from digit.stages.export import export_layout, export_weights
from digit.stages.images import images
from digit.stages.index import index
from digit.stages.parts import parts


@pytest.fixture
def exported(evaluated_run, tmp_path):
    folder = tmp_path / "original"
    export_layout(evaluated_run.config, folder, ["val", "test"])
    return folder


def importing(run, folder, **data):
    """The same data, but with images and masks from the original's files."""
    keys = {
        "image_lmdb": str(folder / "interhand.lmdb"),
        "mask_lmdb": str(folder / "segm_32.lmdb"),
        "fit_cache": str(folder / "cache"),
        "hand_model": "nowhere",
    } | data
    settings = to_dict(run.config)
    settings["data"] |= keys
    settings["run"]["name"] = "imported"
    return resolve(settings)


def test_the_layout_is_the_originals(exported, evaluated_run, tiny_release):
    layout = evaluated_run.layout
    names = open_index(layout.index("test")).keys()
    store = LmdbFile(exported / "interhand.lmdb")
    assert pickle.loads(store.get(b"__len__")) == 24 and len(pickle.loads(store.get(b"__keys__"))) == 24
    for name in names:
        decoded = cv2.imdecode(np.frombuffer(store.get(f"test/{name}".encode()), np.uint8), cv2.IMREAD_COLOR)
        jpeg = cv2.imread(str(tiny_release / "images/test" / name), cv2.IMREAD_COLOR_RGB)
        np.testing.assert_array_equal(decoded, jpeg)
    cache = pickle.loads((exported / "cache/meta_dict_test.pkl").read_bytes())
    fits = read_fits([layout.fit("test", k) for k in range(2)], len(names))
    for row, name in enumerate(names):
        entry = cache[f"test/{name}"]
        assert entry["imsize"] == list(read_image(store.get(f"test/{name}".encode()), name).shape[1::-1])
        for hand in ("right", "left"):
            expected = fits.loc[row, f"fit_{hand}_mm"]
            assert entry[f"{hand}_fit_err"] == (None if pd.isna(expected) else expected)
        mask = LmdbFile(exported / "segm_32.lmdb").get(f"test/{name[:-4]}.png".encode())
        assert cv2.imdecode(np.frombuffer(mask, np.uint8), cv2.IMREAD_UNCHANGED).shape[2] == 3
    pickled = pickle.loads((exported / "annotations/test/InterHand2.6M_test_data.pkl").read_bytes())
    assert pickled == json.loads((tiny_release / "annotations/test/InterHand2.6M_test_data.json").read_text())


def test_there_and_back_nothing_changes(exported, evaluated_run):
    """And no hand model, no JPEG file is needed on the way back."""
    config = importing(evaluated_run, exported)
    ours, theirs, shards = evaluated_run.layout, Layout.of(config), range(2)
    check(config, "test")
    index(config, "test")
    for shard in shards:
        images(config, "test", shard)
        parts(config, "test", shard)
    for kind, read in (("images", read_image), ("parts", read_mask)):
        one, other = (Store([getattr(layout, kind)("test", k) for k in shards]) for layout in (ours, theirs))
        assert one.keys() == other.keys() and len(one)
        for name in one.keys():  # noqa: SIM118
            np.testing.assert_array_equal(read(one.get(name), name), read(other.get(name), name))
    before, after = (read_fits([layout.fit("test", k) for k in shards], 12) for layout in (ours, theirs))
    pd.testing.assert_frame_equal(before, after)


def test_parts_of_the_layout_can_be_chosen(evaluated_run, tmp_path):
    export_layout(evaluated_run.config, tmp_path / "masks", ["test"], ["masks"])
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == ["cache", "segm_32.lmdb"]
    assert [path.name for path in (tmp_path / "masks/cache").iterdir()] == ["meta_dict_test.pkl"]


def test_a_store_without_a_split_is_named_by_check_and_images(exported, evaluated_run):
    config = importing(evaluated_run, exported)
    with pytest.raises(UserError, match=r"interhand\.lmdb.*images are missing(.|\n)*data\.image_lmdb"):
        check(config, "train")
    index(config, "train")
    with pytest.raises(UserError, match=r"6 of 6 images of split train are missing or damaged(.|\n)*interhand\.lmdb"):
        images(config, "train", 0)
    assert not Layout.of(config).images("train", 0).exists()


def test_a_fit_without_a_mask_stops_parts(exported, evaluated_run, tmp_path):
    kept = [(key, value) for key, value in LmdbFile(exported / "segm_32.lmdb").items() if b"Capture1" not in key]
    write_lmdb(tmp_path / "some.lmdb", kept)
    config = importing(evaluated_run, exported, mask_lmdb=str(tmp_path / "some.lmdb"))
    index(config, "test")
    parts(config, "test", 0)
    with pytest.raises(UserError, match=r"some\.lmdb: has no mask of test/Capture1"):
        parts(config, "test", 1)
    assert not Layout.of(config).parts("test", 1).exists()


def test_masks_need_their_fit_errors(evaluated_run, exported):
    with pytest.raises(UserError, match=r"data\.fit_cache: missing"):
        importing(evaluated_run, exported, fit_cache=None)


def test_weights_as_onnx_and_in_the_released_layout(evaluated_run, tmp_path):
    model = load_model(evaluated_run.checkpoint)
    export_weights(evaluated_run.checkpoint, tmp_path / "tiny.pt", "paper")
    export_weights(evaluated_run.checkpoint, tmp_path / "tiny.onnx", "paper")
    released = load_model(tmp_path / "tiny.pt", preset="tiny")
    session = onnxruntime.InferenceSession(tmp_path / "tiny.onnx")
    for count in (1, 4, 7):
        pictures = torch.rand(count, 3, 64, 64)
        with torch.inference_mode():
            expected, again = model(pictures), released(pictures)
        for name, one, other in zip(expected._fields, expected, again, strict=True):
            torch.testing.assert_close(one, other)
            found = session.run([name], {"images": pictures.numpy()})[0]
            np.testing.assert_allclose(found, one.numpy(), atol=1e-3)
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["settings"])["input_size"] == 64 and "joint_xyz" in metadata["units"]


def test_an_unknown_ending_is_refused(evaluated_run, tmp_path):
    with pytest.raises(UserError, match=r"\.onnx or \.pt"):
        export_weights(evaluated_run.checkpoint, tmp_path / "tiny.weights", "paper")
    assert not (tmp_path / "tiny.weights").exists()
