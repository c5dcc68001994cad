"""How many alarms people are asked to answer, and which ones: the figures of alarm rationalisation; refuses no time.

The benchmarks are those of EEMUA 191 and ISA-18.2: what an operator can answer over a long time, and in a flood.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from app.alarms.flood import FLOOD, SPAN_NS
from app.schema import alarm_journal, alarm_tags
from features.errors import ParameterError

__all__ = ["MANAGEABLE_PER_HOUR", "Frequent", "Lasting", "Statistics", "alarm_statistics", "is_chattering"]

# Alarms an hour that one operator can answer at most over a long time, of which half is acceptable [1]_.
MANAGEABLE_PER_HOUR = 12.0
# So many new alarms of one kind within a minute are one that chatters [1]_.
_CHATTERS, _MINUTE_NS = 3, 60_000_000_000
_HOUR_NS, _DAY_NS = 3_600_000_000_000, 86_400_000_000_000
# The most frequent alarms and the longest that are listed, and the steps that are read at most.
_LISTED, _MOST = 10, 200_000


@dataclass(frozen=True, slots=True)
class Frequent:
    """An alarm by how often it was new, and its share of all; `chatters` where that was thrice in a minute."""

    point_id: str
    tag: str
    count: int
    share: float
    chatters: bool


@dataclass(frozen=True, slots=True)
class Lasting:
    """An alarm whose condition has held for more than a day, and since when."""

    point_id: str
    tag: str
    state: str
    raised_ns: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """Figures over a stretch of time that ends now.

    Attributes
    ----------
    hours : float
        How long the stretch is; less than was asked where the first alarm came later.
    operators : int
    new : int
        Alarms that became new.
    per_operator_hour, per_day : float
    flooded : float
        Share of the stretches of ten minutes with more new alarms than one operator can answer.
    most_in_ten_minutes : int
    by_priority : dict of str to int
        New alarms by the priority that they have now.
    frequent : tuple of Frequent
        The ten most frequent ones.
    of_frequent : float
        Their share of all.
    chattering : int
        Alarms that were new thrice within a minute.
    lasting : tuple of Lasting
        Alarms that have stood for more than a day, the oldest first; ten at most.
    n_lasting : int
        All of them.
    """

    hours: float
    operators: int
    new: int
    per_operator_hour: float
    per_day: float
    flooded: float
    most_in_ten_minutes: int
    by_priority: dict[str, int]
    frequent: tuple[Frequent, ...]
    of_frequent: float
    chattering: int
    lasting: tuple[Lasting, ...]
    n_lasting: int

    @property
    def manageable(self) -> bool:
        """Whether one operator can answer them over a long time."""
        return self.per_operator_hour <= MANAGEABLE_PER_HOUR


def alarm_statistics(connection: Connection, *, now_ns: int, days: float = 7.0, operators: int = 1) -> Statistics:
    """Count the new alarms of the last days.

    Parameters
    ----------
    connection : Connection
    now_ns : int
    days : float
        Positive. Where there has been no alarm before, the stretch begins with the first one, an hour ago at least.
    operators : int
        How many people answer alarms at a time, 1 or more.

    Raises
    ------
    ParameterError
        If there are no days or no operators.

    Notes
    -----
    An alarm that is hidden when its condition comes is new to nobody, and counted where it comes back.

    References
    ----------
    .. [1] ANSI/ISA-18.2-2016, clause 16 and table 7 (monitoring and assessment); EEMUA 191, 3rd edition (2013),
       chapter 6 and appendix 10 (alarm rate, floods, stale and nuisance alarms).
    """
    if not 0.0 < days < 36_525.0 or operators < 1:
        raise ParameterError(f"{days} days and {operators} operators; a positive time and 1 or more are wanted")
    asked_ns = now_ns - round(days * _DAY_NS)
    news = _news(connection, first_ns=asked_ns, last_ns=now_ns)
    span_ns = max(_HOUR_NS, now_ns - max(asked_ns, _first_ns(connection) or now_ns))
    hours = span_ns / _HOUR_NS
    frequent, chattering = _frequent(news)
    lasting = _lasting(connection, before_ns=now_ns - _DAY_NS)
    per_span = Counter((now_ns - at_ns) // SPAN_NS for at_ns, *_ in news)
    return Statistics(
        hours=hours,
        operators=operators,
        new=len(news),
        per_operator_hour=len(news) / hours / operators,
        per_day=24.0 * len(news) / hours,
        flooded=sum(n > FLOOD for n in per_span.values()) / -(-span_ns // SPAN_NS),
        most_in_ten_minutes=max(per_span.values(), default=0),
        by_priority=_by_priority(connection, news),
        frequent=frequent,
        of_frequent=sum(one.share for one in frequent),
        chattering=chattering,
        lasting=tuple(lasting[:_LISTED]),
        n_lasting=len(lasting),
    )


def is_chattering(times_ns: Sequence[int]) -> bool:
    """Say whether an alarm was new thrice within a minute.

    Parameters
    ----------
    times_ns : sequence of int
        Ascending.

    Examples
    --------
    >>> minute = 60 * 10**9
    >>> is_chattering([0, minute // 2, minute]), is_chattering([0, minute // 2, minute + 1])
    (True, False)
    """
    later = times_ns[_CHATTERS - 1 :]
    return any(last - first <= _MINUTE_NS for first, last in zip(times_ns, later, strict=False))


def _news(connection: Connection, *, first_ns: int, last_ns: int) -> list[tuple[int, str, str]]:
    entry = alarm_journal.c
    became_new = (entry.after == "unacknowledged") & (entry.before != "unacknowledged")
    query = (
        sa.select(entry.at_ns, entry.point_id, entry.tag)
        .where(entry.at_ns > first_ns, entry.at_ns <= last_ns, became_new)
        .order_by(entry.at_ns.desc())
        .limit(_MOST)
    )
    return [(row.at_ns, row.point_id, row.tag) for row in connection.execute(query)][::-1]


def _first_ns(connection: Connection) -> int | None:
    return connection.execute(sa.select(sa.func.min(alarm_journal.c.at_ns))).scalar()


def _frequent(news: Iterable[tuple[int, str, str]]) -> tuple[tuple[Frequent, ...], int]:
    times: dict[tuple[str, str], list[int]] = defaultdict(list)
    for at_ns, point_id, tag in news:
        times[point_id, tag].append(at_ns)
    total = sum(map(len, times.values()))
    chatter = {key for key, own in times.items() if is_chattering(own)}
    most = sorted(times, key=lambda key: (-len(times[key]), key))[:_LISTED]
    listed = tuple(Frequent(*key, len(times[key]), len(times[key]) / total, key in chatter) for key in most)
    return listed, len(chatter)


def _by_priority(connection: Connection, news: Iterable[tuple[int, str, str]]) -> dict[str, int]:
    query = sa.select(alarm_tags.c.point_id, alarm_tags.c.tag, alarm_tags.c.priority)
    priority = {(row.point_id, row.tag): row.priority for row in connection.execute(query)}
    return dict(Counter(priority[point_id, tag] for _, point_id, tag in news))


def _lasting(connection: Connection, *, before_ns: int) -> list[Lasting]:
    entry, tag = alarm_journal.c, alarm_tags.c
    same = (entry.point_id == tag.point_id) & (entry.tag == tag.tag)
    raised = sa.select(sa.func.max(entry.at_ns)).where(same, entry.action == "raise").scalar_subquery()
    shown = tag.state.in_(("unacknowledged", "acknowledged"))
    query = sa.select(tag.point_id, tag.tag, tag.state, raised.label("raised_ns")).where(tag.active, shown)
    found = [Lasting(*row) for row in connection.execute(query)]
    return sorted((one for one in found if one.raised_ns < before_ns), key=lambda one: (one.raised_ns, one.point_id))
