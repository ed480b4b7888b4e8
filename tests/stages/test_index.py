import hashlib
import json
import time

import numpy as np
import pytest

from digit.release.interhand import Release
from digit.run.errors import UserError
from digit.run.layout import Layout
from digit.samples.index import open_index
from digit.stages.index import index


def failure_of(config, split="val") -> str:
    with pytest.raises(UserError) as caught:
        index(config, split)
    assert not Layout.of(config).index(split).exists(), "a failed index leaves nothing"
    return str(caught.value)


def test_rootnet_results_are_joined_by_annotation(tiny_release, run_config, edit_json):
    path = Release(tiny_release).rootnet("val")
    edit_json(path, lambda results: results.reverse())
    edit_json(path, lambda results: [results.pop(0), results.append(results[0] | {"annot_id": 999_999})])
    config = run_config(tiny_release)
    index(config, "val")
    tables = open_index(Layout.of(config).index("val"))
    results = {result["annot_id"]: result for result in json.loads(path.read_text())}
    assert tables.rootnet_valid.tolist() == [number in results for number in tables.annot_id.tolist()]
    assert tables.rootnet_valid.sum() == 11
    for row in np.flatnonzero(tables.rootnet_valid):
        assert tables.rootnet_depth_mm[row].tolist() == results[tables.annot_id[row]]["abs_depth"]
        assert tables.rootnet_box_px[row].tolist() == results[tables.annot_id[row]]["bbox"]
    assert np.isnan(tables.rootnet_box_px[~tables.rootnet_valid]).all()


def test_sources_are_recorded_without_machine_paths(tiny_release, run_config):
    config = run_config(tiny_release)
    index(config, "val")
    folder = Layout.of(config).index("val")
    header = json.loads((folder / "index.json").read_text())
    assert str(tiny_release) not in (folder / "index.json").read_text()
    assert len(header["sources"]) == 5
    for source in header["sources"]:
        content = (tiny_release / source["file"]).read_bytes()
        assert source["bytes"] == len(content)
        assert source["sha256"] == hashlib.sha256(content).hexdigest()


def test_the_same_annotations_give_the_same_bytes(tiny_release, run_config):
    first, second = run_config(tiny_release, run="first"), run_config(tiny_release, run="second")
    for config in (first, second):
        index(config, "train")
    folders = [Layout.of(config).index("train") for config in (first, second)]
    assert [p.read_bytes() for p in sorted(folders[0].iterdir())] == [
        p.read_bytes() for p in sorted(folders[1].iterdir())
    ]


@pytest.mark.parametrize("kind", ["data", "camera", "joint_3d", "MANO_NeuralAnnot"])
@pytest.mark.parametrize("damage", ["cut", "missing"])
def test_a_missing_or_cut_annotation_file_is_one_problem(tiny_release, run_config, kind, damage):
    path = Release(tiny_release).annotation("train", kind)
    content = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    message = failure_of(run_config(tiny_release), "train")
    assert "1 problem\n" in message and len(message.splitlines()) == 2
    assert str(path) in message and "download the annotations of the 5 fps v1.0" in message
    path.write_bytes(content)
    index(run_config(tiny_release), "train")


def test_an_earlier_index_survives_a_failure(tiny_release, run_config, edit_json):
    config = run_config(tiny_release)
    index(config, "val")
    edit_json(Release(tiny_release).annotation("val", "camera"), lambda document: document.pop("0"))
    with pytest.raises(UserError, match="lacks cameras that samples were seen by"):
        index(config, "val")
    assert len(open_index(Layout.of(config).index("val"))) == 12


def test_opening_is_quick(tiny_release, run_config):
    config = run_config(tiny_release)
    index(config, "val")
    folder = Layout.of(config).index("val")
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        open_index(folder)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.1


def test_annotations_in_metres_are_not_indexed(mini_release, run_config, edit_json):
    def divide(document):
        for frames in document.values():
            for record in frames.values():
                record["world_coord"] = (np.array(record["world_coord"]) / 1000).tolist()

    edit_json(Release(mini_release).annotation("val", "joint_3d"), divide)
    config = run_config(mini_release)
    with pytest.raises(UserError, match=r"joint_3d\.json: world_coord: .*capture 2: 0\.\d+ mm.*multiply .* by 1000"):
        index(config, "val")
    assert not Layout.of(config).index("val").exists()
