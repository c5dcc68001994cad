"""Figures of each system of remaining life on C-MAPSS under one protocol; refuses unknown systems and no seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from features.errors import ParameterError
from models.datasets import cmapss
from models.life.babu import PUBLISHED_RMSE, learn_babu
from models.life.baselines import BASELINES, ON_OUR_MEANS, learn_baseline
from models.life.metrics import Estimates, judge
from models.life.ours import learn_ours
from models.life.protocol import CAP, Unit, cut_short, run_to_failure

__all__ = ["SYSTEMS", "beside_trees", "evaluate_cmapss", "learn", "measure"]

SYSTEMS = (*BASELINES, "babu", "ours")
_NETWORKS = ("babu", "ours")
_TREES = ("forest", "boosting", ON_OUR_MEANS)
_SOURCE = "Babu, Zhao, Li, DASFAA 2016"

Progress = Callable[[int, int], None]
Learned = Callable[[Sequence[Unit]], Estimates]


def _silent(done: int, total: int) -> None:
    del done, total


def evaluate_cmapss(
    folder: Path, *, subsets: Sequence[str], systems: Sequence[str], seeds: int, seed: int, progress: Progress = _silent
) -> dict[str, Any]:
    """Learn each system on the run-to-failure units of each subset and judge it on the truncated ones.

    Parameters
    ----------
    folder : Path
        The C-MAPSS pack.
    subsets : sequence of str
        Of `models.datasets.cmapss.NAMES`.
    systems : sequence of str
        Of ``SYSTEMS``.
    seeds : int
        How often a system with chance in it is learned; ridge is learned once.
    seed : int
        Of the first learning; the next ones follow it.
    progress : callable
        Told the learnings done and their number.

    Returns
    -------
    dict
        The protocol and ``rows``, one for each subset and system, as `measure` gives them, with the published error of
        the system, its source, and whether a network beats the best of the three tree baselines beside it (None
        without them).

    Raises
    ------
    ParameterError
        If a system is unknown or `seeds` is below 1.
    RecordingError
        If a subset is unknown, or its pack missing or damaged.
    """
    if unknown := [name for name in systems if name not in SYSTEMS]:
        raise ParameterError(f"systems {', '.join(unknown)} were asked for; known are {', '.join(SYSTEMS)}")
    if seeds < 1:
        raise ParameterError(f"{seeds} seeds were asked for; at least 1 is wanted")
    counts = {name: 1 if name == "ridge" else seeds for name in systems}
    total, done = len(subsets) * sum(counts.values()), 0
    rows: list[dict[str, Any]] = []
    for subset in subsets:
        data = cmapss.turbofans(folder, subset)
        for name, count in counts.items():

            def on_seed(learned: int, before: int = done) -> None:
                progress(before + learned, total)

            figures = measure(
                name, run_to_failure(data), cut_short(data), seeds=range(seed, seed + count), progress=on_seed
            )
            done += count
            rows.append({"system": name, "subset": subset} | figures | _published(name, subset))
    return {
        "protocol": f"by unit: publisher's training units learn, its test units are estimated once at their last row; "
        f"targets capped at {CAP:.0f} cycles; conditions, means, spreads and the choice of sensors from training units",
        "seed": seed,
        "rows": beside_trees(rows),
    }


def measure(
    system: str,
    learning: Sequence[Unit],
    judged: Sequence[Unit],
    *,
    seeds: Sequence[int],
    progress: Callable[[int], None],
) -> dict[str, Any]:
    """Learn one system anew for each seed; give the mean of each figure and the spread of the error.

    Parameters
    ----------
    system : str
        Of ``SYSTEMS``.
    learning, judged : sequence of Unit
    seeds : sequence of int
    progress : callable
        Told the seeds done.

    Returns
    -------
    dict
        ``rmse``, ``rmse_uncapped``, ``score``, ``coverage90``, ``width90`` as `judge` defines them; ``seeds``, their
        number; ``rmse_spread``, the sample standard deviation of ``rmse`` over them, None for one seed.
    """
    runs = []
    for done, seed in enumerate(seeds, start=1):
        runs.append(judge(learn(system, learning, seed=seed)(judged), [float(unit.left) for unit in judged]))
        progress(done)
    figures: dict[str, Any] = {
        key: None if runs[0][key] is None else float(np.mean([run[key] for run in runs])) for key in runs[0]
    }
    spread = float(np.std(np.array([run["rmse"] for run in runs], dtype=float), ddof=1)) if len(runs) > 1 else None
    return figures | {"seeds": len(runs), "rmse_spread": spread}


def beside_trees(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Say of each network whether its error is below that of the best tree baseline of its subset.

    Parameters
    ----------
    rows : sequence of dict
        With ``system``, ``subset`` and ``rmse``.

    Returns
    -------
    list of dict
        Each with ``beats_trees``, None for what is no network and where a tree baseline is missing.
    """
    trees = {(row["subset"], row["system"]): row["rmse"] for row in rows}

    def beats(row: dict[str, Any]) -> bool | None:
        rivals = [trees[row["subset"], name] for name in _TREES if (row["subset"], name) in trees]
        return row["rmse"] < min(rivals) if row["system"] in _NETWORKS and len(rivals) == len(_TREES) else None

    return [row | {"beats_trees": beats(row)} for row in rows]


def learn(system: str, units: Sequence[Unit], *, seed: int) -> Learned:
    """Learn one system from run-to-failure histories.

    Parameters
    ----------
    system : str
        Of ``SYSTEMS``.
    units : sequence of Unit
    seed : int

    Returns
    -------
    callable
        From histories to estimates at their last rows.

    Raises
    ------
    ParameterError
        If the system is unknown, or there are too few units.
    """
    if system == "babu":
        return learn_babu(units, seed=seed)
    if system == "ours":
        return learn_ours(units, seed=seed)
    return learn_baseline(system, units, seed=seed)


def _published(system: str, subset: str) -> dict[str, Any]:
    if system == "babu":
        return {"published_rmse": PUBLISHED_RMSE[subset], "source": _SOURCE}
    return {"published_rmse": None, "source": None}
