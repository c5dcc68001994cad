"""Real bearing recordings travel over MQTT to a verdict in the console, through both brokers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import streamlit as st
from chromium import screenshot
from streamlit.testing.v1 import AppTest

from app.broker import free_port
from app.console.launch import ENTRY, console_command
from app.console.queries import fleet
from app.console.words import kind_text
from app.process import spawn
from app.replay import Track, play
from app.store import point_rows, reading
from app.wire import About, PointId
from features.bearing import bearing_named
from models.datasets import cwru
from models.recordings import Recording

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]

# Point: healthy record it learns from, fault record it then plays, kind that the console must name.
_POINTS = {
    "motor-1": ("normal12k_L1", "drive12k_IR007_L1", "inner"),
    "motor-2": ("normal12k_L2", "drive12k_OR007-6_L2", "outer"),
    "motor-3": ("normal12k_L3", "drive12k_B014_L3", "ball"),
    "motor-4": ("normal12k_L1", "drive12k_OR021-6_L1", "outer"),
}
_ARTEFACTS = Path(__file__).parents[2] / "test-artifacts"
_HEALTHY_S = 15.0


def _point(asset: str) -> PointId:
    return PointId("cwru", asset, "drive-end")


def _about(asset: str) -> About:
    return About(_point(asset), f"Test motor {asset[-1]}", bearing_named(cwru.BEARING))


def _play(stack: Any, recordings: dict[str, Recording], *, start_ns: int) -> None:
    tracks: Sequence[Track] = [Track(_about(asset), [recording]) for asset, recording in recordings.items()]
    with stack.publisher("cwru") as publisher:
        for track in tracks:
            publisher.about(track.about)
        play(tracks, publisher.block, start_ns=start_ns, block_samples=4096, speed=0.0, stopped=lambda _: False)
        publisher.flush()


def _states(stack: Any) -> list[str]:
    with reading(stack.engine) as connection:
        return [row.state for row in point_rows(connection)]


def _page(stack: Any, monkeypatch: pytest.MonkeyPatch, **query: str) -> AppTest:
    for name, value in stack.settings.environment().items():
        monkeypatch.setenv(name, value)
    st.cache_resource.clear()
    page = AppTest.from_file(str(ENTRY), default_timeout=60)
    for name, value in query.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return page


@pytest.mark.parametrize("stack", ["mosquitto", "amqtt"], indirect=True)
def test_four_motors_learn_fail_and_are_diagnosed(
    diagnosing: Any, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = diagnosing
    records = {record.name: record.read() for record in cwru.records(data_dir / "cwru", rate_hz=12_000.0)}
    stack.start("ingest")
    stack.wait("ingest", lambda: "broker connected" in (stack.logs / "ingest.log").read_text())
    began_ns = time.time_ns()
    _play(stack, {asset: records[healthy] for asset, (healthy, _, _) in _POINTS.items()}, start_ns=began_ns)
    stack.wait("healthy start", lambda: _states(stack) == ["training"] * 4)
    stack.start("learn")
    stack.wait("baselines", lambda: _states(stack) == ["watching"] * 4)
    assert fleet(stack.engine)[1] == {}

    later_ns = began_ns + round(_HEALTHY_S * 1e9)
    _play(stack, {asset: records[faulty] for asset, (_, faulty, _) in _POINTS.items()}, start_ns=later_ns)
    expected = {str(_point(asset)): kind for asset, (_, _, kind) in _POINTS.items()}
    stack.wait(
        f"alarms {expected}", lambda: {p: a.kind for p, a in fleet(stack.engine)[1].items()} == expected, seconds=60
    )

    overview = _page(stack, monkeypatch)
    assert [metric.value for metric in overview.metric][:2] == ["4", "4"]
    for asset, (_, _, kind) in _POINTS.items():
        page = _page(stack, monkeypatch, point=str(_point(asset)))
        assert page.title[0].value == f"Test motor {asset[-1]}"
        assert page.error[0].value.startswith(f"Diagnosis: {kind_text(kind)}.")
    if stack.kind == "mosquitto":
        _look(stack, str(_point("motor-1")))


def _look(stack: Any, point: str) -> None:
    """Look at the machine page in a real browser, and leave what it shows among the artefacts."""
    settings = stack.settings.model_copy(update={"console_port": free_port()})
    log = stack.logs / "console.log"
    stack.children.append(spawn(console_command(settings), environment=settings.environment(), log=log))
    stack.wait("console", lambda: log.exists() and "http://" in log.read_text())
    address = f"http://127.0.0.1:{settings.console_port}/"
    shown = screenshot(
        f"{address}?point={quote(point, safe='')}", _ARTEFACTS / "machine.png", until="inner race fault of the bearing"
    )
    assert "BPFI" in shown
    assert "anomaly score" in shown
    shown = screenshot(address, _ARTEFACTS / "overview.png", until="Every measuring point")
    assert "Overview" in shown
    assert (_ARTEFACTS / "machine.png").stat().st_size > 20_000
