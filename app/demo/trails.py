"""What people did in a history that is written at once: alarms worked through, labels, work, repairs, by time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Connection

from app.access.audit import note
from app.access.roles import User
from app.alarms.register import HEALTH, NO_DATA, SEVERITY, follow, take
from app.demo.past import HistoryPlan, Past, Spell
from app.demo.world import HOUR_NS
from app.labels.closures import built_in_closures
from app.labels.records import FAULTS, Kind, give
from app.labels.workorders import ask, close
from app.schema import alarms, points, work_orders
from app.store import Quarantined, count, quarantine_payloads

__all__ = ["write_trails"]

_KIM, _LEE, _ADA = User("kim", "operator"), User("lee", "operator"), User("ada", "engineer")
_REFUSED = (
    ("malformed", "it is neither CBOR nor JSON", b"\x00\xffvibration"),
    ("topic", "'raceway/v1/short' has not the parts site/asset/point", b""),
    ("range", "rate_hz 0 is below 10", b'{"v":1,"rate":0}'),
    ("clock", "start lies 93 days behind the clock", b'{"v":1}'),
    ("rate_changed", "12800 Hz where 10240 Hz were said", b'{"v":1,"rate":12800}'),
)
_SET_ASIDE = 180
_WHY = ("vibration can be heard at the drive end", "temperature is up too", "seen on the round", "")


# What happens at a time.
_Step = tuple[int, Callable[[Connection, int], None]]


def write_trails(connection: Connection, pasts: Sequence[Past], plan: HistoryPlan, rng: np.random.Generator) -> None:
    """Take every step of every alarm through the functions that people's own steps go through."""
    steps: list[_Step] = []
    for i, past in enumerate(pasts):
        for spell in past.spells:
            steps += _of_spell(past, spell, plan, rng, quick=i % 3 != 0)
        steps += _of_silence(past, plan)
        if i % 6 == 1 and not past.spells:
            steps += _false(past, plan, rng)
    for at_ns, act in sorted(steps, key=lambda step: step[0]):
        if at_ns < plan.end_ns:
            act(connection, at_ns)
    _write_quarantine(connection, plan, rng)
    note(connection, _ADA, "asset enter", target="demo-works", why="first import", now_ns=plan.begin_ns)


def _at(plan: HistoryPlan, hour: float) -> int:
    return plan.begin_ns + round(hour * HOUR_NS)


def _of_spell(past: Past, spell: Spell, plan: HistoryPlan, rng: np.random.Generator, *, quick: bool) -> Iterator[_Step]:
    point = past.point_id
    raised, ended = spell.raised_h, spell.ended_h
    who = (_KIM, _LEE)[int(rng.integers(2))]
    why = str(rng.choice(_WHY))

    def raises(connection: Connection, now_ns: int) -> None:
        follow(connection, point, HEALTH, active=True, now_ns=now_ns)
        row = {"point_id": point, "raised_ns": now_ns, "window_start_ns": _start_of(past, plan, raised)}
        made = {"ratio": float(past.ratio[raised]), "kind": spell.named, "tag": HEALTH}
        surely = json.dumps({"normal": 0.1, "inner": 0.1, "outer": 0.1, "ball": 0.1} | {_shown(spell): 0.7})
        connection.execute(alarms.insert().values(**row, **made, probabilities=surely))

    def acknowledges(connection: Connection, now_ns: int) -> None:
        take(connection, point, HEALTH, "acknowledge", now_ns=now_ns, who=who.name, why=why)

    def asks(connection: Connection, now_ns: int) -> None:
        ask(connection, who, point, now_ns=now_ns, alarm_id=_alarm(connection, point), why="to be inspected")

    def says(connection: Connection, now_ns: int) -> None:
        right = bool(rng.random() < 0.8)
        named = None if right else str(rng.choice([kind for kind in FAULTS if kind != spell.named]))
        kind: Kind = "confirm" if right else "rename"
        alarm = _alarm(connection, point)
        give(connection, who, point, kind, now_ns=now_ns, alarm_id=alarm, named=named, why="inspected", origin="demo")

    def repairs(connection: Connection, now_ns: int) -> None:
        order = _open_order(connection, point)
        if order is None:
            give(connection, who, point, "repair", now_ns=now_ns, why="bearing changed", origin="demo")
        else:
            codes = built_in_closures()
            close(connection, who, order, code="repaired", closures=codes, now_ns=now_ns, why="done")

    waits = 36.0 if not quick else float(rng.uniform(0.2, 9.0))
    yield _start_of(past, plan, raised) + 400_000_000, raises
    if ended is None and not quick:
        return
    yield _at(plan, raised + waits), acknowledges
    if quick:
        yield _at(plan, raised + waits + 2.0), asks
        yield _at(plan, raised + waits + 26.0), says
    if ended is not None:
        yield _at(plan, max(float(ended), raised + waits + 27.0)), repairs


def _shown(spell: Spell) -> str:
    return "normal" if spell.named == "other" else spell.named


def _start_of(past: Past, plan: HistoryPlan, hour: int) -> int:
    """Start of the window of an hour; machines are measured one after the other."""
    return plan.begin_ns + hour * HOUR_NS + (past.place + 1) * 20_000_000_000


def _alarm(connection: Connection, point: str) -> int | None:
    own = (alarms.c.point_id == point) & alarms.c.cleared_ns.is_(None)
    return connection.execute(sa.select(sa.func.max(alarms.c.id)).where(own)).scalar()


def _open_order(connection: Connection, point: str) -> str | None:
    own = (work_orders.c.point_id == point) & (work_orders.c.state != "closed")
    return connection.execute(sa.select(work_orders.c.key).where(own).limit(1)).scalar()


def _of_silence(past: Past, plan: HistoryPlan) -> Iterator[_Step]:
    """The alarm of a machine from which nothing came for a while."""

    def raises(connection: Connection, now_ns: int) -> None:
        follow(connection, past.point_id, NO_DATA, active=True, now_ns=now_ns, why="silent")

    def clears(connection: Connection, now_ns: int) -> None:
        follow(connection, past.point_id, NO_DATA, active=False, now_ns=now_ns, why="it speaks again")

    for change in past.plan.changes:
        if change.what == "silence":
            yield _at(plan, change.at_h + 1.0), raises
            yield _at(plan, change.at_h + change.hours), clears


def _false(past: Past, plan: HistoryPlan, rng: np.random.Generator) -> Iterator[_Step]:
    """An alarm of the zone that comes and goes, and one that was shelved."""
    hour = float(rng.uniform(0.5, 0.95)) * plan.hours
    shelved = bool(rng.random() < 0.5)

    def raises(connection: Connection, now_ns: int) -> None:
        why = "104 % of where zone C begins, at 2.9 mm/s"
        follow(connection, past.point_id, SEVERITY, active=True, now_ns=now_ns, why=why)

    def deals(connection: Connection, now_ns: int) -> None:
        if shelved:
            until_ns, why = now_ns + 30 * 24 * HOUR_NS, "a known resonance; the frame is stiffened next month"
            who = _LEE.name
            take(connection, past.point_id, SEVERITY, "shelve", now_ns=now_ns, who=who, why=why, until_ns=until_ns)
        else:
            take(connection, past.point_id, SEVERITY, "acknowledge", now_ns=now_ns, who=_KIM.name)

    def clears(connection: Connection, now_ns: int) -> None:
        follow(connection, past.point_id, SEVERITY, active=False, now_ns=now_ns)

    yield _at(plan, hour), raises
    yield _at(plan, hour + 3.0), deals
    if not shelved:
        yield _at(plan, hour + 30.0), clears


def _write_quarantine(connection: Connection, plan: HistoryPlan, rng: np.random.Generator) -> None:
    topics = list(connection.execute(sa.select(points.c.id).order_by(points.c.id)).scalars())
    found = []
    for at_h in np.sort(rng.uniform(0.0, plan.hours, _SET_ASIDE)):
        reason, detail, payload = _REFUSED[int(rng.integers(len(_REFUSED)))]
        topic = f"raceway/v1/{rng.choice(topics)}/waveform"
        found.append(Quarantined(_at(plan, float(at_h)), topic, reason, detail, payload))
    quarantine_payloads(connection, found, keep_bytes=1 << 16)
    reasons = [one.reason for one in found]
    count(connection, {("", f"refused {reason}"): reasons.count(reason) for reason in set(reasons)})
