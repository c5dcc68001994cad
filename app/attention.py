"""What asks for attention first, and why: reasons in words, ranked; invents no percentage of health."""

from __future__ import annotations

from dataclasses import dataclass

from app.alarms.register import (
    HEALTH,
    NO_DATA,
    NODE,
    NODE_FAULT,
    PRIORITIES,
    RISING,
    SEVERITY,
    SEVERITY_HIGH,
    Tag,
)
from app.kinds import kind_text

__all__ = [
    "ACT",
    "ALARM_WORDS",
    "IN_ORDER",
    "LEARNING",
    "LEVELS",
    "NOT_WATCHED",
    "PLAN",
    "WATCH",
    "Facts",
    "Level",
    "Reason",
    "Rise",
]

_DAY_NS = 86_400_000_000_000
# Shares of the threshold: a healthy machine is at about half of it at most, and varies by less than a half.
_NEAR, _GROWN = 0.6, 1.5
_SOON_NS = 14 * _DAY_NS


@dataclass(frozen=True, slots=True)
class Level:
    """How much a machine asks for attention; `rank` grows with it, symbol and word stand beside the colour."""

    rank: int
    symbol: str
    word: str
    colour: str
    means: str


IN_ORDER = Level(0, "●", "In order", "green", "nothing asks for attention")
LEARNING = Level(1, "○", "Learning", "blue", "what is healthy here is being learned; nothing is judged yet")
WATCH = Level(2, "◇", "Watch", "blue", "something has changed that is no alarm")
NOT_WATCHED = Level(3, "✕", "Not watched", "gray", "nothing is known of it now: silent, offline, or without a verdict")
PLAN = Level(4, "△", "Plan work", "orange", "run on, and plan what is to be done")
ACT = Level(
    5, "▲", "Act now", "red", "an urgent or high alarm, zone D, or a limit that will likely be reached within a day"
)
LEVELS = (ACT, PLAN, NOT_WATCHED, WATCH, LEARNING, IN_ORDER)

# What an alarm says, of those that say the same of every fault kind.
ALARM_WORDS = {
    NODE: "the node's alarm",
    NODE_FAULT: "the node cannot judge",
    NO_DATA: "nothing comes",
    RISING: "rises faster than admitted",
    SEVERITY: "shakes as in zone C of ISO 20816",
    SEVERITY_HIGH: "shakes as in zone D of ISO 20816",
}
_UNWATCHED = (NO_DATA, NODE_FAULT)
_ZONES = {
    "C": (PLAN, "zone C of ISO 20816: not for long-term running"),
    "D": (ACT, "zone D of ISO 20816: severe enough to do damage"),
}


@dataclass(frozen=True, slots=True)
class Rise:
    """Median score over threshold at the beginning and at the end of a stretch of time."""

    before: float
    after: float
    span_ns: int


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a machine asks for attention; of two of a level the one of more weight comes first."""

    level: Level
    weight: float
    words: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a measuring point.

    Attributes
    ----------
    state : str
        Of the point, as the store has it: ``learning``, ``training``, ``watching``, ``failed``.
    state_words : str
        The same for people.
    alarms : tuple of Tag
        Whose condition holds or that somebody is to acknowledge; hidden ones are left out.
    kind : str or None
        Fault kind of the standing alarm.
    ratio : float or None
        Score over threshold of the latest window.
    rise : Rise or None
    zone : str or None
        Of ISO 20816.
    unjudged_words : str
        Why nothing is judged that ought to be; empty where all is.
    silent_words : str
        Since when nothing has come; empty while something does.
    offline_words : str
        What is wrong with the node; empty where nothing is.
    due_ns : tuple of int, or None
        When a limit will be reached: earliest, likely, latest; the latest is None where it may never be.
    due_words : str
        What will be then.
    """

    state: str = "watching"
    state_words: str = ""
    alarms: tuple[Tag, ...] = ()
    kind: str | None = None
    ratio: float | None = None
    rise: Rise | None = None
    zone: str | None = None
    unjudged_words: str = ""
    silent_words: str = ""
    offline_words: str = ""
    due_ns: tuple[int, int, int | None] | None = None
    due_words: str = "reaches its limit"

    def reasons(self, *, now_ns: int) -> tuple[Reason, ...]:
        """Give the reasons, the weightiest first; none where all is in order.

        Parameters
        ----------
        now_ns : int

        Examples
        --------
        >>> [reason.words for reason in Facts(zone="C", ratio=1.25).reasons(now_ns=0)]
        ['zone C of ISO 20816: not for long-term running', 'score at 1.25 of its threshold']
        """
        found = [self._alarm(tag) for tag in self.alarms]
        found += self._severity() + self._score() + self._due(now_ns) + self._state()
        return tuple(sorted(found, key=lambda one: (-one.level.rank, -one.weight, one.words)))

    def level(self, *, now_ns: int) -> Level:
        """Give the level of the weightiest reason."""
        found = self.reasons(now_ns=now_ns)
        return found[0].level if found else IN_ORDER

    def rank(self, *, now_ns: int) -> tuple[tuple[int, float], ...]:
        """Give what machines are sorted by, the largest first: their reasons one by one, then the margin that is left.

        Examples
        --------
        >>> quiet, near, bad = Facts(ratio=0.2), Facts(ratio=0.7), Facts(ratio=0.2, zone="D")
        >>> sorted([quiet, bad, near], key=lambda one: one.rank(now_ns=0), reverse=True) == [bad, near, quiet]
        True
        """
        return (*((one.level.rank, one.weight) for one in self.reasons(now_ns=now_ns)), (-1, self.ratio or 0.0))

    def _alarm(self, tag: Tag) -> Reason:
        said = kind_text(self.kind) if tag.tag == "health" else ALARM_WORDS.get(tag.tag, tag.tag)
        if tag.tag == NODE and self.kind is not None:
            said = f"{said}, {kind_text(self.kind)}"
        urgency = PRIORITIES.index(tag.priority)
        if not tag.alarm.active:
            return Reason(WATCH, 2.0 + urgency, f"{tag.priority} alarm came and went, to be acknowledged: {said}")
        level = NOT_WATCHED if tag.tag in _UNWATCHED else ACT if urgency >= PRIORITIES.index("high") else PLAN
        # Somebody has taken on what is acknowledged: of two alike the other one comes first.
        new = tag.alarm.wants_attention
        words = f"{tag.priority} alarm, {'new' if new else 'acknowledged'}: {said}"
        return Reason(level, 2.0 * urgency + new, words)

    def _severity(self) -> list[Reason]:
        # Its alarm says the same, after the delay that lets a start pass.
        alarmed = {SEVERITY: "C", SEVERITY_HIGH: "D"}
        if any(alarmed.get(tag.tag) == self.zone and tag.alarm.active for tag in self.alarms):
            return []
        return [Reason(level, 3.0, words) for letter, (level, words) in _ZONES.items() if letter == self.zone]

    def _score(self) -> list[Reason]:
        found = []
        standing = any(tag.tag in (HEALTH, NODE) and tag.alarm.active for tag in self.alarms)
        if self.ratio is not None and self.ratio > 1.0 and not standing:
            found.append(Reason(PLAN, min(self.ratio, 2.0), f"score at {self.ratio:.2f} of its threshold"))
        rise = self.rise
        if rise is not None and rise.after >= max(_NEAR, _GROWN * rise.before):
            words = f"score rose from {rise.before:.2f} to {rise.after:.2f} of its threshold in {_span(rise.span_ns)}"
            found.append(Reason(WATCH, 1.0, words))
        return found

    def _due(self, now_ns: int) -> list[Reason]:
        if self.due_ns is None:
            return []
        days = [None if at_ns is None else max(at_ns - now_ns, 0) / _DAY_NS for at_ns in self.due_ns]
        earliest, likely, latest = days[0] or 0.0, days[1] or 0.0, days[2]
        level = ACT if likely < 1.0 else PLAN if likely * _DAY_NS <= _SOON_NS else WATCH
        span = f"{earliest:.0f} or more" if latest is None else f"{earliest:.0f} to {latest:.0f}"
        about = "within a day" if likely < 1.0 else f"in about {likely:.0f} days"
        words = f"{self.due_words} {about} ({span} days)"
        return [Reason(level, 2.0 - min(likely / 365.0, 1.0), words)]

    def _state(self) -> list[Reason]:
        found = [Reason(NOT_WATCHED, 2.0, words) for words in (self.silent_words, self.offline_words) if words]
        if self.unjudged_words:
            found.append(Reason(NOT_WATCHED, 3.0, self.unjudged_words))
        if self.state == "failed":
            found.append(Reason(NOT_WATCHED, 3.0, self.state_words or "no baseline could be learned"))
        if self.state in ("learning", "training"):
            found.append(Reason(LEARNING, 1.0, self.state_words or "learning"))
        return found


def _span(ns: int) -> str:
    """Say how long something took, in the unit that gives two figures."""
    minutes = ns / 60e9
    if minutes < 120.0:
        return f"{minutes:.0f} minutes"
    return f"{minutes / 60.0:.0f} hours" if minutes < 48 * 60.0 else f"{minutes / 1440.0:.0f} days"
