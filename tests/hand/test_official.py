"""MANO's own files, written here in their format (Python 2 pickles with chumpy arrays) from the open hand."""

import logging
import pickle
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sparse

from digit.hand import mesh, official
from digit.hand.mano import load_hands
from digit.hand.open_hand.model import load_open_hand
from digit.run.errors import UserError
from digit.run.pickles import as_array, load_data_pickle


class Ch:
    """Pickles like chumpy.ch.Ch: its state holds the array as x."""

    __module__ = "chumpy.ch"

    def __init__(self, array):
        self.x = np.asarray(array)
        self._dirty_vars = set()
        self._itr = None


class Select:
    """Pickles like chumpy.reordering.Select."""

    __module__ = "chumpy.reordering"

    def __init__(self, array):
        self.a, self.idxs, self.preferred_shape = Ch(array), np.arange(np.size(array)), np.shape(array)


def mano_content(side, **changes):
    arrays = dict(load_open_hand()[side])
    content = {
        "v_template": arrays["v_template"],
        "f": arrays["f"].astype(np.uint32),
        "shapedirs": Select(arrays["shapedirs"]) if side == "left" else Ch(arrays["shapedirs"]),
        "posedirs": arrays["posedirs"],
        "J_regressor": sparse.csc_matrix(arrays["J_regressor"]),
        "J": np.zeros((16, 3)),
        "weights": Ch(arrays["weights"]),
        "kintree_table": arrays["kintree_table"].astype(np.uint32),
        "hands_mean": arrays["hands_mean"],
        "hands_components": arrays["hands_components"],
        "hands_coeffs": np.zeros((3, 45)),
        "bs_style": "lbs",
    }
    return content | changes


def write_models(folder: Path, protocol=2, right=None, left=None):
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
        for cls in (Ch, Select):
            module = types.ModuleType(cls.__module__)
            setattr(module, cls.__name__, cls)
            patch.setitem(sys.modules, cls.__module__, module)
        for side, content in (("right", right), ("left", left)):
            data = pickle.dumps(content or mano_content(side), protocol=protocol)
            (folder / f"MANO_{side.upper()}.pkl").write_bytes(data)
    assert "chumpy" not in sys.modules
    return folder


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_official_files_load_without_chumpy_and_equal_the_open_hand(tmp_path, protocol):
    folder = write_models(tmp_path / "mano", protocol)
    loaded, ours = load_hands(str(folder)), load_hands("open")
    rng = np.random.default_rng(0)
    frames = rng.normal(0, 0.3, (2, 48)), rng.normal(size=(2, 10)), rng.normal(size=(2, 3))
    for side in ("right", "left"):
        assert np.allclose(loaded[side].vertices_world_mm(*frames), ours[side].vertices_world_mm(*frames), atol=1e-9)
        assert np.array_equal(loaded[side].face_labels, ours[side].face_labels)
        assert np.array_equal(loaded[side].sealed_faces, ours[side].sealed_faces)


def test_defect_of_the_left_shape_directions_is_repaired(tmp_path):
    arrays = load_open_hand()
    defective = arrays["left"]["shapedirs"] * np.array([-1.0, 1.0, 1.0])[:, None]
    folder = write_models(tmp_path / "mano", left=mano_content("left", shapedirs=Ch(defective)))
    loaded = official.load_hand_files(str(folder), None, None).models
    assert np.allclose(loaded["left"]["shapedirs"], arrays["left"]["shapedirs"])
    assert np.allclose(loaded["right"]["shapedirs"], arrays["right"]["shapedirs"])


def test_fallback_regressor_says_that_it_is_approximate(tmp_path, caplog):
    folder = write_models(tmp_path / "mano")
    with caplog.at_level(logging.WARNING, logger="digit"):
        loaded = load_hands(str(folder))
    assert "joint_regressor" in caplog.text and "approximate" in caplog.text
    expected = mesh.interhand_regressor(load_open_hand()["left"]["J_regressor"])
    assert np.array_equal(loaded.left.joint_regressor, expected)


def test_supplied_regressor_and_part_table_are_used(tmp_path, caplog):
    folder = write_models(tmp_path / "mano")
    regressor = np.full((21, 778), 1 / 778)
    np.save(tmp_path / "regressor.npy", regressor)
    hand = load_hands("open").right
    order = np.random.default_rng(0).permutation(1554)
    parts = (hand.face_labels - 1)[order].astype(np.float64)
    table = {"sealed_faces_right": hand.sealed_faces[order], "sealed_faces_color_right": parts}
    np.save(tmp_path / "sealed_faces.npy", table, allow_pickle=True)
    loaded = load_hands(str(folder), str(tmp_path / "sealed_faces.npy"), str(tmp_path / "regressor.npy"))
    assert not caplog.records
    assert np.array_equal(loaded.left.joint_regressor, regressor)
    assert np.array_equal(loaded.right.sealed_faces, hand.sealed_faces[order])
    assert np.array_equal(loaded.right.face_labels, hand.face_labels[order])
    assert np.array_equal(loaded.left.face_labels, hand.face_labels[order] + 16)
    assert np.array_equal(np.sort(loaded.left.sealed_faces), np.sort(hand.sealed_faces[order]))


class Evil:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (exec, (f"open({str(self.target)!r}, 'w')",))


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_pickles_that_ask_for_code_are_refused(tmp_path, protocol):
    target = tmp_path / "made by the pickle"
    folder = write_models(tmp_path / "mano", protocol, right=mano_content("right", bs_style=Evil(target)))
    with pytest.raises(UserError, match=r"MANO_RIGHT\.pkl: refused.*exec"):
        load_hands(str(folder))
    assert not target.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        *[("os", "system"), ("numpy", "load"), ("numpy.core.multiarray", "fromfile"), ("builtins", "eval")],
        *[("chumpy", "os.system"), ("chumpy.os", "system"), ("chumpy.ch", "np.load"), ("chumpy.ch.sys", "exit")],
        *[("scipy.sparse", "os.system"), ("numpy", "ndarray.tofile"), ("scipy.sparse.csc_matrix", "dot")],
        *[("chumpy.ch", "Ch.__reduce__"), ("collections", "OrderedDict.fromkeys")],
    ],
)
@pytest.mark.parametrize("protocol", [0, 4])
def test_any_other_global_is_refused(tmp_path, module, name, protocol):
    """By name, be it the end of a path of attributes or of modules."""
    path = tmp_path / "MANO_RIGHT.pkl"
    words = b"".join(b"\x8c" + bytes([len(word)]) + word.encode() for word in (module, name))
    path.write_bytes(f"c{module}\n{name}\n.".encode() if protocol == 0 else b"\x80\x04" + words + b"\x93.")
    with pytest.raises(UserError, match=rf"refused, because it asks for {re.escape(module)}\.{re.escape(name)};"):
        official.load_hand_files(str(tmp_path), None, None)


def test_part_table_that_asks_for_code_is_refused(tmp_path):
    np.save(tmp_path / "sealed_faces.npy", {"sealed_faces_right": Evil(tmp_path / "made")}, allow_pickle=True)
    with pytest.raises(UserError, match=r"sealed_faces\.npy: refused"):
        official.load_part_table(tmp_path / "sealed_faces.npy", load_hands().right.faces)
    assert not (tmp_path / "made").exists()


def test_folder_and_file_that_are_missing_are_named(tmp_path):
    with pytest.raises(UserError, match="nowhere"):
        load_hands(str(tmp_path / "nowhere"))
    folder = write_models(tmp_path / "mano")
    (folder / "MANO_LEFT.pkl").unlink()
    with pytest.raises(UserError, match=r"MANO_LEFT\.pkl.*data\.hand_model"):
        load_hands(str(folder))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"posedirs": np.zeros((778, 3, 10))}, r"'posedirs' has shape \(778, 3, 10\)"),
        ({"weights": "none"}, "'weights' is str instead of numbers"),
        ({"v_template": None}, "'v_template' is NoneType"),
        ({"v_template": np.full((778, 3), np.nan)}, "'v_template' holds NaN"),
        ({"f": np.full((1538, 3), 778)}, "'f' has indices 778 to 778 instead of 0 to 777"),
        ({"kintree_table": np.full((2, 16), 16)}, "'kintree_table' has indices 16 to 16"),
    ],
)
def test_arrays_of_the_wrong_kind_are_named(tmp_path, changes, message):
    folder = write_models(tmp_path / "mano", right=mano_content("right", **changes))
    with pytest.raises(UserError, match=message):
        load_hands(str(folder))


def test_a_lacking_array_is_named(tmp_path):
    content = mano_content("right")
    del content["kintree_table"]
    with pytest.raises(UserError, match="no 'kintree_table'"):
        load_hands(str(write_models(tmp_path / "mano", right=content)))


def test_half_a_file_is_damaged_not_a_traceback(tmp_path):
    folder = write_models(tmp_path / "mano")
    path = folder / "MANO_RIGHT.pkl"
    for size in (0, 1, 100, path.stat().st_size // 2, path.stat().st_size - 1):
        content = path.read_bytes()
        path.write_bytes(content[:size])
        with pytest.raises(UserError, match=r"MANO_RIGHT\.pkl"):
            load_hands(str(folder))
        path.write_bytes(content)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_flipped_bytes_are_never_more_than_an_error(tmp_path, protocol):
    content = {"a": np.arange(6.0).reshape(2, 3), "J": sparse.csr_matrix(np.eye(3)), "n": np.float64(2)}
    whole, rng, path = pickle.dumps(content, protocol=protocol), np.random.default_rng(protocol), tmp_path / "x.pkl"
    refused = 0
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            loaded = load_data_pickle(path, "replace it")
            for value in loaded.values() if isinstance(loaded, dict) else ():
                as_array(value)
        except (UserError, ValueError):
            refused += 1
    assert 0 < refused < 200


def test_a_chumpy_array_of_itself_is_damaged(tmp_path):
    endless = Ch(0)
    endless.x = endless
    folder = write_models(tmp_path / "mano", right=mano_content("right", v_template=endless))
    with pytest.raises(UserError, match=r"MANO_RIGHT\.pkl: 'v_template' is a damaged array"):
        load_hands(str(folder))


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize(
    "value",
    [
        np.arange(12.0).reshape(3, 4),
        np.asfortranarray(np.arange(12, dtype=np.uint32).reshape(3, 4)),
        np.arange(3, dtype=">f4"),
        np.float32(2.5),
        np.array([True, False]),
        sparse.csc_matrix([[0, 1.5, 0], [2, 0, 0]]),
        sparse.csr_matrix([[0, 1.5, 0], [2, 0, 0]]),
    ],
)
def test_numbers_survive_as_numpy_would_read_them(tmp_path, protocol, value):
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps({"a": value}, protocol=protocol))
    expected = value.toarray() if sparse.issparse(value) else np.asarray(value)
    assert np.array_equal(as_array(load_data_pickle(path, "replace it")["a"]), expected)


def test_tables_of_the_wrong_shape_or_mesh_are_named(tmp_path):
    faces = load_hands().right.sealed_faces
    path = tmp_path / "sealed_faces.npy"

    def save(table_faces, parts):
        np.save(path, {"sealed_faces_right": table_faces, "sealed_faces_color_right": parts}, allow_pickle=True)

    save(faces[:-1], np.zeros(1553))
    with pytest.raises(UserError, match=r"\(1553, 3\)"):
        official.load_part_table(path, faces[:1538])
    save(faces, np.full(1554, 16))
    with pytest.raises(UserError, match="from 16 to 16"):
        official.load_part_table(path, faces[:1538])
    save(np.where(faces == 5, 5000, faces), np.zeros(1554))
    with pytest.raises(UserError, match="vertices 0 to 5000 instead of 0 to 778"):
        official.load_part_table(path, faces[:1538])
    save(np.roll(faces, 1, axis=0) % 700, np.zeros(1554))
    with pytest.raises(UserError, match="another mesh"):
        official.load_part_table(path, faces[:1538])
    np.save(path, np.zeros(3))
    with pytest.raises(UserError, match="dictionary"):
        official.load_part_table(path, faces[:1538])


def test_regressor_of_the_wrong_shape_is_named(tmp_path):
    path = tmp_path / "regressor.npy"
    np.save(path, np.zeros((16, 778)))
    with pytest.raises(UserError, match=r"regressor\.npy.*\(16, 778\)"):
        official.load_joint_regressor(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"regressor\.npy"):
        official.load_joint_regressor(path)


def test_tables_are_refused_with_the_open_hand(tmp_path):
    with pytest.raises(UserError, match=r"data\.sealed_faces"):
        load_hands("open", sealed_faces=str(tmp_path / "sealed_faces.npy"))
