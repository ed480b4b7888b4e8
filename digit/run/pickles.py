"""Reading pickles that others made without running what they ask for.

The official MANO files are Python 2 pickles of numpy arrays, a scipy.sparse matrix and chumpy arrays. While such a
file is read, every class it names is replaced by an inert placeholder that only keeps what it is given; any other name
is refused. Arrays are built afterwards, from checked types, shapes and bytes. chumpy itself is not needed.
"""

import collections
import io
import pickle
import re
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from digit.run.errors import UserError

LARGEST_DENSE = 10**7
"""Elements of the largest sparse matrix that is expanded."""

_NUMBER_TYPE = re.compile(r"[|<>=]?([biuf][1248]|\?)")


class _StandIn:
    """Keeps the arguments and the state it is rebuilt from."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _DtypeStandIn(_StandIn):
    """For ``numpy.dtype``."""

    def name(self) -> str:
        """Return numpy's type string, with the byte order."""
        code = str(self.arguments[0])
        order = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else "|"
        order = order.decode("latin1") if isinstance(order, bytes) else order
        return (order if order in ("<", ">") else "") + code


class _ArrayStandIn(_StandIn):
    """For ``numpy.ndarray``: its state is (version, shape, dtype, column-major, bytes or list of objects)."""

    def parts(self) -> tuple[tuple[int, ...], str, bool, Any]:
        """Return shape, type string, whether columns come first, and the contents.

        Raises:
            ValueError: the state is not that of an array.
        """
        state = self.state[-4:] if isinstance(self.state, tuple) else ()
        if len(state) != 4 or not isinstance(state[1], _DtypeStandIn) or not isinstance(state[0], tuple):
            raise ValueError("an array without contents")
        return state[0], state[1].name(), bool(state[2]), state[3]

    def array(self) -> np.ndarray:
        """Build the array of numbers.

        Raises:
            ValueError: it does not hold numbers, or too few bytes.
        """
        shape, dtype, columns_first, content = self.parts()
        content = content.encode("latin1") if isinstance(content, str) else content
        if not _NUMBER_TYPE.fullmatch(dtype) or not isinstance(content, bytes | bytearray):
            raise ValueError(f"an array of type {dtype} instead of numbers")
        return np.frombuffer(content, dtype).reshape(shape, order="F" if columns_first else "C").copy()


class _SparseStandIn(_StandIn):
    """For scipy's matrices compressed by columns."""

    def array(self) -> np.ndarray:
        """Build the dense array.

        Raises:
            ValueError: a part is missing or does not fit the shape.
        """
        state: dict[str, Any] = self.state if isinstance(self.state, dict) else {}
        if not {"data", "indices", "indptr"} <= state.keys() or not ("_shape" in state or "shape" in state):
            raise ValueError("a sparse matrix without its parts")
        data, inner, starts = (as_array(state[key]) for key in ("data", "indices", "indptr"))
        height, width = self._compressed_shape(state.get("_shape") or state["shape"])
        if height * width > LARGEST_DENSE or height + 1 != len(starts) or not 0 <= inner.min() <= inner.max() < width:
            raise ValueError("a sparse matrix whose parts do not fit its shape")
        dense = np.zeros((height, width))
        np.add.at(dense, (np.repeat(np.arange(height), np.diff(starts)), inner), data)
        return self._turned(dense)

    def _compressed_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        return shape[1], shape[0]

    def _turned(self, dense: np.ndarray) -> np.ndarray:
        return dense.T


class _RowSparseStandIn(_SparseStandIn):
    """For scipy's matrices compressed by rows."""

    def _compressed_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        return shape[0], shape[1]

    def _turned(self, dense: np.ndarray) -> np.ndarray:
        return dense


class _ChumpyStandIn(_StandIn):
    """For ``chumpy.ch.Ch`` and for chumpy's selections and transpositions of another array."""

    def array(self) -> np.ndarray:
        """Build the array that the chumpy object stands for.

        Raises:
            ValueError: there is no array in its state.
        """
        state: dict[str, Any] = self.state if isinstance(self.state, dict) else {}
        if "x" in state:
            return as_array(state["x"])
        if "a" in state and "idxs" in state:
            chosen = as_array(state["a"]).ravel()[as_array(state["idxs"])]
            return chosen.reshape(state["preferred_shape"]) if "preferred_shape" in state else chosen
        if "a" in state and "axes" in state:
            return as_array(state["a"]).transpose(state["axes"])
        raise ValueError("a chumpy object without values")


def as_array(value: Any) -> np.ndarray:
    """Dense array of numbers from what ``load_data_pickle`` found: an array, a sparse matrix, a chumpy object.

    Raises:
        ValueError: it is none of these, or damaged.
    """
    if isinstance(value, _ArrayStandIn | _SparseStandIn | _ChumpyStandIn):
        try:
            return value.array()
        except (TypeError, LookupError, ArithmeticError, AttributeError, MemoryError, RecursionError) as error:
            raise ValueError(f"a damaged array ({error})") from error
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{type(value).__name__} instead of numbers")
    return array


def _reconstruct(kind: Any, shape: Any, code: Any) -> _ArrayStandIn:
    """For numpy's function of this name: an array that is still empty."""
    return _ArrayStandIn()


def _from_buffer(content: Any, dtype: Any, shape: Any, order: Any) -> _ArrayStandIn:
    """For numpy's function of this name, used by newer pickles."""
    array = _ArrayStandIn()
    array.state = (shape, dtype, order == "F", bytes(content))
    return array


def _scalar(dtype: Any, content: Any = b"") -> _ArrayStandIn:
    """For numpy's function of this name: a single number."""
    return _from_buffer(content.encode("latin1") if isinstance(content, str) else content, dtype, (), "C")


def _encode_latin1(text: str, encoding: str) -> bytes:
    """Undo how Python 3 writes byte strings into old protocols."""
    return text.encode("latin1")


def _rebuild(kind: type, base: type, state: Any) -> Any:
    """Protocol 0's way to make an instance."""
    return kind()


class _DataUnpickler(pickle.Unpickler):
    """Knows placeholders for numpy, scipy.sparse and chumpy; refuses every other name."""

    _KNOWN: ClassVar[dict[str, dict[str, Any]]] = {
        "numpy": {"ndarray": _ArrayStandIn, "dtype": _DtypeStandIn},
        "numpy.core.multiarray": {"_reconstruct": _reconstruct, "scalar": _scalar},
        "numpy.core.numeric": {"_frombuffer": _from_buffer},
        "copyreg": {"_reconstructor": _rebuild},
        "builtins": {"object": object, "set": set, "frozenset": frozenset},
        "collections": {"OrderedDict": collections.OrderedDict},
        "_codecs": {"encode": _encode_latin1},
    }
    _SPARSE: ClassVar[dict[str, Any]] = {
        "csc_matrix": _SparseStandIn,
        "csc_array": _SparseStandIn,
        "csr_matrix": _RowSparseStandIn,
        "csr_array": _RowSparseStandIn,
    }
    _CHUMPY: ClassVar[tuple[str, ...]] = ("chumpy", "chumpy.ch", "chumpy.ch_ops", "chumpy.reordering", "chumpy.linalg")
    """Modules whose classes are arrays; a dotted name would lead from there into other modules."""
    _RENAMED: ClassVar[dict[str, str]] = {"copy_reg": "copyreg", "__builtin__": "builtins"}

    def find_class(self, module: str, name: str) -> Any:
        place = self._RENAMED.get(module, module.replace("numpy._core", "numpy.core"))
        known = self._KNOWN.get(place, {})
        if module in self._CHUMPY and name.isidentifier():
            return _ChumpyStandIn
        if module == "scipy.sparse" or module.startswith("scipy.sparse."):
            known = self._SPARSE
        if name not in known:
            raise UserError(f"asks for {module}.{name}")
        return known[name]


def load_data_pickle(path: Path, remedy: str) -> Any:
    """Read a pickle of plain data, or an .npy file that holds one.

    Returns:
        Dictionaries, lists, strings and numbers as they are; use ``as_array`` on what should be an array.

    Raises:
        UserError: the file is missing, damaged, or asks for anything but data; the message names file and class.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    try:
        if content.startswith(np.lib.format.MAGIC_PREFIX):
            return _read_npy(io.BytesIO(content))
        return _unpickle(io.BytesIO(content))
    except UserError as error:
        raise UserError(
            f"{path}: refused, because it {error}; only numpy, scipy.sparse and chumpy data are loaded; {remedy}"
        ) from error
    except (ValueError, EOFError) as error:
        raise UserError(f"{path}: is damaged or not a pickle of arrays ({error}); {remedy}") from error


def _unpickle(stream: io.BytesIO) -> Any:
    """Read one pickle; whatever a damaged one runs into becomes a ValueError."""
    try:
        return _DataUnpickler(stream, encoding="latin1").load()
    except (pickle.UnpicklingError, ArithmeticError, AttributeError, ImportError, LookupError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    except (TypeError, RuntimeError, SystemError, MemoryError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _read_npy(stream: io.BytesIO) -> Any:
    version = np.lib.format.read_magic(stream)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    _, _, dtype = reader(stream)
    if not dtype.hasobject:
        stream.seek(0)
        return np.load(stream, allow_pickle=False)
    loaded = _unpickle(stream)
    if isinstance(loaded, _ArrayStandIn):
        shape, _, _, content = loaded.parts()
        if shape == () and isinstance(content, list) and len(content) == 1:
            return content[0]
    return loaded
