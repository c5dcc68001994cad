"""The account of a run from what is stored: bursts, journal, who served, labels, retraining; takes nothing on trust."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from app.alarms.register import HEALTH
from app.schema import (
    alarm_journal,
    alarm_tags,
    alarms,
    audit,
    blocks,
    labels,
    promotions,
    quarantine,
    retraining_runs,
    retraining_tasks,
    windows,
)

__all__ = ["acknowledged_h", "bursts", "champions", "journal", "labelled", "retraining"]

_HOUR_NS = 3_600_000_000_000
_Burst = tuple[str, int, int]


def bursts(connection: Connection, sent: Iterable[_Burst]) -> dict[str, int]:
    """Hold what was sent against what is stored.

    Parameters
    ----------
    connection : Connection
    sent : iterable of (str, int, int)
        Point, sequence and start of every burst.

    Returns
    -------
    dict
        Bursts sent, stored, `lost` (sent and not stored), `doubled` (rows beyond one for each), `strange` (stored and
        never sent), messages set aside, and windows stored for each burst beyond one.
    """
    wanted = Counter(sent)
    columns = (blocks.c.point_id, blocks.c.sequence, blocks.c.start_ns)
    stored = Counter((row.point_id, row.sequence, row.start_ns) for row in connection.execute(sa.select(*columns)))
    cut = connection.execute(sa.select(sa.func.count()).select_from(windows)).scalar_one()
    return {
        "sent": sum(wanted.values()),
        "stored": sum(stored.values()),
        "lost": len(wanted.keys() - stored.keys()),
        "doubled": sum(stored.values()) - len(stored),
        "strange": len(stored.keys() - wanted.keys()),
        "set_aside": connection.execute(sa.select(sa.func.count()).select_from(quarantine)).scalar_one(),
        "windows": cut,
        "windows_too_many": cut - len(wanted),
    }


def journal(connection: Connection) -> dict[str, int]:
    """Go through the journal of alarms.

    Returns
    -------
    dict
        Steps; `broken`, steps that do not begin where the one before ended; `astray`, alarms that stand otherwise than
        their last step says; `unmatched`, alarms of scores without a raise in the journal, or the other way round.
    """
    order = (alarm_journal.c.point_id, alarm_journal.c.tag, alarm_journal.c.id)
    steps = connection.execute(sa.select(alarm_journal).order_by(*order)).all()
    last: dict[tuple[str, str], str] = {}
    broken = 0
    for step in steps:
        key = (step.point_id, step.tag)
        broken += step.before != last.get(key, "normal")
        last[key] = step.after
    standing = {(row.point_id, row.tag): row.state for row in connection.execute(sa.select(alarm_tags))}
    raised = Counter((s.point_id, s.at_ns) for s in steps if s.tag == HEALTH and s.action == "raise")
    rows = connection.execute(sa.select(alarms.c.point_id, alarms.c.raised_ns).where(alarms.c.tag == HEALTH))
    listed = Counter((row.point_id, row.raised_ns) for row in rows)
    return {
        "steps": len(steps),
        "broken": broken,
        "astray": sum(last.get(key) != state for key, state in standing.items()),
        "unmatched": (raised - listed).total() + (listed - raised).total(),
    }


def acknowledged_h(connection: Connection) -> list[float]:
    """Hours from each time that an alarm wanted attention to its acknowledgement, shortest first."""
    order = (alarm_journal.c.point_id, alarm_journal.c.tag, alarm_journal.c.id)
    steps = connection.execute(sa.select(alarm_journal).order_by(*order))
    waited: list[float] = []
    for _, own in groupby(steps, key=lambda step: (step.point_id, step.tag)):
        since: int | None = None
        for step in own:
            if step.after == "unacknowledged" and step.before != "unacknowledged":
                since = step.at_ns
            elif step.action == "acknowledge" and since is not None:
                waited.append((step.at_ns - since) / _HOUR_NS)
                since = None
    return sorted(waited)


def champions(connection: Connection) -> dict[str, int]:
    """Say whether a model served every point throughout.

    Returns
    -------
    dict
        Windows judged and windows while a baseline was learned; `unserved`, windows without verdict of a point that was
        judged before and was not sent to learn anew; `unexplained`, changes of model that were neither a promotion nor
        one taken back, of a point that was not sent to learn anew meanwhile.
    """
    handed_over = _handed_over(connection)
    anew = _learned_anew(connection)
    columns = (windows.c.point_id, windows.c.start_ns, windows.c.bundle)
    rows = connection.execute(sa.select(*columns).order_by(windows.c.point_id, windows.c.id))
    counts = Counter({"judged": 0, "while_learning": 0, "unserved": 0, "unexplained": 0})
    for point_id, own in groupby(rows, key=lambda row: row.point_id):
        bundle, judged_ns = None, 0
        for row in own:
            counts["judged" if row.bundle else "while_learning"] += 1
            sent_back = any(judged_ns < at_ns <= row.start_ns for at_ns in anew[point_id])
            if row.bundle is None:
                counts["unserved"] += bundle is not None and not sent_back
                continue
            changed = bundle is not None and row.bundle != bundle
            counts["unexplained"] += changed and not sent_back and (point_id, bundle, row.bundle) not in handed_over
            bundle, judged_ns = row.bundle, row.start_ns
    return dict(counts)


def _handed_over(connection: Connection) -> set[tuple[str, str | None, str | None]]:
    """Point, former and next model of every promotion, and of every one that was taken back."""
    found: set[tuple[str, str | None, str | None]] = set()
    for row in connection.execute(sa.select(promotions).where(promotions.c.point_id != "")):
        found.add((row.point_id, row.former, row.bundle))
        if row.undone_ns is not None:
            found.add((row.point_id, row.bundle, row.former))
    return found


def _learned_anew(connection: Connection) -> dict[str, list[int]]:
    """Times at which points were sent to learn anew: by repairs, and by engineers."""
    found: dict[str, list[int]] = defaultdict(list)
    for row in connection.execute(sa.select(labels.c.point_id, labels.c.at_ns).where(labels.c.kind == "repair")):
        found[row.point_id].append(row.at_ns)
    for row in connection.execute(sa.select(audit.c.target, audit.c.at_ns).where(audit.c.action == "learn anew")):
        found[row.target].append(row.at_ns)
    return found


def labelled(connection: Connection) -> dict[str, int]:
    """Count labels by kind."""
    query = sa.select(labels.c.kind, sa.func.count().label("n")).group_by(labels.c.kind).order_by(labels.c.kind)
    return {row.kind: row.n for row in connection.execute(query)}


def retraining(connection: Connection) -> dict[str, Any]:
    """What the nightly job came to.

    Returns
    -------
    dict
        Runs and unfinished ones, tasks by outcome, tasks of which a step was begun again, and `decided`: point, hour,
        outcome and reasons of all that were promoted or refused.
    """
    runs = {row.id: row for row in connection.execute(sa.select(retraining_runs))}
    outcomes: Counter[str] = Counter()
    decided: list[dict[str, Any]] = []
    again = 0
    for task in connection.execute(sa.select(retraining_tasks).order_by(retraining_tasks.c.run_id)):
        findings = json.loads(task.findings)
        outcomes[task.outcome or "undecided"] += 1
        again += any(n > 1 for n in findings.get("attempts", {}).values())
        if task.outcome in ("promoted", "refused", "failed", "overtaken"):
            at_ns, reasons = runs[task.run_id].started_ns, list(findings.get("reasons", []))
            decided.append({"point": task.point_id, "at_ns": at_ns, "outcome": task.outcome, "reasons": reasons})
    return {
        "runs": len(runs),
        "unfinished": sum(row.state != "done" for row in runs.values()),
        "outcomes": dict(sorted(outcomes.items())),
        "begun_again": again,
        "decided": decided,
    }
