"""A plant of one point that has run for a while, and jobs on it that are killed where a test wants."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy.signal
from making import NOW_NS, POINT, RATE_HZ, arrival, block
from sqlalchemy import Engine

from app.learner import learn_point, waiting_points
from app.pipeline import Pipeline
from app.retraining.job import Hook, retrain
from app.retraining.records import Options, Run
from app.settings import Settings
from app.store import PointRow, open_store
from app.wire import PointId
from models.bundle import load_bundle, write_bundle

N = 2048
HOUR_NS = 3_600_000_000_000
LATER_NS = NOW_NS + 24 * HOUR_NS


def clock_ns() -> int:
    """A day after the first sample."""
    return LATER_NS


def noise(first: int, count: int, *, gain: float = 1.0, hz: float = 2000.0, of: str = "") -> np.ndarray:
    """Codes of low-passed noise of blocks that follow each other, each a little louder or softer."""
    # Machines whose noise is the same would be no strangers to a network that learned from one of them.
    rng = np.random.default_rng([first, *of.encode()])
    sos = scipy.signal.butter(2, hz, fs=RATE_HZ, output="sos")
    wander = np.repeat(1.0 + 0.03 * rng.standard_normal(count), N)
    x = scipy.signal.sosfilt(sos, rng.standard_normal(count * N)) * wander * gain
    return np.clip(np.rint(2000.0 * x), -32768, 32767).astype(np.int16).reshape(count, 1, N)


def feed(engine: Engine, settings: Settings, first: int, count: int, *, point: PointId = POINT, **how: float) -> None:
    """Take in blocks of a point."""
    pipeline = Pipeline(engine, settings)
    codes = noise(first, count, of="" if point == POINT else str(point), **how)
    messages = [arrival(block(first + i, samples=codes[i], point=point)) for i in range(count)]
    for begin in range(0, count, 64):
        pipeline.process(pipeline.prepare(messages[begin : begin + 64]), now_ns=NOW_NS)


def commission(settings: Settings) -> Engine:
    """A store with a point that has learned."""
    engine = open_store(settings.database, migrate=True)
    feed(engine, settings, 0, 60)
    (waiting,) = waiting_points(engine)
    learn_point(engine, settings, waiting, now_ns=NOW_NS)
    return engine


def learn_by_copying(
    context: object, row: object, features: object, bundle_id: str, chosen: dict[str, list[int]]
) -> None:
    """Stands for the training of a challenger, in an instant: the champion's network under another name."""
    del features
    settings: Settings = context.settings  # type: ignore[attr-defined]
    champion = load_bundle(settings.bundles / row.bundle)  # type: ignore[attr-defined]
    learned = {"point": row.id, "healthy_start": chosen["start"], "window_ids": chosen["learned"]}  # type: ignore[attr-defined]
    provenance = {**champion.manifest.provenance, **learned}
    manifest = replace(champion.manifest, id=bundle_id, provenance=provenance)
    write_bundle(
        settings.bundles,
        manifest,
        network=champion.network,
        arrays=champion.arrays,
        save_keras=lambda path: Path(path).write_bytes(b""),
    )


def laid_once(faulty: Callable[..., dict[str, np.ndarray]]) -> Callable[..., dict[str, np.ndarray]]:
    """Lay faults over the same windows of the same machine once; they are drawn from one seed and are the same again.

    A job in a forked process finds what its parent laid.
    """
    laid: dict[tuple[object, ...], dict[str, np.ndarray]] = {}

    def recalled(row: PointRow, samples: np.ndarray) -> dict[str, np.ndarray]:
        key = (row.rate_hz, row.unit, row.nominal_shaft_hz, row.bearing, samples.shape, samples.tobytes())
        if key not in laid:
            laid[key] = faulty(row, samples)
        return {kind: features.copy() for kind, features in laid[key].items()}

    return recalled


def run_job(engine: Engine, settings: Settings, *, force: bool = False, hook: Hook = lambda _: None) -> Run:
    """Run the job once."""
    return retrain(engine, settings, options=Options(force=force), clock_ns=clock_ns, hook=hook)


def killed_at(settings: Settings, place: str, *, force: bool = False) -> int:
    """Run the job in a process that is killed where it is told; the signal that ended it, 0 where none did."""

    def kill(at: str) -> None:
        if at == place:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if not child:
        try:
            run_job(open_store(settings.database), settings, force=force, hook=kill)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def point_name() -> str:
    """Of the only point."""
    return str(POINT)
