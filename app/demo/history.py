"""Writes months of a simulated plant into an empty store at once, as if it had been watched; for looking and measuring.

Windows, features and waveforms are of simulated machines; scores, diagnoses and what people and jobs did are made up to
fit them. Nothing was learned and nothing is judged: what Raceway finds is measured by the scripted day, not here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from app.assets.register import enter
from app.demo.historynodes import write_fleet
from app.demo.nights import write_nights
from app.demo.past import AFTER, HistoryPlan, Past, draw_past
from app.demo.plant import draw_plant
from app.demo.pool import SCALE
from app.demo.trails import write_trails
from app.demo.world import HOUR_NS, N_SAMPLES, RATE_HZ
from app.schema import blocks, points, windows
from app.settings import Settings
from app.store import PointRow, count, insert_rows, open_store, reading, save_point, writing
from features.contract import WATCHED
from features.errors import ParameterError

__all__ = ["HistoryPlan", "write_history"]

_WINDOW_NS = round(N_SAMPLES / RATE_HZ * 1e9)
_ROWS = 4000

Progress = Callable[[float], None]


def write_history(settings: Settings, plan: HistoryPlan, *, progress: Progress) -> dict[str, int]:
    """Write a history into the store of the settings, which has to be empty.

    Parameters
    ----------
    settings : Settings
    plan : HistoryPlan
    progress : callable
        Told the share done.

    Returns
    -------
    dict
        Rows written, by what they are.

    Raises
    ------
    ParameterError
        If there are points already.
    """
    engine = open_store(settings.database, migrate=True)
    with reading(engine) as connection:
        if connection.execute(sa.select(points.c.id).limit(1)).first() is not None:
            raise ParameterError(f"{settings.data_dir} holds points already; give an empty --data-dir")
    rng = np.random.default_rng(plan.seed)
    plant = draw_plant(plan.machines, days=float(plan.days), rng=rng)
    pasts = []
    for i, machine in enumerate(plant):
        pasts.append(draw_past(i, machine, plan, rng))
        progress(0.3 * (i + 1) / len(plant))
    with writing(engine) as connection:
        _write_points(connection, pasts)
    _write_measured(engine, pasts, plan, progress=lambda share: progress(0.3 + 0.5 * share))
    with writing(engine) as connection:
        write_trails(connection, pasts, plan, rng)
        _settle(connection, pasts, plan)
    progress(0.9)
    with writing(engine) as connection:
        write_nights(connection, settings, pasts, plan, rng)
        write_fleet(connection, pasts[: plan.nodes], plan, rng)
    engine.dispose()
    progress(1.0)
    return _counted(settings)


# -- what was measured ------------------------------------------------------------------------------------------------


def _write_points(connection: Connection, pasts: list[Past]) -> None:
    for past in pasts:
        about = past.plan.about()
        row = PointRow(str(about.point), about.name, bearing=about.bearing, nominal_shaft_hz=about.shaft_hz)
        shape = {"rate_hz": RATE_HZ, "unit": "g", "channels": ("radial",), "iso_group": about.iso_group}
        save_point(connection, row.changed(**shape, state="watching", contract=WATCHED.hash), new=True)
    enter(connection, [past.plan.asset() for past in pasts])


def _write_measured(engine: Engine, pasts: list[Past], plan: HistoryPlan, *, progress: Progress) -> None:
    """Blocks and windows in the order in which they came, as a store that grew has them."""
    measured: list[dict[str, Any]] = []
    judged: list[dict[str, Any]] = []
    sequence = dict.fromkeys(range(len(pasts)), 0)
    for hour in range(plan.hours):
        for i, past in enumerate(pasts):
            if past.drawn[hour] < 0:
                continue
            start_ns = plan.begin_ns + hour * HOUR_NS + (i + 1) * 20_000_000_000
            kept = hour >= plan.hours - plan.waveforms_h or past.alarmed(hour)
            measured.append(_block_row(past, hour, start_ns, sequence[i], kept=kept))
            judged.append(_window_row(past, hour, start_ns))
            sequence[i] += 1
        if len(judged) >= _ROWS or hour == plan.hours - 1:
            with writing(engine) as connection:
                insert_rows(connection, blocks, measured)
                insert_rows(connection, windows, judged)
            measured, judged = [], []
            progress((hour + 1) / plan.hours)
    with writing(engine) as connection:
        counts = {(past.point_id, name): sequence[i] for i, past in enumerate(pasts) for name in ("blocks", "windows")}
        counts |= {(past.point_id, "gaps"): i % 5 for i, past in enumerate(pasts) if i % 5}
        count(connection, counts)


def _block_row(past: Past, hour: int, start_ns: int, sequence: int, *, kept: bool) -> dict[str, Any]:
    one, pool = past.drawn[hour], past.pool
    return {
        "point_id": past.point_id,
        "sequence": sequence,
        "start_ns": start_ns,
        "end_ns": start_ns + _WINDOW_NS,
        "arrived_ns": start_ns + _WINDOW_NS + 30_000_000,
        "rate_hz": RATE_HZ,
        "sample_type": "i2",
        "scale": SCALE,
        "n_samples": N_SAMPLES,
        "n_channels": 1,
        "shaft_hz": float(pool.shaft_hz[one]),
        "load": 100.0 * float(pool.load[one]),
        "temperature_c": 38.0 + 25.0 * float(pool.load[one]),
        "digest": hashlib.blake2b(f"{past.point_id} {hour}".encode(), digest_size=16).digest(),
        "waveform": pool.waveforms[one] if kept else None,
    }


def _window_row(past: Past, hour: int, start_ns: int) -> dict[str, Any]:
    one, pool, scored = past.drawn[hour], past.pool, bool(past.scored[hour])
    threshold = past.threshold(hour)
    abnormal = scored and past.ratio[hour] > 1.0
    return {
        "point_id": past.point_id,
        "start_ns": start_ns,
        "end_ns": start_ns + _WINDOW_NS,
        "rate_hz": RATE_HZ,
        "shaft_hz": float(pool.shaft_hz[one]),
        "load": 100.0 * float(pool.load[one]),
        "rms": float(pool.rms[one]),
        "contract": WATCHED.hash,
        "features": pool.features[one],
        "score": threshold * float(past.ratio[hour]) if scored else None,
        "threshold": threshold if scored else None,
        "bundle": past.bundle(hour) if scored else None,
        "probabilities": json.dumps(_probabilities(past, int(one))) if abnormal else None,
        "diagnosis_bundle": "diagnosis-made-up" if abnormal else None,
    }


def _probabilities(past: Past, one: int) -> dict[str, float]:
    """As a network would spread them: surer of what has grown."""
    kind = past.plan.faults[past.pool.fault[one]].kind if past.pool.fault[one] >= 0 else "normal"
    sure = round(0.55 + 0.4 * float(past.pool.severity[one]), 3)
    named = kind if kind in ("inner", "outer", "ball") else "normal"
    names = ("normal", "inner", "outer", "ball")
    return {name: sure if name == named else round((1.0 - sure) / 3.0, 3) for name in names}


# -- how the points stand at the end ----------------------------------------------------------------------------------


def _settle(connection: Connection, pasts: list[Past], plan: HistoryPlan) -> None:
    """Let each point stand as its last window left it."""
    for past in pasts:
        last = int(np.flatnonzero(past.drawn >= 0)[-1])
        scored, threshold = bool(past.scored[last]), past.threshold(last)
        latest = sa.select(windows.c.start_ns, windows.c.end_ns).where(windows.c.point_id == past.point_id)
        row = connection.execute(latest.order_by(windows.c.start_ns.desc()).limit(1)).one()
        unscored = int(np.count_nonzero(~past.scored[past.generation == past.generation[last]]))
        values: dict[str, Any] = {
            "state": "watching" if scored else "learning",
            "bundle": past.bundle(last) if scored else None,
            "score": threshold * float(past.ratio[last]) if scored else None,
            "threshold": threshold if scored else None,
            "window_start_ns": row.start_ns,
            "seen_ns": row.end_ns + 30_000_000,
            "baseline_have": min(unscored, AFTER),
            "baseline_after": _before(connection, past, plan, last),
        }
        connection.execute(points.update().where(points.c.id == past.point_id).values(**values))


def _before(connection: Connection, past: Past, plan: HistoryPlan, last: int) -> int:
    """Id of the last window before the baseline in use began to learn."""
    begun = int(np.flatnonzero(past.generation == past.generation[last])[0])
    own = (windows.c.point_id == past.point_id) & (windows.c.start_ns < plan.begin_ns + begun * HOUR_NS)
    return connection.execute(sa.select(sa.func.max(windows.c.id)).where(own)).scalar() or 0


def _counted(settings: Settings) -> dict[str, int]:
    tables = sa.MetaData()
    engine = open_store(settings.database)
    tables.reflect(engine)
    with reading(engine) as connection:
        found = {
            name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for name, table in sorted(tables.tables.items())
        }
    engine.dispose()
    return {name: n for name, n in found.items() if name != "alembic_version"}
