"""False alarms on simulated machines beside the rate that a threshold stands for; refuses to judge without any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from features.contract import WATCHED
from features.errors import ParameterError
from features.extraction import extract
from features.window import cut
from models.alarm import Alarm, AlarmConfig
from models.autoencoder import Baseline, learn_baseline
from models.plant import Machine, MachineSignal, random_machine, wandering
from models.serving import Network, reconstruction_error

__all__ = ["FORMER", "MONTH", "RATES", "SEVERITIES", "binomial_interval", "simulated_false_alarms", "thresholds"]

RATES = (1e-2, 1e-3, 1e-4, 1e-5)
# The rule before thresholds stood for a rate: twice the largest error held out.
FORMER = "2 x max"
_FORMER_MARGIN = 2.0
SEVERITIES = (0.1, 0.2, 0.4)
_FAULTS = ("inner", "outer", "ball", "unbalance", "misalignment")
# As the simulated plant sends them: bursts of three overlapping windows.
_RATE_HZ, _BURST, _N_SAMPLES, _HOP = 12_800.0, 8192, 4096, 2048
_PER_BURST = (_BURST - _N_SAMPLES) // _HOP + 1
_LEARNED, _SETTLE, _FAULTY = 40, 2, 12
_CHUNK = 64
# Windows in 30 days of one burst each ten minutes.
MONTH = 30 * 24 * 6 * _PER_BURST

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one rule does on one machine."""

    windows: int
    passed: int
    alarms: int
    detected: Mapping[float, float]


def simulated_false_alarms(
    *, convert: Callable[[Any], bytes], seed: int, machines: int, windows: int, progress: Progress
) -> dict[str, Any]:
    """Learn a baseline on the healthy start of each simulated machine and score its later health and its faults.

    Parameters
    ----------
    convert : callable
        From a Keras model to `.tflite` bytes.
    seed : int
        Of the machines, their signals and the networks.
    machines : int
        Machines drawn, 1 or more.
    windows : int
        Healthy windows of each after its start, at least; bursts are not cut.
    progress : callable
        Told the machines done and their number.

    Returns
    -------
    dict
        ``rows`` of rule with the share of healthy windows above its threshold, the 95 % interval as if windows were
        independent, the share of the worst machine, alarms raised with the service's hysteresis, the same per month of
        a burst each ten minutes with the upper end of its 95 % interval, and the share of fault windows above it.

    Raises
    ------
    ParameterError
        If no machine or no window is asked for.

    Notes
    -----
    Start, health and faults of a machine come from one signal with speed and load wandering. Each fault runs at each
    severity for twelve bursts.
    """
    if machines < 1 or windows < 1:
        raise ParameterError(f"{machines} machines of {windows} windows were asked for; 1 or more of each are wanted")
    bursts = -(-windows // _PER_BURST)
    by_rule: dict[str, list[_Outcome]] = {}
    for i in range(machines):
        for rule, outcome in _one_machine(np.random.default_rng([seed, i]), bursts, convert, seed + i).items():
            by_rule.setdefault(rule, []).append(outcome)
        progress(i + 1, machines)
    return {
        "rows": [_row(rule, outcomes) for rule, outcomes in by_rule.items()],
        "machines": machines,
        "learned_windows": _LEARNED * _PER_BURST,
        "windows_a_month": MONTH,
        "hysteresis": asdict(AlarmConfig()),
        "seed": seed,
        "contract": WATCHED.hash,
    }


def thresholds(baseline: Baseline) -> dict[str, float]:
    """Threshold of a baseline by rule: each of ``RATES`` by its tail, then the former rule."""
    by_rate = {f"{rate:g}": baseline.tail.level(rate) for rate in RATES}
    return by_rate | {FORMER: _FORMER_MARGIN * float(baseline.held_out.max())}


def binomial_interval(hits: int, n: int) -> tuple[float, float]:
    """Give the 95 % interval of a share after Clopper and Pearson, Biometrika 26 (1934) 404-413.

    Examples
    --------
    >>> [round(end, 4) for end in binomial_interval(0, 100)]
    [0.0, 0.0362]
    """
    low = float(scipy.stats.beta.ppf(0.025, hits, n - hits + 1)) if hits else 0.0
    high = float(scipy.stats.beta.ppf(0.975, hits + 1, n - hits)) if hits < n else 1.0
    return low, high


def _one_machine(
    rng: np.random.Generator, bursts: int, convert: Callable[[Any], bytes], seed: int
) -> dict[str, _Outcome]:
    machine = random_machine(rng)
    signal = MachineSignal(machine, rate_hz=_RATE_HZ, rng=rng)
    _features(machine, signal, start_s=-_SETTLE, bursts=_SETTLE)
    baseline = learn_baseline(_features(machine, signal, start_s=0, bursts=_LEARNED), convert=convert, seed=seed)
    network = Network(baseline.network)

    def score(features: NDArray[np.float32]) -> NDArray[np.float64]:
        scaled = baseline.scaler.apply(features)
        return reconstruction_error(scaled, network(scaled))

    healthy = score(_features(machine, signal, start_s=_LEARNED, bursts=bursts))
    faulty = {
        severity: np.concatenate([score(_faulty(machine, signal, fault, severity)) for fault in _FAULTS])
        for severity in SEVERITIES
    }
    return {rule: _outcome(healthy, faulty, level) for rule, level in thresholds(baseline).items()}


def _features(
    machine: Machine, signal: MachineSignal, *, start_s: int, bursts: int, fault: str = "none", severity: float = 0.0
) -> NDArray[np.float32]:
    """Features of bursts that begin a second apart, shape (windows, features)."""
    parts = []
    for first in range(0, bursts, _CHUNK):
        windows = [
            cut(
                signal.block(_BURST, wandering(machine, start_s + i, fault=fault, severity=severity))[0],
                n=_N_SAMPLES,
                hop=_HOP,
            )
            for i in range(first, min(first + _CHUNK, bursts))
        ]
        parts.append(extract(np.concatenate(windows), _RATE_HZ, profile=WATCHED, unit="g"))
    return np.concatenate(parts)


def _faulty(machine: Machine, signal: MachineSignal, fault: str, severity: float) -> NDArray[np.float32]:
    """Windows of a fault, less those in which the resonances of what was before still ring."""
    bursts = _FAULTY + _SETTLE
    found = _features(machine, signal, start_s=0, bursts=bursts, fault=fault, severity=severity)
    return found[_SETTLE * _PER_BURST :]


def _outcome(healthy: NDArray[np.float64], faulty: Mapping[float, NDArray[np.float64]], level: float) -> _Outcome:
    alarm, config = Alarm(), AlarmConfig()
    alarms = sum(alarm.update(ratio, config=config) == "raised" for ratio in (healthy / level).tolist())
    detected = {severity: float((scores > level).mean()) for severity, scores in faulty.items()}
    return _Outcome(healthy.size, int((healthy > level).sum()), alarms, detected)


def _row(rule: str, outcomes: list[_Outcome]) -> dict[str, Any]:
    windows, passed = sum(o.windows for o in outcomes), sum(o.passed for o in outcomes)
    alarms, months = sum(o.alarms for o in outcomes), windows / MONTH
    low, high = binomial_interval(passed, windows)
    detected = {f"detected_{s:g}": float(np.mean([o.detected[s] for o in outcomes])) for s in SEVERITIES}
    return {
        "rule": rule,
        "windows": windows,
        "passed": passed,
        "share": passed / windows,
        "low": low,
        "high": high,
        "worst_machine": max(o.passed / o.windows for o in outcomes),
        "alarms": alarms,
        "alarms_a_month": alarms / months,
        # Upper end of the Poisson interval (Garwood, Biometrika 28 (1936) 437-442).
        "alarms_a_month_high": 0.5 * float(scipy.stats.chi2.ppf(0.975, 2 * (alarms + 1))) / months,
        **detected,
    }
