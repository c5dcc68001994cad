"""The people of the scripted day: they look at set hours and decide by what Raceway says; only an inspection sees more.

An alarm is acknowledged at the next look. A strong one is inspected at the look after that, a weak one when it has
stood for a day. What is found is confirmed or renamed and mended a day later; where nothing is found, the verdict is
rejected and the alarm shelved. One that still stands when its shelf ends is taken for another way of running, and the
point learns anew. A machine that has failed is mended when its parts are there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from app.access.roles import User
from app.alarms.register import HEALTH, Tag, tags, take
from app.commissioning import relearn
from app.demo.world import BREAKDOWN_H, HOUR_NS
from app.labels.records import FAULTS, Kind, give
from app.schema import alarms, points
from app.store import reading, writing

__all__ = ["ENGINEER", "OPERATOR", "People"]

OPERATOR = User("Kim, operator", "operator")
ENGINEER = User("Ada, engineer", "engineer")
# Score over threshold from which an alarm is strong, and how long a weak one stands before anybody goes there.
_STRONG, _WEAK_STANDS_H = 2.0, 24.0
_PARTS_H, _SHELVED_H = 20.0, 48.0
_ORIGIN = "scripted day"


@dataclass
class _Case:
    """What is under way at a point.

    Attributes
    ----------
    inspect_ns, mend_ns : int or None
        When somebody goes there, and when parts are there; None: not planned.
    shelved : bool
        Whether somebody was there once and found nothing.
    alarm_id : int or None
    """

    inspect_ns: int | None = None
    mend_ns: int | None = None
    shelved: bool = False
    alarm_id: int | None = None


@dataclass
class People:
    """Operator and engineer of a plant.

    Parameters
    ----------
    engine : Engine
    truth : callable
        What an inspection of a point finds: a fault kind or None.
    mend : callable
        Told the point that is mended now.
    """

    engine: Engine
    truth: Callable[[str], str | None]
    mend: Callable[[str], None]
    _cases: dict[str, _Case] = field(default_factory=dict)
    _broken: dict[str, int] = field(default_factory=dict)

    def machine_failed(self, point_id: str, *, now_ns: int) -> None:
        """See a machine stand still; it is mended when its parts have come."""
        self._cases.pop(point_id, None)
        self._broken[point_id] = now_ns + round(BREAKDOWN_H * HOUR_NS)

    def look(self, *, now_ns: int) -> None:
        """Go through the work list and what is under way."""
        with writing(self.engine) as connection:
            for tag in tags(connection, waiting=True):
                take(connection, tag.point_id, tag.tag, "acknowledge", now_ns=now_ns, who=OPERATOR.name)
            standing = {tag.point_id: tag for tag in tags(connection) if tag.tag == HEALTH and tag.alarm.active}
            for point_id in sorted(standing):
                self._follow(connection, standing[point_id], now_ns=now_ns)
        # An alarm that went by itself before anybody went there needs nobody.
        self._cases = {key: case for key, case in self._cases.items() if key in standing or case.mend_ns is not None}
        for point_id in sorted(self._cases):
            self._go_on(point_id, self._cases[point_id], now_ns=now_ns)
        self._mend_broken(now_ns)

    def _follow(self, connection: Connection, tag: Tag, *, now_ns: int) -> None:
        case = self._cases.setdefault(tag.point_id, _Case())
        if case.inspect_ns is not None or case.mend_ns is not None or tag.alarm.hidden or case.shelved:
            return
        row = connection.execute(sa.select(points.c.score, points.c.threshold).where(points.c.id == tag.point_id)).one()
        strong = row.score is not None and row.score >= _STRONG * row.threshold
        if strong or now_ns - tag.alarm.since_ns >= round(_WEAK_STANDS_H * HOUR_NS):
            case.inspect_ns, case.alarm_id = now_ns, _open_alarm(connection, tag.point_id)
            why = f"to be inspected: {'strong' if strong else 'it has stood for a day'}"
            take(connection, tag.point_id, HEALTH, "comment", now_ns=now_ns, who=OPERATOR.name, why=why)

    def _go_on(self, point_id: str, case: _Case, *, now_ns: int) -> None:
        if case.mend_ns is not None and now_ns >= case.mend_ns:
            self._mended(point_id, "planned repair", now_ns=now_ns)
            del self._cases[point_id]
        elif case.inspect_ns is not None and now_ns > case.inspect_ns:
            case.inspect_ns = None
            self._inspect(point_id, case, now_ns=now_ns)
        elif case.shelved and not self._hidden(point_id):
            relearn(self.engine, ENGINEER, point_id, now_ns=now_ns, why="sound, but it runs otherwise than learned")
            del self._cases[point_id]

    def _inspect(self, point_id: str, case: _Case, *, now_ns: int) -> None:
        found = self.truth(point_id)
        with writing(self.engine) as connection:
            if found is None:
                _judge(connection, point_id, "reject", case, why="inspected, nothing found", now_ns=now_ns)
                self._shelve(connection, point_id, now_ns=now_ns)
                case.shelved = True
                return
            said = connection.execute(sa.select(alarms.c.kind).where(alarms.c.id == case.alarm_id)).scalar()
            named = found if found in FAULTS else "other"
            right = said == named
            _judge(
                connection,
                point_id,
                "confirm" if right else "rename",
                case,
                named=None if right else named,
                why=f"inspected: {found}",
                now_ns=now_ns,
            )
            case.mend_ns = now_ns + round(_PARTS_H * HOUR_NS)

    def _shelve(self, connection: Connection, point_id: str, *, now_ns: int) -> None:
        until_ns = now_ns + round(_SHELVED_H * HOUR_NS)
        why = "inspected, nothing found; to be looked at again"
        take(connection, point_id, HEALTH, "shelve", now_ns=now_ns, who=OPERATOR.name, why=why, until_ns=until_ns)

    def _hidden(self, point_id: str) -> bool:
        with reading(self.engine) as connection:
            return any(tag.point_id == point_id and tag.tag == HEALTH and tag.alarm.hidden for tag in tags(connection))

    def _mend_broken(self, now_ns: int) -> None:
        for point_id in [key for key, due_ns in self._broken.items() if now_ns >= due_ns]:
            del self._broken[point_id]
            self._labelled(point_id, "repaired after its failure", now_ns=now_ns)

    def _mended(self, point_id: str, why: str, *, now_ns: int) -> None:
        self.mend(point_id)
        self._labelled(point_id, why, now_ns=now_ns)

    def _labelled(self, point_id: str, why: str, *, now_ns: int) -> None:
        with writing(self.engine) as connection:
            give(connection, OPERATOR, point_id, "repair", now_ns=now_ns, why=why, origin=_ORIGIN)


def _judge(
    connection: Connection,
    point_id: str,
    kind: Kind,
    case: _Case,
    *,
    now_ns: int,
    why: str,
    named: str | None = None,
) -> None:
    alarm_id = case.alarm_id
    give(connection, OPERATOR, point_id, kind, now_ns=now_ns, alarm_id=alarm_id, named=named, why=why, origin=_ORIGIN)


def _open_alarm(connection: Connection, point_id: str) -> int | None:
    own = (alarms.c.point_id == point_id) & (alarms.c.tag == HEALTH) & alarms.c.cleared_ns.is_(None)
    return connection.execute(sa.select(sa.func.max(alarms.c.id)).where(own)).scalar()
