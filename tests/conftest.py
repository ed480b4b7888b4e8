"""What several tests start from: data folders, a network, and a whole run up to evaluation."""

import csv
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from digit.config import LOSSES, Config, resolve, to_dict
from digit.run.files import write_json
from digit.run.layout import Layout
from digit.skeleton import HAND_TYPES, JOINT_NAMES, PARENTS
from tests.made_once import made_once

ROOT = Path(__file__).parents[1]

MEASURED = ("mpjpe_all", "mpjpe_sh", "mpjpe_ih", "pa_mpjpe_all", "mrrpe", "handedness_accuracy", "part_iou")
"""Columns of a training's history."""


SLOW = (
    *("archive/", "bench/", "download/", "golden/", "hand/open_hand/generate/", "planning/", "stages/", "synthetic/"),
    *("training/", "workflow/", "model/test_backbone.py", "model/test_digit.py", "model/test_module.py"),
    *("model/test_pyramid.py", "predictor/test_scoring.py", "release/test_plausibility.py", "run/test_compiled.py"),
    *("mesh/", "detector/test_detector.py", "run/test_errors.py", "test_api.py", "test_mutated_annotations.py"),
    *("predictor/test_hand_meshes.py", "predictor/test_video_files.py", "test_real_interhand.py", "gallery/", "web/"),
    *("test_installation.py", "docs/test_site.py"),
)
"""What ``make test-fast`` leaves out: whatever starts processes, trains, or makes a data set first."""

LONGEST = ("workflow/test_end_to_end.py", "stages/test_train.py", "stages/test_train_again.py", "workflow/", "stages/")
"""What is run first, so that no process is left with a long file when the others have finished."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark slow tests, and begin with the longest files."""
    for item in items:
        if _in_tests(item).startswith(SLOW):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: next((k for k, name in enumerate(LONGEST) if _in_tests(item).startswith(name)), 99))


def _in_tests(item: pytest.Item) -> str:
    return item.path.relative_to(ROOT / "tests").as_posix()


@pytest.fixture(scope="session")
def golden() -> Path:
    """Folder of golden vectors: $DIGIT_GOLDEN, else tests/golden, else one beside the repository."""
    chosen = os.environ.get("DIGIT_GOLDEN")
    candidates = [Path(chosen)] if chosen else [ROOT / "tests" / "golden", ROOT.parent / "shared" / "golden"]
    found = next((folder for folder in candidates if (folder / "meta.json").is_file()), None)
    if found is None:
        pytest.skip(f"no golden vectors in {' or '.join(map(str, candidates))}; set DIGIT_GOLDEN")
    return found


@pytest.fixture
def mini_release(golden: Path, tmp_path: Path) -> Path:
    """A writable copy of the golden data folder ``interhand_mini``."""
    if not (golden / "interhand_mini").is_dir():
        pytest.skip(f"{golden} has no interhand_mini")
    return _writable_copy(golden / "interhand_mini", tmp_path / "interhand_mini")


@pytest.fixture(scope="session")
def _tiny_release_original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "tiny_release", write_release)


@pytest.fixture
def tiny_release(_tiny_release_original: Path, tmp_path: Path) -> Path:
    """A writable data folder in the release's layout: 12 noise images a split, 2 captures, 3 cameras, 2 frames."""
    return _writable_copy(_tiny_release_original, tmp_path / "release")


@pytest.fixture(scope="session")
def synthetic_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder as ``digit synthesize`` makes it, 16, 8 and 8 images of hands; not to be changed."""
    from digit.stages.synthesize import synthesize

    def make(folder: Path) -> None:
        sizes = {"train_images": 16, "val_images": 8, "test_images": 8, "captures": 2}
        synthesize(resolve({"run": {"name": "hands", "folder": str(folder)}, "synthetic": sizes}), 1)

    return made_once(tmp_path_factory, "synthetic", make) / "hands" / "dataset"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of two pictures of noise, lying and standing."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    noise = np.random.default_rng(1).integers(0, 256, (6, 8, 3), np.uint8)
    cv2.imwrite(str(folder / "a.png"), cv2.resize(noise, (80, 60)))
    cv2.imwrite(str(folder / "b.jpg"), cv2.resize(noise[::-1], (60, 80)))
    return folder


@pytest.fixture
def larger_release(tmp_path: Path) -> Path:
    """Like ``tiny_release`` with 90 images a split."""
    write_release(tmp_path / "larger", frames=15)
    return tmp_path / "larger"


@pytest.fixture
def run_config(tmp_path: Path):
    """Function that resolves a configuration on a data folder: ``run_config(root, data={...}, evaluate={...})``."""

    def make(root: Path, data: dict[str, Any] | None = None, run: str = "run", **sections: Any) -> Config:
        settings = {"source": "interhand", "root": str(root), "shards": 2} | (data or {})
        return resolve({"run": {"name": run, "folder": str(tmp_path / "results")}, "data": settings} | sections)

    return make


@pytest.fixture
def edit_json():
    """Function that changes a JSON file in place: ``edit_json(path, change)``."""

    def edit(path: Path, change) -> None:
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))

    return edit


def write_release(root: Path, frames: int = 2, captures: int = 2, cameras: int = 3) -> None:
    """Write a data folder in InterHand2.6M's layout with noise images and made-up hands, from a fixed seed."""
    annotations = root / "annotations"
    annotations.mkdir(parents=True)
    lines = [f"{name} {row} {PARENTS[row]}" for row, name in enumerate(JOINT_NAMES)]
    (annotations / "skeleton.txt").write_text("\n".join(["# joint_name joint_id parent_joint_id", *lines]) + "\n")
    (annotations / "subject.txt").write_text("# subject_id hand gender\n0 right male\n0 left male\n")
    for number, split in enumerate(("train", "val", "test")):
        documents = _documents(number, frames, captures, cameras)
        for kind, document in documents.items():
            if kind == "rootnet":
                path = root / "rootnet_output" / f"rootnet_interhand2.6m_output_{split}.json"
            else:
                path = annotations / split / f"InterHand2.6M_{split}_{kind}.json"
            if kind != "rootnet" or split != "train":
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(document))
        rng = np.random.default_rng(number)
        for image in documents["data"]["images"]:
            path = root / "images" / split / image["file_name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            noise = rng.integers(0, 256, (image["height"] // 8, image["width"] // 8, 3), np.uint8)
            cv2.imwrite(str(path), cv2.resize(noise, (image["width"], image["height"])))


def _documents(split: int, frames: int, captures: int, cameras: int) -> dict[str, Any]:
    """All JSON documents of a split; samples are listed in a shuffled order and ids differ from places."""
    rng = np.random.default_rng(100 + split)
    data: dict[str, Any] = {"images": [], "annotations": []}
    camera, joints, mano, rootnet = {}, {}, {}, []
    for capture in range(captures):
        names = [str(400000 + 7 * k) for k in range(cameras)]
        camera[str(capture)] = {
            "campos": {name: [60.0 * k, 5.0, -1000.0] for k, name in enumerate(names)},
            "camrot": {name: np.eye(3).tolist() for name in names},
            "focal": {name: [120.0, 121.0] for name in names},
            "princpt": {name: [32.0, 24.0] for name in names},
        }
        joints[str(capture)], mano[str(capture)] = {}, {}
        for frame in range(frames):
            number, hand_type = str(90 + 20 * frame), HAND_TYPES[(capture * frames + frame) % 3]
            world = rng.uniform(-80, 80, (42, 3))
            valid = [[int(rng.random() < 0.95)] for _ in range(42)]
            joints[str(capture)][number] = {
                "world_coord": world.tolist(),
                "joint_valid": [[bool(flag)] for (flag,) in valid],
                "hand_type": hand_type,
                "hand_type_valid": True,
            }
            fit = {"pose": rng.normal(0, 0.2, 48).tolist(), "shape": [0.1] * 10, "trans": [0.0, 0.01, 0.02]}
            mano[str(capture)][number] = {"right": fit, "left": None if frame else fit}
            for k, name in enumerate(names):
                place = len(data["images"])
                width, height = (64, 48) if (k + frame) % 2 else (48, 64)
                data["images"].append(
                    {
                        "id": 1000 * split + 3 * place + 5,
                        "file_name": f"Capture{capture}/0007_thumbup/cam{name}/image{number}.jpg",
                        "width": width,
                        "height": height,
                        "capture": capture,
                        "subject": 0,
                        "seq_name": "0007_thumbup",
                        "camera": name,
                        "frame_idx": int(number),
                    }
                )
                data["annotations"].append(
                    {
                        "id": 1000 * split + 3 * place + 5,
                        "image_id": 1000 * split + 3 * place + 5,
                        "bbox": [21.0 - 7.0 * k, 8.0, 20.5, 24.0],
                        "joint_valid": valid,
                        "hand_type": hand_type,
                        "hand_type_valid": 1,
                    }
                )
                depth = [1000.0 + k, 1010.0 + place]
                square = [16.25 - 7.0 * k, 5.0, 30, 30]
                rootnet.append({"annot_id": 1000 * split + 3 * place + 5, "bbox": square, "abs_depth": depth})
    order = rng.permutation(len(data["annotations"]))
    data["annotations"] = [data["annotations"][k] for k in order]
    return {"data": data, "camera": camera, "joint_3d": joints, "MANO_NeuralAnnot": mano, "rootnet": rootnet}


def _writable_copy(source: Path, target: Path) -> Path:
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return target


@dataclass(frozen=True)
class Run:
    """A run of two experiments and its folders."""

    config: Config
    layout: Layout

    @property
    def checkpoint(self) -> Path:
        return self.layout.train("tiny") / "best.ckpt"


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A small network that has not learnt anything, as training leaves it."""
    experiment = resolve({"experiments": {"tiny": {"preset": "tiny"}}}).experiments["tiny"]
    path = tmp_path_factory.mktemp("weights") / "best.ckpt"
    write_checkpoint(path, experiment, seed=0)
    return path


@pytest.fixture(scope="session")
def _evaluated_run(_tiny_release_original, tmp_path_factory):
    from digit.stages.evaluate import evaluate
    from digit.stages.images import images
    from digit.stages.index import index
    from digit.stages.parts import parts

    def make(folder: Path) -> None:
        run = make_run(folder, _tiny_release_original)
        for split in ("train", "val", "test"):
            index(run.config, split)
            for shard in range(2):
                images(run.config, split, shard)
                parts(run.config, split, shard)
        for number, name in enumerate(run.config.experiments):
            write_training(run, name, seed=number)
            for root_depth in ("rootnet", "gt"):
                evaluate(run.config, name, "test", root_depth)

    return made_once(tmp_path_factory, "evaluated", make)


@pytest.fixture
def evaluated_run(_evaluated_run, _tiny_release_original, tmp_path):
    """A private copy of an evaluated run."""
    shutil.copytree(_evaluated_run / "run", tmp_path / "run")
    return make_run(tmp_path, _tiny_release_original)


def make_run(folder, root):
    config = resolve(
        {
            "run": {"name": "run", "folder": str(folder)},
            "data": {"source": "interhand", "root": str(root), "shards": 2},
            "experiments": {"tiny": {"preset": "tiny"}, "wide": {"preset": "tiny", "model": {"depth_box_mm": 400.0}}},
            "evaluate": {"splits": ["test"], "batch_size": 5, "num_workers": 0, "bootstrap": 20},
        }
    )
    return Run(config, Layout.of(config))


def write_training(run, name, seed):
    """Files as the train stage leaves them."""
    import torch

    folder, experiment = run.layout.train(name), run.config.experiments[name]
    folder.mkdir(parents=True)
    for file in ("best.ckpt", "last.ckpt"):
        write_checkpoint(folder / file, experiment, seed)
    columns = ["epoch", "step", "seconds", "lr", "train_loss", *(f"train_{loss}" for loss in LOSSES)]
    columns += [f"val_{name}" for name in MEASURED]
    with (folder / "history.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for epoch in (1, 2):
            measured = [30.0, 28.0, 33.0, 15.0, 60.0, 0.5, ""] if epoch == 2 else [""] * 7
            writer.writerow([epoch, epoch * 4, 2.5 * epoch, 1e-3, 9.0 / epoch, *([1.5 / epoch] * 5), *measured])
    (folder / "config.yaml").write_text(yaml.safe_dump(to_dict(experiment)))
    provenance = {
        "experiment_key": "0123456789",
        "git_commit": None,
        "git_dirty": None,
        "versions": {"torch": torch.__version__},
        "seed": 1,
        "hardware": {"cpu": "a processor", "cores": 2, "memory_gb": 8.0, "gpu": None},
        "started": "2026-01-01T00:00:00+00:00",
        "seconds": 5.0,
        "samples_seen": 24,
        "parameters": 1_700_000,
        "backbone_weights": "random",
    }
    write_json(folder / "provenance.json", provenance)


def write_checkpoint(path, experiment, seed):
    """A network with random weights, as training leaves it."""
    import torch

    from digit.model.digit import Digit
    from digit.model.weights import PREFIX

    torch.manual_seed(seed)
    state = {PREFIX + key: tensor for key, tensor in Digit(experiment.model).state_dict().items()}
    torch.save({"state_dict": state, "hyper_parameters": {"experiment": to_dict(experiment)}}, path)


CHROMIUM_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
)


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium with a profile of its own and a fake camera."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium to look at pages with; on Debian install the package chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Function that opens a page and fails the test when the page has an error: ``open_page(address, width, ...)``.

    Messages that a test expects are taken from ``page.complaints``.
    """
    pages = []

    def open_(address: str, width: int = 1440, height: int = 900, **options: Any):
        page = chromium.new_page(viewport={"width": width, "height": height}, **options)
        page.complaints = []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("console", lambda line: page.complaints.append(line.text) if line.type == "error" else None)
        page.goto(address)
        pages.append(page)
        return page

    yield open_
    complaints = [line for page in pages for line in page.complaints]
    for page in pages:
        page.close()
    assert not complaints


LOOKS = pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1024, "dark"), (1920, "light")])
"""Windows in which pages are looked at."""


@pytest.fixture
def barriers():
    """Function that lists what axe finds on a page against WCAG 2.2 AA: a line for each rule, with the places."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()

    def find(page) -> list[str]:
        options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "preload": False}
        violations = axe.run(page, options=options).response["violations"]
        places = {rule["id"]: [" ".join(map(str, node["target"])) for node in rule["nodes"][:5]] for rule in violations}
        return [f"{rule['id']}: {rule['help']}: {', '.join(places[rule['id']])}" for rule in violations]

    return find
