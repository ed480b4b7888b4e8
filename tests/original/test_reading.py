"""Stores and pickles of the original: what is read, and what is refused."""

import pickle

import cv2
import numpy as np
import pytest

from digit.original.reading import OriginalStore, read_fit_cache, read_images, read_labels
from digit.run.errors import UserError
from digit.store.lmdb_file import write_lmdb
from digit.store.shards import write_shard

NAME = "Capture0/seq/cam1/image1.jpg"
RED = np.zeros((6, 8, 3), np.uint8) + np.array([250, 10, 20], np.uint8)
"""RGB."""


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


@pytest.mark.parametrize("key", [f"val/{NAME}", NAME, f"images/val/{NAME}"])
@pytest.mark.parametrize("folder", [True, False])
def test_names_are_found_wherever_scripts_put_them(tmp_path, key, folder):
    path = tmp_path / "interhand.lmdb"
    if folder:
        path.mkdir()
    write_lmdb(path / "data.mdb" if folder else path, [(b"__len__", b"pyarrow"), (key.encode(), png(RED))])
    store = OriginalStore(path, "val", "images")
    assert store.missing([NAME, "other.jpg"]) == ["other.jpg"]
    (content,) = read_images(store, [NAME], [8], [6])
    np.testing.assert_array_equal(
        cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB), RED, "OpenCV's channels were R, G, B"
    )


def test_images_that_cannot_be_used_come_with_a_reason(tmp_path):
    path = tmp_path / "interhand.lmdb"
    write_lmdb(path, [(b"val/a.jpg", png(RED)), (b"val/b.jpg", png(RED)[:40]), (b"val/c.jpg", b"")])
    names = ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    found = list(read_images(OriginalStore(path, "val", "images"), names, [9] * 4, [6] * 4))
    assert found == ["8x6 px, annotated as 9x6", "does not decode", "does not decode", f"missing in {path}"]


def test_a_missing_store_says_which_key_to_set(tmp_path):
    with pytest.raises(UserError, match=r"segm_32\.lmdb.*data\.mask_lmdb"):
        OriginalStore(tmp_path / "segm_32.lmdb", "val", "masks")


@pytest.mark.parametrize("key", [f"val/{NAME}", "val/Capture0/seq/cam1/image1.png", f"segms/val/{NAME}"])
def test_masks_are_found_under_either_ending(tmp_path, key):
    write_lmdb(tmp_path / "segm_32.lmdb", [(key.encode(), b"mask")])
    assert OriginalStore(tmp_path / "segm_32.lmdb", "val", "masks").find(NAME) == b"mask"
    assert OriginalStore(tmp_path / "segm_32.lmdb", "val", "images").find(NAME) == (
        b"mask" if key == f"val/{NAME}" else None
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_a_mask_is_no_image(tmp_path, channels):
    labels = np.arange(48, dtype=np.uint8).reshape(6, 8) % 33
    write_lmdb(tmp_path / "some.lmdb", [(b"val/a.jpg", png(labels[..., None].repeat(channels, axis=2)))])
    (found,) = read_images(OriginalStore(tmp_path / "some.lmdb", "val", "images"), ["a.jpg"], [8], [6])
    assert found == "no picture but a mask: grey values up to 32"


def test_other_things_than_a_store_say_what_they_are(tmp_path):
    (tmp_path / "lmdb" / "interhand.lmdb").mkdir(parents=True)
    write_lmdb(tmp_path / "lmdb" / "interhand.lmdb" / "data.mdb", [(b"val/a.jpg", b"")])
    with pytest.raises(UserError, match=r"set data\.image_lmdb to .*lmdb/interhand\.lmdb$"):
        OriginalStore(tmp_path / "lmdb", "val", "images")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: is a folder without a data\.mdb"):
        OriginalStore(tmp_path / "empty", "val", "images")
    write_shard(tmp_path / "0.lmdb", [("a.jpg", b"jpeg")], {})
    with pytest.raises(UserError, match=r"0\.lmdb: is a digit store.*data\.image_lmdb"):
        OriginalStore(tmp_path / "0.lmdb", "val", "images")
    (tmp_path / "zero.lmdb").touch()
    with pytest.raises(UserError) as caught:
        OriginalStore(tmp_path / "zero.lmdb", "val", "images")
    assert str(caught.value).count(str(tmp_path)) == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_labels_that_do_not_exist_become_background(channels):
    labels = np.array([[0, 16, 17], [32, 33, 255]], np.uint8)
    stored = labels if channels == 1 else labels[..., None].repeat(3, axis=2)
    found, strange = read_labels(png(stored), 3, 2)
    np.testing.assert_array_equal(found, [[0, 16, 17], [32, 0, 0]])
    assert strange == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (png(RED), "is a colour picture, not labels"),
        (b"nothing", "does not decode"),
        (png(np.zeros((6, 9), np.uint8)), "is 9x6 uint8, expected 8x6 uint8"),
        (png(np.zeros((6, 8), np.uint16)), "is 8x6 uint16, expected 8x6 uint8"),
    ],
)
def test_pictures_that_are_no_masks_have_a_reason(content, reason):
    assert read_labels(content, 8, 6) == reason


def test_fit_errors_of_any_number_type_are_read(tmp_path):
    entries = {
        "val/a.jpg": {"right_fit_err": np.float64(4.5), "left_fit_err": None, "imsize": (3, 4)},
        "val/b.jpg": {"right_fit_err": np.array([3.5], np.float32), "left_fit_err": float("nan"), "imsize": [3, 4]},
    }
    (tmp_path / "meta_dict_val.pkl").write_bytes(pickle.dumps(entries))
    cache = read_fit_cache(tmp_path, "val", ["b.jpg", "a.jpg", "c.jpg"])
    np.testing.assert_array_equal(cache.error_mm, [[3.5, np.nan], [4.5, np.nan], [np.nan, np.nan]])
    assert cache.fitted.tolist() == [[True, True], [True, False], [False, False]]
    assert cache.listed.tolist() == [True, True, False]


class Mischief:
    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(Mischief()), r"refused, because it asks for builtins\.print"),
        (pickle.dumps([1]), "holds a list"),
        (b"junk", "damaged"),
        (pickle.dumps({"val/a.jpg": {"right_fit_err": "high"}}), "no usable right_fit_err"),
        (pickle.dumps({"val/a.jpg": 3}), "no usable right_fit_err"),
        (pickle.dumps({"val/a.jpg": {"right_fit_err": np.ones(2)}}), "2 numbers instead of one"),
        (pickle.dumps({"val/a.jpg": {"right_fit_err": -1.0}}), "right_fit_err -1"),
        (pickle.dumps({"val/a.jpg": {"right_fit_err": None, "left_fit_err": np.inf}}), "left_fit_err inf"),
        (pickle.dumps({"test/a.jpg": {}}), r"lists none of 1 samples such as val/a\.jpg; its first key is 'test/a"),
        (pickle.dumps({}), "it is empty"),
    ],
)
def test_other_pickles_are_refused(tmp_path, content, message, capsys):
    (tmp_path / "meta_dict_val.pkl").write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_fit_cache(tmp_path, "val", ["a.jpg"])
    assert "data.fit_cache" in str(caught.value) and not capsys.readouterr().out


def test_the_pickle_itself_instead_of_its_folder_is_named(tmp_path):
    path = tmp_path / "meta_dict_val.pkl"
    path.write_bytes(pickle.dumps({}))
    with pytest.raises(UserError, match=r"is a file, and the folder that holds meta_dict_val\.pkl is wanted"):
        read_fit_cache(path, "val", ["a.jpg"])
