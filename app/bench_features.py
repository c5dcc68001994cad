"""Cost of feature extraction on one core, over one Fourier transform and over TSFEL in the same run."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from app.numerics import keep_freed_memory
from features.bearing import bearing_named
from features.contract import BASELINE, FULL, NODE, Profile
from features.errors import ParameterError
from features.extraction import extract

__all__ = ["bench_features"]

N_WINDOWS, N_SAMPLES, RATE_HZ, SHAFT_HZ = 512, 2048, 12_800.0, 29.0
_ROUNDS, _TSFEL_WINDOWS = 15, 8
_TSFEL_DOMAINS = ("statistical", "spectral", "temporal")
_SEED = 1
_BEARING = "6205-2RS"


def bench_features(*, progress: Callable[[int], None]) -> dict[str, Any]:
    """Measure the profiles on one core.

    Parameters
    ----------
    progress : callable
        Told the percentage done.

    Returns
    -------
    dict
        ``windows_per_s`` and ``n_features`` of the full profile with speed and bearing known, ``cost_over_rfft`` over
        `scipy.fft.rfft` of the same batch and ``speedup_over_tsfel`` over TSFEL's statistical, spectral and temporal
        features. Each is the median over rounds in which all take turns, so that a machine's ups and downs meet all.

    Raises
    ------
    ParameterError
        If TSFEL is not installed.
    """
    try:
        import tsfel
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise ParameterError("the peer is not installed; `pip install tsfel` or the extra `dev` brings it") from error
    keep_freed_memory()
    x = _windows()
    features = {name: _extraction(x, profile) for name, profile in _profiles().items()}
    runs: dict[str, Callable[[], Any]] = {"rfft": lambda: scipy.fft.rfft(x, axis=-1), **features}
    peer = _Peer(tsfel, x)
    spent_s: dict[str, list[float]] = {name: [] for name in (*runs, "tsfel")}
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # TSFEL divides by zero on its own; that is not what is measured here.
        warnings.simplefilter("ignore")
        peer()
        for run in runs.values():
            run()
        for done in range(_ROUNDS):
            for name, run in runs.items():
                spent_s[name].append(_timed(run) / N_WINDOWS)
            spent_s["tsfel"].append(_timed(peer) / _TSFEL_WINDOWS)
            progress(100 * (done + 1) // _ROUNDS)
    each_us = {name: 1e6 * statistics.median(times) for name, times in spent_s.items()}
    return {
        "n_features": len(FULL.features),
        "windows_per_s": 1e6 / each_us["full"],
        "cost_over_rfft": _ratio(spent_s, "full", "rfft"),
        "speedup_over_tsfel": _ratio(spent_s, "tsfel", "full"),
        "n_features_tsfel": peer.n_features,
        "us_per_window": {name: round(value, 2) for name, value in each_us.items()},
        "baseline_over_rfft": _ratio(spent_s, "baseline", "rfft"),
        "node_over_rfft": _ratio(spent_s, "node", "rfft"),
        "n_windows": N_WINDOWS,
        "n_samples": N_SAMPLES,
        "rounds": _ROUNDS,
    }


class _Peer:
    """TSFEL over some of the windows, one after the other in this process."""

    def __init__(self, tsfel: Any, x: NDArray[np.float32]) -> None:
        self._extract = tsfel.time_series_features_extractor
        self._settings = {domain: tsfel.get_features_by_domain(domain)[domain] for domain in _TSFEL_DOMAINS}
        self._windows = [row.astype(np.float64) for row in x[:_TSFEL_WINDOWS]]
        self.n_features = 0

    def __call__(self) -> None:
        table = self._extract(self._settings, self._windows, fs=RATE_HZ, verbose=0, n_jobs=None)
        self.n_features = int(table.shape[1])


def _profiles() -> dict[str, Profile]:
    return {"full": FULL, "baseline": BASELINE, "node": NODE}


def _extraction(x: NDArray[np.float32], profile: Profile) -> Callable[[], Any]:
    bearing = bearing_named(_BEARING).orders
    speeds = np.full(len(x), SHAFT_HZ)
    return lambda: extract(x, RATE_HZ, profile=profile, unit="g", shaft_hz=speeds, bearing=bearing)


def _windows() -> NDArray[np.float32]:
    """Vibration of a machine: two orders, a bearing that rings, noise."""
    rng = np.random.default_rng(_SEED)
    turned = SHAFT_HZ * np.arange(N_SAMPLES) / RATE_HZ
    orders = bearing_named(_BEARING).orders
    rings = np.maximum(np.cos(2 * np.pi * orders.bpfo * turned), 0.0) ** 8
    shaft = 0.3 * np.sin(2 * np.pi * turned) + 0.1 * np.sin(4 * np.pi * turned)
    noise = rng.standard_normal((N_WINDOWS, N_SAMPLES))
    return np.asarray(shaft + (0.1 + rings) * noise, dtype=np.float32)


def _timed(run: Callable[[], Any]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _ratio(spent_s: dict[str, list[float]], above: str, below: str) -> float:
    return statistics.median(a / b for a, b in zip(spent_s[above], spent_s[below], strict=True))
