"""Figures of each system of a bearing's remaining life, one FEMTO bearing left out at a time; refuses no seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from features.errors import ParameterError
from models.datasets import femto
from models.life.bearing_baselines import LifeEstimator, learn_mean_life, learn_trend
from models.life.bearing_conformal import MOMENTS, left_out
from models.life.bearing_figures import judge_bearing
from models.life.bearing_forest import learn_forest
from models.life.bearing_history import BearingHistory, history_of, moments
from models.life.bearing_network import LEVELS, Networks, Recipe
from models.life.bearing_ours import GRID, Setting, choose_setting, learn_ours

__all__ = ["BASELINES", "SYSTEMS", "bearing_lives", "described", "femto_life", "learn_system"]

BASELINES = ("mean life", "trend", "forest")
SYSTEMS = (*BASELINES, "ours")
# They have no chance in their estimate: one learning is all of them.
_SINGLE = ("mean life", "trend")
_MEAN = "mean"

Progress = Callable[[int, int], None]

_PROTOCOL = (
    "One bearing left out at a time; all else from the five others. Judged every 5 % of the life from 10 % to 95 %, "
    "from the snapshots up to there; the late error is the median of the absolute error over the true remaining life "
    "in the last half, the score that of the 2012 challenge. Settings of ours: recipe by the pinball loss, then the "
    "quantile that is the estimate by the challenge score, on each of the five left out in turn, with the first seed; "
    "spans of the inputs, the forest and the trend were fixed before. The recipes to choose from were drawn up with a "
    "view of all six bearings, which flatters ours. Targets are logarithms without a cap: one at the mean training "
    "life changed neither error nor score and cost the longest life its interval. Intervals of ours and the forest "
    "hold 90 % of the moments of each left-out training bearing, which promises as much of a further one with "
    "probability 5/6; the coverage measured is worth six draws, not 108."
)


def bearing_lives(folder: Path) -> list[BearingHistory]:
    """Histories of the six learning bearings.

    Raises
    ------
    RecordingError
        If a pack is missing or damaged.
    """
    return [history_of(femto.run_to_failure(folder, name)) for name in femto.NAMES]


def learn_system(
    system: str, bearings: Sequence[BearingHistory], *, seed: int, setting: Setting | None, networks: Networks
) -> LifeEstimator:
    """Learn one of ``SYSTEMS`` from training bearings.

    Parameters
    ----------
    system : str
    bearings : sequence of BearingHistory
    seed : int
    setting : Setting or None
        Of ours; the others have none.
    networks : Networks
        Where what ours learns is kept.

    Returns
    -------
    callable
        From a history and rows of it to estimates; an object of classes, so that it can be kept in files.

    Raises
    ------
    ParameterError
        If the system is unknown, ours without a setting, or there are too few bearings.
    """
    if system == "mean life":
        return learn_mean_life(bearings)
    if system == "trend":
        return learn_trend(bearings, seed=seed)
    if system == "forest":
        return learn_forest(bearings, seed=seed)
    if system == "ours":
        if setting is None:
            raise ParameterError("ours was to learn without a setting; choose one on the same bearings before")
        return learn_ours(bearings, seed=seed, setting=setting, networks=networks)
    raise ParameterError(f"a system {system!r} was asked for; known are {', '.join(SYSTEMS)}")


def femto_life(
    bearings: Sequence[BearingHistory],
    *,
    seeds: Sequence[int],
    progress: Progress,
    networks: Networks | None = None,
    grid: Sequence[Recipe] = GRID,
) -> dict[str, Any]:
    """Learn each system without each bearing in turn and judge it on that bearing.

    Parameters
    ----------
    bearings : sequence of BearingHistory
        As `bearing_lives` gives them; at least five, since two are left out one after the other.
    seeds : sequence of int
        Of the systems that have chance in them; the settings are chosen with the first.
    progress : callable
        Told the steps done and their number.
    networks : Networks, optional
        Where what is learned is kept.
    grid : sequence of Recipe
        What ours chooses from.

    Returns
    -------
    dict
        ``life``: rows of system and bearing, and of each system's mean over the bearings, with the figures of
        `judge_bearing` as means over the seeds, ``mae_spread_s`` and ``score_spread``, the sample standard deviation
        over them (None for one), ``seeds``, and for ours ``lost_to``: which baseline has a smaller error or a larger
        score. ``life_settings``: what was chosen for each bearing. ``life_protocol``, in words.

    Raises
    ------
    ParameterError
        If there are no seeds or too few bearings.
    """
    if not seeds:
        raise ParameterError("no seeds were given; at least one is wanted")
    kept, done = Networks() if networks is None else networks, 0
    counts = {system: seeds[:1] if system in _SINGLE else seeds for system in SYSTEMS}
    total = len(bearings) * (1 + sum(map(len, counts.values())))
    found: dict[str, dict[str, list[dict[str, float]]]] = {system: {} for system in SYSTEMS}
    settings: dict[str, Setting] = {}
    for others, one in left_out(bearings):
        settings[one.name] = choose_setting(others, seed=seeds[0], networks=kept, grid=grid)
        progress(done := done + 1, total)
        rows = moments(one, MOMENTS)
        for system in SYSTEMS:
            found[system][one.name] = []
            for seed in counts[system]:
                learned = learn_system(system, others, seed=seed, setting=settings[one.name], networks=kept)
                judged = judge_bearing(learned(one, rows), one.rul_s[rows], late=MOMENTS >= 0.5)
                found[system][one.name].append(judged)
                progress(done := done + 1, total)
    return {
        "life": _rows(found),
        "life_settings": {name: described(setting) for name, setting in settings.items()},
        "life_protocol": _PROTOCOL,
    }


def described(setting: Setting) -> dict[str, Any]:
    """A setting as it is written into a file."""
    return asdict(setting.recipe) | {"quantile": LEVELS[setting.level]}


def _rows(found: Mapping[str, Mapping[str, Sequence[dict[str, float]]]]) -> list[dict[str, Any]]:
    """One row for each system and bearing, and one for each system's mean over the bearings, seed by seed."""
    rows: list[dict[str, Any]] = []
    for system, by_bearing in found.items():
        means = [_mean(of_seed) for of_seed in zip(*by_bearing.values(), strict=True)]
        for bearing, runs in {**by_bearing, _MEAN: means}.items():
            spreads = {"mae_spread_s": _spread(runs, "mae_s"), "score_spread": _spread(runs, "score")}
            rows.append({"system": system, "bearing": bearing, **_mean(runs), **spreads, "seeds": len(runs)})
    return [row | {"lost_to": _lost_to(row, rows) if row["system"] == "ours" else None} for row in rows]


def _lost_to(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Baselines that do as well or better on the same bearing, and in what."""
    lost = []
    for other in rows:
        if other["bearing"] == row["bearing"] and other["system"] != "ours":
            if other["mae_s"] <= row["mae_s"]:
                lost.append(f"{other['system']} (error)")
            if other["score"] >= row["score"]:
                lost.append(f"{other['system']} (score)")
    return lost


def _mean(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([run[key] for run in runs])) for key in runs[0]}


def _spread(runs: Sequence[Mapping[str, float]], key: str) -> float | None:
    return float(np.std([run[key] for run in runs], ddof=1)) if len(runs) > 1 else None
