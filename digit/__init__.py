"""DIGIT: the 3D pose of two interacting hands from one RGB image, as a reproducible pipeline."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from digit.model.weights import load_model

__version__ = "0.1.0"
__all__ = ["load_model"]


def __getattr__(name: str) -> Any:
    if name == "load_model":
        from digit.model.weights import load_model

        return load_model
    raise AttributeError(f"module 'digit' has no attribute {name!r}")
