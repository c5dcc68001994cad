"""A broken gear tooth on loads never learned from, from inputs that need no sampling rate; refuses unknown systems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.contract import BASELINE, Profile
from features.errors import ParameterError
from features.extraction import extract
from features.window import cut
from models.bearing.convolutional import chen_network, statistics_image
from models.bearing.deep_belief import FusedBelief
from models.bearing.network import NetworkClassifier, Training
from models.bearing.standardised import Standardised
from models.datasets.gearbox import LOADS, STATES, gearbox_record

__all__ = [
    "N_SAMPLES",
    "PROTOCOLS",
    "RATE_FREE",
    "SYSTEMS",
    "GearSystem",
    "gear_windows",
    "gearbox_states",
    "rate_free_features",
]

N_SAMPLES, _HOP = 4096, 2048
_HIDDEN, _DECAY = 8, 1e-3
_TRAINING = Training(epochs=30, batch=32, rate=5e-3)
# Millimetres a second and micrometres need seconds; everything else is read in cycles per sample.
RATE_FREE = Profile("rate-free", tuple(f for f in BASELINE.features if f.unit not in {"mm/s", "um"}))

Progress = Callable[[int, int], None]
Front = Callable[[NDArray[np.float32]], NDArray[np.floating]]
Measured = dict[tuple[str, int], NDArray[np.floating]]


@dataclass(frozen=True)
class GearSystem:
    """A system that tells the states apart: measurements that learn nothing, then something that learns.

    Attributes
    ----------
    front : callable
        From windows of all sensors, shape (windows, sensors, n), to measurements (windows, ...); knows no rate.
    learner : callable
        From a seed to what has ``fit(x, labels)`` and ``predict(x)``.
    source : str
        The paper it follows, or an empty text.
    """

    front: Front
    learner: Callable[[int], Any]
    source: str = ""


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
    return _features(gear_windows(samples, level_free=level_free))


def gear_windows(samples: NDArray[np.float32], *, level_free: bool) -> NDArray[np.float32]:
    """Cut the samples of all sensors (sensors, n) into windows without their mean, shape (windows, sensors, 4096).

    With `level_free`, each window of each sensor is over its deviation.
    """
    windows = np.stack([cut(sensor, n=N_SAMPLES, hop=_HOP) for sensor in samples], axis=1)
    windows = windows - windows.mean(axis=-1, keepdims=True)
    if level_free:
        windows = windows / np.maximum(windows.std(axis=-1, keepdims=True), np.finfo(np.float32).tiny)
    return np.asarray(windows, dtype=np.float32)


def _features(windows: NDArray[np.float32]) -> NDArray[np.float32]:
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


def _ours(seed: int) -> Any:
    """A hidden layer of 8 on the standardised features: nothing here asks for more, and a node takes it easily."""
    return Standardised(NetworkClassifier(seed, build=_small, training=_TRAINING))


def _small(keras: Any, shape: tuple[int, ...], n_classes: int) -> Any:
    layers = keras.layers
    hidden = layers.Dense(_HIDDEN, activation="relu", kernel_regularizer=keras.regularizers.L2(_DECAY))
    return keras.Sequential([layers.Input(shape), hidden, layers.Dense(n_classes, activation="softmax")])


SYSTEMS = {
    "ours": GearSystem(_features, _ours),
    "ridge": GearSystem(_features, _ridge),
    "random forest": GearSystem(_features, _forest),
    "gradient boosting": GearSystem(_features, _boosting),
    "network": GearSystem(_features, _network),
    # Shock Vib. 2015, 390134: a paper on gearboxes; each sensor is a plane of its image.
    "Chen 2015": GearSystem(statistics_image, chen_network, source="Chen, Li, Sanchez, Shock Vib. 2015, 390134"),
    # Chen and Li (2017) on the features of all four sensors, as they mean it.
    "Chen 2017": GearSystem(_features, FusedBelief, source="Chen, Li, IEEE Trans. Instrum. Meas. 66, 2017"),
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
    deviation, since the healthy gearbox shakes more on one sensor, which is no sign of health. ``Chen 2015`` takes the
    256 statistics of `models.bearing.convolutional.window_statistics` of each sensor instead of ``RATE_FREE``.
    """
    if unknown := [name for name in systems if name not in SYSTEMS]:
        raise ParameterError(f"systems {', '.join(unknown)} were asked for; known are {', '.join(SYSTEMS)}")
    rows = []
    total, done = 2 * len(PROTOCOLS) * len(systems), 0
    for inputs, level_free in (("levels and shapes", False), ("shapes", True)):
        measured = _measured(folder, {SYSTEMS[name].front for name in systems}, level_free=level_free)
        for protocol, folds in PROTOCOLS.items():
            for name in systems:
                known = measured[SYSTEMS[name].front]
                accuracy = [[_accuracy(known, name, tested, seed) for tested in folds] for seed in seeds]
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


PROTOCOLS: dict[str, tuple[tuple[int, ...], ...]] = {
    "one load out": tuple((load,) for load in LOADS),
    "light to heavy": (LOADS[5:],),
    "heavy to light": (LOADS[:5],),
}


def _measured(folder: Path, fronts: set[Front], *, level_free: bool) -> dict[Front, Measured]:
    """What each front measures of each record."""
    found: dict[Front, Measured] = {front: {} for front in fronts}
    for state in STATES:
        for load in LOADS:
            samples = gearbox_record(folder, state=state, load_percent=load).samples
            windows = gear_windows(samples, level_free=level_free)
            for front, measured in found.items():
                measured[state, load] = front(windows)
    return found


def _accuracy(measured: Measured, system: str, tested: Sequence[int], seed: int) -> float:
    """Balanced accuracy over the windows of the tested loads, all others learned from."""
    learned = [load for load in LOADS if load not in tested]
    x, labels = _stacked(measured, learned)
    model = SYSTEMS[system].learner(seed).fit(x, labels)
    x, labels = _stacked(measured, tested)
    right = model.predict(x) == labels
    return float(np.mean([right[labels == state].mean() for state in STATES]))


def _stacked(measured: Measured, loads: Sequence[int]) -> tuple[NDArray[np.floating], NDArray[np.str_]]:
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
