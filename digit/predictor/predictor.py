"""A trained network for pictures: crops in, poses in px of the picture out."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from digit import geometry
from digit.config import ModelSettings
from digit.model.inference import best_device, to_device, to_inputs
from digit.model.network import Network, require_images_alone
from digit.model.shipped import shipped_weights
from digit.model.weights import load_network
from digit.predictor.boxes import crop_box
from digit.predictor.pose import Pose
from digit.predictor.readout import read_out
from digit.run.errors import UserError

Image = np.ndarray | Tensor
Box = Sequence[float] | np.ndarray | None
EXPECTED = "numpy (H, W, 3) or torch (3, H, W), RGB, uint8 or floats from 0 to 1"


class Predictor:
    """Predicts the hands of pictures.

    Args:
        network: in evaluation mode; it stays where it is.
        source: where it comes from, for messages.
        batch_size: pictures that the network sees at once.

    Examples:
        >>> predictor = digit.load_model("best.ckpt")
        >>> poses = predictor([image], boxes=[[310, 120, 240, 200]])
        >>> poses[0].joints_px.shape, poses[0].present()
    """

    network: Network
    """The network itself: crops (B, 3, S, S) in, heat-map cells out (:class:`digit.model.network.Prediction`)."""

    def __init__(self, network: Network, source: str = "the network", batch_size: int = 16) -> None:
        self.network, self.source, self.batch_size = network, source, batch_size

    @property
    def device(self) -> torch.device:
        """Where the network runs."""
        return next(self.network.parameters()).device

    def __call__(self, images: Image | Sequence[Image], boxes: Box | Sequence[Box] = None) -> list[Pose]:
        """Predict pictures, in batches.

        Args:
            images: RGB pictures of any size, upright: numpy (H, W, 3) or torch (3, H, W), uint8 or floats from 0 to 1,
                on any device; a sequence of them, a batch with one axis more, or one alone.
            boxes: for each picture x, y, width and height around both hands in px, or None for the whole picture. Each
                is made square and enlarged x1.25 as in training.

        Returns:
            The pose of each picture, in its own px.

        Raises:
            UserError: for what is no picture or box, a box beside its picture, a network that needs annotated masks,
                or one whose answer is not finite.
        """
        require_images_alone(self.network, self.source)
        if getattr(images, "ndim", None) == 3:
            images, boxes = [images], [boxes]  # type: ignore[list-item, assignment]
        given = [None] * len(images) if boxes is None else list(boxes)
        if len(given) != len(images):
            raise UserError(f"boxes: there are {len(given)} for {len(images)} images; give one, or None, for each")
        poses = []
        for start in range(0, len(images), self.batch_size):
            block = range(start, min(start + self.batch_size, len(images)))
            pixels = [_pixels(images[k], f"images[{k}]") for k in block]
            squares = []
            for k, image in zip(block, pixels, strict=True):
                try:
                    squares.append(crop_box(image.shape[1], image.shape[0], given[k]))  # type: ignore[arg-type]
                except UserError as error:
                    raise UserError(f"boxes[{k}]: {error}") from error
            poses += self._predict(pixels, geometry.crop_map(np.array(squares), self.network.settings.input_size))
        return poses

    def samples(self, batches: Iterable[dict[str, Tensor]]) -> Iterator[Pose]:
        """Predict samples of a data set in their own crops, one pose each, in px of the original images.

        Args:
            batches: of :func:`digit.open_dataset`, from any DataLoader.

        Raises:
            UserError: when crops have another size than the network's, or its answer is not finite.
        """
        settings = self.network.settings
        for batch in batches:
            size = batch["image"].shape[1]
            if size != settings.input_size:
                raise UserError(
                    f"{self.source}: takes crops of {settings.input_size} px, the samples' are of {size}; open the "
                    "data set for the experiment of this network: digit.open_dataset(config, split, experiment)"
                )
            with torch.inference_mode():
                inputs = to_inputs(to_device(batch, self.device), settings)
            yield from self._poses(inputs, batch["inv_trans"].double().numpy())

    def _predict(self, images: list[np.ndarray], maps: np.ndarray) -> list[Pose]:
        """Poses in pictures (H, W, 3) uint8 whose crops have affine maps (n, 2, 3) from image to crop px."""
        size = (self.network.settings.input_size,) * 2
        crops = [cv2.warpAffine(image, to_crop, size) for image, to_crop in zip(images, maps, strict=True)]
        batch = torch.from_numpy(np.stack(crops)).to(self.device).permute(0, 3, 1, 2).float() / 255
        return self._poses((batch,), geometry.invert_map(maps))

    def _poses(self, inputs: tuple[Tensor, ...], crop_to_image: np.ndarray) -> list[Pose]:
        """Run the network on its inputs; their crops have affine maps (n, 2, 3) from crop to image px."""
        settings = self.network.settings
        with torch.inference_mode():
            read = read_out(self.network(*inputs), settings)
        if not all(np.isfinite(v).all() for v in (read.joints_crop_px, read.depth_mm, read.hand_probability)):
            raise UserError(f"{self.source}: the network's answer is not finite; has its training diverged?")
        parts_to_crop = np.diag([settings.input_size / settings.mask_size] * 2)
        joints_px = geometry.apply_map(crop_to_image, read.joints_crop_px)
        parts_to_image = np.concatenate([crop_to_image[..., :2] @ parts_to_crop, crop_to_image[..., 2:]], axis=-1)
        return [
            Pose(
                joints_px=joints_px[k],
                depth_mm=read.depth_mm[k],
                hand_probability=read.hand_probability[k],
                rel_root_mm=float(read.rel_root_mm[k]),
                parts=None if read.parts is None else read.parts[k],
                parts_to_image=parts_to_image[k],
                confidence=read.confidence[k],
            )
            for k in range(len(joints_px))
        ]


def load_model(
    weights: str | Path | None = None, device: str | torch.device | None = None, preset: str | ModelSettings = "paper"
) -> Predictor:
    """Load a trained network for prediction.

    Args:
        weights: one of our checkpoints, the released ``.pt`` or a ``.ckpt`` of the original; None: those that come
            with the package.
        device: to run on, such as ``"cpu"`` or ``"cuda:1"``; None takes the GPU if there is one.
        preset: sizes of the network when the file does not say: ``paper``, ``small``, ``tiny`` or settings of its
            own.

    Raises:
        UserError: when the file is missing or not the one that was shipped, wants to run code or does not fit the
            network; when there is no such device or preset.

    Examples:
        >>> predictor = digit.load_model("best.ckpt", device="cpu")
        >>> predictor.network.settings.input_size
    """
    weights = shipped_weights() if weights is None else weights
    network = load_network(weights, preset)
    try:
        network.to(best_device() if device is None else torch.device(device))
    except (RuntimeError, AssertionError) as error:  # torch raises both for devices that it does not have
        reason = str(error).splitlines()[0]
        raise UserError(f"device {str(device)!r}: cannot be used ({reason}); None takes what is there") from error
    return Predictor(network, str(weights))


def _pixels(image: Image, name: str) -> np.ndarray:
    """A picture as (H, W, 3) uint8 on the CPU.

    Raises:
        UserError: when it is anything else than :data:`EXPECTED`.
    """
    if isinstance(image, Tensor):
        image = image.detach().cpu()
        image = (image.float() if image.is_floating_point() else image).movedim(0, -1).numpy()
        shown = f"torch {(image.shape[-1:] + image.shape[:-1])}"
    elif isinstance(image, np.ndarray):
        shown = f"numpy {image.shape}"
    else:
        raise UserError(f"{name}: is a {type(image).__name__}, expected {EXPECTED}; digit.read_picture reads files")
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise UserError(f"{name}: is {shown}, expected {EXPECTED}")
    if image.dtype.kind == "f" and image.min() >= 0 and image.max() <= 1:  # NaN is neither
        return np.round(image * 255).astype(np.uint8)
    if image.dtype != np.uint8:
        raise UserError(f"{name}: holds {image.dtype} from {image.min()} to {image.max()}, expected {EXPECTED}")
    return np.ascontiguousarray(image)
