"""Killed processes, restarted brokers and malformed payloads: every good block is stored exactly once."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as generated
from making import block
from malformed import GOOD_TOPIC, malformed_payloads

from app.process import stop
from app.schema import blocks, quarantine
from app.store import reading
from app.wire import Block, PointId

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]

_KILLS = 20


def _sent(n: int, points: int) -> list[Block]:
    start_ns = time.time_ns()
    return [
        block(
            i // points,
            n=1024,
            point=PointId("kill", "machine", f"point-{i % points}"),
            start_ns=start_ns + round(i // points * 1024 * 1e9 / 12_800),
            seed=i,
        )
        for i in range(n)
    ]


def _stored(stack: Any) -> list[tuple[str, int, int]]:
    with reading(stack.engine) as connection:
        rows = connection.execute(sa.select(blocks.c.point_id, blocks.c.sequence, blocks.c.start_ns)).all()
    return sorted(tuple(row) for row in rows)


def _count(stack: Any, table: sa.Table) -> int:
    with reading(stack.engine) as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def test_every_block_is_stored_once_however_often_ingest_is_killed(stack: Any, rng: np.random.Generator) -> None:
    sent = _sent(6000, points=4)
    expected = sorted((str(b.point), b.sequence, b.start_ns) for b in sent)
    ingest = stack.start("ingest")
    # The session must exist before the first block: a broker keeps nothing for clients it never met.
    stack.wait("ingest", lambda: "broker connected" in (stack.logs / "ingest.log").read_text())
    paused = threading.Event()
    flushed = threading.Event()

    def send() -> None:
        with stack.publisher("kill-sender") as publisher:
            for one in sent:
                publisher.block(one)
                paused.wait(0.006)
            publisher.flush()
        flushed.set()

    sender = threading.Thread(target=send)
    sender.start()
    for kill in range(_KILLS):
        paused.wait(float(rng.uniform(0.4, 2.2)))
        ingest.send_signal(signal.SIGKILL)
        ingest.wait()
        if kill == _KILLS // 2:
            stop([stack.broker])
            stack.start_broker()
        ingest = stack.start("ingest")
    sender.join(timeout=240)
    assert flushed.is_set()
    stack.wait("last block", lambda: _count(stack, blocks) >= len(expected))
    assert _stored(stack) == expected
    assert _count(stack, quarantine) == 0


def _malformed(n: int) -> list[bytes]:
    drawn: list[bytes] = []

    @generated(
        max_examples=2 * n,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(payload=malformed_payloads)
    def draw(payload: bytes) -> None:
        drawn.append(payload)

    draw()
    return drawn[:n]


def test_two_thousand_malformed_payloads_are_set_aside_between_good_ones(stack: Any) -> None:
    bad = _malformed(2000)
    assert len(bad) == 2000
    good = _sent(500, points=2)
    stack.start("ingest")
    stack.wait("ingest", lambda: "broker connected" in (stack.logs / "ingest.log").read_text())
    with stack.publisher("malformed") as publisher:
        for i, payload in enumerate(bad):
            publisher.raw(GOOD_TOPIC, payload)
            if i % 4 == 0:
                publisher.block(good[i // 4])
        publisher.raw("raceway/v1/too/short", b"x")
        publisher.raw("raceway/v1/s/a/p/nonsense", b"x")
        publisher.raw("raceway/v1/s/a/p/waveform", b"\x00" * 10_000_000)
        publisher.flush()

    def refused() -> list[Any]:
        columns = (quarantine.c.topic, quarantine.c.reason, quarantine.c.payload, quarantine.c.size)
        with reading(stack.engine) as connection:
            return list(connection.execute(sa.select(*columns).order_by(quarantine.c.id)))

    stack.wait("quarantine", lambda: _count(stack, quarantine) >= 2003)
    rows = refused()
    assert [bytes(row.payload) for row in rows[:2000]] == bad
    assert [row.reason for row in rows[2000:]] == ["topic", "topic", "oversized"]
    assert rows[-1].size == 10_000_000
    stack.wait("good blocks", lambda: _count(stack, blocks) >= 500)
    assert _stored(stack) == sorted((str(b.point), b.sequence, b.start_ns) for b in good)
