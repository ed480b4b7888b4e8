"""DIGIT: the 3D pose of two interacting hands from one RGB image, as a reproducible pipeline."""

__version__ = "0.1.0"
