"""Export: the original's layout there and back, weights for other software, and what is refused."""

import json
import os
import pickle
import re
import shutil
import sys

import cv2
import numpy as np
import pandas as pd
import pytest

from digit.config import merge, resolve, to_dict
from digit.run.errors import UserError
from digit.run.layout import Layout
from digit.samples.dataset import read_image, read_mask
from digit.samples.fits import read_fits
from digit.samples.index import open_index
from digit.stages.check import check
from digit.stages.export_data import export_data
from digit.stages.images import images
from digit.stages.index import index
from digit.stages.parts import parts
from digit.store.lmdb_file import LmdbFile, write_lmdb
from digit.store.shards import Store


@pytest.fixture
def exported(evaluated_run, tmp_path):
    folder = tmp_path / "original"
    export_data(evaluated_run.config, folder, ["val", "test"])
    return folder


def importing(run, folder, **data):
    """The same data, but with images and masks from the original's files."""
    keys = {
        "image_lmdb": str(folder / "images" / "interhand.lmdb"),
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
    store = LmdbFile(exported / "images/interhand.lmdb")
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


def test_the_folder_can_be_linked_in_place(exported, evaluated_run, tiny_release):
    """All that the original looks for below data/InterHand, and nothing else."""
    assert sorted(path.name for path in exported.iterdir()) == ["annotations", "cache", "images", "segm_32.lmdb"]
    assert [path.name for path in (exported / "images").iterdir()] == ["interhand.lmdb"]
    assert sorted(path.name for path in (exported / "annotations").iterdir()) == [
        *("skeleton.txt", "subject.txt", "test", "val")
    ]
    for source in (tiny_release / "annotations").rglob("*.*"):
        if source.parent.name != "train":
            assert (exported / source.relative_to(tiny_release)).read_bytes() == source.read_bytes()


def test_annotation_records_are_what_the_originals_loader_reads(exported, tiny_release):
    """Image id to image record with its annotation under "anno", in the order of the annotations."""
    records = pickle.loads((exported / "annotations/test/InterHand2.6M_test_data.pkl").read_bytes())
    document = json.loads((tiny_release / "annotations/test/InterHand2.6M_test_data.json").read_text())
    images = {image["id"]: image for image in document["images"]}
    assert list(records) == [annotation["image_id"] for annotation in document["annotations"]]
    assert len(records) == 12 and all(type(key) is int for key in records)
    for annotation in document["annotations"]:
        record = records[annotation["image_id"]]
        assert record.pop("anno") == annotation
        assert record == images[annotation["image_id"]]


def test_images_that_were_left_out_have_no_record(tiny_release, run_config, tmp_path):
    config = run_config(tiny_release, {"damaged_images": "exclude"})
    gone = min((tiny_release / "images" / "val").rglob("*.jpg"))
    gone.unlink()
    index(config, "val")
    for shard in range(2):
        images(config, "val", shard)
    export_data(config, tmp_path / "out", ["val"], ["images", "annotations"])
    records = pickle.loads((tmp_path / "out/annotations/val/InterHand2.6M_val_data.pkl").read_bytes())
    names = {f"val/{record['file_name']}" for record in records.values()}
    stored = {key.decode() for key, _ in LmdbFile(tmp_path / "out/images/interhand.lmdb").items()}
    assert names == stored - {"__keys__", "__len__"} and len(names) == 11


def test_annotations_of_another_split_join_those_that_are_there(evaluated_run, tiny_release, tmp_path):
    for split in ("val", "test"):
        export_data(evaluated_run.config, tmp_path, [split], ["annotations"])
    assert len(list((tmp_path / "annotations").rglob("*.pkl"))) == 2
    (tmp_path / "annotations/skeleton.txt").write_text("mine")
    with pytest.raises(UserError, match=r"^\S*skeleton\.txt: already there"):
        export_data(evaluated_run.config, tmp_path, ["train"], ["annotations"])
    before = {path: path.read_bytes() for path in (tiny_release / "annotations").rglob("*.*")}
    export_data(evaluated_run.config, tiny_release, ["val"], ["annotations"], overwrite=True)
    assert {path: path.read_bytes() for path in before} == before
    assert (tiny_release / "annotations/val/InterHand2.6M_val_data.pkl").exists()


def test_threads_change_nothing(evaluated_run, tmp_path, monkeypatch):
    """Stores written by eight threads, and by one, are the same bytes."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    for threads in (1, 8, 8, 8):
        monkeypatch.setattr(os, "cpu_count", lambda threads=threads: threads)
        export_data(evaluated_run.config, tmp_path / str(threads), overwrite=True)
        for store in ("images/interhand.lmdb", "segm_32.lmdb"):
            one, other = (tmp_path / folder / store / "data.mdb" for folder in ("1", str(threads)))
            assert one.read_bytes() == other.read_bytes()
    sys.setswitchinterval(before)


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
    fits = (read_fits([layout.fit("test", k) for k in shards], 12) for layout in (ours, theirs))
    before, after = (table.drop(columns="drawn_from") for table in fits)
    pd.testing.assert_frame_equal(before, after)


def test_parts_of_the_layout_can_be_chosen(evaluated_run, tmp_path):
    export_data(evaluated_run.config, tmp_path / "masks", ["test"], ["masks"])
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
    with pytest.raises(UserError, match=r"some\.lmdb: has no mask of test/Capture1"):
        parts(config, "test", 0)
    assert not Layout.of(config).parts("test", 0).exists()


def edited_masks(exported, path, change):
    """Write the masks of an exported layout with other labels."""

    def edited(key, value):
        if key.startswith(b"__"):
            return value
        labels = cv2.imdecode(np.frombuffer(value, np.uint8), cv2.IMREAD_UNCHANGED)
        return cv2.imencode(".png", change(labels).astype(np.uint8))[1].tobytes()

    write_lmdb(path, [(key, edited(key, value)) for key, value in LmdbFile(exported / "segm_32.lmdb").items()])
    return str(path)


def test_empty_masks_of_fitted_hands_stop_parts(exported, evaluated_run, tmp_path):
    config = importing(evaluated_run, exported, mask_lmdb=edited_masks(exported, tmp_path / "e.lmdb", lambda m: m * 0))
    index(config, "test")
    with pytest.raises(UserError, match=r"e\.lmdb: all \d+ masks of split test .* show no hand"):
        parts(config, "test", 0)
    assert not Layout.of(config).parts("test", 0).exists()


def test_masks_that_contradict_the_fits_are_counted(exported, evaluated_run, tmp_path, caplog):
    """Right and left swapped, and a label that does not exist."""

    def swapped(mask):
        other = np.where(mask == 0, 0, (mask + 15) % 32 + 1)
        other[0, :2] = 77
        return other

    config = importing(evaluated_run, exported, mask_lmdb=edited_masks(exported, tmp_path / "s.lmdb", swapped))
    index(config, "test")
    parts(config, "test", 0)
    text = caplog.text
    assert re.search(r"[\d,]+ pixels in \d+ masks show a hand without a fit; are right and left swapped", text)
    assert re.search(r"\d+ of \d+ masks show no pixel of a hand that has a fit \(Capture", text)
    assert re.search(r"\d+ pixels \([\d.]+% of those that are not background\) had labels above 32", text)


def test_check_names_every_problem_of_the_originals_files_at_once(exported, evaluated_run, tmp_path):
    pairs = list(LmdbFile(exported / "segm_32.lmdb").items())
    first, *_, last = (key for key, _ in pairs if key.startswith(b"test/"))
    write_lmdb(tmp_path / "some.lmdb", [(k, b"junk" if k == first else v) for k, v in pairs if k != last])
    (tmp_path / "cache").mkdir()
    both = {"mask_lmdb": str(tmp_path / "some.lmdb"), "image_lmdb": str(exported / "images")}
    with pytest.raises(UserError) as caught:
        check(importing(evaluated_run, exported, **both), "test")
    text = str(caught.value)
    assert "3 problems" in text and f"set data.image_lmdb to {exported}/images/interhand.lmdb" in text
    assert re.search(r"some\.lmdb: lacks masks of samples whose hands have fits \(\d+: Capture1", text)
    assert re.search(r"some\.lmdb: masks cannot be used \(1: Capture0\S+ does not decode", text)
    with pytest.raises(UserError, match=r"2 problems(.|\n)*meta_dict_test\.pkl: cannot be read"):
        check(importing(evaluated_run, exported, **both, fit_cache=str(tmp_path / "cache")), "test")


def test_check_refuses_empty_masks_and_masks_as_images(exported, evaluated_run, tmp_path):
    config = importing(evaluated_run, exported, mask_lmdb=edited_masks(exported, tmp_path / "e.lmdb", lambda m: m * 0))
    with pytest.raises(UserError, match=r"e\.lmdb: masks show no hand, though"):
        check(config, "test")
    masks = str(exported / "segm_32.lmdb")
    config = importing(evaluated_run, exported, image_lmdb=masks, damaged_images="exclude")
    with pytest.raises(UserError, match=r"segm_32\.lmdb: images are missing"):
        check(config, "test")


def test_masks_need_their_fit_errors(evaluated_run, exported):
    with pytest.raises(UserError, match=r"data\.fit_cache: missing"):
        importing(evaluated_run, exported, fit_cache=None)
    with pytest.raises(UserError, match=r"data\.mask_lmdb: missing"):
        importing(evaluated_run, exported, mask_lmdb=None)


def test_nothing_is_replaced_unless_told(exported, evaluated_run):
    before = (exported / "images/interhand.lmdb" / "data.mdb").read_bytes()
    with pytest.raises(UserError, match=r"interhand\.lmdb, .*segm_32\.lmdb: already there.*--overwrite"):
        export_data(evaluated_run.config, exported, ["train"])
    with pytest.raises(UserError, match=r"^\S*meta_dict_test\.pkl: already there"):
        (exported / "segm_32.lmdb").rename(exported / "kept.lmdb")
        export_data(evaluated_run.config, exported, ["test"], ["masks"])
    assert (exported / "images/interhand.lmdb" / "data.mdb").read_bytes() == before
    export_data(evaluated_run.config, exported, ["train"], overwrite=True)
    assert LmdbFile(exported / "images/interhand.lmdb").get(b"__len__") == pickle.dumps(12, 2)


@pytest.mark.parametrize(
    "changes", [{}, {"image_lmdb": None, "hand_model": "open"}, {"mask_lmdb": None, "fit_cache": None}]
)
@pytest.mark.parametrize("content", ["", "/data.mdb"])
def test_what_the_configuration_reads_is_never_replaced(exported, evaluated_run, changes, content):
    stores = {
        "image_lmdb": f"{exported}/images/interhand.lmdb{content}",
        "mask_lmdb": f"{exported}/segm_32.lmdb{content}",
    }
    config = importing(evaluated_run, exported, **(stores | changes))
    (exported.parent / "link").symlink_to(exported)
    key = "image_lmdb" if changes.get("image_lmdb", "") is not None else "mask_lmdb"
    with pytest.raises(UserError, match=rf"is what data\.{key} reads"):
        export_data(config, exported.parent / "link", ["test"], overwrite=True)
    if "mask_lmdb" not in changes:
        (exported / "segm_32.lmdb").rename(exported / "kept.lmdb")
        settings = importing(evaluated_run, exported, image_lmdb=None, mask_lmdb=f"{exported}/kept.lmdb")
        with pytest.raises(UserError, match=r"is what data\.fit_cache reads"):
            export_data(settings, exported, ["train"], ["masks"])


def test_prepared_splits_are_the_default(evaluated_run, tmp_path):
    shutil.rmtree(evaluated_run.layout.index("train"))
    export_data(evaluated_run.config, tmp_path / "some")
    assert sorted(path.name for path in (tmp_path / "some/cache").iterdir()) == [
        "meta_dict_test.pkl",
        "meta_dict_val.pkl",
    ]
    with pytest.raises(UserError, match=r"split train is not prepared; run `snakemake"):
        export_data(evaluated_run.config, tmp_path / "other", ["train", "test"])
    for split in ("val", "test"):
        shutil.rmtree(evaluated_run.layout.index(split))
    with pytest.raises(UserError, match=r"no split is prepared; run `snakemake"):
        export_data(evaluated_run.config, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_everything_is_opened_before_anything_is_written(evaluated_run, tmp_path):
    path = evaluated_run.layout.parts("test", 1)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"1\.lmdb: is cut off"):
        export_data(evaluated_run.config, tmp_path / "out", ["test"])
    path.unlink()
    with pytest.raises(UserError, match=r"split test is not prepared: .*1\.lmdb is missing \(1 of 2 files\)") as caught:
        export_data(evaluated_run.config, tmp_path / "out", ["test"])
    assert "delete" not in str(caught.value) and not (tmp_path / "out").exists()
    fewer = resolve(merge(to_dict(evaluated_run.config), {"data": {"shards": 1}}))
    with pytest.raises(UserError, match=r"images has 6 samples, expected 12"):
        export_data(fewer, tmp_path / "out", ["val"])
    assert not (tmp_path / "out").exists()


def test_a_file_instead_of_a_folder_is_refused(evaluated_run, tmp_path):
    (tmp_path / "file").write_text("mine")
    for output in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match="is a file"):
            export_data(evaluated_run.config, output, ["test"])
    assert (tmp_path / "file").read_text() == "mine"
