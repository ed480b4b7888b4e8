"""Samples of a split: decoded, cropped and labelled a batch at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from digit import geometry
from digit.config import AugmentSettings, ModelSettings, RootDepth
from digit.run.errors import UserError
from digit.samples.augment import Augmentation, draw_augmentation, no_augmentation
from digit.samples.fits import FittedHands
from digit.samples.index import SplitIndex
from digit.samples.photographs import cut_out, photo_files, read_photo
from digit.samples.spectrum import mix_amplitudes
from digit.samples.targets import crop_maps, pose_targets, rooted_validity
from digit.skeleton import LABEL_NAMES, MIRRORED_LABELS
from digit.store.masks import decode_mask
from digit.store.png import is_png
from digit.store.shards import Store

Batch = dict[str, torch.Tensor]
DECODE_COLOR = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
SWAPPED_COLOR = cv2.IMREAD_COLOR_BGR | cv2.IMREAD_IGNORE_ORIENTATION
"""Of PNG files, which come from the original's store: OpenCV calls their channels B, G, R."""
KEYS_AT_ONCE = 1 << 12


@dataclass(frozen=True)
class Masks:
    """Part masks of a split, and which hands they show how well."""

    store: Store
    hands: FittedHands

    def supervise(self, rows: np.ndarray, hand_type: np.ndarray) -> np.ndarray:
        """(n,) bool, of which index rows (n,) the mask may supervise, given which hands (n, 2) are annotated.

        It must show exactly these hands, and each by an accepted fit. So a limit on fit errors only ever leaves
        masks out.
        """
        exact = (self.hands.drawn[rows] == hand_type).all(axis=1)
        return exact & (self.hands.accepted[rows] | ~hand_type).all(axis=1)


def read_image(content: bytes, name: str) -> np.ndarray:
    """Decode what an images store holds to (H, W, 3) uint8 RGB: a JPEG, or a PNG with red and blue swapped.

    Raises:
        UserError: when it cannot be decoded.
    """
    flags = SWAPPED_COLOR if is_png(content) else DECODE_COLOR
    image = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None
    if image is None:
        raise UserError(f"{name}: cannot be decoded as an image; run `digit check` and fetch the file again")
    return image


def read_mask(png: bytes, name: str) -> np.ndarray:
    """Decode a part mask to (H, W) uint8 labels 0..32.

    Raises:
        UserError: when it is anything else.
    """
    labels = decode_mask(png)
    if labels is None:
        labels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    remedy = "delete the parts store and run `digit parts` again"
    if labels is None:
        raise UserError(f"{name}: its part mask cannot be decoded; {remedy}")
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise UserError(f"{name}: its part mask is an image of {labels.shape} {labels.dtype}, not of labels; {remedy}")
    if labels.max() >= len(LABEL_NAMES):
        raise UserError(f"{name}: its part mask has the label {labels.max()}, the last one is 32; {remedy}")
    return labels


class HandDataset(Dataset):
    """Samples ``rows`` of a split. A batch is fetched as a whole, so that geometry is computed once for all.

    A key is ``epoch * len(self) + position``: augmentation is drawn per sample and epoch, whatever the process.

    Args:
        index: tables of the split.
        images: image files, all shards of the split in order.
        settings: sizes of crop, heat map and depth box.
        rows: (n,) index rows in the order of the data set.
        masks: part masks, or None to do without.
        root_depth: whose box to crop: ``gt`` squares and enlarges the annotation's, ``rootnet`` takes RootNet's.
        augment: ranges of augmentation, or None for none.
        seed: of augmentation.

    Raises:
        UserError: when RootNet's boxes are asked for and missing.
    """

    def __init__(
        self,
        index: SplitIndex,
        images: Store,
        settings: ModelSettings,
        rows: np.ndarray,
        masks: Masks | None = None,
        root_depth: RootDepth = "gt",
        augment: AugmentSettings | None = None,
        seed: int = 0,
    ) -> None:
        if root_depth == "rootnet" and not index.rootnet_valid[rows].all():
            lacking = int((~index.rootnet_valid[rows]).sum())
            raise UserError(
                f"split {index.split}: {lacking} samples have no RootNet entry; complete "
                "rootnet_output/ or set evaluate.root_depth to [gt]"
            )
        self.index, self.images, self.settings, self.rows = index, images, settings, np.asarray(rows)
        self.masks, self.root_depth, self.augment, self.seed = masks, root_depth, augment, seed
        spectra = augment.spectra if augment is not None and augment.spectrum_mix else ()
        self.photos = photo_files(spectra, "train", "augment.spectra")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: int) -> Batch:
        return {name: value[0] for name, value in self.__getitems__([key]).items()}

    def __getitems__(self, keys: Sequence[int]) -> Batch:
        """Fetch a batch.

        Returns:
            ``image`` (B, S, S, 3) uint8 RGB before colour factors, ``color`` (B, 3) float32, the pose targets
            of :func:`pose_targets`, ``hand_type_valid`` (B, 1), ``segm`` (B, S/2, S/2) uint8 labels,
            ``segm_valid`` (B,) float32 (:meth:`Masks.supervise`; otherwise the mask is empty),
            ``inv_trans`` (B, 2, 3) crop to image px, and ``row`` (B,) index rows.
        """
        epochs, positions = np.divmod(np.asarray(keys, dtype=np.int64), len(self))
        rows = self.rows[positions]
        if self.augment is None:
            return self.assemble(rows, no_augmentation(len(rows)))
        return self.assemble(rows, draw_augmentation(self.augment, self.seed, epochs, rows))

    def assemble(self, rows: np.ndarray, augmentation: Augmentation) -> Batch:
        """Build the batch of index rows (B,) under given augmentation."""
        index, settings, flip = self.index, self.settings, augmentation.flip
        rootnet = self.root_depth == "rootnet"
        boxes_px = index.rootnet_box_px[rows] if rootnet else geometry.square_box(index.box_px[rows])
        crops = crop_maps(boxes_px, index.width[rows], augmentation, settings.input_size)
        cameras = index.camera_row[rows]
        joints_cam_mm, joint_valid = index.seen_joints(rows)
        joints_px = geometry.project(joints_cam_mm, index.focal_px[cameras], index.princpt_px[cameras])
        hands = index.hand_type[rows]
        batch = pose_targets(
            joints_px, joints_cam_mm[..., 2], rooted_validity(joint_valid), hands, flip, crops, settings
        )
        segm_valid = np.zeros(len(rows), bool) if self.masks is None else self.masks.supervise(rows, hands)
        batch |= {
            "image": self._mixed(self._images(rows, crops.from_image), augmentation),
            "color": augmentation.color,
            "hand_type_valid": index.hand_type_valid[rows].astype(np.float32)[:, None],
            "segm": self._masks(rows, segm_valid, crops.from_image, flip),
            "segm_valid": segm_valid.astype(np.float32),
            "inv_trans": crops.to_image.astype(np.float32),
            "row": rows,
        }
        return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in batch.items()}

    def _images(self, rows: np.ndarray, maps: np.ndarray) -> np.ndarray:
        size = self.settings.input_size
        crops = np.empty((len(rows), size, size, 3), np.uint8)
        for k, (name, jpeg) in enumerate(self._contents(self.images, rows)):
            image = read_image(jpeg, name)
            cv2.warpAffine(image, maps[k], (size, size), dst=crops[k], flags=cv2.INTER_LINEAR)
        return crops

    def _mixed(self, crops: np.ndarray, augmentation: Augmentation) -> np.ndarray:
        """Crops (B, S, S, 3) with the amplitude spectra of other pictures mixed into those that want it."""
        for k in np.flatnonzero(augmentation.spectrum_share):
            other = self._other_picture(augmentation.spectrum_source[k])
            crops[k] = mix_amplitudes(crops[k], other, augmentation.spectrum_share[k])
        return crops

    def _other_picture(self, source: float) -> np.ndarray:
        """(S, S, 3) uint8, the photograph or the training crop that a number in 0..1 stands for."""
        size = self.settings.input_size
        if self.photos:
            rng = np.random.default_rng(int(source * 2**53))
            return cut_out(rng, read_photo(self.photos[rng.integers(len(self.photos))]), size, size)
        row = self.rows[[int(source * len(self))]]
        boxes_px = geometry.square_box(self.index.box_px[row])
        crops = crop_maps(boxes_px, self.index.width[row], no_augmentation(1), size)
        return self._images(row, crops.from_image)[0]

    def _masks(self, rows: np.ndarray, wanted: np.ndarray, maps: np.ndarray, flip: np.ndarray) -> np.ndarray:
        size = self.settings.mask_size
        crops = np.zeros((len(rows), size, size), np.uint8)
        if self.masks is None:
            return crops
        half_maps = maps * (size / self.settings.input_size)
        places = np.flatnonzero(wanted)
        for k, (name, png) in zip(places, self._contents(self.masks.store, rows[places]), strict=True):
            labels = read_mask(png, name)
            cv2.warpAffine(labels, half_maps[k], (size, size), dst=crops[k], flags=cv2.INTER_NEAREST)
        crops[flip] = MIRRORED_LABELS[crops[flip]]
        return crops

    def _contents(self, store: Store, rows: np.ndarray) -> Iterator[tuple[str, bytes]]:
        """Name and stored content of index rows (n,), each looked up in the one shard that holds it."""
        shards = self.index.shards_of(rows, len(store.paths)).tolist()
        for name, shard in zip(self.index.keys(rows), shards, strict=True):
            yield name, store.get(name, shard)


class EpochSampler(Sampler[int]):
    """Keys of :class:`HandDataset` for one process: a new seeded order each epoch, whole global batches only.

    The samples of each global batch do not depend on the number of processes that share it.

    Args:
        count: samples in the data set.
        batch_size: samples per optimiser step, over all processes; a last incomplete batch is left out
            unless it is the only one.
        seed: of the order.
        rank: of this process.
        processes: that share each batch.
        parts: epochs that together run once through the data set.
        pool: positions that an epoch, counted from 0, draws from; None, or a pool of None, for all.
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        seed: int,
        rank: int = 0,
        processes: int = 1,
        parts: int = 1,
        pool: Callable[[int], np.ndarray | None] | None = None,
    ) -> None:
        self.count, self.batch_size, self.seed, self.parts, self.pool = count, batch_size, seed, parts, pool
        self.rank, self.processes, self.epoch, self.done = rank, processes, 0, 0
        self.batches = max(count // batch_size // parts, 1)

    def resume(self, epoch: int, done: int) -> None:
        """Let the next iteration run through ``epoch`` without the first ``done`` samples of this process."""
        self.epoch, self.done = epoch, done

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration runs through."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.batches * self.batch_size // self.processes

    def __iter__(self) -> Iterator[int]:
        mine = self._order().reshape(self.batches, self.processes, -1)[:, self.rank].ravel()
        done, self.done = self.done, 0
        for start in range(done, len(mine), KEYS_AT_ONCE):
            yield from (self.epoch * self.count + mine[start : start + KEYS_AT_ONCE]).tolist()

    def _order(self) -> np.ndarray:
        """(batches * batch_size,) positions of the epoch, over all processes."""
        samples = self.batches * self.batch_size
        pool = None if self.pool is None else self.pool(self.epoch)
        if pool is not None:
            return np.resize(np.random.default_rng((self.seed, self.epoch)).permutation(pool), samples)
        turn, part = divmod(self.epoch, self.parts)
        order = np.random.default_rng((self.seed, turn)).permutation(self.count)
        return np.resize(order[part * samples % self.count :], samples)


def whole_batch(batch: Any) -> Batch:
    """Collate function for a data set that fetches whole batches."""
    return batch
