"""Nodes on sockets, the gateway as a process, a real broker: killed and restarted, every report arrives, and once."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from bridging import Bridged
from link_channels import Hazards
from speaking_nodes import SpeakingNode, report, unix

from app.process import spawn, stop
from app.schema import blocks, quarantine
from app.store import reading
from edge.node.link import messages

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]

_FAULTS = Hazards(lose=0.01, corrupt=0.01, double=0.01, cut=0.01)


def _socket(stack: Any) -> Path:
    return Path(stack.settings.data_dir / "nodes.sock")


@pytest.fixture
def bridged(stack: Any) -> Any:
    made = Bridged(stack, [f"unix-listen:{_socket(stack)}"])
    yield made
    made.close()


def _nodes(bridged: Bridged, n: int, hazards: Hazards) -> list[SpeakingNode]:
    made = [SpeakingNode(unix(_socket(bridged.stack)), f"n{i}/p", session=10 + i, hazards=hazards) for i in range(n)]
    for node in made:
        node.start()
    return made


@pytest.mark.parametrize("stack", ["mosquitto", "amqtt"], indirect=True)
def test_reports_of_many_nodes_arrive_once_over_faulty_lines(bridged: Bridged) -> None:
    nodes = _nodes(bridged, 10, _FAULTS)
    for number in range(50):
        for node in nodes:
            node.say(report(number))
        if number % 10 == 9:
            nodes[number // 10].drop_line()
        time.sleep(0.05)
    expected = sorted((f"n{i}/p", number) for i in range(10) for number in range(50))
    bridged.stack.wait("last report", lambda: len(bridged.keys()) >= len(expected))
    time.sleep(1.0)
    assert sorted(bridged.keys()) == expected
    for node in nodes:
        node.end()
    bridged.stack.wait("offline", lambda: all(bridged.state(f"n{i}/p") == "offline" for i in range(10)))


def test_no_report_is_lost_or_doubled_though_broker_and_gateway_are_killed(
    bridged: Bridged, rng: np.random.Generator
) -> None:
    nodes = _nodes(bridged, 4, _FAULTS)
    bridged.stack.wait("nodes", lambda: all(bridged.state(f"n{i}/p") == "online" for i in range(4)))
    for number in range(200):
        for node in nodes:
            node.say(report(number))
        if number == 60:
            stop([bridged.stack.broker])
        if number == 120:
            bridged.stack.start_broker()
        if number in (30, 90, 150):
            log, starts = bridged.stack.logs / "gateway.log", (30, 90, 150).index(number) + 1
            bridged.stack.wait("gateway", lambda n=starts, f=log: f.read_text().count("gateway started") == n)
            time.sleep(float(rng.uniform(0.2, 1.0)))
            bridged.gateway.send_signal(signal.SIGKILL)
            bridged.gateway.wait()
            bridged.start()
        time.sleep(float(rng.uniform(0.02, 0.08)))
    expected = {(f"n{i}/p", number) for i in range(4) for number in range(200)}
    bridged.stack.wait("last report", lambda: set(bridged.keys()) >= expected)
    assert set(bridged.keys()) == expected
    # What was published and not yet struck off when the gateway was killed is published again, byte for byte: it was
    # stored once, with one time of arrival.
    assert len({(one["node"], one["number"], one["arrived_ns"]) for one in bridged.of("report")}) == len(expected)
    for node in nodes:
        node.end()


def test_a_gateway_that_dies_is_told_by_its_last_will(bridged: Bridged) -> None:
    bridged.stack.wait("birth", lambda: bridged.state("gw/gateway") == "online")
    bridged.gateway.send_signal(signal.SIGKILL)
    bridged.stack.wait("death", lambda: bridged.state("gw/gateway") == "offline")
    bridged.start()
    bridged.stack.wait("birth", lambda: bridged.state("gw/gateway") == "online")
    bridged.gateway.send_signal(signal.SIGTERM)
    assert bridged.gateway.wait(timeout=30) == 0
    bridged.stack.wait("end", lambda: bridged.state("gw/gateway") == "offline")


def test_a_burst_of_a_node_is_stored_by_ingest_and_a_command_asks_for_it(
    bridged: Bridged, rng: np.random.Generator
) -> None:
    stack = bridged.stack
    stack.start("ingest")
    stack.wait("ingest", lambda: "broker connected" in (stack.logs / "ingest.log").read_text())
    (node,) = _nodes(bridged, 1, _FAULTS)
    stack.wait("node", lambda: bridged.state("n0/p") == "online")
    with stack.publisher("operator") as operator:
        command = {"v": 1, "id": "c", "kind": "request_waveform", "samples": 2000}
        operator.raw("raceway/v1/plant/n0/p/command", json.dumps(command).encode())
        operator.flush()
    stack.wait("command", lambda: ("request_waveform", {"samples": 2000}) in node.heard)
    stack.wait("delivery", lambda: any(e["kind"] == "delivered" and e["id"] == "c" for e in bridged.of("event")))
    x = rng.integers(-3000, 3000, 2000).astype("<i2")
    entries = {"boot": 1, "burst": 0, "total": 2000, "uptime_ms": 5, "rate_hz": 12_000.0, "unit": 0, "scale": 0.001}
    for first in range(0, 2000, 400):
        samples = x[first : first + 400].tobytes()
        node.say(messages.encode("waveform", {**entries, "first": first, "samples": samples}))
    node.say(report(0))

    def stored() -> list[Any]:
        with reading(stack.engine) as connection:
            return list(connection.execute(sa.select(blocks.c.point_id, blocks.c.n_samples)))

    stack.wait("block", stored)
    assert stored() == [("plant/n0/p", 2000)]
    stack.wait("report", lambda: bridged.of("report"))
    with reading(stack.engine) as connection:
        assert list(connection.execute(sa.select(quarantine.c.topic, quarantine.c.reason))) == []
    node.end()


def test_a_taken_socket_and_a_wrong_line_are_refused_in_one_sentence(stack: Any) -> None:
    for line, why in (("udp:x", "is no address of a line"), ("unix-listen:/nowhere/x.sock", "cannot be listened on")):
        child = spawn(
            [sys.executable, "-m", "app.cli", "gateway", line],
            environment=stack.settings.environment(),
            log=Path(stack.logs / "refused.log"),
        )
        assert child.wait(timeout=60) == 2
        said = (stack.logs / "refused.log").read_text()
        assert why in said
        assert "Traceback" not in said
