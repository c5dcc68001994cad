"""Nodes in a history that is written at once: their reports and logs, a gateway, roll-outs of models to them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sqlalchemy import Connection

from app.demo.past import HistoryPlan, Past
from app.demo.world import HOUR_NS, N_SAMPLES, RATE_HZ
from app.fleet.candidates import lay
from app.fleet.records import create, keep, one_rollout
from app.fleet.rollout import Member, halted, planned
from app.schema import gateways, node_events, node_reports, nodes
from app.store import PointRow, count, insert_rows, save_point
from features.contract import NODE

__all__ = ["write_fleet"]

_GATEWAY = "demo-works/hall-1/gateway"
_PERIOD_MS = 3_600_000
_LOGS = ("sampling at 10240 Hz", "the link was lost for 12 s", "the window was clipped", "the baseline is complete")
_KNOWN = np.packbits([name in NODE.knowing().names for name in NODE.names], bitorder="little").tobytes()


def write_fleet(connection: Connection, pasts: Sequence[Past], plan: HistoryPlan, rng: np.random.Generator) -> None:
    """Put a node on the other end of some machines, with an hourly report each, and models on their way to them."""
    if not pasts:
        return
    connection.execute(gateways.insert().values(id=_GATEWAY, online=True, since_ns=plan.begin_ns))
    for i, past in enumerate(pasts):
        _write_node(connection, i, past, plan, rng)
    names = [_point(past) for past in pasts]
    _write_rollouts(connection, names, plan)


def _point(past: Past) -> str:
    return past.point_id.rpartition("/")[0] + "/non-drive-end"


def _write_node(connection: Connection, i: int, past: Past, plan: HistoryPlan, rng: np.random.Generator) -> None:
    point, name = _point(past), f"node-{i + 1:02d}"
    about = past.plan.about()
    row = PointRow(point, f"{about.name}, far end", bearing=about.bearing, nominal_shaft_hz=about.shaft_hz)
    row = row.changed(iso_group=about.iso_group, seen_ns=plan.end_ns - 60_000_000_000 * (i + 1))
    save_point(connection, row, new=True)
    reports = [_report(past, point, name, hour, plan) for hour in range(plan.hours) if past.drawn[hour] >= 0]
    insert_rows(connection, node_reports, reports)
    insert_rows(connection, node_events, _events(point, name, plan, rng))
    last = reports[-1]
    offline = i == 5
    values: dict[str, Any] = {
        "point_id": point,
        "name": name,
        "gateway": _GATEWAY,
        "online": not offline,
        "since_ns": plan.begin_ns,
        "seen_ns": last["arrived_ns"],
        "firmware": "0.9.2",
        "model": 7 if i < 2 else 6,
        "contract": NODE.hash,
        "boot": 3,
        "reset": "power",
        "slot": "active",
        "rate_hz": RATE_HZ,
        "window": N_SAMPLES,
        "period_ms": _PERIOD_MS,
        "update_offset": 0,
        "update_size": 0,
        "candidate": 0,
        "number": last["number"],
        "reported_ns": last["at_ns"],
        "lost": 4096 * (i % 3),
    }
    values |= {name: last[name] for name in ("state", "alarm", "score", "threshold", "diagnosis", "probability")}
    connection.execute(nodes.insert().values(**values))
    count(connection, {(point, "reports"): len(reports), (point, "reports missing"): i % 3 + 1, (point, "events"): 30})


def _report(past: Past, point: str, name: str, hour: int, plan: HistoryPlan) -> dict[str, Any]:
    one = int(past.drawn[hour])
    # The far end of the machine feels less of it.
    ratio = 0.3 + 0.5 * float(past.ratio[hour])
    learned = hour >= 48
    at_ns = plan.begin_ns + hour * HOUR_NS + 1_800_000_000_000
    alarm = learned and ratio > 1.0
    fault = past.plan.faults[past.pool.fault[one]].kind if past.pool.fault[one] >= 0 else "normal"
    return {
        "point_id": point,
        "node": name,
        "boot": 3,
        "number": hour + 1,
        "uptime_ms": hour * _PERIOD_MS,
        "time_ns": at_ns,
        "arrived_ns": at_ns + 150_000_000,
        "at_ns": at_ns,
        "state": "watching" if learned else "commissioning",
        "alarm": alarm,
        "model": 6,
        "score": 1.4 * ratio if learned else None,
        "threshold": 1.4 if learned else None,
        "diagnosis": (fault if fault in ("inner", "outer", "ball") else "normal") if alarm else None,
        "probability": 0.8 if alarm else None,
        "shaft_hz": float(past.pool.shaft_hz[one]),
        "lost": 0,
        "contract": NODE.hash,
        "features": past.pool.reported[one],
        "known": _KNOWN,
        "digest": hashlib.blake2b(f"{point} {hour}".encode(), digest_size=16).digest(),
    }


def _events(point: str, name: str, plan: HistoryPlan, rng: np.random.Generator) -> list[dict[str, Any]]:
    hello = {"boot": 3, "reset": "power", "firmware": "0.9.2", "model": 6}
    said: list[tuple[float, str, dict[str, Any]]] = [(0.0, "hello", hello)]
    for at_h in np.sort(rng.uniform(1.0, plan.hours, 29)):
        said.append((float(at_h), "log", {"level": "info", "text": str(rng.choice(_LOGS))}))
    return [
        {
            "point_id": point,
            "node": name,
            "at_ns": plan.begin_ns + round(at_h * HOUR_NS),
            "kind": kind,
            "entries": json.dumps(entries),
            "digest": hashlib.blake2b(f"{point} {at_h}".encode(), digest_size=16).digest(),
        }
        for at_h, kind, entries in said
    ]


def _write_rollouts(connection: Connection, names: Sequence[str], plan: HistoryPlan) -> None:
    """One that went through, one that halted at its second stage, and a candidate that nobody has signed yet."""
    for version, days_ago, stops in ((6, 50, False), (7, 6, True)):
        at_ns = plan.end_ns - 24 * days_ago * HOUR_NS
        drawn = planned(names, version=version)
        why = "fewer false alarms at part load"
        number = create(connection, drawn, kind="rollout", image=bytes(6000), who="ada", why=why, now_ns=at_ns)
        before = one_rollout(connection, number)
        since_s = at_ns / 1e9 + 900.0
        reach = 2 if stops else len(names)
        members = [Member(n, "confirmed", since_s) if i < reach else Member(n) for i, n in enumerate(names)]
        after = replace(drawn, members=tuple(members), stage=1 if stops else 2, phase="running" if stops else "done")
        if stops and len(names) > reach:
            members[reach] = Member(names[reach], "failed", since_s, "it refused the model: golden")
            after = halted(replace(after, members=tuple(members)), f"{names[reach]} refused the model: golden")
        keep(connection, before, after, before.former, now_ns=at_ns + HOUR_NS)
    now_ns = plan.end_ns - 20 * HOUR_NS
    lay(connection, bytes(6000), bundle="node-health-made-up", why="it passed the gate", now_ns=now_ns)
