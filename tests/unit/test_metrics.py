"""What Raceway says of itself is what its store holds, and board and rules ask for nothing else."""

from __future__ import annotations

import json
import re
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from app.access.audit import note
from app.access.roles import User
from app.alarms.register import follow
from app.broker import free_port
from app.cli import _raceway
from app.metrics.exposition import exposed, run_metrics
from app.metrics.measures import MEASURES
from app.schema import counters, points, retraining_runs, retraining_tasks
from app.settings import Settings, load_settings
from app.store import PointRow, Quarantined, count, quarantine_payloads, save_point, writing
from features.errors import RacewayError

_DEPLOY = Path(__file__).parents[2] / "deploy"
_NOW_NS = 1_800_000_000_000_000_000
_NAME = re.compile(r"\braceway_[a-z_]+")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path)


@pytest.fixture
def engine(store: Engine) -> Iterator[Engine]:
    with writing(store) as connection:
        for i, state in enumerate(("watching", "watching", "learning")):
            key = f"plant/pump-{i}/de"
            save_point(
                connection,
                PointRow(key, key, state=state, seen_ns=_NOW_NS - i * 10**9, score=3.0, threshold=2.0),
                new=True,
            )
            count(connection, {(key, "blocks"): 10 + i, (key, "gaps"): i})
        follow(connection, "plant/pump-0/de", "health", active=True, now_ns=_NOW_NS, priority="urgent")
        quarantine_payloads(connection, [Quarantined(_NOW_NS, "t", "length", "too short", b"x")], keep_bytes=10)
        count(connection, {("", "refused length"): 1})
    yield store
    store.dispose()


def _values(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(text.decode())
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def test_figures_are_those_of_the_store(engine: Engine, settings: Settings) -> None:
    found = _values(exposed(engine, settings, clock_ns=lambda: _NOW_NS))
    assert found["raceway_points", (("state", "watching"),)] == 2
    assert found["raceway_points", (("state", "failed"),)] == 0
    assert found["raceway_silence_seconds", (("point", "plant/pump-2/de"),)] == 2.0
    assert found["raceway_score_ratio", (("point", "plant/pump-1/de"),)] == 1.5
    assert found["raceway_quarantined_total", (("reason", "length"),)] == 1
    assert found["raceway_alarms", (("priority", "urgent"), ("state", "unacknowledged"))] == 1
    assert found["raceway_store_up", ()] == 1
    assert found["raceway_database_bytes", ()] == (settings.data_dir / "raceway.db").stat().st_size
    with engine.connect() as connection:
        total = connection.execute(sa.select(sa.func.sum(counters.c.value)).where(counters.c.name == "blocks")).scalar()
    assert sum(value for (name, _), value in found.items() if name == "raceway_blocks_total") == total == 33


def test_points_whose_baseline_cannot_be_read_are_not_counted_as_watched(engine: Engine, settings: Settings) -> None:
    with writing(engine) as connection:
        # Why the other one learns anew is no reason for that.
        ids = ["plant/pump-0/de", "plant/pump-2/de"]
        connection.execute(points.update().where(points.c.id.in_(ids)).values(failure="no bundle"))
    found = _values(exposed(engine, settings, clock_ns=lambda: _NOW_NS))
    states = {labels[0][1]: n for (name, labels), n in found.items() if name == "raceway_points"}
    assert states == {"learning": 1, "training": 0, "watching": 1, "unjudged": 1, "failed": 0}


def test_the_age_of_the_backup_is_there_once_there_is_one(engine: Engine, settings: Settings) -> None:
    age = ("raceway_backup_age_seconds", ())
    assert age not in _values(exposed(engine, settings, clock_ns=lambda: _NOW_NS))
    with writing(engine) as connection:
        note(connection, User("kim", "admin"), "back up", target="backup", why="x", now_ns=_NOW_NS - 90 * 10**9)
    assert _values(exposed(engine, settings, clock_ns=lambda: _NOW_NS))[age] == 90.0


def test_a_store_that_fails_is_said_to_be_down_and_the_disk_is_still_measured(
    engine: Engine, settings: Settings
) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE alarm_tags"))
    found = _values(exposed(engine, settings, clock_ns=lambda: _NOW_NS))
    assert found["raceway_store_up", ()] == 0
    assert found["raceway_disk_free_bytes", ()] > 0
    assert not any(name == "raceway_points" for name, _ in found)


def test_reading_changes_nothing(engine: Engine, settings: Settings) -> None:
    with engine.connect() as connection:
        before = connection.execute(sa.select(points)).all()
    exposed(engine, settings, clock_ns=lambda: _NOW_NS)
    with engine.connect() as connection:
        assert connection.execute(sa.select(points)).all() == before


def test_board_and_rules_ask_for_what_there_is(engine: Engine, settings: Settings) -> None:
    known = {
        family.name for family in text_string_to_metric_families(exposed(engine, settings, clock_ns=lambda: 1).decode())
    }
    known |= {f"{measure.name}_total" for measure in MEASURES if measure.kind == "counter"}
    board = json.loads((_DEPLOY / "grafana" / "raceway.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    rules = yaml.safe_load((_DEPLOY / "prometheus" / "rules.yml").read_text())
    asked += [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    for expression in asked:
        for name in _NAME.findall(expression):
            assert name in known, expression
    shown = {name.removesuffix("_total") for expression in asked for name in _NAME.findall(expression)}
    assert {measure.name for measure in MEASURES} <= shown
    places = [tuple(panel["gridPos"][key] for key in "xywh") for panel in board["panels"]]
    assert len(set(places)) == len(places)
    assert all(x + w <= 24 for x, _, w, _ in places)


def test_outcomes_are_those_of_the_latest_run_that_ended(engine: Engine, settings: Settings) -> None:
    def outcomes() -> dict[str, float]:
        found = _values(exposed(engine, settings, clock_ns=lambda: _NOW_NS))
        return {labels[0][1]: n for (name, labels), n in found.items() if name == "raceway_retraining_tasks"}

    assert outcomes() == {}
    runs = {"20270101T": _NOW_NS, "20270102T": _NOW_NS, "20270103T": None}
    decided = {"20270101T": "refused", "20270102T": "refused", "20270103T": "failed"}
    with writing(engine) as connection:
        for name, ended_ns in runs.items():
            run = {"id": name, "started_ns": 1, "ended_ns": ended_ns, "state": "running", "options": "{}"}
            connection.execute(retraining_runs.insert().values(**run))
            for i in range(2):
                task = {"role": "baseline", "point_id": f"plant/pump-{i}/de", "step": "gate", "findings": "{}"}
                connection.execute(retraining_tasks.insert().values(**task, run_id=name, outcome=decided[name]))
    assert outcomes() == {"promoted": 0, "refused": 2, "failed": 0}
    with writing(engine) as connection:
        forced = (retraining_tasks.c.run_id == "20270102T") & (retraining_tasks.c.point_id == "plant/pump-0/de")
        connection.execute(retraining_tasks.update().where(forced).values(outcome="promoted"))
    assert outcomes() == {"promoted": 1, "refused": 1, "failed": 0}


def test_rules_speak_where_a_figure_is_missing(store: Engine, settings: Settings) -> None:
    rules = yaml.safe_load((_DEPLOY / "prometheus" / "rules.yml").read_text())
    asked = {rule["alert"]: rule["expr"] for group in rules["groups"] for rule in group["rules"]}
    (scraped,) = yaml.safe_load((_DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    up = f'up{{job="{scraped["job_name"]}"}}'
    assert asked["RacewayDown"] == f"{up} == 0 or absent({up})"
    there = {name for name, _ in _values(exposed(store, settings, clock_ns=lambda: _NOW_NS))}
    missing = {name for expression in asked.values() for name in _NAME.findall(expression)} - there
    # Nothing came yet, nothing was refused and no channel is set up: none of these is a fault.
    missing -= {"raceway_blocks_total", "raceway_ingest_lag_seconds"}
    missing -= {"raceway_quarantined_total", "raceway_notice_failures"}
    assert missing == {"raceway_backup_age_seconds", "raceway_retraining_age_seconds"}
    assert "raceway_store_up" in there
    for name in missing:
        assert f"raceway_store_up == 1 unless {name}" in asked.values()


def test_labels_are_those_that_a_figure_names(engine: Engine, settings: Settings) -> None:
    families = {
        family.name: family
        for family in text_string_to_metric_families(exposed(engine, settings, clock_ns=lambda: _NOW_NS).decode())
    }
    for measure in MEASURES:
        assert all(set(one.labels) == set(measure.labels) for one in families[measure.name].samples), measure.name


def test_they_are_served_and_the_configuration_asks_there(engine: Engine, settings: Settings) -> None:
    served = settings.model_copy(update={"metrics_port": free_port()})
    stopped = threading.Event()
    thread = threading.Thread(
        target=run_metrics, args=(engine, served), kwargs={"clock_ns": lambda: _NOW_NS, "stopped": stopped}
    )
    thread.start()
    try:
        address = f"http://127.0.0.1:{served.metrics_port}/metrics"
        with urllib.request.urlopen(_waited(address, served.metrics_port), timeout=30) as answer:
            assert _values(answer.read())["raceway_store_up", ()] == 1
        with pytest.raises(RacewayError, match=f"{served.metrics_port} .*end what uses the port"):
            run_metrics(engine, served, clock_ns=lambda: _NOW_NS, stopped=stopped)
    finally:
        stopped.set()
        thread.join(30)
    asked = yaml.safe_load((_DEPLOY / "prometheus" / "prometheus.yml").read_text())
    assert asked["scrape_configs"][0]["static_configs"][0]["targets"] == [f"127.0.0.1:{settings.metrics_port}"]


def _waited(address: str, port: int) -> str:
    """The address, once something listens there."""
    import socket
    import time

    until = time.monotonic() + 30
    while time.monotonic() < until:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return address
        time.sleep(0.02)
    raise AssertionError(f"nothing listens at {port}")


@pytest.mark.usefixtures("engine")
def test_they_are_shown_once(settings: Settings) -> None:
    shown = CliRunner().invoke(_raceway, ["--data-dir", str(settings.data_dir), "metrics", "show"])
    assert shown.exit_code == 0
    assert 'raceway_points{state="watching"} 2.0' in shown.output
