import errno
import json
import logging
import os
import shutil
import struct

import numpy as np
import pytest

from digit.hand.mano import load_hands
from digit.release.interhand import Release
from digit.run.errors import UserError
from digit.run.layout import Layout
from digit.stages.check import check


def result_of(config, split="val"):
    return json.loads(Layout.of(config).check(split).read_text())


def failure_of(config, split="val") -> str:
    with pytest.raises(UserError) as caught:
        check(config, split)
    assert not Layout.of(config).check(split).exists(), "a failed check leaves no result"
    return str(caught.value)


@pytest.mark.parametrize("folder", ["tiny_release", "mini_release"])
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_sound_data_pass(request, run_config, folder, split, caplog):
    root = request.getfixturevalue(folder)
    config = run_config(root, {"check_images": 0})
    with caplog.at_level(logging.INFO, "digit"):
        check(config, split)
    result = result_of(config, split)
    count = sum(1 for _ in (root / "images" / split).rglob("*.jpg"))
    assert result["samples"] == count == result["images"]["decoded"]
    assert result["single_hand"] + result["interacting"] == count
    assert result["release"].startswith(f"a subset: {count} of ")
    assert result["images"]["excluded"] == {}
    assert result["rootnet"].get("covered") == (None if split == "train" else count)
    assert str(root) not in Layout.of(config).check(split).read_text()
    assert f"a subset: {count} of" in caplog.text


def test_mano_coverage_is_counted(tiny_release, run_config):
    config = run_config(tiny_release)
    check(config, "val")
    mano = json.loads(Release(tiny_release).annotation("val", "MANO_NeuralAnnot").read_text())
    data = json.loads(Release(tiny_release).annotation("val", "data").read_text())
    images = {image["id"]: image for image in data["images"]}
    expected = {side: {"shown": 0, "fitted": 0} for side in ("right", "left")}
    for annotation in data["annotations"]:
        image = images[annotation["image_id"]]
        for side in ("right", "left"):
            if annotation["hand_type"] in (side, "interacting"):
                expected[side]["shown"] += 1
                fit = mano[str(image["capture"])][str(image["frame_idx"])][side]
                expected[side]["fitted"] += fit is not None
    assert result_of(config)["mano"] == expected
    assert 0 < expected["left"]["fitted"] < expected["left"]["shown"]


def test_every_problem_is_named_at_once(tiny_release, run_config, edit_json):
    release = Release(tiny_release)
    frames = sorted(release.images("val").rglob("*.jpg"))
    frames[0].unlink()
    frames[1].write_bytes(frames[1].read_bytes()[:-40])
    path = release.annotation("val", "camera")
    path.write_text(path.read_text()[:900])
    edit_json(release.annotation("val", "data"), lambda d: d["annotations"][0].update(hand_type="none"))
    message = failure_of(run_config(tiny_release))
    assert message.startswith(f"split val of {tiny_release} cannot be used: 4 problems\n")
    assert len(message.splitlines()) == 5
    assert f"{path}: is not valid JSON" in message
    assert "hand_type is missing or is not right or left or interacting (1: id " in message
    assert f"images are missing (1: {frames[0].relative_to(release.images('val'))})" in message
    assert f"{frames[1].relative_to(release.images('val'))}: cut off: no end marker" in message
    assert all("download the" in line for line in message.splitlines()[1:])


def test_missing_frames_are_errors_or_exclusions(tiny_release, run_config):
    folder = tiny_release / "images" / "val" / "Capture1" / "0007_thumbup" / "cam400007"
    names = sorted(f"Capture1/0007_thumbup/cam400007/{path.name}" for path in folder.iterdir())
    shutil.rmtree(folder)
    message = failure_of(run_config(tiny_release))
    assert f"{tiny_release}/images/val: images are missing (2: {names[0]}, {names[1]})" in message
    assert "download the images of the 5 fps v1.0" in message and "data.damaged_images: exclude" in message
    config = run_config(tiny_release, {"damaged_images": "exclude"})
    check(config, "val")
    assert result_of(config)["images"]["excluded"] == dict.fromkeys(names, "missing")
    assert "images are missing" in result_of(config)["warnings"][0]["what"]


def test_damage_that_only_decoding_finds(tiny_release, run_config):
    path = next((tiny_release / "images" / "val").rglob("*.jpg"))
    content = path.read_bytes()
    tables = content.index(b"\xff\xdb")
    path.write_bytes(content[: tables + 4] + b"\xff" * 60 + content[tables + 64 :])
    message = failure_of(run_config(tiny_release, {"check_images": 0}))
    assert f"{path.name}: does not decode" in message


def test_the_sample_of_decoded_images_follows_the_seed(larger_release, run_config):
    config = run_config(larger_release, {"check_images": 7})
    check(config, "val")
    assert result_of(config)["images"]["decoded"] == 7


def test_rootnet_is_required_only_where_it_is_used(tiny_release, run_config, edit_json):
    path = Release(tiny_release).rootnet("val")
    missing = []
    edit_json(path, lambda results: missing.extend([results.pop()["annot_id"], results.pop(3)["annot_id"]]))
    message = failure_of(run_config(tiny_release))
    assert f"{path}: lacks results of samples (2: " in message
    assert all(f"annot_id {number}" in message for number in missing)
    assert "RootNet's results for InterHand2.6M" in message and "evaluate.root_depth" in message
    for evaluate in ({"root_depth": ["gt"]}, {"splits": ["test"]}):
        config = run_config(tiny_release, evaluate=evaluate)
        check(config, "val")
        assert result_of(config)["rootnet"] == {
            "needed": False,
            "file": f"rootnet_output/{path.name}",
            "covered": 10,
            "missing": 2,
            "same_box": 1.0,
            "near_depth": 1.0,
        }
    path.unlink()
    message = failure_of(run_config(tiny_release))
    assert path.name in message and "rootnet_interhand2.6m_output_machine_annot_val.json" in message
    check(run_config(tiny_release), "train")


def test_wrong_folders_are_recognised(tiny_release, run_config, tmp_path):
    message = failure_of(run_config(tmp_path / "nowhere"))
    assert "this folder does not exist; set data.root" in message and len(message.splitlines()) == 2
    (tiny_release / "annotations" / "machine_annot").mkdir()
    assert "laid out as in release v0.0 (1: machine_annot)" in failure_of(run_config(tiny_release))


def test_another_joint_order_is_refused(tiny_release, run_config):
    path = tiny_release / "annotations" / "skeleton.txt"
    path.write_text(path.read_text().replace("r_thumb4 0 1", "r_wrist 0 -1"))
    assert "is not the joint order of InterHand2.6M (1: r_wrist 0 -1)" in failure_of(run_config(tiny_release))


def test_a_failed_check_removes_an_earlier_result(tiny_release, run_config):
    config = run_config(tiny_release)
    check(config, "val")
    Release(tiny_release).annotation("val", "joint_3d").unlink()
    assert "cannot be read" in failure_of(config)


def test_damage_that_libjpeg_would_patch_up(tiny_release, run_config):
    path = next((tiny_release / "images" / "val").rglob("*.jpg"))
    content = path.read_bytes()
    scan = content.index(b"\xff\xda")
    path.write_bytes(content[: (scan + len(content)) // 2] + content[-2:])
    message = failure_of(run_config(tiny_release, {"check_images": 0}))
    assert f"{path.name}: does not decode: Corrupt JPEG data" in message


def test_an_image_folder_that_lacks_its_images_is_an_error(tiny_release, run_config):
    config = run_config(tiny_release, {"damaged_images": "exclude"})
    folder = tiny_release / "images" / "val"
    for path in sorted(folder.rglob("*.jpg"))[:7]:
        path.unlink()
    message = failure_of(config)
    assert "images are missing (7: " in message and "is data.root" in message and "At most 50%" in message
    shutil.rmtree(folder)
    message = failure_of(config)
    assert f"{folder}: this folder does not exist" in message and "is data.root" in message


def test_a_folder_that_cannot_be_listed_is_not_taken_for_missing_images(tiny_release, run_config, monkeypatch):
    listed = os.scandir

    def refuse(folder):
        if "cam400007" in str(folder):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)
        return listed(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    message = failure_of(run_config(tiny_release, {"damaged_images": "exclude"}))
    assert "cam400007: cannot be read (Permission denied)" in message and "missing" not in message


def test_turned_pictures_are_named(tiny_release, run_config):
    """Annotations refer to pixels as stored, so nothing is turned; a person has to know."""
    path = sorted((tiny_release / "images" / "val").rglob("*.jpg"))[0]
    tag = struct.pack(">IHHHIHxxI", 8, 1, 0x0112, 3, 1, 6, 0)
    exif = b"Exif\0\0MM\0*" + tag
    path.write_bytes(b"\xff\xd8\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + path.read_bytes()[2:])
    config = run_config(tiny_release, {"check_images": 0})
    check(config, "val")
    (warning,) = result_of(config)["warnings"]
    assert "of 12 images looked at, some carry an EXIF orientation" in warning["what"] and warning["count"] == 1
    assert warning["examples"] == [f"{path.relative_to(tiny_release / 'images' / 'val')}: orientation 6"]


def test_names_beyond_ascii(tiny_release, run_config, edit_json):
    """Names in other scripts are found, missed and called damaged like any other."""
    folder = tiny_release / "images" / "val"
    names = ["Capture0/Händedruck/cam1/bild.jpg", "Capture0/握手/カメラ/image2000.jpg"]

    def rename(document):
        for image, name in zip(document["images"], names, strict=False):
            (folder / name).parent.mkdir(parents=True)
            (folder / image["file_name"]).rename(folder / name)
            image["file_name"] = name
            document["images"].append(image | {"id": 7000 + len(document["images"]), "file_name": "é" + name})

    edit_json(Release(tiny_release).annotation("val", "data"), rename)
    config = run_config(tiny_release, {"check_images": 0})
    check(config, "val")
    assert result_of(config)["warnings"][0]["examples"] == ["é" + name for name in names]
    (folder / names[0]).unlink()
    (folder / names[1]).write_bytes((folder / names[1]).read_bytes()[:-2])
    message = failure_of(config)
    assert f"images are missing (1: {names[0]})" in message and f"{names[1]}: cut off" in message


def test_a_file_without_one_usable_record_is_named(tiny_release, run_config, edit_json):
    def shrink(document):
        for annotation in document["annotations"]:
            annotation["bbox"] = [side / 1e5 for side in annotation["bbox"]]

    edit_json(Release(tiny_release).annotation("val", "data"), shrink)
    assert "bbox is missing or is not 4 numbers" in failure_of(run_config(tiny_release))


def _table(path):
    np.save(path, {"sealed_faces_right": np.zeros((3, 3))}, allow_pickle=True)


def test_the_users_hand_files_are_read_as_parts_will(tiny_release, run_config, tmp_path):
    """Case 20 of the reports: check found nothing wrong, hours before parts did. Everything is named at once."""
    files = {
        "hand_model": str(tmp_path / "mano"),
        "sealed_faces": str(tmp_path / "sealed_faces.npy"),
        "joint_regressor": str(tmp_path / "regressor.npy"),
    }
    config = run_config(tiny_release, files)
    missing = failure_of(config)
    assert "3 problems" in missing and missing.count("No such file") == 2 and "no such folder" in missing
    (tmp_path / "mano").mkdir()
    (tmp_path / "mano/MANO_RIGHT.pkl").write_bytes(b"cos\nsystem\n(S'touch made'\ntR.")
    (tmp_path / "mano/MANO_LEFT.pkl").write_bytes(b"half a file")
    _table(tmp_path / "sealed_faces.npy")
    np.save(tmp_path / "regressor.npy", np.zeros((16, 778)))
    damaged = failure_of(config)
    for words in ("asks for os.system", "MANO_LEFT.pkl: is damaged", "must hold a dictionary with", "shape (16, 778)"):
        assert words in damaged
    with pytest.raises(UserError, match=r"refused.*os\.system"):
        load_hands(**files)
    not_open = failure_of(run_config(tiny_release, files | {"hand_model": "open"}))
    assert "2 problems" in not_open and "data.sealed_faces" in not_open and "data.joint_regressor" in not_open


def test_hand_files_are_not_read_where_masks_come_from_the_original(tiny_release, run_config, tmp_path):
    files = {"hand_model": "/nowhere", "mask_lmdb": str(tmp_path / "m.lmdb"), "fit_cache": str(tmp_path)}
    assert "nowhere" not in failure_of(run_config(tiny_release, files))
