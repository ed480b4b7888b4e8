import numpy as np

from digit.hand.mano import load_hands
from digit.synthetic.annotate import annotate_frame, annotate_sample, joint_box
from digit.synthetic.cameras import make_cameras
from digit.synthetic.poses import sample_hands


def test_boxes_match_the_releases_rule():
    camera = make_cameras(np.random.default_rng(0), 1, "narrow")[0]
    box = joint_box(np.array([[100.0, 120.0], [150.0, 220.0]]), camera)
    np.testing.assert_allclose(box, [95.0, 110.0, 60.0, 120.0])
    clipped = joint_box(np.array([[-40.0, 20.0], [2000.0, 30.0]]), camera)
    np.testing.assert_allclose(clipped[[0, 2]], [0.0, camera.width - 1])


def test_annotations_of_a_single_hand():
    rng, hands = np.random.default_rng(5), load_hands()
    posed = sample_hands(rng, hands, np.zeros(10), "left", "narrow")
    truths = [annotate_frame(rng, hands, posed) for _ in range(300)]
    joints = hands.left.joints_world_mm(posed["left"].vertices_mm)
    errors = [np.linalg.norm(t.joints_world_mm[21:] - joints, axis=1).mean() for t in truths]
    assert 1.0 < np.mean(errors) < 4.0
    assert all(not t.joint_valid[:21].any() and np.all(t.joints_world_mm[:21] == 1.0) for t in truths)
    assert 0.95 < np.mean([t.joint_valid[21:].mean() for t in truths]) < 1.0
    missing = sum(t.fits is None for t in truths)
    without = sum(t.fits is not None and t.fits["left"] is None for t in truths)
    assert 0 < missing < 20
    assert 0 < without < 30
    assert all(t.fits is None or t.fits["right"] is None for t in truths)


def test_rootnet_guesses_are_a_few_centimetres_off():
    rng, hands = np.random.default_rng(6), load_hands()
    truth = annotate_frame(rng, hands, sample_hands(rng, hands, np.zeros(10), "right", "narrow"))
    camera = make_cameras(rng, 1, "narrow")[0]
    depth = (camera.rotation @ (truth.joints_world_mm[20] - camera.position_mm))[2]
    errors = np.array([annotate_sample(rng, truth, camera).rootnet_depth_mm - depth for _ in range(400)])
    assert 20 < errors.std() < 50
    assert np.all(np.abs(errors.mean(axis=0)) < 8)
