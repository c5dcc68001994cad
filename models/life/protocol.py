"""What every system of remaining life is given and judged by; refuses histories of other columns or without rows.

Settings are learned on training units only: which sensors vary, the operating conditions, and mean and spread of each
sensor in each condition. A target is the remaining cycles, at most ``CAP``: a healthy engine says nothing of a failure
further away. A window is the last rows of a history; a shorter history is padded in front with its first row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError
from models.datasets.cmapss import Turbofans

__all__ = [
    "CAP",
    "Normaliser",
    "Unit",
    "cut_short",
    "held_out",
    "run_to_failure",
    "targets",
    "truncated",
    "windows",
]

CAP = 125.0
_SETTINGS, _SENSORS = slice(2, 5), slice(5, None)
# Counts of the last stored digit spread by rounding in float64 alone; a sensor that moves does so by 1e-4 or more.
_CONSTANT = 1e-6

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Unit:
    """One machine from its first cycle to its last known one.

    Attributes
    ----------
    number : int
    settings : ndarray, shape (cycles, settings)
    sensors : ndarray, shape (cycles, sensors)
    left : int
        Cycles that remain after the last row: 0 for a history that ends in the failure.
    """

    number: int
    settings: Floats
    sensors: Floats
    left: int = 0

    def __post_init__(self) -> None:
        if not len(self.sensors) or len(self.settings) != len(self.sensors):
            raise ParameterError(
                f"unit {self.number} was given {len(self.settings)} rows of settings and {len(self.sensors)} of "
                "sensors; as many of both are wanted, at least one"
            )

    def __len__(self) -> int:
        return len(self.sensors)


def run_to_failure(data: Turbofans) -> list[Unit]:
    """Run-to-failure histories of a subset, in the order of their numbers."""
    return _units(data.train, [0] * len(np.unique(data.train[:, 0])))


def cut_short(data: Turbofans) -> list[Unit]:
    """Truncated histories of a subset, in the order of their numbers, with the remaining life its publisher gives."""
    return _units(data.test, [int(left) for left in data.rul])


def _units(rows: Floats, left: Sequence[int]) -> list[Unit]:
    numbers = np.unique(rows[:, 0])
    if len(numbers) != len(left):
        raise ParameterError(
            f"{len(numbers)} units were given with {len(left)} remaining lives; one for each is wanted"
        )
    parts = [rows[rows[:, 0] == number] for number in numbers]
    return [
        Unit(int(number), part[:, _SETTINGS], part[:, _SENSORS], after)
        for number, part, after in zip(numbers, parts, left, strict=True)
    ]


def held_out(units: Sequence[Unit], *, folds: int, seed: int) -> list[tuple[list[Unit], list[Unit]]]:
    """Deal units to folds; give for each fold the units outside it and those in it.

    Parameters
    ----------
    units : sequence of Unit
    folds : int
        From 2 to the number of units.
    seed : int

    Returns
    -------
    list of (list of Unit, list of Unit)

    Raises
    ------
    ParameterError
        If there are fewer units than folds, or fewer than two folds.
    """
    if not 2 <= folds <= len(units):
        raise ParameterError(f"{len(units)} units were to be dealt to {folds} folds; 2 to {len(units)} are wanted")
    fold = np.random.default_rng(seed).permutation(len(units)) % folds
    return [
        (
            [u for u, f in zip(units, fold, strict=True) if f != k],
            [u for u, f in zip(units, fold, strict=True) if f == k],
        )
        for k in range(folds)
    ]


def truncated(units: Sequence[Unit], *, cuts: int, shortest: int, seed: int) -> list[Unit]:
    """End each history early at random, as test histories end.

    Parameters
    ----------
    units : sequence of Unit
    cuts : int
        How often each unit is cut, each time elsewhere if its length admits it.
    shortest : int
        Rows that are left at least; shorter units are left whole.
    seed : int

    Returns
    -------
    list of Unit
        ``cuts`` histories for each unit, unit by unit; all lengths from ``shortest`` on are equally likely.
    """
    rng = np.random.default_rng(seed)
    result = []
    for unit in units:
        low = min(shortest, len(unit))
        lengths = np.arange(low, len(unit) + 1)
        for n in rng.choice(lengths, size=cuts, replace=len(lengths) < cuts):
            left = unit.left + len(unit) - int(n)
            result.append(Unit(unit.number, unit.settings[:n], unit.sensors[:n], left))
    return result


def targets(unit: Unit) -> NDArray[np.float32]:
    """Remaining cycles at each row, at most ``CAP``, shape (cycles,)."""
    left = unit.left + np.arange(len(unit))[::-1]
    return np.minimum(left, CAP).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Normaliser:
    """Operating conditions and the mean and spread of each sensor in each of them.

    Attributes
    ----------
    settings : ndarray, shape (conditions, 2)
        First and third setting, rounded; the second follows the first in these tables.
    kept : ndarray of int, shape (kept sensors,)
        Sensors that vary within a condition.
    mean, spread : ndarray, shape (conditions, kept sensors)
    """

    settings: Floats
    kept: NDArray[np.intp]
    mean: Floats
    spread: Floats

    @classmethod
    def learn(cls, units: Sequence[Unit]) -> Normaliser:
        """Learn from training units.

        Raises
        ------
        ParameterError
            If there are no units, or no sensor varies.
        """
        if not units:
            raise ParameterError("a normaliser was given no units; at least one is wanted")
        sensors = np.concatenate([u.sensors for u in units])
        rounded = _rounded(np.concatenate([u.settings for u in units]))
        settings, condition = np.unique(rounded, axis=0, return_inverse=True)
        condition = condition.ravel()
        groups = [sensors[condition == c] for c in range(len(settings))]
        mean = np.stack([g.mean(axis=0) for g in groups])
        spread = np.stack([g.std(axis=0) for g in groups])
        kept = np.flatnonzero((spread > _CONSTANT).any(axis=0))
        if not kept.size:
            raise ParameterError(f"none of {sensors.shape[1]} sensors varies within a condition; at least one must")
        spread = np.where(spread > _CONSTANT, spread, np.inf)
        return cls(settings, kept, mean[:, kept], spread[:, kept])

    def conditions(self, unit: Unit) -> NDArray[np.intp]:
        """Nearest learned condition at each row, shape (cycles,)."""
        away = np.abs(_rounded(unit.settings)[:, None] - self.settings).sum(axis=-1)
        return np.asarray(away.argmin(axis=1))

    def apply(self, unit: Unit) -> NDArray[np.float32]:
        """Sensors as deviations from the mean of their condition, shape (cycles, kept sensors).

        A sensor that is constant in a condition is 0 there.
        """
        condition = self.conditions(unit)
        deviation = (unit.sensors[:, self.kept] - self.mean[condition]) / self.spread[condition]
        return deviation.astype(np.float32)


def _rounded(settings: Floats) -> Floats:
    return np.round(settings[:, [0, 2]])


def windows(values: Floats, length: int) -> NDArray[np.float32]:
    """The window that ends at each row; in front of the first row stands the first row again.

    Parameters
    ----------
    values : ndarray, shape (cycles, k)
    length : int
        Rows of a window.

    Returns
    -------
    ndarray of float32, shape (cycles, length, k)

    Raises
    ------
    ParameterError
        If `length` is below 1.

    Examples
    --------
    >>> windows(np.array([[1.0], [2.0], [3.0]]), 2)[..., 0]
    array([[1., 1.], [1., 2.], [2., 3.]], dtype=float32)
    """
    if length < 1:
        raise ParameterError(f"windows of {length} rows were asked for; at least 1 is wanted")
    padded = np.concatenate([np.repeat(values[:1], length - 1, axis=0), values])
    view = np.lib.stride_tricks.sliding_window_view(padded, length, axis=0)
    return np.ascontiguousarray(np.moveaxis(view, -1, 1), dtype=np.float32)
