"""How the CWRU records are dealt into training and test; refuses a split that leaks unless it is asked for by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from features.errors import ParameterError
from models.datasets.cwru import KINDS, Record

__all__ = ["HONEST", "PROTOCOLS", "SIZES_IN", "SNR_DB", "Fold", "Protocol", "bearing_of", "eligible", "protocol_named"]

SIZES_IN = (0.007, 0.014, 0.021)
# Zhang et al., Mech. Syst. Signal Process. 100 (2018) test from -4 to 10 dB.
SNR_DB = (-4.0, 0.0, 4.0, 10.0)
_LOADS_HP = (0, 1, 2, 3)
_HEALTHY_TESTED_HP = (2, 3)


@dataclass(frozen=True)
class Fold:
    """One division of the records.

    Attributes
    ----------
    name : str
        What is tested on.
    train, test : tuple of str
        Names of records; disjoint unless `dealt`.
    dealt : bool
        Whether the windows of the same records are dealt to both sides at random, half and half.
    snr_db : float or None
        Power of a test window over that of the white noise added to it, in dB; None adds none.

    Raises
    ------
    ParameterError
        If a side is empty, or a record is on both sides of a fold that does not deal windows.
    """

    name: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    dealt: bool = False
    snr_db: float | None = None

    def __post_init__(self) -> None:
        if not self.train or not self.test:
            raise ParameterError(f"fold {self.name} has {len(self.train)} training and {len(self.test)} test records")
        shared = sorted(set(self.train) & set(self.test))
        if shared and not self.dealt:
            raise ParameterError(f"fold {self.name} has {', '.join(shared)} on both sides; give each to one")


@dataclass(frozen=True)
class Protocol:
    """A named way to divide the records.

    Attributes
    ----------
    name : str
    leaky : bool
        Whether one damaged bearing is on both sides.
    what : str
        The division in words.
    label : callable
        From a record to the class it counts as.
    divide : callable
        From the eligible records to folds.
    """

    name: str
    leaky: bool
    what: str
    label: Callable[[Record], str]
    divide: Callable[[Sequence[Record]], tuple[Fold, ...]]

    def folds(self, records: Sequence[Record]) -> tuple[Fold, ...]:
        """Divide the eligible of these records.

        Parameters
        ----------
        records : sequence of Record
            At 12 kHz.

        Returns
        -------
        tuple of Fold

        Raises
        ------
        ParameterError
            If no record is eligible for a side, or a damaged bearing would be on both sides unlabelled.
        """
        kept = eligible(records)
        folds = self.divide(kept)
        if not self.leaky:
            bearings = {record.name: bearing_of(record) for record in kept if record.kind != "normal"}
            for fold in folds:
                _refuse_shared(fold, bearings)
        return folds


def eligible(records: Sequence[Record]) -> tuple[Record, ...]:
    """Keep what the comparison is about: healthy records, and faults of 0.007 to 0.021 in, outer ones at 6 o'clock.

    Parameters
    ----------
    records : sequence of Record

    Returns
    -------
    tuple of Record
        In the order given.

    Notes
    -----
    As the README of the pack has it. The faults of 0.028 in are of another maker's bearing, with only the nominal speed
    known and no outer one; outer faults at 3 and 12 o'clock exist for two of three sizes and would not be in each fold.
    """
    return tuple(
        record
        for record in records
        if record.kind == "normal" or (record.diameter_in in SIZES_IN and record.position_oclock in (None, 6))
    )


def bearing_of(record: Record) -> str:
    """Name the physical bearing of a record: all records of a fault kind and size are of one.

    Parameters
    ----------
    record : Record

    Returns
    -------
    str
        Such as ``ball 0.007``; ``normal`` for the healthy one.
    """
    return record.kind if record.diameter_in is None else f"{record.kind} {record.diameter_in:.3f}"


def protocol_named(name: str) -> Protocol:
    """Look up a protocol.

    Parameters
    ----------
    name : str
        A key of ``PROTOCOLS``.

    Returns
    -------
    Protocol

    Raises
    ------
    ParameterError
        If there is none of this name.

    Examples
    --------
    >>> protocol_named("size").leaky, protocol_named("load").leaky
    (False, True)
    """
    try:
        return PROTOCOLS[name]
    except KeyError:
        raise ParameterError(f"protocol {name!r} was asked for; one of {', '.join(PROTOCOLS)} is wanted") from None


def _refuse_shared(fold: Fold, bearings: dict[str, str]) -> None:
    sides = [{bearings[name] for name in side if name in bearings} for side in (fold.train, fold.test)]
    shared = sorted(sides[0] & sides[1])
    if shared or fold.dealt:
        raise ParameterError(
            f"fold {fold.name} has bearings {', '.join(shared)} on both sides; call the protocol leaky"
        )


def _names(records: Sequence[Record]) -> tuple[str, ...]:
    return tuple(record.name for record in records)


def _random(records: Sequence[Record]) -> tuple[Fold, ...]:
    names = _names(records)
    return (Fold("windows at random", names, names, dealt=True),)


def _random_in_noise(records: Sequence[Record]) -> tuple[Fold, ...]:
    names = _names(records)
    return tuple(
        Fold(f"windows at random, {snr_db:+.0f} dB", names, names, dealt=True, snr_db=snr_db) for snr_db in SNR_DB
    )


def _by_load(records: Sequence[Record]) -> tuple[Fold, ...]:
    return tuple(
        Fold(
            f"{load} hp",
            _names([r for r in records if r.load_hp != load]),
            _names([r for r in records if r.load_hp == load]),
        )
        for load in _LOADS_HP
    )


def _by_size(records: Sequence[Record]) -> tuple[Fold, ...]:
    return tuple(_size_fold(records, size, None) for size in SIZES_IN)


def _by_size_in_noise(records: Sequence[Record]) -> tuple[Fold, ...]:
    return tuple(_size_fold(records, size, snr_db) for size in SIZES_IN for snr_db in SNR_DB)


def _size_fold(records: Sequence[Record], size: float, snr_db: float | None) -> Fold:
    tested = [r for r in records if (r.load_hp in _HEALTHY_TESTED_HP if r.kind == "normal" else r.diameter_in == size)]
    trained = [r for r in records if r not in tested]
    name = f"{size:.3f} in" if snr_db is None else f"{size:.3f} in, {snr_db:+.0f} dB"
    return Fold(name, _names(trained), _names(tested), snr_db=snr_db)


def _kind(record: Record) -> str:
    return record.kind


_PROTOCOLS = (
    Protocol(
        "random",
        leaky=True,
        what="10 classes (healthy, 3 kinds x 3 sizes); windows of every record dealt at random, half and half, "
        "overlapping",
        label=bearing_of,
        divide=_random,
    ),
    Protocol(
        "load",
        leaky=True,
        what="10 classes; each load tested after training on the other three: the same bearing at another load",
        label=bearing_of,
        divide=_by_load,
    ),
    Protocol(
        "size",
        leaky=False,
        what=f"4 classes ({', '.join(KINDS)}); each fault size tested after training on the other two; healthy "
        "loads 0 and 1 train, 2 and 3 test",
        label=_kind,
        divide=_by_size,
    ),
    Protocol(
        "noise",
        leaky=False,
        what="as `size`, with white noise added to the test windows only",
        label=_kind,
        divide=_by_size_in_noise,
    ),
    Protocol(
        "random-noise",
        leaky=True,
        what="as `random`, with white noise added to the test windows only: networks against noise are published so",
        label=bearing_of,
        divide=_random_in_noise,
    ),
)
PROTOCOLS = {protocol.name: protocol for protocol in _PROTOCOLS}
HONEST = tuple(protocol.name for protocol in _PROTOCOLS if not protocol.leaky)
