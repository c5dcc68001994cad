"""Opening of the data packs' `.npz` files; refuses missing, damaged and incomplete ones in one sentence."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import RecordingError
from models.datasets.catalogue import data_set_named

__all__ = ["one_of", "open_pack"]


def open_pack(path: Path, *, keys: tuple[str, ...], data_set: str | None = None) -> dict[str, NDArray[Any]]:
    """Read the named arrays of a pack.

    Parameters
    ----------
    path : Path
    keys : tuple of str
    data_set : str, optional
        Name in ``models.datasets.catalogue``, so that a missing or damaged pack names its publisher and its import.

    Raises
    ------
    RecordingError
        If the file is missing, damaged or lacks an array.
    """
    if not path.is_file():
        raise RecordingError(f"no data pack at {path}; set RACEWAY_DATA to the data folder{_or_import(data_set)}")
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in keys}
    except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise RecordingError(
            f"{path.name} cannot be read ({error}); fetch the pack again{_or_import(data_set)}"
        ) from error


def _or_import(data_set: str | None) -> str:
    return "" if data_set is None else f", {data_set_named(data_set).advice}"


def one_of(given: str, wanted: tuple[str, ...], *, what: str) -> str:
    """Give `given` back if it is one of `wanted`.

    Raises
    ------
    RecordingError
        If it is not; a misspelt name is no missing data folder.
    """
    if given not in wanted:
        raise RecordingError(f"no {what} {given!r}; one of {', '.join(wanted)} is wanted")
    return given
