import json

import numpy as np
import pytest

from digit.release.interhand import Release, lookup, read_cameras, read_joints, read_mano, read_samples
from digit.release.problems import Problems
from digit.release.tables import build_tables
from digit.run.errors import UserError
from digit.run.layout import ANNOTATION_KINDS


def errors_of(release: Release, split: str = "val") -> list[str]:
    problems = Problems()
    build_tables(release, split, problems)
    return [str(problem) for problem in problems.errors]


@pytest.mark.parametrize("folder", ["tiny_release", "mini_release"])
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_samples_equal_the_file(request, folder, split):
    release, problems = Release(request.getfixturevalue(folder)), Problems()
    document = json.loads(release.annotation(split, "data").read_text())
    images = {image["id"]: image for image in document["images"]}
    samples = read_samples(release, split, problems)
    assert not problems.errors and not problems.warnings
    assert len(samples["annot_id"]) == len(document["annotations"]) > 0
    for row, annotation in enumerate(document["annotations"]):
        image = images[annotation["image_id"]]
        assert samples["annot_id"][row] == annotation["id"]
        assert samples["annotation_order"][row] == row
        assert samples["file_name"][row].decode() == image["file_name"]
        assert samples["camera"][row].decode() == image["camera"]
        read = [int(samples[name][row]) for name in ("width", "height", "capture", "frame")]
        assert read == [image[name] for name in ("width", "height", "capture", "frame_idx")]
        assert samples["box_px"][row].tolist() == annotation["bbox"]
        assert samples["joint_valid"][row].tolist() == np.ravel(annotation["joint_valid"]).astype(bool).tolist()
        hands = {"right": [True, False], "left": [False, True], "interacting": [True, True]}
        assert samples["hand_type"][row].tolist() == hands[annotation["hand_type"]]


def test_cameras_joints_and_fits_equal_their_files(tiny_release):
    release, problems = Release(tiny_release), Problems()
    cameras = read_cameras(release, "val", problems)
    camera_file = json.loads(release.annotation("val", "camera").read_text())
    for row, (capture, name) in enumerate(zip(cameras["camera_capture"], cameras["camera_name"], strict=True)):
        assert cameras["position_mm"][row].tolist() == camera_file[str(capture)]["campos"][name.decode()]
    frames = [(0, 90), (1, 110)]
    joints = read_joints(release, "val", set(frames), problems)
    joint_file = json.loads(release.annotation("val", "joint_3d").read_text())
    assert list(zip(joints["frame_capture"], joints["frame_number"], strict=True)) == frames
    assert joints["joints_world_mm"][1].tolist() == joint_file["1"]["110"]["world_coord"]
    assert joints["joints_world_valid"][1].tolist() == np.ravel(joint_file["1"]["110"]["joint_valid"]).tolist()
    fits = read_mano(release, "val", {frame: row for row, frame in enumerate([*frames, (7, 7)])}, problems)
    mano_file = json.loads(release.annotation("val", "MANO_NeuralAnnot").read_text())
    assert fits["mano_valid"].tolist() == [[True, True], [True, False], [False, False]]
    np.testing.assert_array_equal(fits["mano_pose"][1, 0], np.float32(mano_file["1"]["110"]["right"]["pose"]))
    assert not fits["mano_pose"][1, 1].any()
    assert not problems.errors


@pytest.mark.parametrize("kind", ANNOTATION_KINDS)
def test_a_missing_or_cut_annotation_file_is_one_clear_error(tiny_release, kind):
    release = Release(tiny_release)
    path = release.annotation("train", kind)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    (error,) = errors_of(release, "train")
    assert error.startswith(f"{path}: is not valid JSON") and "download the annotations" in error
    path.unlink()
    (error,) = errors_of(release, "train")
    assert error.startswith(f"{path}: cannot be read (No such file") and "download the annotations" in error


def test_a_synthetic_data_set_is_to_be_made_again(tiny_release):
    release = Release(tiny_release, synthetic=True)
    release.annotation("val", "data").unlink()
    (error,) = errors_of(release)
    assert "digit synthesize" in error and "download" not in error


def _first(document):
    return document["annotations"][0]


BROKEN_REFERENCES = {
    "image": ("data", lambda d: _first(d).update(image_id=-1), "image_id is missing or is not a whole number from 0"),
    "no image": ("data", lambda d: _first(d).update(image_id=77), "image_id is not the id of an image .*image_id 77"),
    "twice": ("data", lambda d: d["images"][0].update(id=d["images"][1]["id"]), r"images\[\].id occurs more than once"),
    "camera": (
        "camera",
        lambda d: [d["1"][k].pop("400007") for k in d["1"]],
        "lacks cameras .*capture 1 camera 400007",
    ),
    "frame": ("joint_3d", lambda d: d["0"].pop("110"), "lacks frames .*capture 0 frame 110"),
    "capture": ("joint_3d", lambda d: d.pop("1"), "lacks frames .*2: capture 1 frame 90, capture 1 frame 110"),
}
BROKEN_VALUES = {
    "box": ("data", lambda d: _first(d).update(bbox=[1, 2, 3]), "bbox is missing or is not 4 numbers"),
    "flat box": (
        "data",
        lambda d: _first(d).update(bbox=[1, 2, 3, 0]),
        r"bbox .*sizes from 0\.01 px\) \(1: id \d+: \[1, 2, 3, 0\]\)",
    ),
    "far box": ("data", lambda d: _first(d).update(bbox=[0, 0, 1e300, 1]), r"within 100000 px.*: \[0, 0, 1e\+300, 1\]"),
    "late frame": ("data", lambda d: d["images"][0].update(frame_idx=2**31), r"to 2147483647 \(1: id \d+: 2147483648"),
    "late capture": ("data", lambda d: d["images"][0].update(capture=2**40), "capture .*: 1099511627776"),
    "width": ("data", lambda d: d["images"][0].update(width=10**12), "width .* from 1 to 65535 .*: 1000000000000"),
    "id": ("data", lambda d: _first(d).update(id=2**63), r"id .* to 9223372036854775807 .*: 9223372036854775808"),
    "zero byte": ("data", lambda d: d["images"][0].update(file_name="a\0b"), r"without zero bytes, .*'a\\x00b'"),
    "zero name": ("data", lambda d: d["images"][0].update(camera="40\0"), "camera .*without zero bytes"),
    "joints": ("data", lambda d: _first(d).update(joint_valid=[[1]] * 41), "joint_valid is missing or is not 42x1"),
    "flag": ("data", lambda d: _first(d).update(hand_type_valid=2), "hand_type_valid is missing or is not 0 or 1"),
    "hand": ("data", lambda d: _first(d).update(hand_type="both"), "hand_type is missing or is not right or left"),
    "record": ("data", lambda d: d["images"].append([1]), "file_name is missing or is not a relative path"),
    "null": ("data", lambda d: d["annotations"].append(None), r"image_id is missing .*\(1: None\)"),
    "first null": ("data", lambda d: d["annotations"].insert(0, None), r"image_id is missing .*\(1: None\)"),
    "path": (
        "data",
        lambda d: d["images"][0].update(file_name="../a.jpg"),
        "file_name is missing or is not a relative",
    ),
    "up": ("data", lambda d: d["images"][0].update(file_name="a/../b.jpg"), "or [.][.], of at most 511 bytes"),
    "backslashes": (
        "data",
        lambda d: d["images"][0].update(file_name="Capture0\\a.jpg"),
        r"zero bytes, backslashes .*a.jpg.*; rename the file, with / between folders",
    ),
    "long name": (
        "data",
        lambda d: d["images"][0].update(file_name="/".join(["ä" * 100] * 3)),
        r"of at most 511 bytes \(1: id \d+: 602 bytes, 'ää.*\); rename the file",
    ),
    "number as text": ("data", lambda d: d["images"][0].update(frame_idx="90"), r"frame_idx .*: '90'\)"),
    "text as number": ("data", lambda d: d["images"][0].update(camera=400000), r"camera .* text .*: 400000\)"),
    "far joint": (
        "joint_3d",
        lambda d: d["0"]["90"]["world_coord"][3].__setitem__(0, 1e300),
        r"world_coord is missing or is not 42x3 numbers up to 1e\+09 \(1: capture 0 frame 90",
    ),
    "twin frame": (
        "joint_3d",
        lambda d: d["0"].update({"0090": d["0"]["90"]}),
        "holds frames more than once .1: capture 0 frame 90.; only one of them can count",
    ),
    "twin fit": (
        "MANO_NeuralAnnot",
        lambda d: d["0"].update({"0090": d["0"]["90"]}),
        "holds fits more than once .4: capture 0 frame 90 right, capture 0 frame 0090 right, .*; only one",
    ),
    "twin camera": (
        "camera",
        lambda d: d.update({"00": d["0"]}),
        "holds cameras more than once .3: capture 0 camera 400000, .*; only one of them can count",
    ),
    "section": ("data", lambda d: d.pop("annotations"), r"annotations\[\] is missing or empty"),
    "focal": ("camera", lambda d: d["0"]["focal"].update({"400000": [0, 1]}), "focal .*capture 0 camera 400000"),
    "camrot": ("camera", lambda d: d["0"].pop("camrot"), "camrot is missing or is not 3x3 numbers .*3: capture 0"),
    "world": ("joint_3d", lambda d: d["0"]["90"].pop("world_coord"), "world_coord .*capture 0 frame 90"),
    "flag among numbers": (
        "MANO_NeuralAnnot",
        lambda d: d["0"]["90"]["left"]["pose"].__setitem__(38, True),
        "pose is missing or is not 48 numbers .*1: capture 0 frame 90 left",
    ),
    "flag as number": ("data", lambda d: d["images"][0].update(frame_idx=True), r"frame_idx .*1: id \d+: True"),
    "null joints": (
        "joint_3d",
        lambda d: d["0"]["90"].update(world_coord=[[None] * 3] * 42),
        "world_coord .*42x3 numbers",
    ),
    "pose": ("MANO_NeuralAnnot", lambda d: d["0"]["90"]["left"].update(pose=[0] * 45), "pose .*frame 90 left"),
}


@pytest.mark.parametrize("case", [*BROKEN_REFERENCES, *BROKEN_VALUES])
def test_a_broken_record_is_named(tiny_release, edit_json, case):
    kind, change, message = (BROKEN_REFERENCES | BROKEN_VALUES)[case]
    release = Release(tiny_release)
    edit_json(release.annotation("val", kind), change)
    errors = errors_of(release)
    assert len(errors) >= 1
    with pytest.raises(UserError, match=message):
        raise UserError("\n".join(error for error in errors if error.startswith(str(release.annotation("val", kind)))))


@pytest.mark.parametrize("kind", ["data", "camera", "joint_3d", "MANO_NeuralAnnot"])
def test_a_name_that_occurs_twice_is_named(tiny_release, kind):
    release = Release(tiny_release)
    path = release.annotation("val", kind)
    document = json.loads(path.read_text())
    name = next(iter(document))
    path.write_text(path.read_text().rstrip()[:-1] + ", " + json.dumps({name: document[name]})[1:])
    errors = [error for error in errors_of(release) if "more than once" in error]
    assert errors and all(str(path) in error and "only one of them can count" in error for error in errors)


@pytest.mark.parametrize(("old", "new"), [('"110": ', '"90": '), ('"400007": ', '"400000": ')])
def test_a_name_that_occurs_twice_in_a_capture_is_named(tiny_release, old, new):
    release = Release(tiny_release)
    kind = "joint_3d" if "90" in new else "camera"
    path = release.annotation("val", kind)
    path.write_text(path.read_text().replace(old, new, 1))
    (error, *_) = [error for error in errors_of(release) if str(path) in error]
    assert "holds the same name more than once (1: " in error and new[1:-3] in error


ENCODINGS = [("utf-16-le", "joint_3d"), ("utf-16-be", "camera"), ("utf-32", "data"), ("utf-32-be", "rootnet")]


@pytest.mark.parametrize(
    ("encoding", "kind"), ENCODINGS + [(e, k) for k in (*ANNOTATION_KINDS, "rootnet") for e in ("utf-8-sig", "utf-16")]
)
def test_other_encodings_are_read_or_named(tiny_release, kind, encoding):
    release = Release(tiny_release)
    path = release.rootnet("val") if kind == "rootnet" else release.annotation("val", kind)
    path.write_text(path.read_text(), encoding=encoding)
    errors = errors_of(release)
    if encoding == "utf-8-sig":
        assert not errors
    else:
        assert str(path) in errors[0] and "iconv -f UTF-" in errors[0]


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "Infinity"])
@pytest.mark.parametrize("kind", ["camera", "joint_3d", "MANO_NeuralAnnot", "data"])
def test_what_is_no_number_is_named_where_it_stands(tiny_release, kind, value):
    release = Release(tiny_release)
    path = release.annotation("val", kind)
    text = path.read_text()
    start = text.rindex("0.1") if kind == "MANO_NeuralAnnot" else text.rindex("24.0" if kind != "joint_3d" else "-")
    end = start + next(k for k, letter in enumerate(text[start:]) if letter in ",]")
    path.write_text(text[:start] + value + text[end:])
    (error,) = [error for error in errors_of(release) if str(path) in error]
    assert f"byte {start}, line 1: {value}, which is not a number); write a number in its place" in error
    assert {"camera": "1: ", "data": "annotations: record 11: "}.get(kind, "1: 110: ") in error


@pytest.mark.parametrize("rest", ["x", "{}", "\0\0\0", ", 1"])
def test_what_follows_the_end_is_named(tiny_release, rest):
    path = Release(tiny_release).annotation("val", "joint_3d")
    size = path.stat().st_size
    path.write_text(path.read_text() + rest)
    assert f"there is more after its end, at byte {size}" in errors_of(Release(tiny_release))[0]


@pytest.mark.parametrize("box_px", [[-50, 0, 9, 9], [0, 65, 9, 9]])
def test_a_box_beside_its_image_is_named_and_kept(tiny_release, edit_json, box_px):
    edit_json(Release(tiny_release).annotation("val", "data"), lambda document: _first(document).update(bbox=box_px))
    problems = Problems()
    read_samples(Release(tiny_release), "val", problems)
    (warning,) = problems.warnings
    assert "bbox lies outside its image" in str(warning) and str(float(box_px[0])) in str(warning)
    assert not problems.errors


@pytest.mark.parametrize(
    "text", ["[]", "{}", "[1]", "[[]]", '{"0": []}', '{"0": [[]]}', '{"images": {"a": {}}}', "null"]
)
@pytest.mark.parametrize("kind", ANNOTATION_KINDS)
def test_a_document_of_another_kind_is_never_a_traceback(tiny_release, kind, text):
    release = Release(tiny_release)
    release.annotation("train", kind).write_text(text)
    errors = errors_of(release, "train")
    if kind != "MANO_NeuralAnnot":
        assert any(str(release.annotation("train", kind)) in error for error in errors)


@pytest.mark.parametrize("text", ["[]", "{}", "[1]", '{"0": {}}', "null"])
def test_a_rootnet_file_of_another_kind_is_named(tiny_release, text):
    path = Release(tiny_release).rootnet("val")
    path.write_text(text)
    (error,) = errors_of(Release(tiny_release))
    assert str(path) in error and "rootnet_output/" in error


@pytest.mark.parametrize("kind", ["camera", "joint_3d", "MANO_NeuralAnnot"])
def test_captures_and_frames_beyond_any_number_belong_to_no_sample(tiny_release, edit_json, kind):
    for name in ("9" * 10, "9" * 5000):
        edit_json(
            Release(tiny_release).annotation("val", kind),
            lambda document, name=name: document.update({name: document["0"], "0": document["0"] | {name: {}}}),
        )
        assert not errors_of(Release(tiny_release))


@pytest.mark.parametrize("box", [[0, 0, 1e18, 1e18], [1, 1, 0, 5]])
def test_a_rootnet_box_that_cannot_be_cut_out_is_named(tiny_release, edit_json, box):
    path = Release(tiny_release).rootnet("val")
    edit_json(path, lambda results: results[3].update(bbox=box))
    (error,) = errors_of(Release(tiny_release))
    assert error.startswith(f"{path}: bbox is missing or is not 4 numbers") and str(box[3]) in error


def test_boxes_that_reach_over_the_edge_are_fine(tiny_release, edit_json):
    edit_json(Release(tiny_release).annotation("val", "data"), lambda d: _first(d).update(bbox=[-70, -9.5, 200, 90]))
    assert not errors_of(Release(tiny_release))


def test_numbers_that_json_cannot_hold_are_refused(tiny_release):
    release = Release(tiny_release)
    path = release.annotation("val", "camera")
    path.write_text(path.read_text().replace("120.0", "NaN", 1))
    assert "is not valid JSON" in errors_of(release)[0]


def test_all_files_are_read_even_when_several_are_broken(tiny_release):
    release = Release(tiny_release)
    for kind in ("data", "camera", "MANO_NeuralAnnot"):
        release.annotation("train", kind).unlink()
    assert len(errors_of(release, "train")) == 3


def test_only_training_needs_fits(tiny_release):
    release, problems = Release(tiny_release), Problems()
    release.annotation("val", "MANO_NeuralAnnot").unlink()
    columns, _ = build_tables(release, "val", problems)
    assert not problems.errors and not columns["mano_valid"].any()
    assert "no hand fits" in str(problems.warnings[0])


def test_rootnet_is_found_under_both_names(tiny_release):
    release = Release(tiny_release)
    folder = tiny_release / "rootnet_output"
    for split, older in (("val", "machine_annot_val"), ("test", "all_test")):
        path = folder / f"rootnet_interhand2.6m_output_{split}.json"
        assert release.rootnet(split) == path
        path.rename(folder / f"rootnet_interhand2.6m_output_{older}.json")
        assert release.rootnet(split) == folder / f"rootnet_interhand2.6m_output_{older}.json"
    assert release.rootnet("train") is None


def test_lookup_finds_places():
    place, found = lookup(np.array([5, 1, 9]), np.array([9, 2, 5, 99, 0]))
    assert found.tolist() == [True, False, True, False, False]
    assert place[found].tolist() == [2, 0]
    assert lookup(np.array([], int), np.array([1]))[1].tolist() == [False]
