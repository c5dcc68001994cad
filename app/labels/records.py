"""Labels: what people say of a verdict, a stretch of time or a machine; rows are never changed, later ones hold.

A label is about an alarm, or about a stretch of time of a point. It takes along what was said of it when it was given
(kind, score, threshold, bundles, feature contract), so that it can be learned from when those are long gone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import sqlalchemy as sa
from sqlalchemy import Connection

from app.access.audit import note
from app.access.roles import User, demand
from app.alarms.register import HEALTH
from app.commissioning import begin_anew, known_point
from app.kinds import KINDS
from app.schema import alarms, labels, node_reports, nodes, windows
from app.watch import kind_of
from features.errors import ParameterError

__all__ = [
    "FAULTS",
    "LABELS",
    "VERDICTS",
    "Kind",
    "Label",
    "alarms_said",
    "give",
    "holding",
    "labels_of",
    "latest_label",
    "node_words",
    "verdicts",
]

Kind = Literal["confirm", "reject", "rename", "repair", "note"]
LABELS: tuple[Kind, ...] = get_args(Kind)
# Labels that say what a verdict should have been: of one alarm or stretch the latest holds.
VERDICTS: tuple[Kind, ...] = ("confirm", "reject", "rename")
# What a fault can be called; what is none is rejected.
FAULTS = tuple(kind for kind in KINDS if kind != "normal")
_EVERYTHING, _FOR_EVER = 1_000_000, (1 << 63) - 1
# What made a verdict.
_MADE = tuple(windows.c[name] for name in ("score", "threshold", "bundle", "diagnosis_bundle", "contract"))


@dataclass(frozen=True, slots=True)
class Label:
    """What somebody said, and what it was said of.

    Attributes
    ----------
    id : int
        Grows in the order in which labels are given.
    point_id, kind : str
    at_ns : int
        When it was given.
    first_ns, last_ns : int
        The stretch of time that it is about, of an alarm as it was then; of a repair, the moment from which the machine
        is as new.
    alarm_id : int or None
        The alarm that it is about.
    named : str or None
        The fault kind that it gives, of a label that renames.
    said : str or None
        The fault kind of the verdict; None where none was known.
    score, threshold : float or None
    bundle, diagnosis_bundle, contract : str or None
        What made the verdict.
    origin : str
        Where it was given: ``console``, ``command line``, or a work order.
    who, why : str
    """

    id: int
    point_id: str
    kind: Kind
    at_ns: int
    first_ns: int
    last_ns: int
    alarm_id: int | None = None
    named: str | None = None
    said: str | None = None
    score: float | None = None
    threshold: float | None = None
    bundle: str | None = None
    diagnosis_bundle: str | None = None
    contract: str | None = None
    origin: str = "console"
    who: str = ""
    why: str = ""

    @property
    def subject(self) -> tuple[str, int | None, int, int]:
        """What it is about; an alarm stays the same one while it grows longer."""
        if self.alarm_id is not None:
            return self.point_id, self.alarm_id, 0, 0
        return self.point_id, None, self.first_ns, self.last_ns

    @property
    def fault(self) -> str | None:
        """The fault kind that was there by this label: ``normal`` of a rejected one, None where it says none.

        Examples
        --------
        >>> Label(1, "a/b/c", "rename", 5, 0, 4, named="inner", said="outer").fault
        'inner'
        >>> Label(2, "a/b/c", "reject", 6, 0, 4, said="outer").fault
        'normal'
        """
        return {"confirm": self.said, "rename": self.named, "reject": "normal"}.get(self.kind)


def holding(given: Iterable[Label]) -> list[Label]:
    """Say which labels hold, oldest first.

    Parameters
    ----------
    given : iterable of Label
        In any order.

    Returns
    -------
    list of Label
        Of those that judge the same alarm or stretch the latest; every repair and note.

    Examples
    --------
    >>> first = Label(1, "a/b/c", "reject", 5, 0, 4)
    >>> later = Label(2, "a/b/c", "confirm", 6, 0, 4, said="outer")
    >>> [label.kind for label in holding([later, first])]
    ['confirm']
    """
    ordered = sorted(given, key=lambda label: (label.at_ns, label.id))
    latest = {label.subject: label for label in ordered if label.kind in VERDICTS}
    return [label for label in ordered if label.kind not in VERDICTS or latest[label.subject] is label]


def give(
    connection: Connection,
    user: User,
    point_id: str,
    kind: Kind,
    *,
    now_ns: int,
    first_ns: int | None = None,
    last_ns: int | None = None,
    alarm_id: int | None = None,
    named: str | None = None,
    why: str = "",
    origin: str = "console",
) -> Label:
    """Write down what somebody says, in the caller's transaction; a repair lets the point learn anew in the same one.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    user : User
    point_id : str
    kind : str
        ``confirm``, ``reject`` and ``rename`` judge a verdict; a repair makes the machine as new and ends its alarm.
    now_ns : int
    first_ns, last_ns : int, optional
        The stretch of time. Without it: that of the alarm, else the latest window; of a repair or note, the moment.
    alarm_id : int, optional
        The alarm that it is about; a verdict is about all of it.
    named : str, optional
        One of ``FAULTS``, to rename.
    why : str
        Wanted of a note.
    origin : str
        Where it was given.

    Returns
    -------
    Label
        With the verdict that it is about.

    Raises
    ------
    ForbiddenError
        If the user may not label.
    ParameterError
        If there is no such point, alarm, kind or verdict, or something does not fit the label.
    """
    demand(user, "label")
    _check(kind, named, why, first_ns, last_ns)
    if kind in VERDICTS and None not in (alarm_id, first_ns):
        raise ParameterError("a verdict is about an alarm or about a stretch of time; give one of them")
    known_point(connection, point_id)
    about = _about(connection, point_id, kind, now_ns, first_ns, last_ns, alarm_id)
    values = about | {"point_id": point_id, "kind": kind, "at_ns": now_ns, "alarm_id": alarm_id, "named": named}
    values |= {"origin": origin, "who": user.name, "why": why}
    key = connection.execute(labels.insert().values(**values)).inserted_primary_key
    assert key is not None
    label = Label(id=int(key[0]), **values)
    note(connection, user, f"label {kind}", target=point_id, why=_words(label), now_ns=now_ns)
    if kind == "repair":
        begin_anew(connection, point_id, now_ns=now_ns, who=user.name, why=f"repaired: {why}" if why else "repaired")
    return label


def labels_of(
    connection: Connection, *, point_id: str | None = None, first_ns: int = 0, most: int = 1000
) -> list[Label]:
    """List the latest labels, newest first: of one point or of all, of what lasted until a time or longer."""
    query = sa.select(labels).order_by(labels.c.id.desc()).limit(most)
    if point_id is not None:
        query = query.where(labels.c.point_id == point_id)
    if first_ns:
        query = query.where(labels.c.last_ns >= first_ns)
    return [Label(**row._mapping) for row in connection.execute(query)]


def verdicts(connection: Connection, *, point_id: str | None = None) -> list[Label]:
    """List the verdicts that hold, oldest first: of one point or of all.

    Returns
    -------
    list of Label
        One on an alarm is about all of it, until it ended: whoever judged it while it stood could not know when. Of one
        that stands `last_ns` is beyond all times.
    """
    held = holding(labels_of(connection, point_id=point_id, most=_EVERYTHING))
    judged = sa.select(labels.c.alarm_id).where(labels.c.kind.in_(VERDICTS), labels.c.alarm_id.is_not(None))
    query = sa.select(alarms.c.id, alarms.c.raised_ns, alarms.c.cleared_ns).where(alarms.c.id.in_(judged))
    ends = {
        row.id: _FOR_EVER if row.cleared_ns is None else max(row.raised_ns, row.cleared_ns)
        for row in connection.execute(query)
    }
    return [
        label if label.alarm_id is None else replace(label, last_ns=ends.get(label.alarm_id, label.last_ns))
        for label in held
        if label.kind in VERDICTS
    ]


def latest_label(connection: Connection, point_id: str) -> int:
    """Give the number of the last label of a point, 0 where there is none."""
    return connection.execute(sa.select(sa.func.max(labels.c.id)).where(labels.c.point_id == point_id)).scalar() or 0


def alarms_said(
    connection: Connection, *, point_id: str | None = None, most: int = 100
) -> list[tuple[sa.Row[Any], Label | None]]:
    """List the latest alarms of one point or of all, newest first, each with the label that holds of it."""
    query = sa.select(alarms).limit(most)
    if point_id is None:
        query = query.order_by(alarms.c.id.desc())
    else:
        # By the index of a point's alarms.
        query = query.where(alarms.c.point_id == point_id).order_by(alarms.c.raised_ns.desc(), alarms.c.id.desc())
    found = connection.execute(query).all()
    about = labels.c.alarm_id.in_([row.id for row in found]) & labels.c.kind.in_(VERDICTS)
    if point_id is not None:
        about &= labels.c.point_id == point_id
    given = [Label(**row._mapping) for row in connection.execute(sa.select(labels).where(about))]
    held = {label.alarm_id: label for label in holding(given)}
    return [(row, held.get(row.id)) for row in found]


def node_words(connection: Connection, point_id: str) -> str | None:
    """Say what a repair means at a point whose node judges, or None where the server does.

    The node's baseline is its own, and so is its alarm: both begin anew once it is told to, see `app.fleet.repairs`.
    """
    row = connection.execute(sa.select(nodes.c.name).where(nodes.c.point_id == point_id)).first()
    if row is None:
        return None
    return (
        f"The node {row.name} judges here by its own baseline: it is told to learn anew as soon as it is reached, and "
        "its alarm ends when it says so."
    )


def _check(kind: Kind, named: str | None, why: str, first_ns: int | None, last_ns: int | None) -> None:
    if kind not in LABELS:
        raise ParameterError(f"label {kind!r} is none; one of {', '.join(LABELS)} is wanted")
    if (kind == "rename") != (named is not None):
        given = "no fault kind" if named is None else f"the fault kind {named!r}"
        raise ParameterError(f"{given} was given to {kind}; one is wanted to rename, and only then")
    if named is not None and named not in FAULTS:
        raise ParameterError(f"fault kind {named!r} is none; one of {', '.join(FAULTS)} is wanted, or reject it")
    if kind == "note" and not why.strip():
        raise ParameterError("a note says nothing; give its text")
    if (first_ns is None) != (last_ns is None) or (first_ns or 0) > (last_ns or 0):
        raise ParameterError(f"a stretch from {first_ns} to {last_ns} is none; give both, the first not after the last")


def _about(
    connection: Connection,
    point_id: str,
    kind: Kind,
    now_ns: int,
    first_ns: int | None,
    last_ns: int | None,
    alarm_id: int | None,
) -> dict[str, Any]:
    """Stretch and verdict that a label is about, as columns."""
    verdict: dict[str, Any] = {}
    if alarm_id is not None:
        verdict = _of_alarm(connection, point_id, alarm_id, now_ns=now_ns)
    elif found := _latest_window(connection, point_id, first_ns, last_ns):
        verdict = found
    elif kind in VERDICTS:
        raise ParameterError(f"nothing was judged at {point_id} {'then' if first_ns is not None else 'yet'}")
    if first_ns is not None:
        verdict |= {"first_ns": first_ns, "last_ns": last_ns}
    elif kind == "repair" or "first_ns" not in verdict:
        # From now on the machine is as new, however long ago it was judged.
        verdict |= {"first_ns": now_ns, "last_ns": now_ns}
    return verdict


def _of_alarm(connection: Connection, point_id: str, alarm_id: int, *, now_ns: int) -> dict[str, Any]:
    row = connection.execute(sa.select(alarms).where(alarms.c.id == alarm_id)).first()
    if row is None or row.point_id != point_id:
        raise ParameterError(f"{point_id} has no alarm {alarm_id}; `raceway labels alarms` lists them")
    first_ns = min(row.window_start_ns, row.raised_ns)
    stretch = {"first_ns": first_ns, "last_ns": max(row.raised_ns, row.cleared_ns or now_ns), "said": row.kind}
    if row.tag != HEALTH:
        return stretch | _of_report(connection, point_id, row.window_start_ns)
    own = (windows.c.point_id == point_id) & (windows.c.start_ns == row.window_start_ns)
    made = connection.execute(sa.select(*_MADE).where(own).order_by(windows.c.id.desc()).limit(1)).first()
    return stretch | ({} if made is None else dict(made._mapping))


def _of_report(connection: Connection, point_id: str, at_ns: int) -> dict[str, Any]:
    """Verdict of a node; its model stands for the bundle, which it does not know."""
    columns = (node_reports.c.score, node_reports.c.threshold, node_reports.c.model, node_reports.c.contract)
    own = (node_reports.c.point_id == point_id) & (node_reports.c.at_ns == at_ns)
    row = connection.execute(sa.select(*columns).where(own).order_by(node_reports.c.id.desc()).limit(1)).first()
    if row is None:
        return {}
    made_by = f"node model {row.model}"
    return {"score": row.score, "threshold": row.threshold, "bundle": made_by, "contract": row.contract}


def _latest_window(
    connection: Connection, point_id: str, first_ns: int | None, last_ns: int | None
) -> dict[str, Any] | None:
    """The latest window that was judged, of a stretch where one is given."""
    query = sa.select(windows.c.start_ns, windows.c.end_ns, windows.c.probabilities, *_MADE)
    query = query.where(windows.c.point_id == point_id)
    if first_ns is not None:
        query = query.where(windows.c.start_ns <= last_ns, windows.c.end_ns >= first_ns)
    row = connection.execute(query.order_by(windows.c.start_ns.desc()).limit(1)).first()
    if row is None:
        return None
    values = dict(row._mapping)
    probabilities = values.pop("probabilities")
    stretch = {"first_ns": values.pop("start_ns"), "last_ns": values.pop("end_ns")}
    return stretch | values | {"said": kind_of(json.loads(probabilities) if probabilities else None)}


def _words(label: Label) -> str:
    """A label in one line, for the trail."""
    about = "" if label.alarm_id is None else f"alarm {label.alarm_id}"
    what = f"{label.said or 'unknown'} is {label.fault or 'unknown'}" if label.kind in VERDICTS else ""
    return ", ".join(part for part in (about, what, label.why) if part)
