"""The table of compared systems keeps honest columns before leaky ones and names what the forest is not beaten by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.results_cwru import FILE, render_cwru
from features.errors import ArtifactError


def _row(system: str, protocol: str, mean: float, *, leaky: bool, beats: bool | None) -> dict[str, Any]:
    return {
        "system": system,
        "protocol": protocol,
        "leaky": leaky,
        "mean": mean,
        "spread": 0.0123,
        "folds": [{"name": "first", "balanced_accuracy": mean}],
        "seeds": [1, 2],
        "window_samples": 4096,
        "source": "Li et al., 2000" if system == "Li 2000" else "",
        "published": "99 % on | other data" if system == "Li 2000" else "",
        "beats_forest": beats,
    }


def _write(folder: Path) -> None:
    rows = [
        _row("random forest", "random", 1.0, leaky=True, beats=None),
        _row("ours", "size", 0.9, leaky=False, beats=True),
        _row("Li 2000", "size", 0.4, leaky=False, beats=False),
        _row("random forest", "size", 0.5, leaky=False, beats=None),
    ]
    run = {"versions": {"numpy": "2"}, "processor": "P", "cores": 2, "duration_s": 3.0}
    figures = {"rows": rows, "protocols": {"random": "dealt", "size": "left out"}, "note": "Note.", "run": run}
    (folder / FILE).write_text(json.dumps(figures))


def test_honest_columns_come_first_and_unmeasured_cells_say_so(tmp_path: Path) -> None:
    _write(tmp_path)
    lines = render_cwru(tmp_path).splitlines()
    assert "| system | window | `size`, honest | `random`, leaky |" in lines
    assert "| ours | 4,096 | 90.0% ± 1.2 | not measured |" in lines
    assert "- `random` (leaky): dealt." in lines
    assert "| Li 2000 | 40.0% |" in lines


def test_what_does_not_beat_the_forest_is_said_not_to(tmp_path: Path) -> None:
    _write(tmp_path)
    assert "Above the random forest under `size`: ours. Not above it: Li 2000." in render_cwru(tmp_path)


def test_published_figures_stand_with_their_paper(tmp_path: Path) -> None:
    _write(tmp_path)
    lines = render_cwru(tmp_path).splitlines()
    assert "| Li 2000 | Li et al., 2000 | 99 % on \\| other data |" in lines
    assert not any(line.startswith("| ours | ") and "Li et al." in line for line in lines)


def test_rows_of_an_earlier_run_are_told_apart(tmp_path: Path) -> None:
    _write(tmp_path)
    figures = json.loads((tmp_path / FILE).read_text())
    figures["rows"][2]["run"] = figures["run"] | {"duration_s": 7.0}
    (tmp_path / FILE).write_text(json.dumps(figures))
    lines = render_cwru(tmp_path).splitlines()
    assert lines[-2] == "- Li 2000: Measured in 7 s on 2 cores of P; numpy 2."
    assert lines[-1] == "- random forest, ours: Measured in 3 s on 2 cores of P; numpy 2."


def test_without_a_file_nothing_is_claimed(tmp_path: Path) -> None:
    assert "Not measured yet." in render_cwru(tmp_path)


def test_a_file_that_lacks_a_figure_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"rows": []}')
    with pytest.raises(ArtifactError, match="measure again with `raceway evaluate cwru`"):
        render_cwru(tmp_path)
