"""DIGIT: the 3D pose of two interacting hands from one RGB image, as a reproducible pipeline.

The names that other programs may rely on are listed in ``__all__``; ``examples/`` shows them at work. Each name is
imported when it is first used, so that ``import digit`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from digit.config import load_config
    from digit.hand.mano import load_hands
    from digit.parts.view import Camera, PosedHand, pose_hand, render_parts
    from digit.predictor.pictures import read_picture
    from digit.predictor.pose import Pose
    from digit.predictor.predictor import Predictor, load_model
    from digit.predictor.scoring import evaluate
    from digit.run.errors import UserError
    from digit.samples.plain import open_dataset

__version__ = "0.2.0"
__all__ = [
    "Camera",
    "Pose",
    "PosedHand",
    "Predictor",
    "UserError",
    "evaluate",
    "load_config",
    "load_hands",
    "load_model",
    "open_dataset",
    "pose_hand",
    "read_picture",
    "render_parts",
]

_HOMES = {
    "Camera": "parts.view",
    "Pose": "predictor.pose",
    "PosedHand": "parts.view",
    "Predictor": "predictor.predictor",
    "UserError": "run.errors",
    "evaluate": "predictor.scoring",
    "load_config": "config",
    "load_hands": "hand.mano",
    "load_model": "predictor.predictor",
    "open_dataset": "samples.plain",
    "pose_hand": "parts.view",
    "read_picture": "predictor.pictures",
    "render_parts": "parts.view",
}
"""The module below ``digit`` that each public name comes from."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'digit' has no attribute {name!r}")
    return getattr(import_module(f"digit.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
