"""The learner: trains baselines of points that have collected their healthy start, in a process of its own."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from app.commissioning import healthy_windows
from app.logs import log
from app.schema import points
from app.settings import Settings
from app.store import (
    PointRow,
    features_from_blob,
    open_store,
    point_rows,
    reading,
    set_champion,
    writing,
)
from features.contract import WATCHED
from features.errors import RacewayError

__all__ = ["baseline_name", "healthy_start", "learn_point", "run_learner", "train_diagnosis", "waiting_points"]

_POLL_S = 1.0
_SEED = 20261123
# Of the name of a bundle, which is a folder's too: those hold 255 bytes, and the store 200 characters.
_DIGITS, _MOST_OF_POINT = 8, 150
# Simulated windows the diagnosis network learns from, how often it sees each, and how many make a draft of it.
DIAGNOSIS_WINDOWS, DIAGNOSIS_EPOCHS, DIAGNOSIS_DRAFT = 40_000, 20, 8_000


def baseline_name(point_id: str, made: str) -> str:
    """Name the bundle of a point's baseline by the point and by when or in which run it was made.

    Of points whose names come to the same without slashes, such as ``a-b/c`` and ``a/b-c``, a digest tells which.

    Examples
    --------
    >>> baseline_name("plant/fan/a", "20261126T033000")
    'baseline-plant-fan-a-730643a6-20261126T033000'
    """
    digest = hashlib.sha256(point_id.encode()).hexdigest()[:_DIGITS]
    shown = point_id.replace("/", "-").encode()[:_MOST_OF_POINT].decode(errors="ignore")
    return f"baseline-{shown}-{digest}-{made}"


def waiting_points(engine: Engine) -> list[PointRow]:
    """Points that have their healthy windows and wait for a baseline."""
    with reading(engine) as connection:
        return [row for row in point_rows(connection) if row.state == "training"]


def healthy_start(engine: Engine, row: PointRow, *, n: int) -> NDArray[np.float32]:
    """Read the features of a point's first windows since it began to learn.

    Returns
    -------
    ndarray of float32, shape (windows, features)
        In time order.
    """
    rows = healthy_windows(engine, row, n=n)
    return np.stack([features_from_blob(found.features) for found in rows]) if rows else np.empty((0, 0), np.float32)


def learn_point(engine: Engine, settings: Settings, row: PointRow, *, now_ns: int) -> PointRow:
    """Learn the baseline of one point, write its bundle and let the point be watched.

    A point whose windows cannot be learned from becomes ``failed``, with the reason.
    """
    from edge.convert import to_tflite
    from models.autoencoder import learn_baseline, write_baseline

    try:
        features = healthy_start(engine, row, n=settings.baseline_windows)
        baseline = learn_baseline(features, convert=to_tflite, seed=_SEED, false_alarm_rate=settings.false_alarm_rate)
        bundle_id = baseline_name(row.id, _stamp(now_ns))
        provenance = {"point": row.id, "rate_hz": row.rate_hz, "windows": len(features), "unit": row.unit}
        write_baseline(
            settings.bundles, baseline, bundle_id=bundle_id, contract=WATCHED.hash, seed=_SEED, provenance=provenance
        )
    except RacewayError as error:
        log("error", "baseline failed", point=row.id, error=str(error))
        return _changed(engine, row, state="failed", failure=str(error))
    log("info", "baseline learned", point=row.id, bundle=bundle_id, threshold=baseline.threshold)
    return _changed(engine, row, state="watching", bundle=bundle_id, contract=WATCHED.hash, failure=None)


def _changed(engine: Engine, row: PointRow, **values: object) -> PointRow:
    """Say what became of a point's learning; where it was sent to learn anew meanwhile, nothing did."""
    same = (points.c.id == row.id) & (points.c.state == "training") & (points.c.baseline_after == row.baseline_after)
    with writing(engine) as connection:
        # Only these columns: ingest writes the others, and takes its batch again where the revision is another.
        changed = points.update().where(same).values(**values, revision=points.c.revision + 1)
        if connection.execute(changed).rowcount != 1:
            log("info", "baseline overtaken: the point learns anew", point=row.id)
        return next(found for found in point_rows(connection) if found.id == row.id)


def train_diagnosis(
    engine: Engine,
    settings: Settings,
    *,
    now_ns: int,
    n: int = DIAGNOSIS_WINDOWS,
    epochs: int = DIAGNOSIS_EPOCHS,
    draft: int = 0,
    on_window: Callable[[int], None],
    on_epoch: Callable[[int], None],
) -> str:
    """Learn the fault kinds from simulated machines and let the network serve.

    Parameters
    ----------
    engine : Engine
    settings : Settings
    now_ns : int
    n, epochs : int
        Simulated windows to learn from, and how often each is seen.
    draft : int
        Where above 0, a network learned on so many of the windows serves until the final one is there.
    on_window, on_epoch : callable
        Told the windows simulated and the epochs of the final network done so far.

    Returns
    -------
    str
        Id of the bundle that serves.
    """
    from models.diagnosis import simulated_maps

    rng = np.random.default_rng(_SEED)
    maps, kinds = simulated_maps(rng, n=draft or n, progress=on_window)
    if 0 < draft < n:
        _serve_diagnosis(engine, settings, maps, kinds, name="draft", now_ns=now_ns, epochs=epochs, progress=_silent)
        more, their_kinds = simulated_maps(rng, n=n - draft, progress=lambda done: on_window(draft + done))
        maps, kinds = np.concatenate([maps, more]), np.concatenate([kinds, their_kinds])
    return _serve_diagnosis(
        engine, settings, maps, kinds, name="diagnosis", now_ns=now_ns, epochs=epochs, progress=on_epoch
    )


def _silent(done: int) -> None:
    del done


def _serve_diagnosis(
    engine: Engine,
    settings: Settings,
    maps: NDArray[np.float32],
    kinds: NDArray[np.intp],
    *,
    name: str,
    now_ns: int,
    epochs: int,
    progress: Callable[[int], None],
) -> str:
    from edge.convert import to_tflite
    from models.diagnosis import learn_diagnosis, write_diagnosis

    diagnosis = learn_diagnosis(maps, kinds, convert=to_tflite, seed=_SEED, epochs=epochs, progress=progress)
    bundle_id = f"{name}-{_stamp(now_ns)}"
    write_diagnosis(settings.bundles, diagnosis, bundle_id=bundle_id, seed=_SEED, n=len(maps))
    with writing(engine) as connection:
        set_champion(connection, "diagnosis", bundle_id, now_ns=now_ns)
    log("info", "diagnosis learned", bundle=bundle_id, **diagnosis.validation)
    return bundle_id


def _stamp(now_ns: int) -> str:
    return datetime.fromtimestamp(now_ns / 1e9, UTC).strftime("%Y%m%dT%H%M%S%f")


def run_learner(settings: Settings, *, stopped: threading.Event) -> None:
    """Learn baselines as points become ready, until the event is set."""
    engine = open_store(settings.database, migrate=True)
    log("info", "learner started")
    while not stopped.is_set():
        for row in waiting_points(engine):
            if not stopped.is_set():
                learn_point(engine, settings, row, now_ns=time.time_ns())
        stopped.wait(_POLL_S)
    log("info", "learner stopped")
