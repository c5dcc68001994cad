"""The console's pages of nodes, on a store that was filled through ingest."""

from __future__ import annotations

import time
from typing import Any

import pytest
import sqlalchemy as sa
from making import arrival, block
from pages import opened
from streamlit.testing.v1 import AppTest
from telling import NODE_POINT, SECOND_NS, alarming, event, gateway_state, report, state, update_status

from app.console import report as pdf
from app.console.history import reported
from app.console.queries import fleet, report_trend
from app.console.units import Units
from app.console.words import node_state
from app.fleet.nodes import Node
from app.intake import Arrival
from app.pipeline import Pipeline
from app.settings import Settings
from app.waveforms import latest_burst
from app.wire import PointId

_OTHER = PointId("plant", "fan-2", "node")


@pytest.fixture
def filled(console: sa.Engine, settings: Settings) -> sa.Engine:
    """A node in alarm that is receiving an update, and one that fell off the line after its watchdog had reset it."""
    now_ns = time.time_ns()
    at = [now_ns - (60 - i) * SECOND_NS for i in range(60)]
    watched = [report(i, now_ns=at[i]) for i in range(20)] + [alarming(i, now_ns=at[i]) for i in range(20, 60)]
    hello = {"firmware": "1.2.0", "model": 2, "boot": 3, "reset": "power", "slot": "confirmed", "period_ms": 1000}
    said = [
        state("online", now_ns=at[0]),
        event("hello", now_ns=at[0], **hello),
        *watched,
        update_status(420, now_ns=at[59]),
        event("log", level="warning", text="supply is low", now_ns=at[59]),
        state("online", point=_OTHER, node="n2", now_ns=at[0], reset="watchdog"),
        report(0, point=_OTHER, node="n2", now_ns=at[0], lost=1234),
        state("offline", point=_OTHER, node="n2", now_ns=at[9], reset="watchdog"),
    ]
    _take(console, settings, *said, now_ns=now_ns)
    return console


def _take(console: sa.Engine, settings: Settings, *messages: Arrival, now_ns: int) -> None:
    pipeline = Pipeline(console, settings)
    assert pipeline.process(pipeline.prepare(messages), now_ns=now_ns).refused == 0


def _metrics(page: AppTest) -> dict[str, Any]:
    return {metric.label: metric.value for metric in page.metric}


def test_without_nodes_the_page_says_what_brings_them(console: sa.Engine) -> None:
    assert console is not None
    assert "raceway gateway" in opened("nodes").info[0].value


def test_the_list_says_how_each_node_stands_the_worst_first(filled: sa.Engine) -> None:
    assert filled is not None
    page = opened("nodes")
    wanted = {"Nodes": "2", "Online": "1", "In alarm": "1", "Cannot judge": "0", "Update under way": "1"}
    assert _metrics(page) == wanted
    first, second = (row for _, row in page.dataframe[0].value.iterrows())
    assert (first["Point"], first["State"], first["Diagnosis"]) == (str(NODE_POINT), "▲ Alarm", "outer race")
    assert (first["Model"], first["Starts"]) == ("2 → 3: 42% received", "3, power on")
    assert first["Score / threshold"] == pytest.approx(2.5)
    assert first["Reached"].startswith("● online for")
    assert (second["State"], second["Starts"]) == ("✕ Offline", "3, △ watchdog: it hung")
    assert (second["Reached"].rstrip("0123456789 s"), second["Lost"]) == ("✕ offline for", 1234)


def test_the_page_of_a_node_shows_its_trend_and_what_it_said(filled: sa.Engine) -> None:
    assert filled is not None
    page = opened("nodes", node=str(NODE_POINT))
    assert page.title[0].value == "Node n7"
    shown = _metrics(page)
    assert (shown["Model"], shown["Firmware"], shown["Starts"]) == ("2", "1.2.0", "3")
    assert any("a report each 1 s" in caption.value for caption in page.caption)
    link, log = (frame.value for frame in page.dataframe)
    assert dict(zip(link["What"], link["Count"], strict=True))["reports stored"] == "60"
    assert any("was not rolled out from here" in caption.value for caption in page.caption)
    said = dict(zip(log["What"], log["Says"], strict=True))
    assert said["log"] == "warning: supply is low"
    assert said["update status"] == "model 3: receiving, 420 of 1000 bytes"
    assert said["hello"] == "start 3 (power on), firmware 1.2.0, model 2"


def test_an_update_that_was_refused_is_said(filled: sa.Engine, settings: Settings) -> None:
    now_ns = time.time_ns()
    _take(filled, settings, update_status(0, size=0, slot="empty", reason=9, now_ns=now_ns), now_ns=now_ns)
    assert "refused: signature" in opened("nodes", node=str(NODE_POINT)).warning[0].value
    assert "2 ✕ refused: signature" in set(opened("nodes").dataframe[0].value["Model"])


def test_a_trial_and_a_node_that_is_late_are_marked(filled: sa.Engine, settings: Settings) -> None:
    now_ns = time.time_ns() - 30 * SECOND_NS
    trial = update_status(1000, slot="trial", version=3, now_ns=now_ns)
    _take(filled, settings, event("hello", period_ms=1000, now_ns=now_ns), trial, now_ns=now_ns)
    first = opened("nodes").dataframe[0].value.iloc[0]
    assert first["Model"] == "3 (on trial)"
    silent = opened("nodes").dataframe[0].value.iloc[1]
    assert silent["Last seen"].startswith("△ ")


def test_a_node_that_is_not_known_is_said(console: sa.Engine) -> None:
    assert console is not None
    assert "No node is known at 'a/b/c'" in opened("nodes", node="a/b/c").error[0].value


def test_the_fleet_shows_points_that_nodes_judge(filled: sa.Engine) -> None:
    assert filled is not None
    page = opened()
    shown = _metrics(page)
    assert (shown["Machines"], shown["▲ Act now"], shown["✕ Not watched"]) == ("2", "1", "1")
    rows = {row["Point"]: row for _, row in page.dataframe[0].value.iterrows()}
    first, second = rows[str(NODE_POINT)], rows[str(_OTHER)]
    assert (first["State"], first["Diagnosis"], first["Judged by"]) == ("▲ Act now", "outer race", "node")
    assert len(first["Trend"]) > 1
    assert second["State"] == "✕ Not watched"


def test_the_machine_page_shows_the_nodes_verdict_and_its_burst(filled: sa.Engine, settings: Settings) -> None:
    now_ns = time.time_ns()
    page = opened("machine", point=str(NODE_POINT))
    assert page.error[0].value.startswith("The node's diagnosis: outer race fault of the bearing (90% sure).")
    assert any("No samples yet" in caption.value for caption in page.caption)
    sent = block(0, start_ns=now_ns, point=NODE_POINT, rate_hz=12_000.0, channels=("acceleration",))
    _take(filled, settings, arrival(sent, now_ns=now_ns), now_ns=now_ns)
    page = opened("machine", point=str(NODE_POINT))
    assert any("Latest samples that the node sent: 0.171 s of" in caption.value for caption in page.caption)
    found = latest_burst(filled, str(NODE_POINT))
    assert found is not None
    assert found[0] == pytest.approx(sent.physical()[0])
    assert page.dataframe[-1].value["Judged by"].tolist() == ["node"]


def test_the_view_of_trends_shows_the_scores_that_the_node_reported(filled: sa.Engine) -> None:
    whole, thin = (reported(filled, str(NODE_POINT), most=most) for most in (100, 30))
    assert whole.score.tolist() == [0.5] * 20 + [5.0] * 40
    assert (whole.thinned, thin.thinned) == ("", "one report of 2")
    assert thin.score.tolist() == [0.5] * 10 + [5.0] * 20
    assert reported(filled, str(NODE_POINT), since_ns=int(whole.start_ns[30]), most=100).score.size == 30
    page = opened("machine", point=str(NODE_POINT), view="Trend")
    said = [caption.value for caption in page.caption]
    assert "No anomaly score is known in this time." not in said
    assert "A click on the curve has all other views look at that time; there it can be typed as well." in said
    page.selectbox(key="indicator").set_value("rms").run()
    assert "No RMS is known in this time." in [caption.value for caption in page.caption]


def test_the_report_of_a_machine_has_the_verdict_of_its_node(
    filled: sa.Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    drawn: dict[str, list[float]] = {}
    monkeypatch.setattr(pdf, "_say", lambda _, __, words, **___: said.append(words))
    over_time = pdf._over_time

    def kept(axes: Any, found: Any, value: Any, name: str, *rest: Any) -> None:
        drawn[name] = value.tolist()
        over_time(axes, found, value, name, *rest)

    monkeypatch.setattr(pdf, "_over_time", kept)
    (row,) = (one for one in fleet(filled)[0] if one.id == str(NODE_POINT))
    assert pdf.machine_report(filled, settings, row, Units(), now_ns=time.time_ns()).startswith(b"%PDF")
    head = next(words for words in said if words.startswith("State: "))
    assert head.splitlines()[:3] == [
        "State: Alarm, outer race fault of the bearing",
        "Score over threshold: 2.50",
        "Judged by the node n7 at the machine, model 2",
    ]
    assert drawn["anomaly score"] == [0.5] * 20 + [5.0] * 40


def test_the_trend_of_reports_is_bounded_and_in_order(filled: sa.Engine) -> None:
    found = report_trend(filled, str(NODE_POINT), most=41)
    assert found.score.tolist() == [0.5] + [5.0] * 40
    assert set(found.threshold) == {2.0}
    assert (found.start_ns[1:] > found.start_ns[:-1]).all()


def test_a_gateway_that_is_gone_shows_its_nodes_offline(filled: sa.Engine, settings: Settings) -> None:
    now_ns = time.time_ns()
    _take(filled, settings, gateway_state("offline", now_ns=now_ns), now_ns=now_ns)
    assert _metrics(opened("nodes"))["Online"] == "0"


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({}, "No report yet"),
        ({"state": "fault", "number": 1}, "Cannot judge"),
        ({"state": "commissioning", "number": 1}, "Learning"),
        ({"state": "watching", "number": 1, "score": 3.0, "threshold": 2.0}, "Above threshold"),
        ({"state": "watching", "number": 1, "score": 1.0, "threshold": 2.0}, "Healthy"),
        ({"state": "fault", "number": 1, "gateway": "a/b/gateway"}, "Offline"),
        ({"state": "fault", "number": 1, "gateway": "a/b/gateway", "alarm": True}, "Alarm"),
    ],
)
def test_a_nodes_state_is_a_word(values: dict[str, Any], word: str) -> None:
    assert node_state(Node("a/b/c", "n1", **values))[1] == word
