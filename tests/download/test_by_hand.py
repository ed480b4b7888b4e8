"""What a person has to get: named with place and source, and recognised by what it holds."""

import json
import shutil

import pytest

from digit.download.by_hand import missing_by_hand
from digit.run.layout import ROOTNET_FILES


@pytest.fixture
def missing(mini_release, run_config, tmp_path):
    """Function that says what is missing for the golden release."""
    return lambda **data: missing_by_hand(run_config(mini_release, {"hand_model": str(tmp_path / "mano")} | data))


def rootnet(root, split, number=0):
    return root / "rootnet_output" / ROOTNET_FILES[split][number]


def test_nothing_but_mano_is_missing(missing, tmp_path):
    (line,) = missing()
    assert line.startswith(
        "MANO v1.2 (MANO_RIGHT.pkl, MANO_LEFT.pkl): from https://mano.is.tue.mpg.de (registration) to "
    )
    assert line.endswith(str(tmp_path / "mano"))


def test_mano_in_another_folder_is_found_and_damaged_files_are_named(missing, tmp_path):
    models = tmp_path / "mano" / "mano_v1_2" / "models"
    models.mkdir(parents=True)
    for side in ("RIGHT", "LEFT"):
        (models / f"MANO_{side}.pkl").write_bytes(b"no pickle")
    assert f"they seem to be in {models}: set data.hand_model to that folder" in missing()[0]
    assert "MANO_RIGHT.pkl" in missing(hand_model=str(models))[0]


def test_tables_that_are_configured_are_asked_for(missing):
    lines = missing(hand_model="open", joint_regressor="data/regressor.npy", sealed_faces="data/sealed_faces.npy")
    assert any(line.startswith("regressor.npy: from ") and "to data/regressor.npy" in line for line in lines)
    assert any(line.startswith("sealed_faces.npy: from ") for line in lines)


def test_results_that_are_missing_are_named_with_their_place(missing, mini_release):
    rootnet(mini_release, "val").unlink()
    (line,) = missing(hand_model="open")[1:]
    assert line.startswith("RootNet's results of val: from ") and line.endswith(f"to {rootnet(mini_release, 'val')}")


def test_older_names_are_right_too(missing, mini_release):
    for split in ROOTNET_FILES:
        rootnet(mini_release, split).rename(rootnet(mini_release, split, 1))
    assert len(missing(hand_model="open")) == 1


def test_results_elsewhere_are_recognised_whatever_their_name(missing, mini_release):
    """In the folder of annotations, as the shared drive has them, and under a name of the other split."""
    found = mini_release / "annotations" / "my_RootNet_results.json"
    shutil.move(rootnet(mini_release, "test"), found)
    (line,) = missing(hand_model="open")[1:]
    assert line == f"RootNet's results of test; they are in {found}: move that file to {rootnet(mini_release, 'test')}"


def test_swapped_splits_are_recognised(missing, mini_release):
    val, test = (rootnet(mini_release, split) for split in ("val", "test"))
    content = val.read_bytes()
    val.write_bytes(test.read_bytes())
    test.write_bytes(content)
    lines = missing(hand_model="open")[1:]
    assert sum("has the name of RootNet's results of" in line for line in lines) == 2
    assert any(f"they are in {test}: move that file to {val}" in line for line in lines)


def test_results_for_30_fps_are_recognised_by_their_boxes(missing, mini_release, edit_json):
    """The same ids, other images: as when ``..._30fps.json`` was renamed."""

    def other_images(records):
        for number, record in enumerate(records):
            record["bbox"][0] += 200 + 7 * number
        records += [dict(record, annot_id=10**6 + k) for k, record in enumerate(records * 3)]

    edit_json(rootnet(mini_release, "val"), other_images)
    lines = missing(hand_model="open")[1:]
    assert "has the name of RootNet's results of val at 5 fps, but holds others" in lines[0]
    assert "100% have one and 0% of those their box; they seem to be for 30 fps" in lines[0]
    assert "RootNet's results of val: from " in lines[1]


@pytest.mark.parametrize("content", ["", "{", "[]", json.dumps([{"annot_id": 1}]), "<html>"])
def test_what_is_no_result_is_said_and_never_a_traceback(missing, mini_release, content):
    rootnet(mini_release, "val").write_text(content)
    lines = missing(hand_model="open")[1:]
    assert lines[0].endswith("cannot be read as RootNet's results") and "RootNet's results of val: from " in lines[1]


def test_without_annotations_the_files_are_asked_for_by_name(missing, mini_release):
    shutil.rmtree(mini_release / "annotations")
    assert len(missing(hand_model="open")) == 1
    rootnet(mini_release, "val").unlink()
    assert "RootNet's results of val: from " in missing(hand_model="open")[1]
