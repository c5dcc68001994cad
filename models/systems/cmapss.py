"""Systems of remaining life trained on a C-MAPSS subset; refuses folds that the chosen protocol does not have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.datasets.cmapss import NAMES, turbofans
from models.life.babu import PUBLISHED_RMSE
from models.life.evaluation import SYSTEMS, learn
from models.life.metrics import Estimates, judge
from models.life.protocol import CAP, Unit, cut_short, held_out, run_to_failure, truncated
from models.systems.trainable import Division, Entry, HoldOut, Lesson, Progress, chosen_fold

__all__ = ["CmapssSystems"]

_FOLDS = 5
# How often a unit that was held out is cut short, and the least that is left of it, as in `models.life.ours`.
_CUTS, _SHORTEST = 10, 20
_MOST_SEEN = 256
_SETTINGS, _SENSORS = 3, 21
_PROBES, _PROBE_CYCLES = 4, 60
_UNIT = Division(
    "unit",
    f"one of {_FOLDS} shares of the run-to-failure units, dealt by the seed, each unit cut short {_CUTS} times at "
    "random, tested after training on the others",
    leaky=False,
    fold=f"1 of {_FOLDS}",
)
_PUBLISHER = Division(
    "publisher",
    "the publisher's test units, each at its last row, tested after training on all run-to-failure units",
    leaky=False,
    fold="test units",
)


class CmapssSystems:
    """Systems that estimate the cycles left to a turbofan."""

    data_set = "cmapss"
    task = f"remaining cycles of a turbofan, at most {CAP:.0f}"
    parts = NAMES
    divisions = (_UNIT, _PUBLISHER)

    def entries(self) -> tuple[Entry, ...]:
        """List the systems of `models.life.evaluation`."""
        errors = ", ".join(f"{error} on {name}" for name, error in PUBLISHED_RMSE.items())
        babu = Entry("babu", "Babu, Zhao, Li, DASFAA 2016", f"RMSE {errors}")
        return tuple(babu if name == "babu" else Entry(name) for name in SYSTEMS)

    def contract(self, system: str) -> str:
        """No feature contract: histories come as sensor readings."""
        del system
        return ""

    def train(self, root: Path, system: str, *, part: str, hold_out: HoldOut, seed: int, progress: Progress) -> Lesson:
        """Train on run-to-failure units of a subset."""
        data = turbofans(root / "cmapss", part)
        units = run_to_failure(data)
        division = next(d for d in self.divisions if d.name == hold_out.division)
        learning, judged, fold = units, list[Unit](), None
        if not hold_out.everything:
            folds = [f"{k} of {_FOLDS}" for k in range(1, _FOLDS + 1)] if division is _UNIT else [division.fold]
            fold = chosen_fold(folds, hold_out.fold or division.fold)
            if division is _UNIT:
                learning, outside = held_out(units, folds=_FOLDS, seed=seed)[folds.index(fold)]
                judged = truncated(outside, cuts=_CUTS, shortest=_SHORTEST, seed=seed)
            else:
                judged = cut_short(data)
        progress("Learning", 0, 1)
        learned = learn(system, learning, seed=seed)
        progress("Learning", 1, 1)
        split = {
            "protocol": division.name,
            "what": division.what,
            "leaky": division.leaky,
            "fold": fold,
            "learned": sorted(unit.number for unit in learning),
            "held_out": sorted({unit.number for unit in judged}),
        }
        metrics = _judged(learned(judged), judged) if judged else {}
        return Lesson(learned, (), split, metrics, truncated(learning, cuts=1, shortest=1, seed=seed)[:_MOST_SEEN])

    def predict(self, system: str, learned: Any, inputs: Sequence[Unit]) -> Estimates:
        """Estimate what is left to histories at their last rows."""
        del system
        estimates: Estimates = learned(inputs)
        return estimates

    def answer(self, learned: Any, seen: Sequence[Unit]) -> NDArray[np.floating]:
        """Estimates and, where there are intervals, their ends, shape (1 or 3, units)."""
        found: Estimates = learned(seen)
        return np.stack([values for values in (found.left, found.low, found.high) if values is not None])

    def probe(self, system: str) -> NDArray[np.float32]:
        """Generate histories of settings and sensors, shape (units, cycles, 24)."""
        del system
        rng = np.random.default_rng(0)
        return rng.standard_normal((_PROBES, _PROBE_CYCLES, _SETTINGS + _SENSORS), dtype=np.float32)

    def respond(self, system: str, learned: Any, probe: NDArray[np.float32]) -> NDArray[np.floating]:
        """Estimates of the probe."""
        del system
        return self.answer(learned, [Unit(i, x[:, :_SETTINGS], x[:, _SETTINGS:]) for i, x in enumerate(probe)])


def _judged(estimates: Estimates, judged: Sequence[Unit]) -> dict[str, float]:
    figures = judge(estimates, [float(unit.left) for unit in judged])
    return {name: value for name, value in figures.items() if value is not None} | {"histories": float(len(judged))}
