"""How many alarms come at once: counts per ten minutes over a stretch of time, and which machines they are of."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from app.schema import alarm_journal

__all__ = ["FLOOD", "SPAN_NS", "Rate", "alarm_rate"]

SPAN_NS = 600_000_000_000
# More new alarms than this in ten minutes are more than one operator can answer (ISA-18.2, EEMUA 191).
FLOOD = 10


@dataclass(frozen=True)
class Rate:
    """New alarms over a stretch of time.

    Attributes
    ----------
    per_span : tuple of int
        Of each ten minutes, the oldest first; the last one ends now.
    by_machine : tuple of (str, int)
        New alarms of each machine, the most first.
    """

    per_span: tuple[int, ...]
    by_machine: tuple[tuple[str, int], ...]

    @property
    def now(self) -> int:
        """Of the last ten minutes."""
        return self.per_span[-1]

    @property
    def flood(self) -> bool:
        """Whether there are more than one operator can answer."""
        return self.now > FLOOD


def alarm_rate(connection: Connection, *, now_ns: int, spans: int = 144) -> Rate:
    """Count new alarms of the last stretches of ten minutes; a day where not said otherwise.

    Parameters
    ----------
    connection : Connection
    now_ns : int
    spans : int
        At least 1.
    """
    first_ns = now_ns - spans * SPAN_NS
    entry = alarm_journal.c
    became_new = (entry.after == "unacknowledged") & (entry.before != "unacknowledged")
    query = sa.select(entry.at_ns, entry.point_id).where(became_new, entry.at_ns > first_ns, entry.at_ns <= now_ns)
    counts, machines = [0] * spans, Counter[str]()
    for at_ns, point_id in connection.execute(query):
        # From the end, so that the last ten minutes are whole.
        counts[spans - 1 - (now_ns - at_ns) // SPAN_NS] += 1
        machines[point_id.rpartition("/")[0]] += 1
    return Rate(tuple(counts), tuple(machines.most_common()))
