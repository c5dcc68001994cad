"""Speed of ingest through a real broker: top rate, latency below it, beside a subscriber that only acknowledges."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from app.broker import choose_broker, free_port, start_broker
from app.intake import Arrival
from app.pipeline import Pipeline
from app.process import spawn, stop
from app.schema import blocks
from app.settings import Settings, load_settings
from app.store import open_store, point_rows, reading
from features.errors import RacewayError

__all__ = ["N_POINTS", "N_SAMPLES", "RATE_HZ", "bench_ingest", "payloads"]

N_SAMPLES, RATE_HZ = 4096, 12_800.0
N_POINTS = 4
_PACED_SHARE = 0.6
_PATIENCE_S = 300.0
_SEED = 1


def payloads(n: int, *, start_ns: int, first_sequence: int = 0) -> list[tuple[str, bytes]]:
    """Encode blocks of healthy vibration of four points in turn, with their topics."""
    from app.codec import encode_block
    from app.wire import Block, PointId

    rng = np.random.default_rng(_SEED)
    # Stretches of one long noise: what is measured is the path of a block, not the making of noise.
    noise = (300.0 * rng.standard_normal(64 * N_SAMPLES)).astype(np.int16)
    firsts = rng.integers(0, noise.size - N_SAMPLES, n)
    out = []
    for i in range(n):
        step, which = divmod(i, N_POINTS)
        block = Block(
            point=PointId("bench", "machine", f"point-{which}"),
            sequence=first_sequence + step,
            start_ns=start_ns + round(step * N_SAMPLES * 1e9 / RATE_HZ),
            rate_hz=RATE_HZ,
            unit="g",
            channels=("radial",),
            samples=noise[None, firsts[i] : firsts[i] + N_SAMPLES],
            scale=1e-3,
            shaft_hz=25.0,
        )
        out.append((block.point.topic("waveform"), encode_block(block)))
    return out


def bench_ingest(*, n_blocks: int, progress: Callable[[int], None]) -> dict[str, Any]:
    """Measure ingest on this machine, in a temporary folder.

    Parameters
    ----------
    n_blocks : int
        Blocks in each of the three phases.
    progress : callable
        Told the percentage done.

    Returns
    -------
    dict
        ``blocks_per_s`` of the whole pipeline and ``bare_blocks_per_s`` of a subscriber that only acknowledges, each
        from the first publication to the last commit or arrival; ``p99_ms`` from publication to committed verdict at
        60 % of the top rate; ``lost`` and ``duplicated`` over all blocks of the pipeline.
    """
    with tempfile.TemporaryDirectory(prefix="raceway-bench-") as folder:
        settings = load_settings(data_dir=Path(folder), embedded_port=free_port())
        broker = start_broker(
            choose_broker("mosquitto"),
            settings.data_dir / "broker",
            port=settings.embedded_port,
            log=settings.data_dir / "broker.log",
        )
        try:
            _commission(settings)
            progress(20)
            bare = _phase(settings, "bare", n_blocks, first_sequence=0, rate=0.0)
            progress(40)
            top = _phase(settings, "ingest", n_blocks, first_sequence=10_000_000, rate=0.0)
            progress(70)
            paced_rate = _PACED_SHARE * top["blocks_per_s"]
            paced = _phase(settings, "ingest", n_blocks, first_sequence=20_000_000, rate=paced_rate)
            progress(100)
            stored, distinct = _stored(settings)
        finally:
            stop([broker])
    return {
        "blocks_per_s": top["blocks_per_s"],
        "bare_blocks_per_s": bare["blocks_per_s"],
        "share_of_bare": top["blocks_per_s"] / bare["blocks_per_s"],
        "p50_ms": paced["p50_ms"],
        "p99_ms": paced["p99_ms"],
        "paced_blocks_per_s": paced_rate,
        "lost": 2 * n_blocks - distinct,
        "duplicated": stored - distinct,
        "n_blocks": n_blocks,
        "n_samples": N_SAMPLES,
        "windows_per_block": 2,
    }


def _commission(settings: Settings) -> None:
    """Give every point a baseline, so that each window is scored."""
    from app.learner import learn_point

    engine = open_store(settings.database, migrate=True)
    n = N_POINTS * (settings.baseline_windows // 2 + 4)
    start_ns = time.time_ns() - 3_600_000_000_000
    arrivals = [Arrival(topic, payload, time.time_ns()) for topic, payload in payloads(n, start_ns=start_ns)]
    pipeline = Pipeline(engine, settings)
    for first in range(0, n, 64):
        pipeline.process(pipeline.prepare(arrivals[first : first + 64]), now_ns=time.time_ns())
    with reading(engine) as connection:
        rows = point_rows(connection)
    for row in rows:
        if learn_point(engine, settings, row, now_ns=time.time_ns()).state != "watching":
            raise RacewayError(f"{row.id} learned no baseline; the bench cannot run")
    with sa.create_engine(settings.database).begin() as connection:
        connection.execute(blocks.delete())
    engine.dispose()


def _phase(settings: Settings, role: str, n: int, *, first_sequence: int, rate: float) -> dict[str, float]:
    """Publish n blocks to one receiver and read what both noted."""
    work = settings.data_dir / f"{role}-{first_sequence}"
    work.mkdir()
    log = work / "log"
    module = [sys.executable, "-m", "app.bench_worker"]
    common = ["--folder", str(work), "--blocks", str(n), "--first", str(first_sequence), "--rate", str(rate)]
    environment = settings.environment()
    receiver = spawn([*module, role, *common], environment=environment, log=log)
    children = [receiver]
    try:
        _wait(work / "ready", receiver, log)
        sender = spawn([*module, "send", *common], environment=environment, log=log)
        children.append(sender)
        _wait(work / "received.npy", receiver, log)
        _wait(work / "sent.npy", sender, log)
        receiver.wait(30)
    finally:
        stop(children)
    sent, received = np.load(work / "sent.npy"), np.load(work / "received.npy")
    span_s = (received.max() - sent.min()) / 1e9
    delay_ms = (received - sent) / 1e6
    return {
        "blocks_per_s": float(n / span_s),
        "p50_ms": float(np.percentile(delay_ms, 50)),
        "p99_ms": float(np.percentile(delay_ms, 99)),
    }


def _wait(path: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    ended = threading.Event()
    while not path.exists():
        if process.poll() not in (None, 0) or time.monotonic() > deadline:
            raise RacewayError(f"the bench's worker gave no {path.name}: {log.read_text(errors='replace')[-500:]}")
        ended.wait(0.05)


def _stored(settings: Settings) -> tuple[int, int]:
    """Blocks stored, and different ones among them."""
    with reading(open_store(settings.database)) as connection:
        stored = connection.execute(sa.select(sa.func.count()).select_from(blocks)).scalar_one()
        keys = sa.select(blocks.c.point_id, blocks.c.sequence, blocks.c.start_ns).distinct().subquery()
        distinct = connection.execute(sa.select(sa.func.count()).select_from(keys)).scalar_one()
    return int(stored), int(distinct)
