"""Alarm with dead-band and delays: raised after a while above its limit, cleared after one below; refuses others."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from features.errors import ParameterError

__all__ = ["Alarm", "AlarmConfig"]


@dataclass(frozen=True, slots=True)
class AlarmConfig:
    """When an alarm is raised and cleared.

    Attributes
    ----------
    raise_after : int
        Windows in a row with a score above the threshold.
    clear_after : int
        Windows in a row with a score below `clear_ratio` times the threshold.
    clear_ratio : float
        0 < ratio <= 1; what is missing to 1 is the dead-band.
    on_delay_s, off_delay_s : float
        Seconds of the sensor's time that such a run lasts at least, from the end of its first window to that of its
        last; 0 or more.

    References
    ----------
    .. [1] ANSI/ISA-18.2-2016, clause 10.5 (dead-band, on-delay and off-delay of an alarm).
    """

    raise_after: int = 3
    clear_after: int = 10
    clear_ratio: float = 0.8
    on_delay_s: float = 0.0
    off_delay_s: float = 0.0

    def __post_init__(self) -> None:
        delays = 0.0 <= self.on_delay_s < float("inf") and 0.0 <= self.off_delay_s < float("inf")
        if self.raise_after < 1 or self.clear_after < 1 or not 0.0 < self.clear_ratio <= 1.0 or not delays:
            raise ParameterError(
                f"{self} cannot be met; give counts from 1 on, a ratio above 0 up to 1 and delays of 0 s or more"
            )


@dataclass(slots=True)
class Alarm:
    """Running state of one alarm of a point.

    Attributes
    ----------
    active : bool
    above, below : int
        Windows in a row that speak for raising and for clearing.
    above_ns, below_ns : int or None
        When these runs began.
    at_ns : int or None
        When the latest window ended.
    """

    active: bool = False
    above: int = 0
    below: int = 0
    above_ns: int | None = None
    below_ns: int | None = None
    at_ns: int | None = None

    def update(
        self, ratio: float, *, config: AlarmConfig, at_ns: int | None = None
    ) -> Literal["raised", "cleared"] | None:
        """Take the next window's value over its limit and say whether the alarm changed.

        Parameters
        ----------
        ratio : float
            Value divided by limit, such as score by threshold; above 1 is abnormal.
        config : AlarmConfig
        at_ns : int, optional
            When the window ended, by the sensor's clock. Where that steps back, delays begin anew, as windows do.

        Raises
        ------
        ParameterError
            If there are delays and no time.

        Examples
        --------
        Bursts of one window an hour apart, and a delay of half an hour:

        >>> alarm, config = Alarm(), AlarmConfig(raise_after=1, on_delay_s=1800.0)
        >>> [alarm.update(2.0, config=config, at_ns=hour * 3600 * 10**9) for hour in range(3)]
        [None, 'raised', None]
        """
        if at_ns is None and (config.on_delay_s or config.off_delay_s):
            raise ParameterError("an alarm with delays was to be judged without a time; give the end of the window")
        self.above = self.above + 1 if ratio > 1.0 else 0
        self.below = self.below + 1 if ratio < config.clear_ratio else 0
        anew = self.at_ns is None or at_ns is None or at_ns < self.at_ns
        self.above_ns = _began(self.above, self.above_ns, at_ns, anew=anew)
        self.below_ns = _began(self.below, self.below_ns, at_ns, anew=anew)
        self.at_ns = at_ns
        if not self.active and self.above >= config.raise_after and _lasts(self.above_ns, at_ns, config.on_delay_s):
            self.active = True
            return "raised"
        if self.active and self.below >= config.clear_after and _lasts(self.below_ns, at_ns, config.off_delay_s):
            self.active = False
            return "cleared"
        return None

    def reset(self) -> None:
        """Forget everything; the alarm does not stand."""
        self.active, self.above, self.below = False, 0, 0
        self.above_ns = self.below_ns = self.at_ns = None

    def snapshot(self) -> dict[str, Any]:
        """Give the state as a map."""
        return asdict(self)

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Alarm:
        """Make an alarm that goes on where the one of the snapshot stood."""
        return cls(**state)


def _began(run: int, began_ns: int | None, at_ns: int | None, *, anew: bool) -> int | None:
    if run == 0:
        return None
    return at_ns if run == 1 or anew or began_ns is None else began_ns


def _lasts(began_ns: int | None, at_ns: int | None, delay_s: float) -> bool:
    return not delay_s or (began_ns is not None and at_ns is not None and at_ns - began_ns >= round(delay_s * 1e9))
