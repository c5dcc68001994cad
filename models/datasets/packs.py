"""Opening of the data packs' `.npz` files; refuses missing, damaged and incomplete ones in one sentence."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import RecordingError

__all__ = ["open_pack"]


def open_pack(path: Path, *, keys: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Read the named arrays of a pack.

    Raises
    ------
    RecordingError
        If the file is missing, damaged or lacks an array.
    """
    if not path.is_file():
        raise RecordingError(f"no data pack at {path}; set RACEWAY_DATA to the data folder")
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in keys}
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise RecordingError(f"{path.name} cannot be read ({error}); fetch the pack again") from error
