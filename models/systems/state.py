"""What a system has learned, as files: networks, arrays, and how they hang together; refuses classes it does not know.

Keras models go to `.keras` files and arrays to one `.npz`, both readable without running anything. What holds them is a
pickle, and pickles name what is to be called; so the reader builds classes of a list alone: those of `models`,
estimators of scikit-learn and the parts of them named here. Functions of `models` and random generators, which only
learning needs, are left out: what was loaded predicts and does not learn again.
"""

from __future__ import annotations

import functools
import importlib
import io
import pickle
import sys
import types
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from features.errors import ArtifactError, ParameterError

__all__ = ["ARRAYS", "STATE", "networks_of", "read_state", "write_state"]

ARRAYS, STATE = "arrays.npz", "state.pickle"
_OURS = ("models.", "features.")
_PROTOCOL = 5
# Parts of fitted estimators that are no estimators themselves, and what NumPy makes its objects from.
_PARTS = frozenset(
    {
        ("builtins", "set"),
        ("builtins", "slice"),
        ("collections", "OrderedDict"),
        ("collections", "defaultdict"),
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy._core.multiarray", "scalar"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("sklearn._loss._loss", "__pyx_unpickle_CyHalfMultinomialLoss"),
    }
)


class _Writer(pickle.Pickler):
    """A pickler that hands networks and arrays over, each once."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, protocol=_PROTOCOL)
        self.networks: list[Any] = []
        self.arrays: list[NDArray[Any]] = []
        self._places: dict[int, tuple[str, int]] = {}

    def persistent_id(self, obj: Any) -> tuple[str, int] | None:
        if id(obj) in self._places:
            return self._places[id(obj)]
        if _is_network(obj):
            return self._put("network", self.networks, obj)
        if type(obj) is np.ndarray and not obj.dtype.hasobject:
            return self._put("array", self.arrays, obj)
        return ("lesson", 0) if _only_for_learning(obj) else None

    def _put(self, what: str, among: list[Any], obj: Any) -> tuple[str, int]:
        # Kept in a list, so that no other object takes over its identity while this is written.
        among.append(obj)
        self._places[id(obj)] = what, len(among) - 1
        return self._places[id(obj)]


class _Reader(pickle.Unpickler):
    """An unpickler that builds what is on the list alone."""

    def __init__(self, file: IO[bytes], *, folder: Path, arrays: dict[str, NDArray[Any]]) -> None:
        super().__init__(file)
        self._folder = folder
        self._arrays = arrays
        self._networks: dict[int, Any] = {}

    def persistent_load(self, pid: Any) -> Any:
        what, place = pid
        if what == "lesson":
            return _gone
        if what == "array":
            return self._arrays[_array_name(place)]
        if place not in self._networks:
            self._networks[place] = _load_network(self._folder / _network_name(place))
        return self._networks[place]

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _PARTS and not _admissible(module, name):
            raise ArtifactError(
                f"{STATE} names {module}.{name}, which no system of Raceway is made of; do not trust it"
            )
        return super().find_class(module, name)


def write_state(learned: Any, folder: Path) -> list[Any]:
    """Write what was learned into a folder.

    Parameters
    ----------
    learned : object
        Of classes of `models` and scikit-learn.
    folder : Path
        Is there.

    Returns
    -------
    list of keras.Model
        Its networks, in the order of their files ``network-0.keras`` and so on.

    Raises
    ------
    ArtifactError
        If it holds what `read_state` would refuse.
    """
    file = io.BytesIO()
    writer = _Writer(file)
    try:
        writer.dump(learned)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise ArtifactError(f"what was learned cannot be written ({error})") from error
    (folder / STATE).write_bytes(file.getvalue())
    np.savez(folder / ARRAYS, **{_array_name(i): array for i, array in enumerate(writer.arrays)})  # type: ignore[arg-type]  # numpy's stub admits no mapping here
    for i, network in enumerate(writer.networks):
        network.save(folder / _network_name(i))
    return writer.networks


def read_state(folder: Path) -> Any:
    """Read what `write_state` wrote.

    Raises
    ------
    ArtifactError
        If a file is missing or damaged, or names what no system is made of.
    """
    try:
        with np.load(folder / ARRAYS, allow_pickle=False) as stored:
            arrays = dict(stored)
        with (folder / STATE).open("rb") as file:
            return _Reader(file, folder=folder, arrays=arrays).load()
    except (OSError, pickle.UnpicklingError, EOFError, zipfile.BadZipFile, LookupError, ValueError, TypeError) as error:
        raise ArtifactError(f"{folder.name} cannot be read ({error}); train it again") from error


def networks_of(learned: Any) -> list[Any]:
    """List the Keras models within an object, each once."""
    writer = _Writer(io.BytesIO())
    writer.dump(learned)
    return writer.networks


def _is_network(obj: Any) -> bool:
    # Where nobody has imported Keras nothing is a network, and it need not be imported to say so.
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(obj, keras.Model)


def _only_for_learning(obj: Any) -> bool:
    if isinstance(obj, np.random.Generator | np.random.RandomState):
        return True
    called = obj.func if isinstance(obj, functools.partial) else obj
    return isinstance(called, types.FunctionType) and called.__module__.startswith(_OURS)


def _gone(*given: Any, **named: Any) -> Any:
    del given, named
    raise ParameterError("a system that was loaded was to learn again; train a new one with `raceway train`")


def _admissible(module: str, name: str) -> bool:
    """Whether a name is that of a class of ours or of scikit-learn's estimators and their trees, losses and links."""
    if "." in name or not module.startswith((*_OURS, "sklearn.")):
        return False
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        return False
    if not isinstance(found, type) or found.__module__ != module:
        return False
    return module.startswith(_OURS) or _part_of_estimators(found)


def _part_of_estimators(found: type) -> bool:
    from sklearn.base import BaseEstimator

    parts = ("sklearn.tree._", "sklearn._loss.", "sklearn.ensemble._hist_gradient_boosting.")
    return issubclass(found, BaseEstimator) or found.__module__.startswith(parts)


def _load_network(path: Path) -> Any:
    import keras

    from models.bearing.interference import kernel_dropout

    # The one layer of ours; Keras must know it before it meets its name.
    kernel_dropout()
    return keras.saving.load_model(path, compile=False, safe_mode=True)


def _array_name(place: int) -> str:
    return f"array-{place}"


def _network_name(place: int) -> str:
    return f"network-{place}.keras"
