import dataclasses
import errno
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml

from digit import geometry
from digit.hand.mano import hand_digest, load_hands
from digit.hand.mesh import seal
from digit.hand.open_hand.model import load_open_hand
from digit.parts import drawing
from digit.run.errors import UserError
from digit.run.layout import Layout
from digit.samples import fits as fits_module
from digit.samples.fits import describe_fits, read_fits
from digit.samples.index import open_index
from digit.skeleton import LABEL_NAMES
from digit.stages.parts import parts
from digit.store.shard_cache import ShardCache
from digit.store.shards import Store
from tests.stages.fitted import BAD_FIT, BROKEN, CAMERAS, FRAMES, NO_JOINT, NO_LEFT, NOTHING, make_columns, make_config

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, spoilt):
    config = make_config(tmp_path_factory.mktemp("parts"), spoilt, max_fit_error_mm=40.0)
    parts(config, "train", 0)
    layout = Layout.of(config)
    return config, Store(layout.parts("train", 0)), pd.read_parquet(layout.fit("train", 0))


def decode(store, name):
    return cv2.imdecode(np.frombuffer(store.get(name), np.uint8), cv2.IMREAD_UNCHANGED)


def test_each_sample_with_a_fit_has_a_mask_as_large_as_its_image(drawn):
    config, store, _ = drawn
    index = open_index(Layout.of(config).index("train"))
    expected = [name for row, name in enumerate(index.keys()) if index.frame_row[row] != NOTHING]
    assert sorted(store.keys()) == sorted(expected)
    for row, name in enumerate(index.keys()):
        if name in store:
            mask = decode(store, name)
            assert mask.dtype == np.uint8 and mask.shape == (index.height[row], index.width[row])
            assert mask.max() <= 32 and mask.any()


def test_labels_of_a_hand_appear_only_where_its_fit_exists(drawn):
    _, store, table = drawn
    index = open_index(Layout.of(drawn[0]).index("train"))
    for row, name in enumerate(index.keys()):
        if name in store:
            mask, frame = decode(store, name), index.frame_row[row]
            assert ((mask >= 1) & (mask <= 16)).any() == (frame != BROKEN)
            assert (mask >= 17).any() == (frame != NO_LEFT)
            pixels = table.loc[row, ["pixels_right", "pixels_left"]].tolist()
            assert pixels == [((mask > 0) & (mask < 17)).sum(), (mask > 16).sum()]


def test_labels_equal_a_ray_cast(drawn, hands):
    """The nearest face along the ray of a pixel, by an intersection test in 3D, carries the pixel's label."""
    config, store, _ = drawn
    index = open_index(Layout.of(config).index("train"))
    faces = np.concatenate([hands.right.sealed_faces, hands.left.sealed_faces + 779])
    labels = np.concatenate([hands.right.face_labels, hands.left.face_labels])
    rng, checked = np.random.default_rng(0), 0
    for row in (0, 1, 20):
        frame, camera = index.frame_row[row], index.camera_row[row]
        fits = (index.mano_pose[frame], index.mano_shape[frame], index.mano_trans_m[frame])
        world = [
            seal(hands[s].vertices_world_mm(*(v[k : k + 1] for v in fits))[0]) for k, s in enumerate(("right", "left"))
        ]
        points = geometry.world_to_camera(np.concatenate(world), index.rotation[camera], index.position_mm[camera])
        mask = decode(store, index.keys()[row])
        near_hand = np.argwhere(cv2.dilate(mask, np.ones((9, 9), np.uint8)) > 0)
        for y, x in near_hand[rng.permutation(len(near_hand))[:150]]:
            pixel = (np.array([x, y]) - index.princpt_px[camera]) / index.focal_px[camera]
            label, clear = cast(np.append(pixel, 1.0), points, faces, labels)
            if clear:
                checked += 1
                assert mask[y, x] == label
    assert checked > 350


def cast(ray, points, faces, labels, margin=2e-3):
    """Label that a ray sees, and whether it passes all edges of nearer faces clearly (Moeller, Trumbore 1997)."""
    a, b, c = (points[faces[:, k]] for k in range(3))
    normal = np.cross(ray, c - a)
    scale = ((b - a) * normal).sum(-1)
    u = (-a * normal).sum(-1) / scale
    other = np.cross(-a, b - a)
    v, depth = other @ ray / scale, (other * (c - a)).sum(-1) / scale
    inside = np.minimum(np.minimum(u, v), 1 - u - v)
    hit, doubtful = (inside > 0) & (depth > 0), np.abs(inside) < margin
    nearest = depth[hit].min() if hit.any() else np.inf
    clear = not (doubtful & (depth > 0) & (depth <= nearest + 1)).any()
    return (labels[hit][depth[hit].argmin()] if hit.any() else 0), clear


def test_fit_errors_are_distances_over_valid_joints_and_never_nan(drawn):
    _, _, table = drawn
    frame = np.arange(len(table)) // CAMERAS
    errors = table[["fit_right_mm", "fit_left_mm"]].to_numpy(dtype=float, na_value=-1)
    missing = np.stack([np.isin(frame, [NOTHING, NO_JOINT, BROKEN]), np.isin(frame, [NOTHING, NO_LEFT])], 1)
    missing[7 * CAMERAS + 1, 1] = True
    bad = np.stack([frame == BAD_FIT, np.zeros(len(frame), bool)], 1)
    np.testing.assert_array_equal(errors == -1, missing)
    np.testing.assert_allclose(errors[~missing & ~bad], 5.0, atol=1e-3)
    np.testing.assert_allclose(errors[bad], np.hypot(60, 5), atol=1e-3)


def test_table_states_what_is_valid_and_why(drawn):
    _, _, table = drawn
    frame = np.arange(len(table)) // CAMERAS
    np.testing.assert_array_equal(table["valid_right"], ~np.isin(frame, [NOTHING, NO_JOINT, BAD_FIT, BROKEN]))
    valid_left = ~np.isin(frame, [NOTHING, NO_LEFT])
    valid_left[7 * CAMERAS + 1] = False
    np.testing.assert_array_equal(table["valid_left"], valid_left)
    reasons = {f: table["reason"][f * CAMERAS] for f in range(FRAMES)}
    assert reasons == {
        0: "",
        NOTHING: "right: no fit; left: no fit",
        NO_LEFT: "left: no fit",
        NO_JOINT: "right: fit error unknown, no valid joint",
        BAD_FIT: "right: fit error 60.2 mm above 40 mm",
        BROKEN: "right: no fit",
        6: "",
        7: "",
    }
    assert table["reason"][7 * CAMERAS + 1] == "left: fit error unknown, no valid joint"
    np.testing.assert_array_equal(table["row"], np.arange(len(table)))


def test_header_describes_the_shard(drawn, hands):
    config, store, _ = drawn
    header = store.header
    assert header["labels"] == list(LABEL_NAMES) and header["labels_version"] == 1
    assert header["backend"] == "numba" and header["stage"] == "parts"
    assert header["hand_model"] == {"name": "open", "sha256": hand_digest(hands)}
    assert str(config.run.folder) not in str(header)


def test_digest_follows_the_part_table(hands):
    other = dataclasses.replace(hands, left=dataclasses.replace(hands.left, face_labels=hands.left.face_labels[::-1]))
    assert hand_digest(other) != hand_digest(hands) == hand_digest(load_hands())


@pytest.fixture(scope="module")
def mano_files(tmp_path_factory, hands):
    """The open hand as a user has MANO: two pickles, a part table whose ids are moved by 5, and other joints."""
    folder = tmp_path_factory.mktemp("mano")
    for side, arrays in load_open_hand().items():
        (folder / f"MANO_{side.upper()}.pkl").write_bytes(pickle.dumps(dict(arrays), protocol=2))
    moved = (hands.right.face_labels - 1 + 5) % 16
    table = {"sealed_faces_right": hands.right.sealed_faces, "sealed_faces_color_right": moved}
    np.save(folder / "sealed_faces.npy", table, allow_pickle=True)
    np.save(folder / "regressor.npy", np.roll(hands.right.joint_regressor, 1, axis=0))
    return folder


def test_the_users_hand_files_decide_labels_and_fit_errors(mano_files, hands, tmp_path):
    columns = make_columns(hands, frames=2)
    files = {"sealed_faces": "sealed_faces.npy", "joint_regressor": "regressor.npy"}
    given = {key: str(mano_files / name) for key, name in files.items()}
    results = {}
    for name, data in {"open": {}, "plain": {"hand_model": str(mano_files)}}.items():
        results[name] = _drawn_with(tmp_path / name, columns, data)
    results["tables"] = _drawn_with(tmp_path / "tables", columns, {"hand_model": str(mano_files), **given})
    lut = np.arange(33)
    for first in (1, 17):
        lut[first : first + 16] = first + (np.arange(16) + 5) % 16
    for name in results["open"][0]:
        np.testing.assert_array_equal(results["plain"][0][name], results["open"][0][name])
        np.testing.assert_array_equal(results["tables"][0][name], lut[results["open"][0][name]])
    np.testing.assert_allclose(results["open"][1], 5.0, atol=1e-6)
    np.testing.assert_allclose(results["plain"][1], 5.0, atol=1e-6)
    for side, name in enumerate(("right", "left")):
        fits = (columns[f"mano_{key}"][:, side] for key in ("pose", "shape", "trans_m"))
        joints = np.load(mano_files / "regressor.npy") @ hands[name].vertices_world_mm(*fits)
        distances = np.linalg.norm(joints - columns["joints_world_mm"].reshape(2, 2, 21, 3)[:, side], axis=-1)
        expected = np.repeat(distances.mean(axis=1), CAMERAS)
        assert (expected > 10).all()
        np.testing.assert_allclose(results["tables"][1][:, side], expected, rtol=1e-6)


def _drawn_with(folder, columns, data):
    """Masks by name, and fit errors in mm, drawn with the given hand files."""
    config = make_config(folder, columns, **data)
    parts(config, "train", 0)
    store = Store(Layout.of(config).parts("train", 0))
    fits = pd.read_parquet(Layout.of(config).fit("train", 0))
    assert store.header["hand_model"]["name"] == ("MANO" if data else "open")
    return {name: decode(store, name) for name in fits["file_name"]}, fits[["fit_right_mm", "fit_left_mm"]].to_numpy()


def test_shards_together_equal_one_shard(drawn, tmp_path, spoilt):
    _, whole, table = drawn
    config = make_config(tmp_path, spoilt, shards=3, max_fit_error_mm=40.0)
    layout = Layout.of(config)
    for shard in range(3):
        parts(config, "train", shard)
    store = Store([layout.parts("train", shard) for shard in range(3)])
    assert {name: store.get(name) for name in store.keys()} == {name: whole.get(name) for name in whole.keys()}  # noqa: SIM118
    tables = pd.concat([pd.read_parquet(layout.fit("train", shard)) for shard in range(3)])
    tables = tables.sort_values("row", ignore_index=True)
    pd.testing.assert_frame_equal(tables, table)


def test_more_shards_than_frames_leave_some_empty(tmp_path, hands):
    config = make_config(tmp_path, make_columns(hands, frames=4), shards=9)
    layout = Layout.of(config)
    for shard in range(9):
        parts(config, "train", shard)
    assert len(Store([layout.parts("train", shard) for shard in range(9)])) == 12
    assert sum(len(pd.read_parquet(layout.fit("train", shard))) for shard in range(9)) == 12
    with pytest.raises(UserError, match=r"shards are 0\.\.8"):
        parts(config, "train", 9)


def test_surplus_shards_are_removed(tmp_path, hands):
    for shards in (5, 2):
        config = make_config(tmp_path, make_columns(hands), shards)
        for shard in range(shards):
            parts(config, "train", shard)
    folder = Layout.of(config).parts("train", 0).parent
    expected = {f"{shard}{suffix}" for shard in range(2) for suffix in (".lmdb", ".fit.parquet")}
    assert {path.name for path in folder.iterdir()} == expected | {".previous"}
    assert {path.name for path in (folder / ".previous").iterdir()} == expected


def test_the_same_input_gives_the_same_bytes(drawn, tmp_path, spoilt):
    config = make_config(tmp_path, spoilt, max_fit_error_mm=40.0)
    parts(config, "train", 0)
    ours, first = Layout.of(config), Layout.of(drawn[0])
    assert ours.parts("train", 0).read_bytes() == first.parts("train", 0).read_bytes()
    assert ours.fit("train", 0).read_bytes() == first.fit("train", 0).read_bytes()


def test_killed_in_the_middle_the_next_run_completes(tmp_path, hands):
    columns = make_columns(hands, frames=160)
    whole = make_config(tmp_path / "whole", columns)
    parts(whole, "train", 0)
    config = make_config(tmp_path / "killed", columns)
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"run": {"folder": str(tmp_path / "killed"), "name": "r"}, "data": {"shards": 1}}))
    code = "from digit.config import load_config; from digit.stages.parts import parts\n"
    code += "import digit.parts.drawing as drawing, time\n"
    code += "encode = drawing.encode_mask; drawing.encode_mask = lambda mask: (time.sleep(0.02), encode(mask))[1]\n"
    code += f"print('ready', flush=True); parts(load_config({str(path)!r}), 'train', 0)"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE)
    layout = Layout.of(config)
    partial = layout.parts("train", 0).with_name(".0.lmdb.partial")
    deadline = time.monotonic() + 60
    while not partial.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    time.sleep(1.0)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert partial.exists() and not layout.parts("train", 0).exists() and not layout.fit("train", 0).exists()
    parts(config, "train", 0)
    assert layout.parts("train", 0).read_bytes() == Layout.of(whole).parts("train", 0).read_bytes()
    assert layout.fit("train", 0).read_bytes() == Layout.of(whole).fit("train", 0).read_bytes()
    assert {file.name for file in layout.parts("train", 0).parent.iterdir()} == {".previous", "0.lmdb", "0.fit.parquet"}


@pytest.fixture
def count_drawn(monkeypatch):
    """Masks that were drawn since it was last asked."""
    masks, encode = [], drawing.encode_mask
    monkeypatch.setattr(drawing, "encode_mask", lambda mask: (masks.append(mask), encode(mask))[1])

    def count():
        number = len(masks)
        masks.clear()
        return number

    return count


def test_only_what_changed_is_drawn_again(drawn, tmp_path, spoilt, count_drawn):
    """A limit on fit errors changes no mask; a new pose changes those of its frame, another renderer all."""
    config = make_config(tmp_path, spoilt)
    layout = Layout.of(config)
    parts(config, "train", 0)
    assert count_drawn() == len(drawn[1])
    limited = make_config(tmp_path, spoilt, max_fit_error_mm=40.0)
    for path in (layout.parts("train", 0), layout.fit("train", 0)):
        path.unlink()
    parts(limited, "train", 0)
    assert count_drawn() == 0
    assert layout.parts("train", 0).read_bytes() == Layout.of(drawn[0]).parts("train", 0).read_bytes()
    assert layout.fit("train", 0).read_bytes() == Layout.of(drawn[0]).fit("train", 0).read_bytes()
    moved = {name: values.copy() for name, values in spoilt.items()}
    moved["mano_trans_m"][6, 0] += 0.01
    make_config(tmp_path, moved)
    parts(limited, "train", 0)
    assert count_drawn() == CAMERAS
    fresh = make_config(tmp_path / "fresh", moved, max_fit_error_mm=40.0)
    parts(fresh, "train", 0)
    assert layout.parts("train", 0).read_bytes() == Layout.of(fresh).parts("train", 0).read_bytes()
    # Hands posed in another company differ in the last digits.
    tables = [pd.read_parquet(Layout.of(one).fit("train", 0)) for one in (limited, fresh)]
    pd.testing.assert_frame_equal(*tables)


def test_a_store_and_a_table_of_two_runs_are_not_trusted(tmp_path, hands, count_drawn):
    """Killed between keeping the store and keeping the table: the kept ones do not belong together."""
    columns = make_columns(hands, frames=2)
    moved = columns | {"princpt_px": columns["princpt_px"] + 20}
    fresh = make_config(tmp_path / "fresh", columns)
    parts(fresh, "train", 0)
    config = make_config(tmp_path, columns)
    parts(config, "train", 0)
    table = ShardCache.kept(Layout.of(config).fit("train", 0))
    of_first_run = table.read_bytes()
    make_config(tmp_path, moved)
    parts(config, "train", 0)
    table.unlink()
    table.write_bytes(of_first_run)
    make_config(tmp_path, columns)
    count_drawn()
    parts(config, "train", 0)
    assert count_drawn() == len(columns["annot_id"])
    ours, right = Layout.of(config), Layout.of(fresh)
    assert ours.parts("train", 0).read_bytes() == right.parts("train", 0).read_bytes()
    assert ours.fit("train", 0).read_bytes() == right.fit("train", 0).read_bytes()


def test_where_the_table_cannot_be_written_there_is_no_store_either(tmp_path, hands, monkeypatch):
    config = make_config(tmp_path, make_columns(hands, frames=2))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fits_module, "sync", full)
    with pytest.raises(UserError, match="cannot be written"):
        parts(config, "train", 0)
    assert not any(Layout.of(config).parts("train", 0).parent.iterdir())


def test_the_other_backend_agrees(drawn, tmp_path, spoilt):
    from digit.render.gl import gl_platform

    try:
        gl_platform()
    except UserError as error:
        pytest.skip(f"no OpenGL on this machine: {error}")
    config = make_config(tmp_path, spoilt, max_fit_error_mm=40.0)
    config = dataclasses.replace(config, parts=dataclasses.replace(config.parts, backend="pyrender"))
    parts(config, "train", 0)
    store = Store(Layout.of(config).parts("train", 0))
    assert store.header["backend"] == "pyrender" and sorted(store.keys()) == sorted(drawn[1].keys())
    equal = [(decode(store, name) == decode(drawn[1], name)).mean() for name in store.keys()]  # noqa: SIM118
    assert min(equal) > 0.999


def test_counts_of_reasons_and_errors_are_put_in_words(drawn):
    lines = describe_fits(read_fits([Layout.of(drawn[0]).fit("train", 0)], FRAMES * CAMERAS))
    assert lines[0] == "fit error, right hand: median 5.0 mm, 95 % below 60.2 mm, worst 60.2 mm (15 hands)"
    assert "3 x right: fit error above 40 mm" in lines[-1] and "6 x left: no fit" in lines[-1]


def test_without_opengl_the_pyrender_backend_leaves_nothing_behind(tmp_path, spoilt):
    config = make_config(tmp_path, spoilt)
    path = tmp_path / "config.yaml"
    raw = {"run": {"folder": str(tmp_path), "name": "r"}, "data": {"shards": 1}, "parts": {"backend": "pyrender"}}
    path.write_text(yaml.safe_dump(raw))
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "PYOPENGL_PLATFORM": "none"}
    command = [sys.executable, "-m", "digit", "parts", "--split", "train", "--shard", "0", "--config", str(path)]
    trial = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert trial.returncode == 1
    assert "digit: parts.backend: pyrender needs OpenGL" in trial.stderr and "Traceback" not in trial.stderr
    assert not any(Layout.of(config).parts("train", 0).parent.iterdir())
