"""The page of figures shows tables of rows, leaves empty what was not measured, and says what lost to trees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.results import render_results
from features.errors import ArtifactError

_ROW: dict[str, Any] = {
    "subset": "FD001",
    "rmse": 17.506,
    "rmse_spread": None,
    "rmse_uncapped": 18.502,
    "score": 1119.2,
    "coverage90": None,
    "width90": None,
    "seeds": 1,
}
_BABU = _ROW | {"system": "babu", "published_rmse": 18.45, "source": "Babu", "beats_trees": False}
_OURS = _ROW | {"system": "ours", "published_rmse": None, "source": None, "beats_trees": True, "coverage90": 0.9}


def _written(folder: Path, rows: list[dict[str, Any]]) -> Path:
    run = {"versions": {"numpy": "2"}, "duration_s": 1.0, "cores": 2, "processor": "P"}
    (folder / "cmapss.json").write_text(json.dumps({"rows": rows, "run": run}))
    return folder


def test_rows_are_a_table_with_published_figures_and_their_source(tmp_path: Path) -> None:
    lines = render_results(_written(tmp_path, [_BABU, _OURS])).splitlines()
    assert "| FD001 | babu | 17.51 |  | 18.50 | 1,119 |  |  | 1 | 18.45 | Babu |" in lines
    assert "| FD001 | ours | 17.51 |  | 18.50 | 1,119 | 90.0% |  | 1 |  |  |" in lines


def test_a_network_that_loses_to_its_trees_is_said_to(tmp_path: Path) -> None:
    page = render_results(_written(tmp_path, [_BABU, _OURS]))
    assert "- On FD001 `babu` does not beat the best of its tree baselines." in page.splitlines()
    assert "`ours` does not beat" not in page


def test_rows_of_an_earlier_run_say_so(tmp_path: Path) -> None:
    earlier = {"versions": {"numpy": "1"}, "duration_s": 9.0, "cores": 4, "processor": "Q"}
    lines = render_results(_written(tmp_path, [_BABU | {"run": earlier}, _OURS])).splitlines()
    assert "- babu: Measured in 9 s on 4 cores of Q; numpy 1." in lines
    assert "- ours: Measured in 1 s on 2 cores of P; numpy 2." in lines


def test_a_table_that_lacks_a_figure_is_refused(tmp_path: Path) -> None:
    del (row := dict(_BABU))["score"]
    with pytest.raises(ArtifactError, match=r"cmapss.json cannot be shown .*'score'.* `raceway evaluate cmapss`"):
        render_results(_written(tmp_path, [row]))


_LIFE: dict[str, Any] = {
    "system": "ours",
    "bearing": "mean",
    "mae_s": 3234.8,
    "mae_spread_s": 84.5,
    "rmse_s": 3778.6,
    "late_error_percent": 63.1,
    "score": 0.1864,
    "score_spread": None,
    "coverage90": 0.976,
    "width90_s": 31988.7,
    "seeds": 5,
    "lost_to": [],
}


def _with_lives(folder: Path, **more: Any) -> str:
    run = {"versions": {"numpy": "2"}, "duration_s": 1.0, "cores": 2, "processor": "P"}
    (folder / "femto.json").write_text(json.dumps({"rows": [], "run": run} | more))
    return render_results(folder)


def test_remaining_lives_of_bearings_are_shown_once_they_are_measured(tmp_path: Path) -> None:
    heading = "## Remaining life of the FEMTO bearings"
    assert heading not in render_results(tmp_path)
    assert heading not in _with_lives(tmp_path)
    page = _with_lives(tmp_path, life=[_LIFE]).splitlines()
    assert heading in page
    assert "| ours | mean | 3,235 | 84 | 3,779 | 63 | 0.186 |  | 98% | 31,989 | 5 |" in page


def test_a_life_that_loses_to_a_baseline_is_said_to(tmp_path: Path) -> None:
    lost = _LIFE | {"bearing": "Bearing3_2", "lost_to": ["trend (error)", "forest (score)"]}
    page = _with_lives(tmp_path, life=[_LIFE, lost, _LIFE | {"lost_to": ["forest (error)"]}])
    said = [line for line in page.splitlines() if "`ours` is no better" in line]
    assert said == [
        "- On Bearing3_2 `ours` is no better than trend (error), forest (score).",
        "- In the mean over the bearings `ours` is no better than forest (error).",
    ]
