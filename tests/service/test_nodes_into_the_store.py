"""Nodes, gateway, broker and ingest as processes: each report in the store once, though two of them are killed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from bridging import Bridged
from link_channels import Hazards
from speaking_nodes import SpeakingNode, report, unix

from app.alarms.register import NODE, tags
from app.fleet.nodes import nodes_of
from app.schema import node_reports, quarantine
from app.store import reading

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]

_FAULTS = Hazards(lose=0.01, corrupt=0.01, double=0.01, cut=0.01)
_NODES, _REPORTS = 4, 120


def _stored(stack: Any) -> list[tuple[str, int]]:
    with reading(stack.engine) as connection:
        query = sa.select(node_reports.c.node, node_reports.c.number).order_by(
            node_reports.c.node, node_reports.c.number
        )
        return [(row.node, row.number) for row in connection.execute(query)]


def _stand(stack: Any) -> tuple[set[tuple[str, bool, int]], set[tuple[str, str, bool]]]:
    with reading(stack.engine) as connection:
        nodes = {(node.name, node.online, node.model) for node in nodes_of(connection)}
        return nodes, {(tag.point_id, tag.tag, tag.alarm.active) for tag in tags(connection)}


def test_every_report_is_in_the_store_once_though_gateway_and_ingest_are_killed(stack: Any) -> None:
    socket = Path(stack.settings.data_dir / "nodes.sock")
    bridged = Bridged(stack, [f"unix-listen:{socket}"])
    ingest = stack.start("ingest")
    names = [f"n{i}/p" for i in range(_NODES)]
    nodes = [SpeakingNode(unix(socket), name, session=10 + i, hazards=_FAULTS) for i, name in enumerate(names)]
    for node in nodes:
        node.start()
    stack.wait("nodes in the store", lambda: {name for name, online, _ in _stand(stack)[0] if online} == set(names))
    for number in range(_REPORTS):
        for node in nodes:
            alarming = node is nodes[0] and number >= 100
            verdict = {"alarm": True, "state": 2, "score": 5.0, "threshold": 2.0, "diagnosis": 2} if alarming else {}
            node.say(report(number, **verdict))
        if number == 40:
            ingest.kill()
            ingest = stack.start("ingest")
        if number == 80:
            bridged.gateway.kill()
            bridged.start()
        time.sleep(0.03)
    expected = [(name, number) for name in names for number in range(_REPORTS)]
    stack.wait("all reports", lambda: len(_stored(stack)) >= len(expected))
    assert _stored(stack) == expected
    stack.wait("nodes online", lambda: _stand(stack)[0] == {(name, True, 1) for name in names})
    assert _stand(stack)[1] == {("plant/n0/p", NODE, True)}
    bridged.gateway.kill()
    stack.wait("nodes offline", lambda: _stand(stack)[0] == {(name, False, 1) for name in names})
    with reading(stack.engine) as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(quarantine)).scalar() == 0
    for node in nodes:
        node.end()
    bridged.close()
