"""Comparing beside earlier figures keeps their rows with the run that measured them, and refuses another contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.cli import _raceway
from models.bearing import comparison
from models.bearing.systems import systems_named

_RUN = {"command": "earlier"}


def _row(system: str, protocol: str, mean: float) -> dict[str, Any]:
    return {"system": system, "protocol": protocol, "mean": mean, "beats_forest": None}


def _figures(*rows: dict[str, Any], contract: str = "c") -> dict[str, Any]:
    return {"rows": list(rows), "protocols": {"size": "left out"}, "contract": contract, "records": ["r"]}


@pytest.fixture
def measured_now(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """What is measured now: ridge under `size`; the file of earlier figures."""
    monkeypatch.setattr(comparison, "cwru_comparison", lambda *_, **__: _figures(_row("ridge", "size", 0.7)))
    monkeypatch.setenv("RACEWAY_DATA", str(tmp_path))
    (tmp_path / "cwru").mkdir()
    return tmp_path / "earlier.json"


def _compare(*beside: Path) -> Any:
    named = [part for path in beside for part in ("--beside", str(path))]
    return CliRunner().invoke(_raceway, ["evaluate", "cwru", "--json", *named])


def test_earlier_rows_are_kept_with_their_run_and_judged_beside_the_new_ones(measured_now: Path) -> None:
    earlier = _figures(
        _row("ridge", "size", 0.1),
        _row("random forest", "size", 0.5),
        _row("gone", "size", 0.9),
        _row("ridge", "load", 0.8),
    )
    measured_now.write_text(json.dumps(earlier | {"run": _RUN}))
    rows = json.loads(_compare(measured_now).stdout)["rows"]
    assert [(row["system"], row["protocol"], row["mean"]) for row in rows] == [
        ("ridge", "size", 0.7),
        ("ridge", "load", 0.8),
        ("random forest", "size", 0.5),
    ]
    assert [row.get("run") for row in rows] == [None, _RUN, _RUN]
    assert [row["beats_forest"] for row in rows] == [True, None, None]


def test_what_a_file_named_before_has_is_not_taken_from_a_later_one(measured_now: Path) -> None:
    later = measured_now.with_name("later.json")
    measured_now.write_text(json.dumps(_figures(_row("random forest", "size", 0.5)) | {"run": _RUN}))
    further = [_row("random forest", "size", 0.9), _row("Li 2000", "size", 0.6)]
    later.write_text(json.dumps(_figures(*further) | {"run": {"command": "later"}}))
    rows = json.loads(_compare(measured_now, later).stdout)["rows"]
    assert [(row["system"], row["mean"]) for row in rows] == [("Li 2000", 0.6), ("ridge", 0.7), ("random forest", 0.5)]
    assert rows[0]["source"] == systems_named(["Li 2000"])[0].source


def test_figures_of_another_contract_are_refused(measured_now: Path) -> None:
    measured_now.write_text(json.dumps(_figures(contract="other") | {"run": _RUN}))
    result = _compare(measured_now)
    assert result.exit_code != 0
    assert "the earlier figures have another contract" in result.output


def test_a_file_without_rows_is_refused_before_anything_is_measured(measured_now: Path) -> None:
    measured_now.write_text("{}")
    result = _compare(measured_now)
    assert result.exit_code != 0
    assert "give a file that `raceway evaluate cwru` wrote" in result.output
