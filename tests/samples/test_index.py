import json
import pickle
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digit.release.interhand import Release
from digit.release.problems import Problems
from digit.release.tables import build_tables
from digit.run.errors import UserError
from digit.samples.index import CHECKED_BYTES, COLUMNS, SplitIndex, open_index, write_index


@pytest.fixture
def columns(tiny_release):
    problems = Problems()
    columns, _ = build_tables(Release(tiny_release), "val", problems)
    assert not problems.errors
    return columns


@pytest.fixture
def folder(columns, tmp_path):
    write_index(tmp_path / "index" / "val", "val", columns, [])
    return tmp_path / "index" / "val"


def test_columns_come_back_and_cannot_be_changed(columns, folder):
    index = open_index(folder)
    assert index.split == "val" and len(index) == 12
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(index, name), columns[name])
        assert isinstance(getattr(index, name), np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        index.box_px[0] = 0


def test_samples_are_sorted_and_only_used_rows_are_kept(folder, tiny_release):
    index = open_index(folder)
    keys = list(zip(index.capture, index.frame, index.camera_name[index.camera_row], strict=True))
    assert keys == sorted(keys)
    assert (np.diff(index.frame_row) >= 0).all()
    np.testing.assert_array_equal(index.frame_capture[index.frame_row], index.capture)
    np.testing.assert_array_equal(index.frame_number[index.frame_row], index.frame)
    np.testing.assert_array_equal(index.camera_capture[index.camera_row], index.capture)
    assert all(f"cam{c.decode()}/" in name for (_, _, c), name in zip(keys, index.keys(), strict=True))
    assert sorted(index.annotation_order) == list(range(12))
    assert len(np.unique(index.camera_row)) == len(index.camera_name) == 6


def test_a_pickled_index_is_a_path(folder):
    index = open_index(folder)
    sent = pickle.dumps(index)
    assert len(sent) < 1000
    again = pickle.loads(sent)
    assert isinstance(again.annot_id, np.memmap)
    np.testing.assert_array_equal(again.annot_id, index.annot_id)


def test_protocol_order_is_single_hands_then_interacting_in_annotation_order(folder, tiny_release):
    index = open_index(folder)
    annotations = json.loads(Release(tiny_release).annotation("val", "data").read_text())["annotations"]
    single = [a["id"] for a in annotations if a["hand_type"] != "interacting"]
    interacting = [a["id"] for a in annotations if a["hand_type"] == "interacting"]
    assert single and interacting
    assert index.annot_id[index.protocol_order()].tolist() == single + interacting


def test_protocol_order_of_the_golden_samples(mini_release, golden, tmp_path):
    problems = Problems()
    columns, _ = build_tables(Release(mini_release), "val", problems)
    write_index(tmp_path / "val", "val", columns, [])
    index = open_index(tmp_path / "val")
    if not (golden / "dataset.npz").is_file():
        pytest.skip(f"{golden} has no dataset.npz")
    vectors = np.load(golden / "dataset.npz", allow_pickle=False)
    expected = [str(path) for path in vectors["val_rootnet/im_path"]]
    assert [f"val/{name}" for name in index.keys(index.protocol_order())] == expected


def test_camera_joints_follow_the_formula(folder, tiny_release):
    index = open_index(folder)
    rows = np.array([7, 2])
    joints_cam_mm = index.camera_joints_mm(rows)
    camera = json.loads(Release(tiny_release).annotation("val", "camera").read_text())
    joints = json.loads(Release(tiny_release).annotation("val", "joint_3d").read_text())
    for row, found in zip(rows, joints_cam_mm, strict=True):
        capture, name = str(index.capture[row]), index.camera_name[index.camera_row[row]].decode()
        world = np.array(joints[capture][str(index.frame[row])]["world_coord"])
        rotation, position = np.array(camera[capture]["camrot"][name]), np.array(camera[capture]["campos"][name])
        np.testing.assert_allclose(found, [rotation @ (point - position) for point in world], atol=1e-9)


@given(
    captures=st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=30), min_size=1, max_size=4),
    shards=st.integers(1, 12),
)
@settings(deadline=None)
def test_shards_share_all_rows_without_cutting_a_frame_whatever_other_captures_there_are(captures, shards):
    """``captures``: the number of samples of each frame of each capture."""
    whole = _index_of(captures)
    parts = [whole.shard_rows(shards, shard) for shard in range(shards)]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(whole.frame_row)))
    assert all((np.diff(rows) > 0).all() for rows in parts)
    assert all((whole.shards_of(rows, shards) == shard).all() for shard, rows in enumerate(parts))
    frames = [set(whole.frame_row[rows].tolist()) for rows in parts]
    assert sum(map(len, frames)) == whole.frame_row.max() + 1
    assert max(map(len, frames)) - min(map(len, frames)) <= len(captures)
    alone = _index_of(captures[:-1])
    for shard, rows in enumerate(parts):
        before = alone.shard_rows(shards, shard)
        assert np.array_equal(rows[: len(before)], before)


def _index_of(captures):
    sizes = [size for capture in captures for size in capture]
    frame_row = np.repeat(np.arange(len(sizes)), sizes)
    frame_capture = np.repeat(np.arange(len(captures)), [len(capture) for capture in captures])
    columns = dict.fromkeys(COLUMNS, frame_row) | {"frame_capture": frame_capture}
    return SplitIndex(folder=None, header={}, **columns)


def test_a_shard_that_is_not_planned_is_refused():
    with pytest.raises(UserError, match=r"data\.shards is 2"):
        _index_of([[1, 2]]).shard_rows(2, 2)


def test_two_writes_are_equal_and_replace(columns, folder, tmp_path):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "stray").write_text("from an older version")
    write_index(folder, "val", columns, [])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["val"]


@pytest.mark.parametrize("name", ["annot_id", "box_px"])
def test_wrong_columns_are_refused_and_leave_nothing(columns, tmp_path, name):
    for wrong in (columns[name].astype(np.float16), columns[name][:-1]):
        with pytest.raises(ValueError, match="column"):
            write_index(tmp_path / "index" / "val", "val", columns | {name: wrong}, [])
    assert not (tmp_path / "index").exists()


def _edit_header(folder, **changes):
    header = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps(header | changes))


def _cut(path):
    path.write_bytes(path.read_bytes()[:-8])


def _zero(path, header_bytes=0):
    content = path.read_bytes()
    path.write_bytes(content[:header_bytes] + bytes(len(content) - header_bytes))


def _flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _replace_by_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shutil.rmtree, r"index\.json: cannot be read"),
        (lambda folder: _cut(folder / "index.json"), r"index\.json: is not valid JSON"),
        (lambda folder: _edit_header(folder, format="other"), "is not a digit index"),
        (lambda folder: _edit_header(folder, version=0), "is index version 0"),
        (lambda folder: (folder / "frame.npy").unlink(), r"frame\.npy: missing or damaged"),
        (lambda folder: _edit_header(folder, version=1), "is index version 1, this digit reads 2"),
        (lambda folder: _edit_header(folder, columns=[]), r"index\.json: does not state columns"),
        (
            lambda folder: _edit_header(folder, columns={"frame": []}),
            r"index\.json: does not state annot_id, .*frame, ",
        ),
        (lambda folder: _edit_header(folder, columns={name: {} for name in COLUMNS}), r"annot_id\.npy: does not match"),
        (lambda folder: _edit_header(folder, split=None, sources=0), r"index\.json: does not state split, sources"),
        (lambda folder: (folder / "index.json").write_text("[]"), "is not a digit index"),
        (lambda folder: (folder / "frame.npy").write_bytes(b""), r"frame\.npy: does not match"),
        (lambda folder: _replace_by_folder(folder / "frame.npy"), r"frame\.npy: missing or damaged"),
        (lambda folder: shutil.copy(folder / "frame.npy", folder / "capture.npy"), r"capture\.npy: does not match"),
        (lambda folder: _zero(folder / "box_px.npy"), r"box_px\.npy: does not match"),
        (lambda folder: _zero(folder / "box_px.npy", 128), r"box_px\.npy: does not match"),
        (lambda folder: _flip_a_bit(folder / "box_px.npy"), r"box_px\.npy: does not match"),
        (lambda folder: _cut(folder / "frame.npy"), r"frame\.npy: does not match"),
        (lambda folder: np.save(folder / "frame.npy", np.zeros(3, np.int32)), r"frame\.npy: does not match"),
    ],
)
def test_a_broken_index_is_refused_with_a_remedy(folder, damage, message):
    damage(folder)
    with pytest.raises(UserError, match=message) as caught:
        open_index(folder)
    assert "digit index --split val" in str(caught.value)


def test_both_ends_of_a_long_column_are_compared(columns, tmp_path):
    copies = -(-5 * CHECKED_BYTES // columns["box_px"].nbytes)
    long = {n: np.tile(a, (copies,) + (1,) * (a.ndim - 1)) for n, a in columns.items() if n in COLUMNS}
    write_index(tmp_path / "val", "val", long, [])
    path = tmp_path / "val" / "box_px.npy"
    content = path.read_bytes()
    assert len(content) > 4 * CHECKED_BYTES
    for place in (CHECKED_BYTES - 1, len(content) - CHECKED_BYTES, len(content) - 1):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(UserError, match=r"box_px\.npy: does not match"):
            open_index(path.parent)
    path.write_bytes(content)
    np.testing.assert_array_equal(open_index(path.parent).box_px, long["box_px"])


def test_columns_are_what_numpy_would_save_and_on_the_disk_before_they_get_their_name(columns, tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr("os.fsync", lambda number: synced.append(Path(f"/proc/self/fd/{number}").readlink().name))
    write_index(tmp_path / "val", "val", columns, [])
    assert {f"{name}.npy" for name in COLUMNS} | {"index.json", ".val.partial"} == set(synced)
    for name in COLUMNS:
        np.save(tmp_path / "saved.npy", columns[name])
        assert (tmp_path / "saved.npy").read_bytes() == (tmp_path / "val" / f"{name}.npy").read_bytes()


def test_a_disk_without_room_is_named_and_the_earlier_index_stays(columns, folder):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
        with pytest.raises(UserError, match=r"index/val: cannot be written \(File too large\)"):
            write_index(folder, "val", columns, [])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(open_index(folder)) == 12 and [path.name for path in folder.parent.iterdir()] == ["val"]
