"""One measuring point while it is watched: windows, baseline, verdicts and alarms, as running state."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.alarms.conditions import Change, Conditions, Seen, Standing
from app.alarms.register import HEALTH
from app.kinds import alarm_kind
from app.severity import Shaking, shaking
from app.store import PointRow
from app.windower import Windower, WindowerConfig
from features.contract import WATCHED
from features.errors import ArtifactError
from features.faultmap import fault_map
from features.iso20816 import Limits
from features.window import Window
from models.bundle import load_bundle
from models.serving import Diagnoser, Scorer

__all__ = ["AlarmChange", "Verdict", "Watch", "kind_of"]

# Windows whose class probabilities are averaged into a verdict.
_AVERAGED = 8


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

    of: Change
    verdict: Verdict


def kind_of(probabilities: dict[str, float] | None) -> str | None:
    """Most probable fault kind; ``other`` where an abnormal window shows no bearing fault, None if unknown."""
    if not probabilities:
        return None
    return alarm_kind(max(probabilities, key=lambda name: probabilities[name]))


@dataclass
class Watch:
    """Running state of a point.

    Attributes
    ----------
    row : PointRow
        As stored, or about to be.
    standing : Standing
        How its alarms stand.
    conditions : Conditions
    limits : Limits or None
        Zones of its machine, where its group is known.
    new : bool
        Whether the point is not stored yet.
    fault : str or None
        Why the baseline that is to be watched by cannot be read; until it can, nothing is judged by it.
    """

    row: PointRow
    windower: Windower
    standing: Standing = field(default_factory=Standing)
    conditions: Conditions = field(default_factory=Conditions)
    limits: Limits | None = None
    scorer: Scorer | None = None
    new: bool = False
    fault: str | None = None
    recent: deque[dict[str, float]] = field(default_factory=lambda: deque(maxlen=_AVERAGED))

    @classmethod
    def resume(
        cls, row: PointRow, *, windower: WindowerConfig, bundles: Path, conditions: Conditions, limits: Limits | None
    ) -> Watch:
        """Take a point up where the store has it.

        Raises
        ------
        ContractError
            If its baseline was learned on other features than today's.
        """
        watch = cls(
            row=row,
            windower=Windower(windower) if row.windower is None else Windower.restore(windower, row.windower),
            standing=Standing() if row.alarm is None else Standing.restore(row.alarm),
            conditions=conditions,
            limits=limits,
        )
        if row.state == "watching" and row.bundle is not None:
            try:
                watch.scorer = Scorer(load_bundle(bundles / row.bundle), contract=WATCHED.hash)
            except ArtifactError as error:
                watch.fault = str(error)
        return watch

    def judge(
        self,
        windows: Sequence[Window],
        features: NDArray[np.float32],
        *,
        diagnoser: Diagnoser | None,
        alarms: bool,
    ) -> tuple[list[Verdict], list[AlarmChange]]:
        """Score windows in time order and follow the alarms.

        Parameters
        ----------
        windows : sequence of Window
        features : ndarray of float32, shape (windows, channels * features)
        diagnoser : Diagnoser or None
        alarms : bool
            False where another than the server raises alarms: its own stay as they are.
        """
        shaken = self._shaken(windows, features) if alarms else [None] * len(windows)
        verdicts: list[Verdict] = []
        changes: list[AlarmChange] = []
        for verdict, shakes in zip(self._verdicts(windows, features, diagnoser), shaken, strict=True):
            verdicts.append(verdict)
            if not alarms:
                continue
            seen = self._seen(verdict, shakes)
            found = self.standing.update(seen, conditions=self.conditions, grouped=self.limits is not None)
            changes += [AlarmChange(one, verdict) for one in found]
            if any(one.tag == HEALTH and one.change == "cleared" for one in found):
                self.recent.clear()
        return verdicts, changes

    @property
    def alarmed(self) -> bool:
        """Whether its `health` alarm stands."""
        return self.standing.health.active

    def _verdicts(
        self, windows: Sequence[Window], features: NDArray[np.float32], diagnoser: Diagnoser | None
    ) -> Iterator[Verdict]:
        """Verdicts one by one: what a cleared alarm forgets is not to be in the next one's mean."""
        if self.scorer is None:
            yield from (Verdict(w, f) for w, f in zip(windows, features, strict=True))
            return
        scores = self.scorer.score(features)
        threshold = self.scorer.threshold
        abnormal: list[int] = np.flatnonzero(scores > threshold).tolist()
        named = self._diagnosed([windows[i] for i in abnormal], diagnoser)
        by_window = dict(zip(abnormal, named, strict=True))
        for i, (window, score) in enumerate(zip(windows, scores.tolist(), strict=True)):
            probabilities = self._averaged(by_window.get(i))
            yield Verdict(
                window=window,
                features=features[i],
                score=score,
                threshold=threshold,
                bundle=self.scorer.bundle_id,
                probabilities=probabilities,
                diagnosis_bundle=diagnoser.bundle_id if diagnoser and probabilities else None,
            )

    def _shaken(self, windows: Sequence[Window], features: NDArray[np.float32]) -> Sequence[Shaking | None]:
        """Broad-band vibration of windows, where a condition asks for it."""
        rise = self.conditions.rise_limit and self.conditions.rise_of == "velocity"
        if not rise and (self.limits is None or self.conditions.severity == "none"):
            return [None] * len(windows)
        return shaking(windows, features, nominal_hz=self.row.nominal_shaft_hz)

    def _seen(self, verdict: Verdict, shakes: Shaking | None) -> Seen:
        zones = None if shakes is None or self.limits is None else shakes.over(self.limits)
        velocity = None if shakes is None else shakes.velocity_mm_s
        return Seen(verdict.window.end_ns, verdict.ratio, velocity, zones, verdict.bundle)

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
