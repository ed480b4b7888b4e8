import numpy as np

from digit.hand.open_hand.posing import LIMITS_DEG, OVERLAP_TOLERANCE_MM, sample_poses, self_overlap_mm
from digit.synthetic.gestures import draw_gesture, near_posture


def test_gestures_stay_within_limits_and_out_of_each_other():
    rng = np.random.default_rng(0)
    poses = np.stack([draw_gesture(rng) for _ in range(80)])
    assert np.all(poses >= LIMITS_DEG[..., 0] - 1e-9) and np.all(poses <= LIMITS_DEG[..., 1] + 1e-9)
    assert self_overlap_mm(poses).max() <= OVERLAP_TOLERANCE_MM


def test_gestures_vary_more_from_finger_to_finger_than_natural_poses():
    rng = np.random.default_rng(1)
    gestures = np.stack([draw_gesture(rng) for _ in range(150)])
    natural = sample_poses(rng, 150)

    def unevenness(poses: np.ndarray) -> float:
        return float(np.std(poses[:, :4, 3], axis=1).mean())

    assert unevenness(gestures) > 1.15 * unevenness(natural)


def test_postures_stay_near_their_names():
    rng = np.random.default_rng(2)
    flat = np.stack([near_posture(rng, "flat") for _ in range(20)])
    fist = np.stack([near_posture(rng, "fist") for _ in range(20)])
    assert flat[:, :4, 3].mean() < 20 and fist[:, :4, 3].mean() > 80
