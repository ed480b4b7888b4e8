"""Reading pickles that others made without running what they ask for.

The official MANO files are Python 2 pickles of numpy arrays, a scipy.sparse matrix and chumpy arrays. Only what
rebuilds such data is admitted; chumpy itself is not needed, a stand-in takes the place of its array class.
"""

import collections
import importlib
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sparse

from digit.errors import UserError

_NUMPY_NAMES = {
    "multiarray": ("_reconstruct", "scalar"),
    "numeric": ("_frombuffer",),
}
_NUMPY_CORE = ("numpy.core", "numpy._core")
_SPARSE_CLASSES = ("csc_matrix", "csr_matrix", "coo_matrix", "csc_array", "csr_array", "coo_array")
_PLAIN_BUILTINS = {"set": set, "frozenset": frozenset, "complex": complex, "bytearray": bytearray, "slice": slice}


class ChumpyStandIn:
    """Takes the place of ``chumpy.ch.Ch`` and its kin: keeps their state and knows the array in it."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def array(self) -> np.ndarray:
        """Find the values: those of ``Ch`` itself, or of a selection (``Select``) or transposition of another array.

        Raises:
            ValueError: there is no array in the state.
        """
        state = self.__dict__
        if "x" in state:
            return as_array(state["x"])
        if "a" in state and "idxs" in state:
            chosen = as_array(state["a"]).ravel()[np.asarray(state["idxs"])]
            return chosen.reshape(state["preferred_shape"]) if "preferred_shape" in state else chosen
        if "a" in state and "axes" in state:
            return as_array(state["a"]).transpose(state["axes"])
        raise ValueError("a chumpy object without values")


def as_array(value: Any) -> np.ndarray:
    """Dense array from an array, a sparse matrix, a list of numbers or a chumpy stand-in.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(value, ChumpyStandIn):
        return value.array()
    if sparse.issparse(value):
        return value.toarray()
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{type(value).__name__} instead of numbers")
    return array


class _DataUnpickler(pickle.Unpickler):
    """Admits numpy arrays, scipy's sparse matrices and stand-ins for chumpy; refuses all else."""

    def find_class(self, module: str, name: str) -> Any:
        found = _numpy_or_sparse(module, name)
        if found is not None:
            return found
        if module.split(".")[0] == "chumpy":
            return ChumpyStandIn
        if module in ("builtins", "__builtin__") and name in _PLAIN_BUILTINS:
            return _PLAIN_BUILTINS[name]
        if (module, name) in (("copy_reg", "_reconstructor"), ("copyreg", "_reconstructor")):
            return _plain_reconstructor
        if (module, name) in (("builtins", "object"), ("__builtin__", "object")):
            return object
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("_codecs", "encode"):
            return _encode_latin1
        raise UserError(f"asks for {module}.{name}")


def _numpy_or_sparse(module: str, name: str) -> Any:
    if module == "numpy" and name in ("ndarray", "dtype"):
        return getattr(np, name)
    package, _, last = module.rpartition(".")
    if package in _NUMPY_CORE and name in _NUMPY_NAMES.get(last, ()):
        return getattr(importlib.import_module(f"numpy._core.{last}"), name)
    if module.startswith("scipy.sparse") and name in _SPARSE_CLASSES:
        return getattr(sparse, name)
    return None


def _plain_reconstructor(cls: type, base: type, state: Any) -> Any:
    """Protocol 0's way to make an instance; only for the stand-in and sparse matrices, built on plain objects."""
    if base is not object or not (cls is ChumpyStandIn or cls.__module__.startswith("scipy.sparse")):
        raise UserError(f"asks to rebuild a {cls.__name__}")
    return object.__new__(cls)


def _encode_latin1(text: str, encoding: str) -> bytes:
    """Undo how Python 3 writes byte strings into old protocols."""
    if encoding != "latin1":
        raise UserError(f"asks for the codec {encoding}")
    return text.encode("latin1")


def load_data_pickle(path: Path, remedy: str) -> Any:
    """Read a pickle of plain data, or an .npy file that holds one.

    Raises:
        UserError: the file is missing, damaged, or asks for anything but data; the message names file and class.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    stream = io.BytesIO(content)
    try:
        if content.startswith(np.lib.format.MAGIC_PREFIX):
            return _read_npy(stream)
        return _DataUnpickler(stream, encoding="latin1").load()
    except UserError as error:
        raise UserError(
            f"{path}: refused, because it {error}; only numpy, scipy.sparse and chumpy data are loaded; {remedy}"
        ) from error
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        IndexError,
        OverflowError,
    ) as error:
        raise UserError(f"{path}: is damaged or not a pickle of arrays ({error}); {remedy}") from error


def _read_npy(stream: io.BytesIO) -> Any:
    version = np.lib.format.read_magic(stream)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = reader(stream)
    if dtype.hasobject:
        loaded = _DataUnpickler(stream, encoding="latin1").load()
        return loaded.item() if isinstance(loaded, np.ndarray) and shape == () else loaded
    stream.seek(0)
    return np.load(stream, allow_pickle=False)
