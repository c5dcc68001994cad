"""What our network of remaining life loses on C-MAPSS as all-integer `.tflite`; refuses to be without seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError
from models.datasets import cmapss
from models.integer import Quantise, run_int8
from models.life.metrics import rmse
from models.life.ours import LifeNetwork, in_cycles
from models.life.protocol import CAP, Unit, cut_short, run_to_failure, truncated

__all__ = ["cmapss_int8", "representative_histories"]

_CUTS, _SHORTEST = 5, 20

Progress = Callable[[int, int], None]


def representative_histories(units: Sequence[Unit], *, seed: int) -> list[Unit]:
    """Training units cut at five random cycles each, of which the ranges of an int8 network are taken."""
    return truncated(units, cuts=_CUTS, shortest=_SHORTEST, seed=seed)


def cmapss_int8(
    folder: Path, *, quantise: Quantise, subsets: Sequence[str], seeds: Sequence[int], progress: Progress
) -> dict[str, Any]:
    """Learn our network on each subset, turn it into integers, and judge both on the truncated units.

    Parameters
    ----------
    folder : Path
        The C-MAPSS pack.
    quantise : callable
        From a Keras model and representative inputs to an int8 `.tflite`.
    subsets : sequence of str
        Of `models.datasets.cmapss.NAMES`.
    seeds : sequence of int
        At least one.
    progress : callable
        Told the learnings done and their number.

    Returns
    -------
    dict
        ``rows`` of subset with ``rmse`` of the float and ``rmse_int8`` of the integer network in cycles, truth capped
        at ``CAP``, means over the seeds; ``bytes``, the size of the larger of the `.tflite` files; the seeds.

    Raises
    ------
    ParameterError
        If no seed is given.
    RecordingError
        If a subset is unknown, or its pack missing or damaged.
    """
    if not seeds:
        raise ParameterError("an int8 network was to be measured without a seed; at least one is wanted")
    rows: list[dict[str, Any]] = []
    for subset in subsets:
        data = cmapss.turbofans(folder, subset)
        runs = []
        for seed in seeds:
            runs.append(_run(run_to_failure(data), cut_short(data), quantise, seed))
            progress(len(rows) * len(seeds) + len(runs), len(subsets) * len(seeds))
        float_rmse, int8_rmse, size = np.array(runs).T
        rows.append(
            {
                "subset": subset,
                "rmse": float(float_rmse.mean()),
                "rmse_int8": float(int8_rmse.mean()),
                "bytes": int(size.max()),
            }
        )
    return {"rows": rows, "seeds": list(seeds)}


def _run(learning: Sequence[Unit], judged: Sequence[Unit], quantise: Quantise, seed: int) -> tuple[float, float, int]:
    """Errors as float and as integers, and the size of the latter."""
    network = LifeNetwork.learn(learning, seed=seed)
    integers = quantise(network.model, network.inputs(representative_histories(learning, seed=seed)))
    truth: NDArray[np.float64] = np.minimum([float(unit.left) for unit in judged], CAP)
    estimated = in_cycles(run_int8(integers, network.inputs(judged)))[:, 0]
    return rmse(network(judged)[:, 0], truth), rmse(estimated, truth), len(integers)
