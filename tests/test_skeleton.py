import numpy as np

from digit import skeleton as sk


def test_joint_names_follow_the_release():
    assert sk.JOINT_NAMES[:5] == ("r_thumb4", "r_thumb3", "r_thumb2", "r_thumb1", "r_index4")
    assert sk.JOINT_NAMES[20] == "r_wrist" and sk.JOINT_NAMES[41] == "l_wrist"
    assert len(set(sk.JOINT_NAMES)) == sk.JOINT_COUNT == 42


def test_parents_lead_to_the_wrist_of_the_same_hand():
    for joint in range(sk.JOINT_COUNT):
        steps, at = 0, joint
        while sk.PARENTS[at] >= 0:
            steps, at = steps + 1, sk.PARENTS[at]
        assert at == sk.ROOT_JOINTS[sk.JOINT_HAND[joint]]
        name = sk.JOINT_NAMES[joint]
        assert steps == (0 if name.endswith("wrist") else int(name[-1]))


def test_bones_join_each_joint_to_its_parent():
    assert sk.BONES.shape == (40, 2)
    assert [sk.PARENTS[child] for child in sk.BONES[:, 0]] == sk.BONES[:, 1].tolist()
    assert (sk.JOINT_HAND[sk.BONES[:20]] == 0).all() and (sk.JOINT_HAND[sk.BONES[20:]] == 1).all()


def test_mirroring_swaps_hands_and_is_its_own_inverse():
    assert (sk.MIRRORED_JOINTS[sk.MIRRORED_JOINTS] == np.arange(42)).all()
    for joint, mirrored in enumerate(sk.MIRRORED_JOINTS):
        assert sk.JOINT_NAMES[joint][1:] == sk.JOINT_NAMES[mirrored][1:]
        assert sk.JOINT_NAMES[joint][0] != sk.JOINT_NAMES[mirrored][0]
    assert (sk.MIRRORED_LABELS[sk.MIRRORED_LABELS] == np.arange(33)).all()
    for label in range(1, 33):
        assert sk.LABEL_NAMES[label][1:] == sk.LABEL_NAMES[sk.MIRRORED_LABELS[label]][1:]


def test_labels_follow_the_published_order():
    assert sk.LABEL_NAMES[0] == "background" and sk.LABEL_COUNT == 33
    assert sk.LABEL_NAMES[1 + 8] == "r_palm" and sk.LABEL_NAMES[17 + 8] == "l_palm"
    assert sk.LABEL_NAMES[1 + 11] == "r_index3" and sk.LABEL_NAMES[17 + 15] == "l_ring2"


def test_every_mano_joint_moves_its_own_part():
    assert sorted(sk.PART_OF_MANO_JOINT) == list(range(16))
    assert [sk.PART_NAMES[part] for part in sk.PART_OF_MANO_JOINT[1:]] == list(sk.MANO_JOINT_NAMES[1:])
    assert sk.MANO_JOINT_NAMES[7] == "pinky1" and sk.MANO_JOINT_NAMES[13] == "thumb1"


def test_label_colors_are_distinct():
    colors = sk.label_colors()
    assert colors.shape == (33, 3) and colors.dtype == np.uint8
    distance = np.abs(colors[:, None].astype(int) - colors[None]).sum(axis=-1) + 999 * np.eye(33, dtype=int)
    assert distance.min() >= 15, "two parts look the same"
