"""What the store gives of nodes, and the words for what they say in numbers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from making import NOW_NS

from app.fleet.nodes import Node, events_of, node_at, nodes_of, reports_of
from app.fleet.words import UPDATE_REASONS
from app.schema import node_events, node_reports, nodes
from app.store import PointRow, reading, save_point, writing

_POINT = "plant/pump-1/drive-end"


@pytest.fixture
def engine(store: sa.Engine) -> sa.Engine:
    with writing(store) as connection:
        save_point(connection, PointRow(_POINT, "Pump"), new=True)
    return store


def _report(number: int, **changes: Any) -> dict[str, Any]:
    row = {"point_id": _POINT, "node": "n1", "boot": 3, "number": number, "uptime_ms": 1000 * number, "time_ns": None}
    row |= {"arrived_ns": NOW_NS + number, "at_ns": NOW_NS + number, "state": "watching", "alarm": False, "model": 2}
    row |= {"lost": 0, "features": np.array([1.5, 0.0, -2.0], "<f4").tobytes(), "known": b"\x05"}
    return row | {"digest": bytes([number]) * 16} | changes


def test_nodes_are_given_as_they_are_stored(engine: sa.Engine) -> None:
    node = Node(_POINT, "n1", gateway="plant/gw/gateway", online=True, model=4, slot="receiving", score=3.0)
    with writing(engine) as connection:
        connection.execute(nodes.insert().values(**vars(node)))
    with reading(engine) as connection:
        assert nodes_of(connection) == [node]
        assert node_at(connection, _POINT) == node
        assert node_at(connection, "plant/x/y") is None


def test_what_is_derived_of_a_node_is_unknown_where_its_parts_are() -> None:
    node = Node(_POINT, "n1")
    assert (node.ratio, node.received) == (None, None)
    assert node.changed(score=3.0, threshold=0.0).ratio is None
    assert node.changed(score=3.0, threshold=2.0).ratio == 1.5
    under_way = node.changed(slot="receiving", update_offset=300, update_size=1200)
    assert under_way.received == 0.25
    assert under_way.changed(slot="staged").received is None


def test_reports_are_the_latest_in_order_with_what_could_not_be_computed_left_open(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        connection.execute(node_reports.insert(), [_report(i) for i in (2, 0, 3, 1)])
    with reading(engine) as connection:
        found = reports_of(connection, _POINT, most=3)
        late = reports_of(connection, _POINT, since_ns=NOW_NS + 3, most=3)
    assert [one.number for one in found] == [1, 2, 3]
    assert [one.number for one in late] == [3]
    np.testing.assert_array_equal(found[0].features, np.array([1.5, np.nan, -2.0], np.float32))


def test_the_same_report_cannot_be_stored_twice(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        connection.execute(node_reports.insert(), [_report(0), _report(0, digest=b"x" * 16)])
    with pytest.raises(sa.exc.IntegrityError, match=r"(?i)unique"), writing(engine) as connection:
        connection.execute(node_reports.insert(), [_report(0)])


def test_events_are_the_latest_first_and_can_be_of_some_kinds(engine: sa.Engine) -> None:
    rows = [
        {"point_id": _POINT, "node": "n1", "at_ns": NOW_NS + i, "kind": kind, "digest": bytes([i]) * 16}
        | {"entries": json.dumps({"i": i})}
        for i, kind in enumerate(("hello", "log", "log", "update_status"))
    ]
    with writing(engine) as connection:
        connection.execute(node_events.insert(), rows)
    with reading(engine) as connection:
        assert [one.kind for one in events_of(connection, _POINT, most=2)] == ["update_status", "log"]
        logs = events_of(connection, _POINT, kinds=("log",), most=9)
    assert [one.entries for one in logs] == [{"i": 2}, {"i": 1}]


def test_reasons_of_refused_updates_are_those_of_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs/UPDATES.md").read_text()
    rows = {int(code): name for code, name in re.findall(r"^\| (\d+) \| `([A-Z_]+)` \|", page, flags=re.MULTILINE)}
    del rows[0]
    assert {code: name.lower().replace("_", " ") for code, name in rows.items()} == UPDATE_REASONS
