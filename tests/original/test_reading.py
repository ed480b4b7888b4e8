"""Stores and pickles of the original: what is read, and what is refused."""

import pickle
import struct
import zlib

import cv2
import numpy as np
import pytest

from digit.original.reading import OriginalStore, read_fit_cache, read_images, read_labels, require_pictures
from digit.run.errors import UserError
from digit.samples.dataset import read_image
from digit.store.lmdb_file import write_lmdb
from digit.store.png import is_png
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
    assert content == png(RED), "the bytes are taken as they are"
    np.testing.assert_array_equal(read_image(content, NAME), RED, "OpenCV's channels were R, G, B")


@pytest.mark.parametrize("ending", [".bmp", ".tiff", ".webp"])
def test_other_formats_become_png_of_the_same_pixels(tmp_path, ending):
    options = (cv2.IMWRITE_WEBP_QUALITY, 101) if ending == ".webp" else ()
    write_lmdb(tmp_path / "some.lmdb", [(b"val/a.jpg", cv2.imencode(ending, RED, options)[1].tobytes())])
    (content,) = read_images(OriginalStore(tmp_path / "some.lmdb", "val", "images"), ["a.jpg"], [8], [6])
    assert is_png(content)
    np.testing.assert_array_equal(read_image(content, "a.jpg"), RED)


def test_images_that_cannot_be_used_come_with_a_reason(tmp_path):
    path = tmp_path / "interhand.lmdb"
    write_lmdb(path, [(b"val/a.jpg", png(RED)), (b"val/b.jpg", png(RED)[:40]), (b"val/c.jpg", b"")])
    names = ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    found = list(read_images(OriginalStore(path, "val", "images"), names, [9] * 4, [6] * 4))
    reasons = ["8x6 px, annotated as 9x6", "cut off: no end chunk", "does not decode", f"missing in {path}"]
    assert found == reasons


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


def _store(path, images):
    write_lmdb(path, [(f"val/{k}.jpg".encode(), png(image)) for k, image in enumerate(images)])
    return OriginalStore(path, "val", "images"), [f"{k}.jpg" for k in range(len(images))]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_store_of_masks_holds_no_images(tmp_path, channels):
    labels = np.arange(48, dtype=np.uint8).reshape(6, 8) % 33
    masks = [(labels * share).astype(np.uint8)[..., None].repeat(channels, axis=2) for share in (0, 0.5, 1)]
    with pytest.raises(
        UserError, match=r"holds masks, no pictures: the 3 that .* brighter than 32; set data\.image_lmdb"
    ):
        require_pictures(*_store(tmp_path / "some.lmdb", masks))


def test_almost_black_frames_are_pictures_if_others_are(tmp_path):
    """A lamp that is off for most of a split makes no masks of its images."""
    black = [np.full((6, 8, 3), k % 6, np.uint8) for k in range(400)]
    black[0], black[399] = RED, RED
    store, names = _store(tmp_path / "some.lmdb", black)
    require_pictures(store, names)
    assert all(isinstance(content, bytes) for content in read_images(store, names, [8] * 400, [6] * 400, set(names)))


def test_a_header_that_asks_for_billions_of_pixels_does_not_decode(tmp_path):
    content = png(RED)
    header = b"IHDR" + struct.pack(">II", 70_000, 70_000) + content[24:29]
    huge = content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]
    write_lmdb(tmp_path / "some.lmdb", [(b"val/a.jpg", huge)])
    store = OriginalStore(tmp_path / "some.lmdb", "val", "images")
    require_pictures(store, ["a.jpg"])
    assert list(read_images(store, ["a.jpg"], [8], [6])) == ["70000x70000 px, annotated as 8x6"]
    assert list(read_images(store, ["a.jpg"], [70_000], [70_000], {"a.jpg"})) == ["does not decode"]
    assert read_labels(huge, 8, 6) == "does not decode"


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
