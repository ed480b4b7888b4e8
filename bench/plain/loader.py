"""Feeding training the plain way: one sample at a time, PNG, three-channel masks, Python loops over joints."""

from pathlib import Path
from typing import Any

import cv2
import lmdb
import numpy as np
import torch
from torch.utils.data import Dataset

from digit.config import ModelSettings
from digit.samples.augment import Augmentation
from digit.skeleton import MIRRORED_JOINTS, MIRRORED_LABELS


class PlainDataset(Dataset):
    """One dictionary of tensors per sample.

    Args:
        samples: as :func:`bench.plain.index.open_split` makes them.
        images: LMDB of PNG images.
        masks: LMDB of PNG masks, the label in each of three channels.
        draws: augmentation of each sample; drawing costs nothing here.
        settings: sizes of crop, heat map and depth box.
    """

    def __init__(
        self, samples: list[dict[str, Any]], images: Path, masks: Path, draws: Augmentation, settings: ModelSettings
    ) -> None:
        self.samples, self.draws, self.settings = samples, draws, settings
        self.images = lmdb.open(str(images), subdir=False, readonly=True, lock=False)
        self.masks = lmdb.open(str(masks), subdir=False, readonly=True, lock=False)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, place: int) -> dict[str, torch.Tensor]:
        sample, size, flip = self.samples[place], self.settings.input_size, bool(self.draws.flip[place])
        image = _read(self.images, sample["path"]).astype(np.float32)
        mask = _read(self.masks, sample["path"])
        joints = np.concatenate([sample["image_coord"], sample["cam_coord"][:, 2:]], axis=1)
        valid, hands = sample["joint_valid"].copy(), sample["hand_type"].copy()
        width = image.shape[1]
        if flip:
            image, mask = image[:, ::-1], MIRRORED_LABELS[mask[:, ::-1]]
            joints[:, 0] = width - 1 - joints[:, 0]
            joints, valid, hands = joints[MIRRORED_JOINTS], valid[MIRRORED_JOINTS], hands[::-1].copy()
        matrix = self._matrix(sample["box"], width, place)
        image = np.clip(cv2.warpAffine(image, matrix, (size, size)) * self.draws.color[place], 0, 255)
        half = self.settings.mask_size
        mask = cv2.warpAffine(mask, matrix * (half / size), (half, half), flags=cv2.INTER_NEAREST)
        roots = [joints[20, 2], joints[41, 2]]
        for joint in range(42):
            joints[joint, :2] = matrix @ np.array([joints[joint, 0], joints[joint, 1], 1.0])
            valid[joint] *= 0 <= joints[joint, 0] < size and 0 <= joints[joint, 1] < size
        root_valid = float(hands[0] * hands[1] * valid[20] * valid[41])
        cells, box = self.settings.heatmap_size, self.settings.depth_box_mm
        for joint in range(42):
            joints[joint, 2] -= roots[joint // 21]
            joints[joint, 2] = (joints[joint, 2] / (box / 2) + 1) / 2 * cells
            valid[joint] *= 0 <= joints[joint, 2] < cells
            joints[joint, :2] = joints[joint, :2] / size * cells
        bins, root_box = self.settings.root_bins, self.settings.root_box_mm
        rel_depth = ((roots[1] - roots[0]) / (root_box / 2) + 1) / 2 * bins
        root_valid *= 0 <= rel_depth < bins
        return {
            "image": torch.from_numpy(image.transpose(2, 0, 1) / 255).float(),
            "segm": torch.from_numpy(np.ascontiguousarray(mask.transpose(2, 0, 1))).long(),
            "joint_coord": torch.from_numpy(joints).float(),
            "joint_valid": torch.from_numpy(valid).float(),
            "rel_root_depth": torch.FloatTensor([rel_depth]),
            "root_valid": torch.FloatTensor([root_valid]),
            "hand_type": torch.from_numpy(hands).float(),
            "hand_type_valid": torch.from_numpy(sample["hand_type_valid"]).float(),
            "inv_trans": torch.from_numpy(cv2.invertAffineTransform(matrix)).float(),
        }

    def _matrix(self, box: np.ndarray, width: int, place: int) -> np.ndarray:
        """Affine map from the (mirrored) image to the crop, through three points."""
        draws, size = self.draws, self.settings.input_size
        x, y, w, h = box
        side = max(w, h) * 1.25
        x, y = x + w / 2 - side / 2 + draws.shift[place, 0] * side, y + h / 2 - side / 2 + draws.shift[place, 1] * side
        if draws.flip[place]:
            x = width - 1 - x - side
        center = np.array([x + side / 2, y + side / 2])
        angle, half = draws.rotation_rad[place], side * draws.scale[place] / 2
        down, right = half * np.array([-np.sin(angle), np.cos(angle)]), half * np.array([np.cos(angle), np.sin(angle)])
        source = np.stack([center, center + down, center + right]).astype(np.float32)
        target = np.array([[size / 2, size / 2], [size / 2, size], [size, size / 2]], np.float32)
        return cv2.getAffineTransform(source, target)


def _read(environment: lmdb.Environment, name: str) -> np.ndarray:
    """RGB image, or mask in three channels."""
    with environment.begin() as transaction:
        content = transaction.get(name.encode())
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


def pack_masks(samples: list[dict[str, Any]], contents: list[bytes | None], target: Path) -> None:
    """Write masks, one-channel PNG or None for an empty one, as three equal channels (PNG) into the LMDB ``target``."""
    with lmdb.open(str(target), map_size=1 << 36, subdir=False) as environment:
        with environment.begin(write=True) as transaction:
            for sample, content in zip(samples, contents, strict=True):
                labels = np.zeros(sample["size"][::-1], np.uint8)
                if content is not None:
                    labels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
                transaction.put(sample["path"].encode(), cv2.imencode(".png", np.dstack([labels] * 3))[1].tobytes())
