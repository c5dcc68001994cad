"""The folder that holds the public data packs; refuses one that is not there."""

from __future__ import annotations

from pathlib import Path

from features.errors import RecordingError
from models.datasets.catalogue import DATA_SETS

__all__ = ["PACKS", "data_folder"]

PACKS = tuple(sorted(data_set.folder for data_set in DATA_SETS))
# The folder above the packs is nobody's: each data set has its own publisher.
_ADVICE = "or see `raceway data list` for publishers and the commands that import"


def data_folder(given: Path | None) -> Path:
    """Check where the data packs lie.

    Parameters
    ----------
    given : Path or None
        What RACEWAY_DATA says; None where it is not set. The environment is read by the caller.

    Returns
    -------
    Path
        `given`, with at least one of ``PACKS`` in it.

    Raises
    ------
    RecordingError
        If it is None, is no folder or holds none of the packs.
    """
    if given is None:
        raise RecordingError(f"no folder of public data is named; set RACEWAY_DATA to the data folder, {_ADVICE}")
    if not given.is_dir():
        raise RecordingError(f"no folder at {given}; set RACEWAY_DATA to the data folder, {_ADVICE}")
    if not any((given / pack).is_dir() for pack in PACKS):
        raise RecordingError(
            f"{given} holds none of {', '.join(PACKS)}; set RACEWAY_DATA to the folder above them, {_ADVICE}"
        )
    return given
