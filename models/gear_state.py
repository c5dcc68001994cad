"""A broken gear tooth on loads never learned from, from inputs that need no sampling rate; refuses unknown systems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.contract import BASELINE, Profile
from features.errors import ParameterError
from features.extraction import extract
from features.window import cut
from models.datasets.gearbox import LOADS, STATES, gearbox_record

__all__ = ["N_SAMPLES", "RATE_FREE", "SYSTEMS", "gearbox_states", "rate_free_features"]

N_SAMPLES, _HOP = 4096, 2048
# Millimetres a second and micrometres need seconds; everything else is read in cycles per sample.
RATE_FREE = Profile("rate-free", tuple(f for f in BASELINE.features if f.unit not in {"mm/s", "um"}))

Progress = Callable[[int, int], None]
Measured = dict[tuple[str, int], NDArray[np.float32]]


def rate_free_features(samples: NDArray[np.float32], *, level_free: bool) -> NDArray[np.float32]:
    """Measure windows of all sensors without a time axis.

    Parameters
    ----------
    samples : ndarray, shape (sensors, n)
        In any unit.
    level_free : bool
        Whether levels are taken over the deviation of their window, so that a sensor's gain says nothing.

    Returns
    -------
    ndarray of float32, shape (windows, sensors * features)
        Features of ``RATE_FREE``, sensor after sensor; frequencies in cycles per sample.
    """
    windows = np.stack([cut(sensor, n=N_SAMPLES, hop=_HOP) for sensor in samples], axis=1)
    windows = windows - windows.mean(axis=-1, keepdims=True)
    if level_free:
        windows = windows / np.maximum(windows.std(axis=-1, keepdims=True), np.finfo(np.float32).tiny)
    features = extract(windows, 1.0, profile=RATE_FREE, unit="g")
    return features.reshape(len(features), -1)


def _ridge(seed: int) -> Any:
    from sklearn.linear_model import RidgeClassifierCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    del seed
    return make_pipeline(StandardScaler(), RidgeClassifierCV(alphas=np.logspace(-2, 4, 13)))


def _forest(seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(300, random_state=seed, n_jobs=1)


def _boosting(seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(random_state=seed)


def _network(seed: int) -> Any:
    """One hidden layer of 20 on the standardised features, as Li 2000 has it on spectra."""
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    network = MLPClassifier((20,), solver="lbfgs", alpha=1.0, max_iter=500, random_state=seed)
    return make_pipeline(StandardScaler(), network)


SYSTEMS: dict[str, Callable[[int], Any]] = {
    "ridge": _ridge,
    "random forest": _forest,
    "gradient boosting": _boosting,
    "network": _network,
}


def gearbox_states(
    folder: Path, *, seeds: Sequence[int], progress: Progress, systems: Sequence[str] = tuple(SYSTEMS)
) -> dict[str, Any]:
    """Tell a broken tooth from a healthy gearbox at loads that were not learned from.

    Parameters
    ----------
    folder : Path
        The gearbox pack.
    seeds : sequence of int
    progress : callable
        Told the systems learned and their number.
    systems : sequence of str
        Of ``SYSTEMS``.

    Returns
    -------
    dict
        ``rows`` of system, inputs and protocol with the balanced accuracy over windows: ``mean`` over folds and seeds,
        ``spread`` over seeds and ``least`` of the folds.

    Raises
    ------
    ParameterError
        If a system is unknown.

    Notes
    -----
    One gearbox of each state: it is on both sides of every split, and what tells the two apart may be the gearbox and
    not its tooth. ``light to heavy`` learns from loads of 0 to 40 % and is judged from 50 to 90 %, ``heavy to light``
    the other way round; ``one load out`` learns from nine loads. ``shapes`` are features of windows scaled to unit
    deviation, since the healthy gearbox shakes more on one sensor, which is no sign of health.
    """
    if unknown := [name for name in systems if name not in SYSTEMS]:
        raise ParameterError(f"systems {', '.join(unknown)} were asked for; known are {', '.join(SYSTEMS)}")
    rows = []
    total, done = 2 * len(_PROTOCOLS) * len(systems), 0
    for inputs, level_free in (("levels and shapes", False), ("shapes", True)):
        measured = {
            (state, load): rate_free_features(
                gearbox_record(folder, state=state, load_percent=load).samples, level_free=level_free
            )
            for state in STATES
            for load in LOADS
        }
        for protocol, folds in _PROTOCOLS.items():
            for name in systems:
                accuracy = [[_accuracy(measured, name, tested, seed) for tested in folds] for seed in seeds]
                rows.append({"system": name, "inputs": inputs, "protocol": protocol} | _summary(np.array(accuracy)))
                done += 1
                progress(done, total)
    return {
        "rows": rows,
        "seeds": list(seeds),
        "window_samples": N_SAMPLES,
        "split": "by load; the one gearbox of each state is on both sides of every split",
        "features": len(RATE_FREE.features),
    }


_PROTOCOLS: dict[str, tuple[tuple[int, ...], ...]] = {
    "one load out": tuple((load,) for load in LOADS),
    "light to heavy": (LOADS[5:],),
    "heavy to light": (LOADS[:5],),
}


def _accuracy(measured: Measured, system: str, tested: Sequence[int], seed: int) -> float:
    """Balanced accuracy over the windows of the tested loads, all others learned from."""
    learned = [load for load in LOADS if load not in tested]
    x, labels = _stacked(measured, learned)
    model = SYSTEMS[system](seed).fit(x, labels)
    x, labels = _stacked(measured, tested)
    right = model.predict(x) == labels
    return float(np.mean([right[labels == state].mean() for state in STATES]))


def _stacked(measured: Measured, loads: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    parts = [(measured[state, load], state) for state in STATES for load in loads]
    labels = np.concatenate([np.full(len(part), state) for part, state in parts])
    return np.concatenate([part for part, _ in parts]), labels


def _summary(accuracy: NDArray[np.float64]) -> dict[str, Any]:
    """Figures of an array of shape (seeds, folds)."""
    by_seed = accuracy.mean(axis=1)
    return {
        "mean": float(by_seed.mean()),
        "spread": float(by_seed.std(ddof=1)) if len(by_seed) > 1 else None,
        "least": float(accuracy.mean(axis=0).min()),
    }
