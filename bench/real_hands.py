"""How a network does on real pictures: frames of InterHand2.6M and pictures of FreiHAND.

    python -m bench.real_hands WEIGHTS --frames FOLDER --pictures FOLDER --train-index FOLDER

Neither belongs to this repository. FOLDER of ``--frames`` holds, flat, JPEG files and ``test_interhand2.6m_data.json``,
``..._camera.json`` and ``..._joint_3d.json``; that of ``--pictures`` JPEG files and ``joints_2d.json``: by file name
``hand``, ``box_px`` [x, y, width, height] and ``joints_px`` by name. Both are what mmpose distributes with its tests.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

import digit
from digit import metrics
from digit.config import ModelSettings, resolve, to_dict
from digit.predictor.predictor import Predictor
from digit.samples.index import open_index
from digit.samples.plain import Samples
from digit.scoring import constant_of, tally_constant
from digit.skeleton import HAND_JOINT_NAMES, HANDS, JOINTS_PER_HAND
from digit.stages.check import check
from digit.stages.images import images as pack_images
from digit.stages.index import index as make_index
from digit.stages.parts import parts

METRICS = ("mpjpe_all", "mpjpe_sh", "mpjpe_ih", "pa_mpjpe_all", "mrrpe", "handedness_accuracy")
PCK_AT = (0.1, 0.2)
FINGERS = {"forefinger": "index", "middle_finger": "middle", "ring_finger": "ring", "pinky_finger": "pinky"}
"""FreiHAND's names of fingers where they differ from ours."""


def lay_out(frames: Path, folder: Path) -> dict[str, Any]:
    """Configuration of frames laid out as the release has them and prepared for :func:`digit.open_dataset`."""
    document = json.loads((frames / "test_interhand2.6m_data.json").read_text())
    for image in document["images"]:
        flat = image["file_name"]
        image["file_name"] = f"Capture{image['capture']}/{image['seq_name']}/cam{image['camera']}/{flat}"
        target = folder / "data" / "images" / "test" / image["file_name"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(frames / flat, target)
    annotations = folder / "data" / "annotations" / "test"
    annotations.mkdir(parents=True)
    (annotations / "InterHand2.6M_test_data.json").write_text(json.dumps(document))
    for kind in ("camera", "joint_3d"):
        shutil.copyfile(frames / f"test_interhand2.6m_{kind}.json", annotations / f"InterHand2.6M_test_{kind}.json")
    settings = {
        "run": {"name": "real", "folder": str(folder / "results")},
        "data": {"source": "interhand", "root": str(folder / "data"), "shards": 1},
        "evaluate": {"splits": ["test"], "root_depth": ["gt"]},
    }
    config = resolve(settings)
    check(config, "test")
    make_index(config, "test")
    pack_images(config, "test", 0)
    parts(config, "test", 0)
    return settings


def open_frames(settings: dict[str, Any], model: ModelSettings) -> Samples:
    """The frames, cropped for a network."""
    return digit.open_dataset(settings | {"experiments": {"measured": {"model": to_dict(model)}}}, "test")


def measure_frames(predictor: Predictor, dataset: Samples) -> dict[str, float]:
    """Metrics of the frames with annotated boxes and root depths."""
    scores = digit.evaluate(predictor.samples(DataLoader(dataset, batch_size=4)), dataset, bootstrap=0)
    return {name: scores["metrics"][name] for name in METRICS}


def measure_pictures(predictor: Predictor, folder: Path) -> dict[str, float]:
    """PCK and mean 2D error in shares of the box, its longer side, of the hand that the network holds likelier."""
    annotated = json.loads((folder / "joints_2d.json").read_text())
    pictures = [digit.read_picture(folder / name) for name in annotated]
    poses = predictor(pictures, boxes=[item["box_px"] for item in annotated.values()])
    errors = []
    for pose, item in zip(poses, annotated.values(), strict=True):
        truth = {_ours(name): point for name, point in item["joints_px"].items()}
        first = int(pose.hand_probability.argmax()) * JOINTS_PER_HAND
        joints_px = pose.joints_px[first : first + JOINTS_PER_HAND]
        offsets_px = joints_px - [truth[name] for name in HAND_JOINT_NAMES]
        errors.append(np.linalg.norm(offsets_px, axis=1) / max(item["box_px"][2:]))
    sides = [HANDS[int(pose.hand_probability.argmax())] for pose in poses]
    right = [side == item["hand"] for side, item in zip(sides, annotated.values(), strict=True)]
    pck = {f"pck_at_{at}": float((np.stack(errors) < at).mean()) for at in PCK_AT}
    return {**pck, "error_of_box": float(np.mean(errors)), "side_accuracy": float(np.mean(right))}


def _ours(name: str) -> str:
    """Our name of a joint of FreiHAND."""
    finger = name.rstrip("1234")
    return FINGERS.get(finger, finger) + name.removeprefix(finger)


def main() -> dict[str, Any]:
    """Measure, print a table; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="+", type=Path)
    parser.add_argument("--frames", type=Path)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--train-index", type=Path, help="index folder of a training split, for its mean pose")
    options = parser.parse_args()
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        settings = lay_out(options.frames, Path(temporary)) if options.frames else None
        for weights in options.weights:
            predictor = digit.load_model(weights)
            found = {}
            if settings is not None:
                dataset = open_frames(settings, predictor.network.settings)
                found |= measure_frames(predictor, dataset)
            if options.pictures is not None:
                found |= measure_pictures(predictor, options.pictures)
            results[str(weights)] = found
        if settings is not None and options.train_index is not None:
            tallied = tally_constant(constant_of(open_index(options.train_index)), dataset.index, dataset.rows)
            scalars = metrics.scalars(tallied.sums.sum(axis=0))
            results["mean pose"] = {name: float(scalars[name]) for name in METRICS}
    for name, found in results.items():
        sys.stdout.write(f"{name}\n")
        for metric, value in found.items():
            sys.stdout.write(f"  {metric:22s} {value:8.3f}\n")
    sys.stdout.write(json.dumps(results) + "\n")
    return results


if __name__ == "__main__":
    main()
