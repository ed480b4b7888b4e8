"""Metrics of stored predictions against the reference implementation, through the public index stage."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from digit import metrics, scoring
from digit.config import resolve
from digit.model.inference import Outputs
from digit.run.layout import Layout
from digit.samples.index import SplitIndex, open_index
from digit.skeleton import JOINT_NAMES
from digit.stages.index import index as index_stage

GOLDEN = Path(os.environ.get("DIGIT_GOLDEN") or Path(__file__).parent)
SPACE = metrics.Space(input_size=256, cells=64, depth_box_mm=400.0, root_box_mm=400.0, root_bins=64)
PROTOCOLS = [("val", "rootnet"), ("test", "gt")]


def stored_outputs(path: Path, index: SplitIndex) -> Outputs:
    """Stored predictions as the network's outputs, without masks."""
    stored = np.load(path)
    place = {f"{index.split}/{name}": row for row, name in enumerate(index.keys())}
    rows = np.array([place[name] for name in stored["im_path"].tolist()])
    nothing = np.zeros((len(rows), 32), dtype=np.int64)
    return Outputs(
        row=rows,
        joint_coord=stored["joint_coord"],
        rel_root_depth=stored["rel_root_depth"],
        hand_type=stored["hand_type"],
        inv_trans=stored["inv_trans"],
        segm_confusion=np.zeros((33, 33), dtype=np.int64),
        overlap_px=nothing,
        union_px=nothing,
    )


@pytest.mark.parametrize(("split", "root_depth"), PROTOCOLS)
def test_metrics_equal_the_reference(split, root_depth, tmp_path):
    config = resolve(
        {
            "run": {"name": "golden", "folder": str(tmp_path)},
            "data": {"source": "interhand", "root": str(GOLDEN / "interhand_metrics")},
        }
    )
    index_stage(config, split)
    index = open_index(Layout.of(config).index(split))
    outputs = stored_outputs(GOLDEN / f"metrics_{split}_{root_depth}_in.npz", index)
    result = scoring.score(outputs, index, root_depth, SPACE, None, resamples=50, seed=1)
    expected = json.loads((GOLDEN / "metrics.json").read_text())[f"{split}_{root_depth}"]

    np.testing.assert_array_equal(outputs.row, index.protocol_order())
    for joint in JOINT_NAMES:
        for name in ("sh", "ih", "all"):
            assert result["per_joint"][joint][name] == pytest.approx(expected[f"{joint}_{name}"], abs=1e-3)
    for name in ("mpjpe_sh", "mpjpe_ih", "mpjpe_all", "mrrpe"):
        assert result["metrics"][name] == pytest.approx(expected[name], abs=1e-3)
        low, high = result["interval_95"][name]
        assert low < expected[name] < high
    assert result["metrics"]["handedness_accuracy"] == pytest.approx(expected["handness_acc"], abs=1e-6)
    fingers = [expected[f"{joint}_all"] for joint in JOINT_NAMES if not joint.endswith("wrist")]
    assert result["metrics"]["mpjpe_all_no_wrist"] == pytest.approx(np.mean(fingers), abs=1e-3)
    assert result["metrics"]["part_iou"] is None
    json.dumps(result, allow_nan=False)
