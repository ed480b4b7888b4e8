"""Published results on InterHand2.6M v1.0, 5 fps; sources and traps in docs/protocol.md."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One row of the literature; mm, None where not stated."""

    method: str
    split: str
    root_depth: str
    mpjpe_sh: float | None
    mpjpe_ih: float | None
    mpjpe_all: float | None
    mrrpe: float | None
    handedness_accuracy: float | None
    joints: int = 42


PUBLISHED = (
    Published("DIGIT, released weights", "test", "RootNet", 10.73, 14.21, 12.59, 29.04, 0.9915),
    Published("the same without wrists (x 42/40)", "test", "RootNet", 11.27, 14.92, 13.22, None, None, joints=40),
    Published("InterNet, paper", "test", "RootNet", 12.16, 16.02, 14.22, None, None),
    Published("Keypoint Transformer", "test", "RootNet, optional", 10.88, 14.16, 12.62, 29.50, None),
    Published("InterNet, mmpose", "test", "ground truth", 9.69, 13.72, 11.86, 29.27, 0.99),
    Published("A2J-Transformer", "test", "ground truth", 8.10, 10.96, 9.63, None, None),
    Published("DIGIT, released weights", "val", "RootNet", 13.15, 16.65, 14.82, 31.33, 0.9879),
    Published("the same without wrists (x 42/40)", "val", "RootNet", 13.81, 17.48, 15.56, None, None, joints=40),
    Published("InterNet, mmpose", "val", "ground truth", 11.30, 15.57, 13.36, 32.15, 0.98),
)
