"""The CWRU bearing records of the data pack, with labels and speeds; refuses to mix sampling rates unasked."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from features.errors import RecordingError
from models.datasets.catalogue import data_set_named
from models.datasets.packs import one_of
from models.recordings import Recording, read_recording

__all__ = ["BEARING", "KINDS", "Record", "normals_12k", "records"]

# The drive-end bearing that every fault of the pack sits in.
BEARING = "6205-2RS"
KINDS = ("normal", "inner", "outer", "ball")


@dataclass(frozen=True)
class Record:
    """One record of the pack.

    Attributes
    ----------
    path : Path
    number : int
        CWRU's record number.
    kind : str
        ``normal``, ``inner``, ``outer`` or ``ball``.
    diameter_in : float or None
        Fault diameter in inches.
    position_oclock : int or None
        Of outer-race faults, relative to the load zone at 6.
    load_hp : int
        Motor load in hp.
    rpm : float
        As stated in the record itself, else nominal.
    rate_hz : float
    """

    path: Path
    number: int
    kind: str
    diameter_in: float | None
    position_oclock: int | None
    load_hp: int
    rpm: float
    rate_hz: float

    @property
    def name(self) -> str:
        """File name without suffix."""
        return self.path.stem

    def read(self, channel: str = "DE") -> Recording:
        """Read one accelerometer, in g: ``DE`` drive end, ``FE`` fan end or ``BA`` base, where the record has it."""
        return read_recording(self.path, rate_hz=self.rate_hz, unit="g", channels=(channel,), rpm=self.rpm)


def records(folder: Path, *, rate_hz: float) -> tuple[Record, ...]:
    """List the records of one sampling rate.

    Parameters
    ----------
    folder : Path
        The pack's folder, with ``index.csv``.
    rate_hz : float
        12,000 gives all fault records with the normals decimated to their rate; 48,000 the one normal as published.
        There is no default: a normal at 48 kHz beside faults at 12 kHz is told apart by its rate alone.

    Raises
    ------
    RecordingError
        If the index is missing or damaged, or has no record of this rate.
    """
    index = folder / "index.csv"
    try:
        with index.open(encoding="utf-8", newline="") as lines:
            found = [_record(folder, row) for row in csv.DictReader(lines) if float(row["fs_hz"]) == rate_hz]
    except OSError as error:
        raise RecordingError(
            f"no CWRU pack at {folder} ({error.strerror}); set RACEWAY_DATA to the data folder, {_advice()}"
        ) from error
    except (KeyError, ValueError) as error:
        raise RecordingError(f"{index} is damaged ({error}); fetch the pack again, {_advice()}") from error
    if not found:
        raise RecordingError(f"{index} lists no record at {rate_hz:g} Hz; 12000 or 48000 is wanted")
    return tuple(found)


def normals_12k(folder: Path) -> tuple[Record, ...]:
    """List the healthy records of loads 0 to 3 hp at the faults' 12 kHz.

    Parameters
    ----------
    folder : Path
        The pack's folder, with ``index.csv``.

    Returns
    -------
    tuple of Record
        ``normal12k_L0`` to ``normal12k_L3`` in order of load, drive end only.

    Raises
    ------
    RecordingError
        If the index is missing or damaged.

    Notes
    -----
    CWRU recorded its healthy baseline at 48 kHz and the faults at 12 kHz. A model that meets both unresampled tells
    "normal" by the sampling rate alone, so the published 48 kHz record is never among these. The decimation filter of
    these is still another one than the anti-aliasing filter of the faults: what a model learns above some 5 kHz may be
    the filter.
    """
    return tuple(sorted((r for r in records(folder, rate_hz=12_000.0) if r.kind == "normal"), key=lambda r: r.load_hp))


def _advice() -> str:
    return data_set_named("cwru").advice


def _record(folder: Path, row: dict[str, str]) -> Record:
    return Record(
        path=folder / row["file"],
        number=int(row["record"]),
        kind=one_of(row["fault"], KINDS, what="CWRU fault"),
        diameter_in=float(row["diameter_in"]) if row["diameter_in"] else None,
        position_oclock=int(row["outer_position_oclock"]) if row["outer_position_oclock"] else None,
        load_hp=int(row["load_hp"]),
        rpm=float(row["rpm_in_file"] or row["rpm_nominal"]),
        rate_hz=float(row["fs_hz"]),
    )
