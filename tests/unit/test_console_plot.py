"""Charts carry no template of Plotly's, their library comes from the console's own server, a click is told once."""

from __future__ import annotations

import json

import numpy as np
import pytest
import streamlit as st
from asgi import ask
from plotly.offline import get_plotlyjs
from starlette.applications import Starlette

from app.console.charts import TEMPLATE, wave_chart
from app.console.plot import LIBRARY, Click, library_routes, new_click
from app.console.shell import shell_routes


def test_a_chart_is_sent_without_plotlys_templates() -> None:
    made = json.loads(wave_chart(np.zeros(512, dtype=np.float32), 1e4, unit="g", key="k").to_json())
    assert made["layout"]["template"] == {"layout": TEMPLATE["layout"]}
    assert len(json.dumps(made["layout"])) < 2000


def test_the_library_is_the_installed_one_and_is_kept_by_the_browser() -> None:
    (route,) = library_routes()
    answer = ask(Starlette(routes=[route]), route.path)
    assert answer.status == 200
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert answer.text == get_plotlyjs()


def test_pages_with_charts_ask_for_the_library_as_they_are_loaded() -> None:
    app = Starlette(routes=shell_routes())
    asked = f'<script async src="{LIBRARY}">'
    assert {path: asked in ask(app, path).text for path in ("/machine", "/maintenance", "/alarms", "/")} == {
        "/machine": True,
        "/maintenance": True,
        "/alarms": False,
        "/": False,
    }


def test_a_click_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    state: dict[str, object] = {}
    monkeypatch.setattr(st, "session_state", state)
    assert new_click("chart") is None
    state["chart"] = {"click": None}
    assert new_click("chart") is None
    state["chart"] = {"click": {"x": "2026-11-12", "y": 0.5, "custom": 7.0, "number": 1}}
    assert new_click("chart") == Click("2026-11-12", 0.5, 7.0)
    assert new_click("chart") is None
    state["chart"] = {"click": {"x": 3.0, "y": None, "custom": None, "number": 2}}
    assert new_click("chart") == Click(3.0, None, None)
