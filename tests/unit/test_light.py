"""Light paths stay light: what serves, bridges and rolls out loads no TensorFlow; help loads almost nothing."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys

import pytest

import app.console
import app.fleet
import app.gateway
import features


def _loaded_by(statement: str) -> set[str]:
    script = f"import sys, json\n{statement}\nprint(json.dumps(sorted(m.split('.')[0] for m in sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def _modules(package: object, skip: tuple[str, ...] = ()) -> list[str]:
    name, path = package.__name__, package.__path__  # type: ignore[attr-defined]
    found = [module.name for module in pkgutil.walk_packages(path, prefix=f"{name}.")]
    return [module for module in found if not module.startswith(skip)] if skip else found


@pytest.mark.parametrize(
    "modules",
    [
        ["app.ingest"],
        _modules(app.console, skip=("app.console.entry",)),
        _modules(app.gateway),
        _modules(app.fleet),
        _modules(features),
    ],
    ids=["ingest", "console", "gateway", "fleet", "features"],
)
def test_serving_loads_no_tensorflow(modules: list[str]) -> None:
    assert modules
    loaded = _loaded_by("\n".join(f"import {module}" for module in modules))
    assert not loaded & {"tensorflow", "keras"}


def test_serving_a_model_loads_no_tensorflow() -> None:
    loaded = _loaded_by("from models.serving import interpreter_class; interpreter_class()")
    assert "ai_edge_litert" in loaded
    assert not loaded & {"tensorflow", "keras"}


def test_help_loads_next_to_nothing() -> None:
    lines = ["sys.argv = ['raceway', '--help']", "import app.cli", "try: app.cli.main()", "except SystemExit: pass"]
    loaded = _loaded_by("\n".join(lines))
    assert not loaded & {"numpy", "scipy", "sqlalchemy", "pydantic", "streamlit", "tensorflow", "paho", "pandas"}
