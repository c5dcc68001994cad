"""How measuring subcommands report: as lines or JSON, into a file, with what a figure has to be read with."""

from __future__ import annotations

import functools
import json
import os
import platform
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import click

__all__ = ["SEED", "measured", "run_of", "show_figures"]

# Of the first learning of every measuring command; the next ones follow it.
SEED = 20261123

_PACKAGES = ("raceway", "numpy", "scipy", "scikit-learn", "tensorflow", "ai-edge-litert")

Measurement = Callable[..., dict[str, Any]]


def measured(measure: Measurement) -> Callable[..., None]:
    """Turn a function from context and options to figures into a command body with ``--json`` and ``--output``."""

    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @click.option("--output", type=click.Path(path_type=Path), help="Write the JSON to a file too.")
    @click.pass_context
    @functools.wraps(measure)
    def body(ctx: click.Context, /, *, as_json: bool, output: Path | None, **options: Any) -> None:
        began_s = time.monotonic()
        figures = measure(ctx, **options)
        figures["run"] = run_of(ctx.command_path, time.monotonic() - began_s)
        text = json.dumps(figures, indent=1)
        if output is not None:
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_text(text + "\n", encoding="utf-8")
        if as_json:
            click.echo(text)
        else:
            show_figures(figures)

    return body


def show_figures(figures: dict[str, Any]) -> None:
    """Print figures, a line for each or for each row of a table."""
    for name, value in figures.items():
        for line in value if isinstance(value, list) and value and isinstance(value[0], dict) else [value]:
            click.echo(f"{name:32} {_line(line)}")


def _line(value: Any) -> str:
    """One line for a value; a row of a table by its own values."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_line(part)}" for key, part in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def run_of(command: str, duration_s: float) -> dict[str, Any]:
    """Say with what a figure was measured: the command, the versions, the machine and the time it took."""
    return {
        "command": command,
        "versions": {name: version for name in _PACKAGES if (version := _version(name))},
        "processor": _processor(),
        "cores": os.cpu_count(),
        "duration_s": round(duration_s, 1),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
