"""Made-up indexes of fitted hands before three cameras, for the tests of masks and of their contact sheet."""

import numpy as np

from digit.config import resolve
from digit.run.layout import Layout
from digit.samples.index import COLUMNS, write_index

FRAMES, CAMERAS, WIDTH, HEIGHT = 8, 3, 256, 168
NOTHING, NO_LEFT, NO_JOINT, BAD_FIT, BROKEN = 1, 2, 3, 4, 5
"""Frames without any fit, without a left fit, without a valid right joint, with a bad right fit, with a NaN fit."""


def make_columns(hands, frames=FRAMES):
    """Columns of an index whose hands stand in front of three cameras, two of them turned on their side."""
    rng = np.random.default_rng(11)
    columns = {
        "mano_pose": rng.normal(0, 0.2, (frames, 2, 48)),
        "mano_shape": rng.normal(0, 1, (frames, 2, 10)),
        "mano_trans_m": np.array([[-0.06, 0, 0], [0.06, 0, 0.02]]) + rng.normal(0, 0.01, (frames, 2, 3)),
        "mano_valid": np.ones((frames, 2), bool),
    }
    columns["mano_pose"][:, :, 0] += np.pi / 2
    columns = {name: values.astype(COLUMNS[name].kind) for name, values in columns.items()}
    joints = np.zeros((frames, 42, 3))
    for side, hand in enumerate((hands.right, hands.left)):
        vertices = hand.vertices_world_mm(*(columns[f"mano_{n}"][:, side] for n in ("pose", "shape", "trans_m")))
        joints[:, side * 21 : side * 21 + 21] = hand.joints_world_mm(vertices)
    columns["joints_world_mm"] = joints + np.array([3.0, 0, 4.0])
    columns["joints_world_valid"] = np.ones((frames, 42), bool)
    columns["frame_capture"], columns["frame_number"] = np.arange(frames) // 4, np.arange(frames)
    angles = np.radians([-30.0, 0.0, 30.0])
    zero, one = np.zeros(3), np.ones(3)
    rotation = np.array(
        [[np.cos(angles), zero, -np.sin(angles)], [zero, one, zero], [np.sin(angles), zero, np.cos(angles)]]
    )
    columns["rotation"] = np.moveaxis(rotation, -1, 0)
    columns["position_mm"] = np.swapaxes(columns["rotation"], 1, 2) @ np.array([0, 0, -900.0])
    columns["focal_px"], columns["princpt_px"] = np.full((3, 2), 640.0), np.full((3, 2), [127.0, 85.0])
    columns["camera_capture"], columns["camera_name"] = np.zeros(3), np.array([b"a", b"b", b"c"])
    n = frames * CAMERAS
    rows = {"frame_row": np.repeat(np.arange(frames), 3), "camera_row": np.tile(np.arange(3), frames)}
    portrait = rows["camera_row"] > 0
    names = [f"Capture{f // 4}/s/cam{c}/image{f}.jpg".encode() for f in range(frames) for c in "abc"]
    columns |= rows | {
        "annot_id": np.arange(n), "annotation_order": np.arange(n), "capture": rows["frame_row"] // 4,
        "frame": rows["frame_row"], "width": np.where(portrait, HEIGHT, WIDTH),
        "height": np.where(portrait, WIDTH, HEIGHT),
        "box_px": np.zeros((n, 4)), "joint_valid": np.ones((n, 42), bool), "hand_type": np.ones((n, 2), bool),
        "hand_type_valid": np.ones(n, bool), "file_name": np.array(names), "rootnet_box_px": np.zeros((n, 4)),
        "rootnet_depth_mm": np.zeros((n, 2)), "rootnet_valid": np.zeros(n, bool),
    }  # fmt: skip
    return {name: a if COLUMNS[name].kind == "S" else a.astype(COLUMNS[name].kind) for name, a in columns.items()}


def spoil(columns):
    """Give single frames the defects that real annotations have."""
    columns = {name: values.copy() for name, values in columns.items()}
    columns["mano_valid"][NOTHING] = False
    columns["mano_valid"][NO_LEFT, 1] = False
    columns["joints_world_valid"][NO_JOINT, :21] = False
    columns["joints_world_mm"][BAD_FIT, :21, 1] += 60
    columns["mano_pose"][BROKEN, 0, 0] = np.nan
    columns["hand_type"][7 * CAMERAS] = [True, False]
    columns["joint_valid"][7 * CAMERAS + 1, 1:] = False
    return columns


def make_config(folder, columns, shards=1, **data):
    config = resolve({"run": {"folder": str(folder), "name": "r"}, "data": {"shards": shards, **data}})
    write_index(Layout.of(config).index("train"), "train", columns, [])
    return config
