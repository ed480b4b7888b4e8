import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from digit.config import SPLITS, resolve, to_dict
from digit.geometry import project, square_box, world_to_camera
from digit.hand.mano import load_hands
from digit.run.errors import UserError
from digit.run.layout import ANNOTATION_KINDS, Layout
from digit.skeleton import HANDS, JOINT_COUNT, ROOT_JOINTS
from digit.stages.synthesize import synthesize
from digit.synthetic.cameras import SIZES_PX

RICH = {"train_images": 16, "val_images": 8, "test_images": 8, "views": "all", "variety": "rich"}
JOINTS_MM, PICTURES, PICTURES_SPREAD = (1.6432588492951823, -1.996705799471237, 774.1038827314289), 53.5538, 26.3027
SIZES = {"train_images": 24, "val_images": 8, "test_images": 10, "cameras": 2, "captures": 2}


def settings(folder: Path, **changes: object) -> dict:
    return {"run": {"folder": str(folder), "name": "tiny", "seed": 5}, "synthetic": SIZES | changes}


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module", autouse=True)
def _as_with_many_frames():
    """Two processes where two are asked for."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("digit.stages.synthesize.FEW_FRAMES", 0)
        yield


@pytest.fixture(scope="module")
def layout(tmp_path_factory) -> Layout:
    config = resolve(settings(tmp_path_factory.mktemp("synthesize")))
    synthesize(config, processes=2)
    return Layout.of(config)


@pytest.fixture(scope="module")
def tables(layout) -> dict[str, dict]:
    read = {}
    for split in SPLITS:
        read[split] = dict(
            zip(ANNOTATION_KINDS, (json.loads(p.read_text()) for p in layout.annotations(split)), strict=True)
        )
    return read


def samples(tables, split):
    """Image, annotation, joint record, camera arrays and projected joints of every sample."""
    table = tables[split]
    for image, annotation in zip(table["data"]["images"], table["data"]["annotations"], strict=True):
        joints = table["joint_3d"][str(image["capture"])][str(image["frame_idx"])]
        rig = table["camera"][str(image["capture"])]
        values = {key: np.array(rig[key][image["camera"]]) for key in ("campos", "camrot", "focal", "princpt")}
        cam_mm = world_to_camera(np.array(joints["world_coord"]), values["camrot"], values["campos"])
        yield image, annotation, joints, cam_mm, project(cam_mm, values["focal"], values["princpt"])


def test_one_process_writes_the_same_bytes_as_two(tmp_path):
    contents = []
    for processes in (1, 2):
        config = resolve(settings(tmp_path / str(processes), train_images=8, val_images=8, test_images=8))
        synthesize(config, processes)
        contents.append(digests(Layout.of(config).dataset))
    assert len([name for name in contents[0] if name.endswith(".jpg")]) == 24
    assert contents[0] == contents[1]


def test_a_few_frames_are_made_by_this_process_with_the_same_bytes(layout, tmp_path, monkeypatch):
    monkeypatch.setattr("digit.stages.synthesize.FEW_FRAMES", 60)
    monkeypatch.setattr("digit.stages.synthesize.ProcessPoolExecutor", None)
    config = resolve(settings(tmp_path))
    synthesize(config, processes=2)
    assert digests(Layout.of(config).dataset) == digests(layout.dataset)


def test_the_plain_data_set_is_what_it_was(layout, tables):
    """The demo's numbers hang on it: new variety must not change it (values of 2026-11-25, release 1)."""
    joints = np.concatenate([joints["world_coord"] for split in SPLITS for _, _, joints, *_ in samples(tables, split)])
    assert joints.shape == (42 * 42, 3)
    np.testing.assert_allclose(joints.mean(axis=0), JOINTS_MM, atol=1e-6)
    paths = sorted(layout.jpeg_folder().rglob("*.jpg"))
    means = [cv2.imread(str(path)).mean() for path in paths]
    assert np.mean(means) == pytest.approx(PICTURES, abs=1e-3)
    assert np.std(means) == pytest.approx(PICTURES_SPREAD, abs=1e-3)


@pytest.fixture(scope="module")
def rich(tmp_path_factory) -> tuple[dict, Layout]:
    """Settings and layout of a small rich data set, made by two processes."""
    folder = tmp_path_factory.mktemp("rich")
    for k in range(5):
        cv2.imwrite(str(folder / f"{k}.jpg"), np.full((480, 480, 3), 20 * k, np.uint8))
    chosen = RICH | {"photos": [str(folder)]}
    config = resolve(settings(folder, **chosen))
    synthesize(config, 2)
    return chosen, Layout.of(config)


def test_rich_data_do_not_depend_on_processes(rich, tmp_path):
    chosen, layout = rich
    alone = resolve(settings(tmp_path, **chosen))
    synthesize(alone, 1)
    assert digests(Layout.of(alone).dataset) == digests(layout.dataset)
    assert len(list(layout.dataset.rglob("*.jpg"))) == 32


def test_rich_hands_are_where_their_parameters_say(rich):
    layout, hands, errors, contrast = rich[1], load_hands(), [], []
    read = dict(zip(ANNOTATION_KINDS, (json.loads(p.read_text()) for p in layout.annotations("train")), strict=True))
    assert {(image["width"], image["height"]) for image in read["data"]["images"]} <= set(SIZES_PX)
    for image, _, joints, cam_mm, _ in samples({"train": read}, "train"):
        valid = np.array(joints["joint_valid"]).ravel()
        assert cam_mm[valid][:, 2].min() > 100
        fits = read["MANO_NeuralAnnot"].get(str(image["capture"]), {}).get(str(image["frame_idx"])) or {}
        for k, side in enumerate(HANDS):
            if fits.get(side) is None:
                continue
            values = (np.array(fits[side][name])[None] for name in ("pose", "shape", "trans"))
            mesh_mm = hands[side].vertices_world_mm(*values)[0]
            rows = slice(21 * k, 21 * k + 21)
            away_mm = hands[side].joints_world_mm(mesh_mm) - np.array(joints["world_coord"])[rows]
            errors.append(np.linalg.norm(away_mm, axis=1)[valid[rows]].mean())
            contrast.append(_edge_contrast(layout, read, image, mesh_mm))
    assert max(errors) < 5
    assert np.mean(contrast) > 15, "hands are not where their parameters say"


def test_photographs_that_are_not_there_end_in_one_message(tmp_path):
    config = resolve(settings(tmp_path, **RICH, photos=["no-such-package"]))
    with pytest.raises(UserError, match=r"synthetic\.photos: no-such-package is neither"):
        synthesize(config, 1)
    assert not Layout.of(config).dataset.exists()


def test_another_seed_gives_other_pictures(layout, tmp_path):
    raw = settings(tmp_path, train_images=8)
    config = resolve(raw | {"run": raw["run"] | {"seed": 6}})
    synthesize(config, 1)
    first, second = digests(layout.dataset / "images"), digests(Layout.of(config).dataset / "images")
    assert not set(first.values()) & set(second.values())


def test_every_file_of_the_release_is_there(layout):
    names = {str(path.relative_to(layout.dataset)) for path in layout.dataset.rglob("*.[jt][sx]*")}
    assert names == {str(p.relative_to(layout.dataset)) for s in SPLITS for p in layout.annotations(s)} | {
        "annotations/skeleton.txt",
        "annotations/subject.txt",
        "rootnet_output/rootnet_interhand2.6m_output_val.json",
        "rootnet_output/rootnet_interhand2.6m_output_test.json",
    }
    rows = [line.split() for line in layout.tables()[0].read_text().splitlines() if not line.startswith("#")]
    assert len(rows) == JOINT_COUNT
    assert rows[0] == ["r_thumb4", "0", "1"]
    assert rows[41] == ["l_wrist", "41", "-1"]


def test_jpegs_are_progressive_of_the_stated_size_and_of_the_releases_weight(layout, tables):
    weights, sizes, grey = [], set(), set()
    for split, expected in (("train", 24), ("val", 8), ("test", 10)):
        images = tables[split]["data"]["images"]
        assert len(images) == len({image["file_name"] for image in images}) == expected
        assert len(list((layout.jpeg_folder() / split).rglob("*.jpg"))) == expected
        for image in images:
            path = layout.jpeg_folder() / split / image["file_name"]
            data = path.read_bytes()
            assert b"\xff\xc2" in data[:1000], "not progressive"
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            assert picture.shape == (image["height"], image["width"], 3)
            is_grey = np.ptp(picture.astype(int), axis=2).max() == 0
            assert is_grey == image["camera"].startswith("41")
            assert picture.std() > 3
            weights.append(len(data))
            sizes.add((image["width"], image["height"]))
            grey.add(bool(is_grey))
    assert 10_000 < np.mean(weights) < 32_000
    assert sizes == {(512, 334), (334, 512)}
    assert grey == {True, False}


def test_annotations_have_the_types_of_the_release(tables):
    for split in SPLITS:
        for image, annotation, joints, _, _ in samples(tables, split):
            assert [type(image[k]) for k in ("id", "capture", "subject", "frame_idx")] == [int] * 4
            assert [type(image[k]) for k in ("file_name", "seq_name", "camera")] == [str] * 3
            assert image["file_name"].startswith(f"Capture{image['capture']}/{image['seq_name']}/cam{image['camera']}/")
            assert annotation["id"] == annotation["image_id"] == image["id"]
            assert annotation["hand_type_valid"] in (0, 1)
            assert np.shape(annotation["joint_valid"]) == (JOINT_COUNT, 1)
            assert {type(v[0]) for v in joints["joint_valid"]} == {bool}
            assert {type(v[0]) for v in annotation["joint_valid"]} == {int}
            assert annotation["joint_valid"] == joints["joint_valid"]
            assert annotation["hand_type"] == joints["hand_type"]
            present = {"right": [0], "left": [1], "interacting": [0, 1]}[annotation["hand_type"]]
            hands = np.array(joints["joint_valid"]).reshape(2, 21).any(axis=1)
            assert np.flatnonzero(hands).tolist() == present


def test_joints_fall_in_their_boxes_and_the_boxes_in_their_images(tables):
    inside = []
    for split in SPLITS:
        for image, annotation, joints, cam_mm, pixels in samples(tables, split):
            x, y, w, h = annotation["bbox"]
            assert x >= 0 and y >= 0 and x + w <= image["width"] - 1 + 1e-6 and y + h <= image["height"] - 1 + 1e-6
            assert w > 20 and h > 20
            valid = np.array(joints["joint_valid"]).ravel()
            assert cam_mm[valid, 2].min() > 500
            low, high = np.array([x, y]), np.array([x + w, y + h])
            clipped = np.clip(pixels[valid], 0, [image["width"] - 1, image["height"] - 1])
            assert np.all((clipped >= low - 1e-6) & (clipped <= high + 1e-6))
            inside.append(np.all(pixels[valid] == clipped, axis=1).mean())
    assert np.mean(inside) > 0.95


def test_cameras_are_right_handed_rotations(tables):
    for split in SPLITS:
        for rig in tables[split]["camera"].values():
            for rotation in rig["camrot"].values():
                np.testing.assert_allclose(np.array(rotation) @ np.transpose(rotation), np.eye(3), atol=1e-9)
                assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_mano_parameters_reproduce_joints_and_picture(layout, tables):
    hands, errors, coverage = load_hands(), [], []
    for image, _, joints, _, _ in samples(tables, "train"):
        table = tables["train"]
        fits = table["MANO_NeuralAnnot"].get(str(image["capture"]), {}).get(str(image["frame_idx"]))
        if fits is None:
            continue
        assert set(fits) == set(HANDS)
        for k, side in enumerate(HANDS):
            valid = np.array(joints["joint_valid"]).ravel()[21 * k : 21 * k + 21]
            if fits[side] is None:
                continue
            assert valid.any()
            pose, shape, trans = (np.array(fits[side][key])[None] for key in ("pose", "shape", "trans"))
            assert (pose.shape, shape.shape, trans.shape) == ((1, 48), (1, 10), (1, 3))
            mesh_mm = hands[side].vertices_world_mm(pose, shape, trans)[0]
            world_mm = np.array(joints["world_coord"])[21 * k : 21 * k + 21]
            errors.append(np.linalg.norm(hands[side].joints_world_mm(mesh_mm) - world_mm, axis=1)[valid].mean())
            coverage.append(_edge_contrast(layout, table, image, mesh_mm))
    assert 0.5 < np.mean(errors) < 4
    assert max(errors) < 5
    assert np.mean(coverage) > 15, "hands are not where their parameters say"


def _edge_contrast(layout: Layout, table: dict, image: dict, mesh_mm: np.ndarray) -> float:
    """How much the picture differs between the middle of the projected hand and its surroundings."""
    rig, name = table["camera"][str(image["capture"])], image["camera"]
    cam_mm = world_to_camera(mesh_mm, np.array(rig["camrot"][name]), np.array(rig["campos"][name]))
    pixels = project(cam_mm, np.array(rig["focal"][name]), np.array(rig["princpt"][name]))
    picture = cv2.imread(str(layout.jpeg_folder() / "train" / image["file_name"]), cv2.IMREAD_GRAYSCALE).astype(float)
    hand = np.zeros(picture.shape, np.uint8)
    cv2.fillConvexPoly(hand, cv2.convexHull(pixels.round().astype(np.int32)), 1)
    return abs(picture[cv2.erode(hand, np.ones((15, 15))) > 0].mean() - picture[hand == 0].mean())


def test_rootnet_files_cover_their_splits(layout, tables):
    for split in ("val", "test"):
        entries = {entry["annot_id"]: entry for entry in json.loads(layout.rootnet(split)[0].read_text())}
        assert set(entries) == {annotation["id"] for annotation in tables[split]["data"]["annotations"]}
        for _, annotation, joints, cam_mm, _ in samples(tables, split):
            entry = entries[annotation["id"]]
            np.testing.assert_allclose(entry["bbox"], square_box(np.array(annotation["bbox"])))
            for hand, root in enumerate(ROOT_JOINTS):
                if joints["joint_valid"][root][0]:
                    assert abs(entry["abs_depth"][hand] - cam_mm[root, 2]) < 200


def test_splits_share_no_subject(tables):
    numbers = [{image["subject"] for image in tables[split]["data"]["images"]} for split in SPLITS]
    assert not numbers[0] & numbers[1] and not numbers[0] & numbers[2] and not numbers[1] & numbers[2]
    shapes = []
    for split in SPLITS:
        frames = [frame for capture in tables[split]["MANO_NeuralAnnot"].values() for frame in capture.values()]
        shapes.append({tuple(fit["shape"]) for frame in frames for fit in frame.values() if fit})
        assert shapes[-1]
    assert not shapes[0] & shapes[1] and not shapes[0] & shapes[2] and not shapes[1] & shapes[2]


def test_a_killed_run_leaves_nothing_at_the_final_path(tmp_path):
    raw = settings(tmp_path, train_images=2000)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(to_dict(resolve(raw))))
    code = "from digit.config import load_config; from digit.stages.synthesize import synthesize; import sys\n"
    program = tmp_path / "run.py"
    program.write_text(code + "if __name__ == '__main__':\n    synthesize(load_config(sys.argv[1]), 2)\n")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    run = subprocess.Popen([sys.executable, str(program), str(tmp_path / "config.yaml")], env=environment)
    dataset = Layout.of(resolve(raw)).dataset
    deadline = time.monotonic() + 180
    while not list(tmp_path.rglob("*.jpg")) and time.monotonic() < deadline:
        time.sleep(0.1)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert list(tmp_path.rglob("*.jpg")), "the run had not begun to write"
    assert not dataset.exists()
    time.sleep(1.5)
    written = len(list(tmp_path.rglob("*.jpg")))
    time.sleep(1.0)
    assert len(list(tmp_path.rglob("*.jpg"))) == written, "workers outlived their parent"
    config = resolve(settings(tmp_path, train_images=8))
    synthesize(config, 2)
    assert len(list(tmp_path.rglob("*.jpg"))) == 8 + 8 + 10
