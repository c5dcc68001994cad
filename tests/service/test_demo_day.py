"""The scripted day, small: a plant lives through weeks, is broken off three times, and loses nothing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from app.demo.day import Day, Script, settings_for
from app.demo.page import render_page
from app.demo.report import figures_of, findings
from app.settings import load_settings

pytestmark = [pytest.mark.service, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of six machines in 20 days."""
    folder: Path = tmp_path_factory.mktemp("day")
    script = Script(machines=6, days=20, interval_h=1, seed=1, end_ns=time.time_ns(), kind_windows=0, jobs=1)
    told: list[int] = []
    # Challengers of half the usual windows, two at a time: most of the time goes into learning them.
    smaller = {"retrain_windows": 96, "retrain_processes": 2}
    settings = settings_for(load_settings(data_dir=folder), script).model_copy(update=smaller)
    day = Day(settings, script, lambda hours, _: told.append(hours))
    day.run()
    assert told[-1] == script.hours
    return figures_of(day)


def test_nothing_is_lost_and_everything_of_the_script_came_about(figures: dict[str, Any]) -> None:
    assert findings(figures) == []
    assert figures["account"]["bursts"]["sent"] == figures["account"]["bursts"]["stored"] > 2500


def test_each_process_was_killed_by_a_signal_and_went_on(figures: dict[str, Any]) -> None:
    crashes = {(crash["what"], crash["where"]): crash for crash in figures["crashes"]}
    assert set(crashes) == {
        ("ingest", "in the transaction"),
        ("ingest", "before the acknowledgement"),
        ("retraining", "train worked"),
    }
    assert {crash["signal"] for crash in crashes.values()} == {9}
    # What was rolled back is delivered again and new; what was committed is delivered again and known.
    rolled_back, committed = (
        crashes["ingest", where] for where in ("in the transaction", "before the acknowledgement")
    )
    assert rolled_back["again"] > 0
    assert 0 < figures["account"]["bursts"]["known_again"] <= committed["again"]
    # What was killed, and what was in hand beside it.
    assert 1 <= figures["retraining"]["begun_again"] <= 2
    assert figures["retraining"]["runs"] == figures["retraining"]["nights"] == 20


def test_challengers_are_promoted_and_refused_for_stated_reasons(figures: dict[str, Any]) -> None:
    decided = figures["retraining"]["decided"]
    promoted, refused = ([one for one in decided if one["outcome"] == which] for which in ("promoted", "refused"))
    assert promoted
    assert refused
    assert all(one["reasons"] for one in refused)


def test_people_worked_through_the_alarms(figures: dict[str, Any]) -> None:
    people = figures["people"]
    assert people["labels"]["repair"] == people["mended"] + people["failed"] > 0
    assert people["acknowledged"] > 0
    # Whoever goes home at 18 h sees in the morning what came in the evening.
    assert people["longest_to_acknowledge_h"] <= 12.0
    assert people["alarms_by_tag"]["no data"] > 0


def test_the_report_holds_raceway_against_limits_on_the_same_faults(figures: dict[str, Any]) -> None:
    ours, *limits = figures["systems"]
    assert [row["system"] for row in limits] == [
        "ISO zone C entered",
        "ISO zone D entered",
        "ISO baseline + 25 % of B/C",
    ]
    assert {row["faults"] for row in figures["systems"]} == {ours["faults"]}
    for row in figures["systems"]:
        assert row["found"] + row["missed"] + row["open"] == row["faults"] > 0
    assert ours["found"] > 0
    assert "<h1>6 machines, 20 days</h1>" in render_page(figures)
