"""Measuring subcommands report figures with what they have to be read with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from app.commands.figures import measured


@click.command()
@click.option("--n", default=2)
@measured
def _halving(ctx: click.Context, /, *, n: int) -> dict[str, Any]:
    """Halve a number."""
    del ctx
    return {"half": n / 2, "odd": bool(n % 2)}


def test_figures_are_lines_for_people() -> None:
    shown = CliRunner().invoke(_halving, ["--n", "5"])
    assert shown.exit_code == 0
    assert shown.output.splitlines()[:2] == [f"{'half':32} 2.5", f"{'odd':32} True"]


def test_figures_are_json_with_command_versions_and_duration(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "half.json"
    shown = CliRunner().invoke(_halving, ["--json", "--output", str(file)], prog_name="raceway halve")
    assert shown.exit_code == 0
    printed = json.loads(shown.output)
    assert json.loads(file.read_text()) == printed
    run = printed.pop("run")
    assert printed == {"half": 1.0, "odd": False}
    assert run["command"] == "raceway halve"
    assert run["versions"].keys() >= {"raceway", "numpy", "scipy"}
    assert run["duration_s"] >= 0.0
    assert run["processor"]


@click.command()
@measured
def _tabling(ctx: click.Context, /) -> dict[str, Any]:
    """Give a table."""
    del ctx
    return {"rows": [{"system": "ridge", "rmse": 1.23456}, {"system": "ours", "rmse": None}]}


def test_rows_of_a_table_are_one_line_each() -> None:
    lines = CliRunner().invoke(_tabling).output.splitlines()
    assert lines[:2] == [f"{'rows':32} system ridge, rmse 1.235", f"{'rows':32} system ours, rmse None"]
