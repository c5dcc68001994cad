"""Alarm with hysteresis: raised after several windows above the threshold, cleared after more well below it."""

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
        0 < ratio <= 1.
    """

    raise_after: int = 3
    clear_after: int = 10
    clear_ratio: float = 0.8

    def __post_init__(self) -> None:
        if self.raise_after < 1 or self.clear_after < 1 or not 0.0 < self.clear_ratio <= 1.0:
            raise ParameterError(f"{self} cannot be met; give counts from 1 on and a ratio above 0 up to 1")


@dataclass(slots=True)
class Alarm:
    """Running state of one point's alarm.

    Attributes
    ----------
    active : bool
    above, below : int
        Windows in a row that speak for raising and for clearing.
    """

    active: bool = False
    above: int = 0
    below: int = 0

    def update(self, ratio: float, *, config: AlarmConfig) -> Literal["raised", "cleared"] | None:
        """Take the next window's score over its threshold and say whether the alarm changed.

        Parameters
        ----------
        ratio : float
            Score divided by threshold; above 1 is abnormal.
        config : AlarmConfig
        """
        self.above = self.above + 1 if ratio > 1.0 else 0
        self.below = self.below + 1 if ratio < config.clear_ratio else 0
        if not self.active and self.above >= config.raise_after:
            self.active = True
            return "raised"
        if self.active and self.below >= config.clear_after:
            self.active = False
            return "cleared"
        return None

    def snapshot(self) -> dict[str, Any]:
        """Give the state as a map."""
        return asdict(self)

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Alarm:
        """Make an alarm that goes on where the one of the snapshot stood."""
        return cls(**state)
