"""Predict on any image, without data set files: an overlay picture and a JSON file per image."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from digit import __version__, geometry
from digit.figures import draw_skeleton, overlay_mask, upscale_mask
from digit.model.network import Network, require_images_alone
from digit.model.weights import load_model
from digit.run.console import log, track
from digit.run.errors import UserError
from digit.run.files import read_json, replacing, write_json
from digit.samples.dataset import DECODE_COLOR
from digit.skeleton import FIRST_LABEL, HANDS, JOINT_HAND, JOINT_NAMES, JOINTS_PER_HAND, PARTS_PER_HAND

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
OVERLAY_SIDE_PX = 900
SMOOTH = 4
NOTE = (
    "x_px, y_px: pixels of the image, centres at integers; depth_mm: relative to that hand's wrist, positive away "
    "from the camera; left_root_minus_right_root_depth_mm only means something when both hands are present"
)


@dataclass(frozen=True)
class Pose:
    """What the network says about one image."""

    joints_px: np.ndarray
    """(42, 2) in image px."""
    depth_mm: np.ndarray
    """(42,) relative to the wrist of each joint's hand."""
    hand_probability: np.ndarray
    """(2,) of the right and the left hand."""
    rel_root_mm: float
    """Depth of the left wrist minus that of the right one."""
    labels: np.ndarray
    """(H, W) uint8 part labels in the image; all background from a network that draws no parts."""


def predict(
    checkpoint: Path,
    images: Path,
    output: Path,
    boxes: Path | None = None,
    hand_threshold: float = 0.5,
    preset: str = "paper",
) -> list[Path]:
    """Predict on one image or on every image of a folder, on the CPU.

    Args:
        checkpoint: One of our checkpoints, the released weights or a checkpoint of the original.
        images: An image file, or a folder of them.
        output: Folder for ``<name>.json`` and ``<name>.png``.
        boxes: JSON of hand boxes by file name, ``{"photo.jpg": [x, y, width, height]}`` in px; each is made square
            and enlarged x1.25 as in training. None takes the whole image.
        hand_threshold: A hand below this probability is not drawn and has ``present: false``.
        preset: Size of the network where the checkpoint does not say.

    Returns:
        The JSON files written.

    Raises:
        UserError: for an unreadable image, a bad box file or a wrong checkpoint, also one that needs masks; before
            anything is written where that can be known.
    """
    if not 0 <= hand_threshold <= 1:
        raise UserError(f"hand threshold {hand_threshold}: give a probability from 0 to 1")
    paths = find_images(images)
    boxes_px = read_boxes(boxes, paths) if boxes else {}
    model = load_model(checkpoint, preset)
    require_images_alone(model, str(checkpoint))
    written = []
    for path in track(paths, "predict", len(paths)):
        image = read_picture(path)
        height, width = image.shape[:2]
        given = boxes_px.get(path.name)
        box_px = geometry.square_box(np.array(given)) if given else whole_image(width, height)
        pose = estimate(model, image, box_px)
        present = pose.hand_probability >= hand_threshold
        stem = f"{path.stem}.{path.suffix[1:]}" if _ambiguous(path, paths) else path.stem
        with replacing(output / f"{stem}.png") as temporary:
            temporary.write_bytes(cv2.imencode(".png", draw(image, pose, present)[..., ::-1])[1].tobytes())
        record = describe(pose, present) | {"image": path.name, "width": width, "height": height}
        record |= {"box_px": [round(float(v), 2) for v in box_px], "box": "given" if given else "whole image"}
        record |= {"hand_threshold": hand_threshold, "checkpoint": checkpoint.name, "software": f"digit {__version__}"}
        write_json(output / f"{stem}.json", record | {"note": NOTE})
        written.append(output / f"{stem}.json")
    log.info("predict: %d images, results in %s", len(written), output)
    return written


def find_images(images: Path) -> list[Path]:
    """The image itself, or every image of a folder by name.

    Raises:
        UserError: when there is none.
    """
    if images.is_file():
        return [images]
    if not images.is_dir():
        raise UserError(f"{images}: does not exist; give an image or a folder of images")
    found = sorted(path for path in images.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise UserError(f"{images}: holds no image ({', '.join(SUFFIXES)})")
    return found


def read_boxes(path: Path, images: list[Path]) -> dict[str, list[float]]:
    """Read boxes by file name; every image needs one.

    Raises:
        UserError: naming every entry that is not four numbers with positive width and height.
    """
    document = read_json(path, 'give {"photo.jpg": [x, y, width, height], ...}')
    if not isinstance(document, dict):
        raise UserError(f'{path}: must be an object such as {{"photo.jpg": [x, y, width, height]}}')
    bad = [name for name, box in document.items() if not _is_box(box)]
    lacking = [image.name for image in images if image.name not in document]
    problems = [f"{name}: not four numbers x, y, width, height with positive width and height" for name in bad]
    problems += [f"{name}: no box for this image; add one, or leave the box file out" for name in lacking]
    if problems:
        shown = problems[:10] + ([f"... and {len(problems) - 10} more"] if len(problems) > 10 else [])
        raise UserError(f"{path} has {len(problems)} problem(s):\n" + "\n".join(f"  - {line}" for line in shown))
    return document


def read_picture(path: Path) -> np.ndarray:
    """Decode an image to (H, W, 3) uint8 RGB.

    Raises:
        UserError: when it cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    image = cv2.imdecode(np.frombuffer(content, np.uint8), DECODE_COLOR) if content else None
    if image is None:
        raise UserError(f"{path}: is not an image that can be decoded; convert it to JPEG or PNG, or take it out")
    return image


def whole_image(width: int, height: int) -> np.ndarray:
    """The square box (4,) that holds a whole image."""
    return geometry.square_box(np.array([0.0, 0.0, width, height]), enlarge=1.0)


def estimate(model: Network, image: np.ndarray, box_px: np.ndarray) -> Pose:
    """Run the network on the crop of a square box (4,) of an image (H, W, 3) uint8 RGB."""
    settings = model.settings
    size, cells = settings.input_size, settings.heatmap_size
    image_to_crop = geometry.crop_map(box_px, size)
    crop = cv2.warpAffine(image, image_to_crop, (size, size), flags=cv2.INTER_LINEAR)
    with torch.inference_mode():
        prediction = model(torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255)
    joints = prediction.joint_xyz[0].double().numpy()
    rel_root = geometry.cells_to_depth(prediction.rel_root_depth.numpy(), settings.root_box_mm, settings.root_bins)
    if prediction.segm_logits is None:  # a network that draws no parts
        coarse = np.zeros((settings.mask_size, settings.mask_size), np.uint8)
    else:
        coarse = prediction.segm_logits[0].argmax(0).numpy().astype(np.uint8)
    labels = upscale_mask(coarse, SMOOTH)
    # Label px are SMOOTH finer than the network's; pixel centres sit at integers in both.
    finer = labels.shape[0] / size
    image_to_labels = image_to_crop * finer + np.array([[0, 0, (SMOOTH - 1) / 2]] * 2)
    height, width = image.shape[:2]
    return Pose(
        joints_px=geometry.apply_map(geometry.invert_map(image_to_crop), joints[:, :2] * (size / cells)),
        depth_mm=geometry.cells_to_depth(joints[:, 2], settings.depth_box_mm, cells),
        hand_probability=prediction.hand_logits[0].sigmoid().numpy(),
        rel_root_mm=float(rel_root.item()),
        labels=cv2.warpAffine(labels, image_to_labels, (width, height), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP),
    )


def draw(image: np.ndarray, pose: Pose, present: np.ndarray) -> np.ndarray:
    """Masks and skeletons of the hands that are present (2,) over the image, enlarged if it is small."""
    scale = max(1, round(OVERLAY_SIDE_PX / max(image.shape[:2])))
    labels = pose.labels.copy()
    for hand in range(2):
        first = FIRST_LABEL[hand]
        if not present[hand]:
            labels[(labels >= first) & (labels < first + PARTS_PER_HAND)] = 0
    masked = overlay_mask(image, labels, alpha=0.4, scale=scale)
    joints_px = (pose.joints_px + 0.5) * scale - 0.5
    return draw_skeleton(masked, joints_px, present[JOINT_HAND])


def describe(pose: Pose, present: np.ndarray) -> dict[str, Any]:
    """A pose as JSON; joints by their name within the hand."""
    hands = {}
    for number, hand in enumerate(HANDS):
        joints = range(number * JOINTS_PER_HAND, (number + 1) * JOINTS_PER_HAND)
        hands[hand] = {
            "probability": round(float(pose.hand_probability[number]), 4),
            "present": bool(present[number]),
            "joints": {
                JOINT_NAMES[k][2:]: {
                    "x_px": round(float(pose.joints_px[k, 0]), 2),
                    "y_px": round(float(pose.joints_px[k, 1]), 2),
                    "depth_mm": round(float(pose.depth_mm[k]), 2),
                }
                for k in joints
            },
        }
    return {"hands": hands, "left_root_minus_right_root_depth_mm": round(pose.rel_root_mm, 2)}


def _is_box(box: Any) -> bool:
    numbers = isinstance(box, list) and len(box) == 4 and all(type(v) in (int, float) for v in box)
    return numbers and all(np.isfinite(box)) and box[2] > 0 and box[3] > 0


def _ambiguous(path: Path, paths: list[Path]) -> bool:
    return sum(other.stem == path.stem for other in paths) > 1
