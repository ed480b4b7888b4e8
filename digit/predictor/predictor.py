"""A trained network for anybody's pictures: crops in, poses in px of the picture out."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch

from digit import geometry
from digit.model.network import Network, require_images_alone
from digit.predictor.pose import Pose
from digit.predictor.readout import read_out
from digit.run.errors import UserError


class Predictor:
    """Predicts the hands of pictures.

    Args:
        network: in evaluation mode.
        source: where it comes from, for messages.
    """

    def __init__(self, network: Network, source: str = "the network") -> None:
        self.network, self.source = network, source

    def __call__(self, images: Sequence[np.ndarray], boxes: Sequence[Sequence[float] | None]) -> list[Pose]:
        """Predict (H, W, 3) uint8 RGB pictures in their boxes (x, y, width, height) px, None for the whole picture.

        Raises:
            UserError: when the network needs annotated masks, a box does not touch its picture, or the answer is not
                finite.
        """
        require_images_alone(self.network, self.source)
        settings = self.network.settings
        squares = [crop_box(image, box) for image, box in zip(images, boxes, strict=True)]
        maps = geometry.crop_map(np.array(squares), settings.input_size)
        size = (settings.input_size, settings.input_size)
        crops = [cv2.warpAffine(image, to_crop, size) for image, to_crop in zip(images, maps, strict=True)]
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            batch = torch.from_numpy(np.stack(crops)).to(device).permute(0, 3, 1, 2).float() / 255
            read = read_out(self.network(batch), settings)
        joints_px = geometry.apply_map(geometry.invert_map(maps), read.joints_crop_px)
        if not all(np.isfinite(values).all() for values in (joints_px, read.depth_mm, read.hand_probability)):
            raise UserError(f"{self.source}: the network's answer is not finite; has its training diverged?")
        parts_to_image = geometry.invert_map(maps * (settings.mask_size / settings.input_size))
        return [
            Pose(
                joints_px=joints_px[k],
                depth_mm=read.depth_mm[k],
                hand_probability=read.hand_probability[k],
                rel_root_mm=float(read.rel_root_mm[k]),
                parts=None if read.parts is None else read.parts[k],
                parts_to_image=parts_to_image[k],
            )
            for k in range(len(crops))
        ]


def crop_box(image: np.ndarray, box: Sequence[float] | None) -> np.ndarray:
    """The square (4,) px to crop: a box enlarged x1.25 as in training, or what holds the whole picture.

    Raises:
        UserError: when the box does not touch the picture.
    """
    height, width = image.shape[:2]
    if box is None:
        return geometry.square_box(np.array([0.0, 0.0, width, height]), enlarge=1.0)
    x, y, w, h = box
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        shown = ", ".join(f"{value:g}" for value in box)
        raise UserError(
            f"the box [{shown}] does not touch the picture, which is {width} x {height} px when it is upright; "
            "boxes are x, y of the upper left corner, width, height"
        )
    return geometry.square_box(np.asarray(box, np.float64))
