"""What falls due at which machine, by when, and what is to be done: from alarms, zones, forecasts and silence.

A forecast brings its own interval. Everything else is due within a time that its urgency sets (`WITHIN_DAYS`): these
times are a plant's own matter, no standard sets them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.alarms.register import HEALTH, NO_DATA, NODE, NODE_FAULT, RISING, SEVERITY, SEVERITY_HIGH, Priority, Tag
from app.attention import ALARM_WORDS, Facts
from app.kinds import kind_text
from app.spreadsheets import csv_text

__all__ = ["ADVICE", "WITHIN_DAYS", "Advice", "Duty", "calendar_text", "duties_of", "table_text"]

_DAY_NS = 86_400_000_000_000

# Days within which what alarms is to be looked after, by its priority.
WITHIN_DAYS: dict[Priority, float] = {"urgent": 1.0, "high": 7.0, "medium": 30.0, "low": 90.0}


@dataclass(frozen=True, slots=True)
class Advice:
    """What is to be done, and what that rests on."""

    what: str
    steps: str
    source: str


_BEARINGS = "ISO 15243 (damage of rolling bearings), ISO 13373-3 (diagnosis)"
_ZONES = "ISO 20816-1 (zones)"
_OURS = "common practice"
ADVICE: dict[str, Advice] = {
    "outer": Advice(
        "Plan a bearing change",
        "Check lubrication and load until then; look at the housing's fit and at belt or coupling forces before a new "
        "one goes in.",
        _BEARINGS,
    ),
    "inner": Advice(
        "Plan a bearing change",
        "Check lubrication and sealing until then; look at the shaft's fit before a new one goes in.",
        _BEARINGS,
    ),
    "ball": Advice(
        "Plan a bearing change",
        "Check lubricant for dirt and water; look for overload and for currents through the bearing (converters).",
        _BEARINGS,
    ),
    "other": Advice(
        "Find the cause",
        "Look at the spectrum at multiples of the shaft speed: unbalance, misalignment, looseness, gears, resonance.",
        "ISO 13373-3 (diagnosis)",
    ),
    "unknown": Advice(
        "Have an analyst look",
        "Look at the envelope spectrum and the trend; enter bearing and speed, so that the fault can be named.",
        _OURS,
    ),
    "zone C": Advice(
        "Mend at the next occasion",
        "Run for a limited time only; check balance, alignment, foundation bolts and resonance, then measure again.",
        _ZONES,
    ),
    "zone D": Advice(
        "Stop as soon as the process allows",
        "Vibration this severe may do damage: reduce speed or load, stop, find the cause before it runs again.",
        _ZONES,
    ),
    "rising": Advice(
        "Measure more often", "See in the trend what rises, and whether load or speed explains it.", _OURS
    ),
    "limit": Advice(
        "Plan a check before the limit",
        "Order parts and set a stop before the earliest date; look at the trend again every week.",
        _OURS,
    ),
    "signal": Advice(
        "See to the measuring chain",
        "Check sensor and its mounting, cable, supply, node and network: until then nobody watches the machine.",
        "ISO 5348 (mounting of accelerometers)",
    ),
    "bundle": Advice(
        "Bring its baseline back",
        "See that the folder of bundles is there and can be read; else restore it from a backup, or let the point "
        "learn anew. Until then nobody watches the machine.",
        _OURS,
    ),
    "baseline": Advice(
        "Let it learn anew", "Let the point learn while the machine runs as usual and is known to be healthy.", _OURS
    ),
}
_OF_TAG = {NO_DATA: "signal", NODE_FAULT: "signal", RISING: "rising", SEVERITY: "zone C", SEVERITY_HIGH: "zone D"}
_OF_ZONE: dict[str, tuple[str, Priority]] = {"C": ("zone C", "medium"), "D": ("zone D", "urgent")}


@dataclass(frozen=True, slots=True)
class Duty:
    """Something to be done at a measuring point.

    Attributes
    ----------
    point_id, machine, name, area : str
        The point, the identity of its machine, its name and where it is.
    advice : Advice
    why : str
    earliest_ns, likely_ns : int
        When it may and when it will likely be too late, where that is forecast; else from now to the end of its time.
    latest_ns : int or None
        None where a forecast cannot tell.
    forecast : bool
        Whether the times come from a trend.
    """

    point_id: str
    machine: str
    name: str
    area: str
    advice: Advice
    why: str
    earliest_ns: int
    likely_ns: int
    latest_ns: int | None
    forecast: bool = False

    @property
    def key(self) -> str:
        """The same for the same duty of the same point."""
        text = f"{self.point_id}\n{self.advice.what}\n{self.forecast}"
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def duties_of(point_id: str, name: str, area: str, facts: Facts, *, now_ns: int) -> list[Duty]:
    """Say what is to be done at a measuring point, what is due first on top.

    Parameters
    ----------
    point_id, name, area : str
    facts : Facts
    now_ns : int

    Examples
    --------
    >>> (duty,) = duties_of("a/b/c", "Pump", "Hall", Facts(zone="C"), now_ns=0)
    >>> duty.advice.what, duty.likely_ns / 86_400e9
    ('Mend at the next occasion', 30.0)
    """
    found: dict[str, tuple[Priority, str]] = {}
    for key, priority, why in _causes(facts):
        # Of two of a kind the more urgent one.
        if key not in found or WITHIN_DAYS[priority] < WITHIN_DAYS[found[key][0]]:
            found[key] = (priority, why)
    common = (point_id, point_id.rpartition("/")[0], name, area)
    made = []
    for key, (priority, why) in found.items():
        end_ns = now_ns + round(WITHIN_DAYS[priority] * _DAY_NS)
        made.append(Duty(*common, ADVICE[key], why, now_ns, end_ns, end_ns))
    if facts.due_ns is not None:
        made.append(Duty(*common, ADVICE["limit"], facts.due_words, *facts.due_ns, forecast=True))
    return sorted(made, key=lambda one: (one.likely_ns, one.advice.what))


def _causes(facts: Facts) -> list[tuple[str, Priority, str]]:
    """What is to be looked after now: which advice, how urgent, and why."""
    found = [(_key(tag, facts), tag.priority, _why(tag, facts)) for tag in facts.alarms if tag.alarm.active]
    if facts.zone in _OF_ZONE:
        key, priority = _OF_ZONE[facts.zone]
        found.append((key, priority, f"latest window in {key} of ISO 20816"))
    found += [("signal", "medium", words) for words in (facts.silent_words, facts.offline_words) if words]
    if facts.unjudged_words:
        found.append(("bundle", "high", facts.unjudged_words))
    if facts.state == "failed":
        found.append(("baseline", "high", facts.state_words))
    return found


def _key(tag: Tag, facts: Facts) -> str:
    if tag.tag in (HEALTH, NODE):
        return facts.kind if facts.kind in ADVICE else "unknown"
    return _OF_TAG.get(tag.tag, "unknown")


def _why(tag: Tag, facts: Facts) -> str:
    said = kind_text(facts.kind) if tag.tag in (HEALTH, NODE) else ALARM_WORDS.get(tag.tag, tag.tag)
    return f"{tag.priority} alarm: {said}"


def _day(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns / 1e9, UTC)


def table_text(duties: Sequence[Duty]) -> str:
    """Write duties as CSV, dates in UTC; no cell is taken for a formula by a spreadsheet."""
    return csv_text(
        [
            {
                "machine": one.name,
                "point": one.point_id,
                "area": one.area,
                "what": one.advice.what,
                "why": one.why,
                "steps": one.advice.steps,
                "source": one.advice.source,
                "earliest": f"{_day(one.earliest_ns):%Y-%m-%d}",
                "likely": f"{_day(one.likely_ns):%Y-%m-%d}",
                "latest": "" if one.latest_ns is None else f"{_day(one.latest_ns):%Y-%m-%d}",
                "from a trend": "yes" if one.forecast else "no",
            }
            for one in duties
        ]
    )


def calendar_text(duties: Sequence[Duty], *, now_ns: int) -> str:
    """Write duties as an iCalendar file: a whole day each, the likely one; the same duty keeps its identity.

    References
    ----------
    .. [1] RFC 5545, Internet Calendaring and Scheduling Core Object Specification.
    """
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Raceway//Maintenance//EN"]
    for one in duties:
        day = _day(one.likely_ns)
        latest = "not known" if one.latest_ns is None else f"{_day(one.latest_ns):%Y-%m-%d}"
        about = f"{one.why}\n{one.advice.steps}\nEarliest {_day(one.earliest_ns):%Y-%m-%d}, latest {latest} (UTC)."
        lines += [
            "BEGIN:VEVENT",
            f"UID:{one.key}@raceway",
            f"DTSTAMP:{_day(now_ns):%Y%m%dT%H%M%SZ}",
            f"DTSTART;VALUE=DATE:{day:%Y%m%d}",
            f"DTEND;VALUE=DATE:{day + timedelta(days=1):%Y%m%d}",
            f"SUMMARY:{_escaped(f'{one.name}: {one.advice.what}')}",
            f"LOCATION:{_escaped(one.area)}",
            f"DESCRIPTION:{_escaped(about)}",
            "TRANSP:TRANSPARENT",
            "END:VEVENT",
        ]
    return "".join(f"{part}\r\n" for line in [*lines, "END:VCALENDAR"] for part in _folded(line))


def _escaped(text: str) -> str:
    for mark in ("\\", ";", ","):
        text = text.replace(mark, f"\\{mark}")
    return text.replace("\r", "").replace("\n", "\\n")


def _folded(line: str) -> list[str]:
    """A line in parts of at most 75 octets, no letter cut in two; all but the first begin with a space."""
    parts, part = [], ""
    for letter in line:
        if len((part + letter).encode()) > 75:
            parts.append(part)
            part = " "
        part += letter
    return [*parts, part]
