"""What we prepared, written as the original's scripts leave it; :mod:`digit.original.reading` has the layout."""

import os
import pickle
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np

from digit.run.console import track
from digit.run.files import replacing
from digit.samples.dataset import read_image, read_mask
from digit.store.lmdb_file import Pair, write_lmdb
from digit.store.png import is_png
from digit.store.prefetch import map_ahead
from digit.store.shards import Store

PICKLE_PROTOCOL = 2
"""Readable by every Python that still runs, and some that hardly do."""


def image_key(split: str, name: str) -> str:
    """Key of an image in interhand.lmdb."""
    return f"{split}/{name}"


def mask_key(split: str, name: str) -> str:
    """Key of an image's mask in segm_32.lmdb."""
    return f"{split}/{PurePosixPath(name).with_suffix('.png')}"


def encode_image(content: bytes, name: str) -> bytes:
    """PNG that OpenCV decodes to R, G, B, as the original stores pictures: others see red and blue swapped."""
    return content if is_png(content) else cv2.imencode(".png", read_image(content, name))[1].tobytes()


def encode_labels(png: bytes, name: str) -> bytes:
    """PNG of a mask with its labels in three equal channels."""
    labels = read_mask(png, name)
    return cv2.imencode(".png", np.repeat(labels[..., None], 3, axis=2))[1].tobytes()


def write_store(
    path: Path,
    stores: dict[str, Store],
    key: Callable[[str, str], str],
    encode: Callable[[bytes, str], bytes],
) -> int:
    """Write a store of the original: an LMDB folder with pickled ``__keys__`` and ``__len__``.

    Args:
        path: the folder to write or replace.
        stores: our stores by split.
        key: key of a split's file name.
        encode: from our bytes, and a name for errors, to the original's.

    Returns:
        The number of items written.
    """
    names = sorted((key(split, name), split, name) for split, store in stores.items() for name in store.keys())  # noqa: SIM118

    def convert(item: tuple[str, str, str]) -> Pair:
        place, split, name = item
        return place.encode(), encode(stores[split].get(name), place)

    def pairs() -> Iterator[Pair]:
        keys = [place.encode() for place, _, _ in names]
        yield b"__keys__", pickle.dumps(keys, PICKLE_PROTOCOL)
        yield b"__len__", pickle.dumps(len(keys), PICKLE_PROTOCOL)
        yield from track(map_ahead(convert, names, threads=os.cpu_count() or 1), path.name, len(names))

    with replacing(path) as temporary:
        temporary.mkdir()
        write_lmdb(temporary / "data.mdb", pairs())
    return len(names)


def fit_entries(
    split: str, names: Sequence[str], errors_mm: np.ndarray, fitted: np.ndarray, sizes_px: np.ndarray
) -> dict[str, dict[str, Any]]:
    """Content of meta_dict_<split>.pkl.

    Args:
        split: name of the split.
        names: n file names.
        errors_mm: (n, 2) fit errors, right and left; NaN where unknown.
        fitted: (n, 2) a fit exists; without one the error is None.
        sizes_px: (n, 2) width and height of the images.
    """
    errors = np.ma.masked_array(errors_mm, ~fitted).tolist()
    return {
        image_key(split, name): {"right_fit_err": right, "left_fit_err": left, "imsize": size}
        for name, (right, left), size in zip(names, errors, sizes_px.tolist(), strict=True)
    }


def annotated_records(document: Any, left_out: Collection[str] = ()) -> dict[int, dict[str, Any]]:
    """Content of InterHand2.6M_<split>_data.pkl: image id to the image's record, its annotation under ``anno``.

    Args:
        document: of InterHand2.6M_<split>_data.json.
        left_out: file names of images that are not there, and whose records therefore should not be either.

    Returns:
        The records in the order of the annotations.
    """
    images = {image["id"]: image for image in document["images"]}
    records = ((annotation, images[annotation["image_id"]]) for annotation in document["annotations"])
    return {
        int(image["id"]): image | {"anno": annotation}
        for annotation, image in records
        if image["file_name"] not in left_out
    }


def write_pickle(path: Path, content: Any) -> None:
    """Write plain data as a pickle."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        pickle.dump(content, file, PICKLE_PROTOCOL)
