"""One measuring point while it is watched: windows, baseline, verdicts and alarm, as running state."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.store import PointRow
from app.windower import Windower, WindowerConfig
from features.contract import WATCHED
from features.errors import ArtifactError, ContractError
from features.faultmap import fault_map
from features.window import Window
from models.alarm import Alarm, AlarmConfig
from models.bundle import load_bundle
from models.serving import Diagnoser, Scorer

__all__ = ["OTHER", "AlarmChange", "Verdict", "Watch", "kind_of"]

# Windows whose class probabilities are averaged into a verdict.
_AVERAGED = 8
# What an abnormal window is called whose envelope shows no bearing fault.
OTHER = "other"


@dataclass(frozen=True, eq=False)
class Verdict:
    """What is said of one window.

    Attributes
    ----------
    window : Window
    features : ndarray of float32, shape (channels * features,)
    score, threshold : float or None
        None while the point has no baseline.
    bundle : str or None
    probabilities : dict of str to float, or None
        Mean over the latest abnormal windows of this alarm, this one included; None for a healthy window, or where
        bearing or speed is unknown.
    diagnosis_bundle : str or None
    """

    window: Window
    features: NDArray[np.float32]
    score: float | None = None
    threshold: float | None = None
    bundle: str | None = None
    probabilities: dict[str, float] | None = None
    diagnosis_bundle: str | None = None

    @property
    def ratio(self) -> float | None:
        """Score over threshold."""
        return None if self.score is None or not self.threshold else self.score / self.threshold


@dataclass(frozen=True)
class AlarmChange:
    """An alarm that was raised or cleared by a window."""

    change: str
    verdict: Verdict


def kind_of(probabilities: dict[str, float] | None) -> str | None:
    """Most probable fault kind; ``other`` where an abnormal window shows no bearing fault, None if unknown."""
    if not probabilities:
        return None
    kind = max(probabilities, key=lambda name: probabilities[name])
    return OTHER if kind == "normal" else kind


@dataclass
class Watch:
    """Running state of a point.

    Attributes
    ----------
    row : PointRow
        As stored, or about to be.
    new : bool
        Whether the point is not stored yet.
    """

    row: PointRow
    windower: Windower
    alarm: Alarm = field(default_factory=Alarm)
    scorer: Scorer | None = None
    new: bool = False
    fault: str | None = None
    recent: deque[dict[str, float]] = field(default_factory=lambda: deque(maxlen=_AVERAGED))

    @classmethod
    def resume(cls, row: PointRow, *, windower: WindowerConfig, bundles: Path) -> Watch:
        """Take a point up where the store has it."""
        watch = cls(
            row=row,
            windower=Windower(windower) if row.windower is None else Windower.restore(windower, row.windower),
            alarm=Alarm() if row.alarm is None else Alarm.restore(dict(row.alarm)),
        )
        if row.state == "watching" and row.bundle is not None:
            try:
                watch.scorer = Scorer(load_bundle(bundles / row.bundle), contract=WATCHED.hash)
            except (ArtifactError, ContractError) as error:
                watch.fault = str(error)
        return watch

    def judge(
        self,
        windows: Sequence[Window],
        features: NDArray[np.float32],
        *,
        diagnoser: Diagnoser | None,
        config: AlarmConfig | None,
    ) -> tuple[list[Verdict], list[AlarmChange]]:
        """Score windows in time order and follow the alarm.

        Parameters
        ----------
        windows : sequence of Window
        features : ndarray of float32, shape (windows, channels * features)
        diagnoser : Diagnoser or None
        config : AlarmConfig or None
            None where another than the server raises alarms: its own stays as it is.
        """
        if self.scorer is None:
            return [Verdict(w, f) for w, f in zip(windows, features, strict=True)], []
        scores = self.scorer.score(features)
        threshold = self.scorer.threshold
        abnormal: list[int] = np.flatnonzero(scores > threshold).tolist()
        named = self._diagnosed([windows[i] for i in abnormal], diagnoser)
        by_window = dict(zip(abnormal, named, strict=True))
        verdicts: list[Verdict] = []
        changes: list[AlarmChange] = []
        for i, (window, score) in enumerate(zip(windows, scores.tolist(), strict=True)):
            probabilities = self._averaged(by_window.get(i))
            verdict = Verdict(
                window=window,
                features=features[i],
                score=score,
                threshold=threshold,
                bundle=self.scorer.bundle_id,
                probabilities=probabilities,
                diagnosis_bundle=diagnoser.bundle_id if diagnoser and probabilities else None,
            )
            verdicts.append(verdict)
            change = None if config is None else self.alarm.update(score / threshold, config=config)
            if change is not None:
                changes.append(AlarmChange(change, verdict))
            if change == "cleared":
                self.recent.clear()
        return verdicts, changes

    def _averaged(self, own: dict[str, float] | None) -> dict[str, float] | None:
        if own is None:
            return None
        self.recent.append(own)
        return {name: sum(p[name] for p in self.recent) / len(self.recent) for name in own}

    def _diagnosed(self, windows: Sequence[Window], diagnoser: Diagnoser | None) -> list[dict[str, float] | None]:
        """Class probabilities of abnormal windows, from the first channel."""
        bearing = self.row.bearing
        if diagnoser is None or bearing is None:
            return [None] * len(windows)
        speeds = [window.shaft_hz or self.row.nominal_shaft_hz for window in windows]
        maps = [
            fault_map(window.samples[0], window.rate_hz, shaft_hz=speed, orders=bearing.orders)
            for window, speed in zip(windows, speeds, strict=True)
            if speed
        ]
        if not maps:
            return [None] * len(windows)
        rows = iter(diagnoser.probabilities(np.stack(maps)).tolist())
        return [dict(zip(diagnoser.classes, next(rows), strict=True)) if speed else None for speed in speeds]
