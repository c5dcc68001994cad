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


_PARTS = {
    "features": _modules(features),
    "ingest": ["app.ingest"],
    "gateway": _modules(app.gateway),
    "fleet": _modules(app.fleet),
    "console": _modules(app.console, skip=("app.console.entry",)),
}


@pytest.fixture(scope="module")
def heavy_after() -> dict[str, list[str]]:
    """What of TensorFlow is loaded after each part, in one process: most of what they load they share."""
    lines = ["heavy = {}"]
    for part, modules in _PARTS.items():
        lines += [f"import {module}" for module in modules]
        lines.append(f"heavy[{part!r}] = sorted({{'keras', 'tensorflow'}} & set(sys.modules))")
    script = "\n".join(["import sys, json", *lines, "print(json.dumps(heavy))"])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("part", _PARTS)
def test_serving_loads_no_tensorflow(part: str, heavy_after: dict[str, list[str]]) -> None:
    assert _PARTS[part]
    assert heavy_after[part] == []


def test_serving_a_model_loads_no_tensorflow() -> None:
    loaded = _loaded_by("from models.serving import interpreter_class; interpreter_class()")
    assert "ai_edge_litert" in loaded
    assert not loaded & {"tensorflow", "keras"}


def test_ingest_starts_without_what_only_analyses_need() -> None:
    """SciPy's statistics come with its signal processing, and take as long to load as the rest of what ingest loads."""
    script = "import sys, app.ingest; print(sorted({'scipy.signal', 'scipy.stats', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_loads_next_to_nothing() -> None:
    lines = ["sys.argv = ['raceway', '--help']", "import app.cli", "try: app.cli.main()", "except SystemExit: pass"]
    loaded = _loaded_by("\n".join(lines))
    assert not loaded & {"numpy", "scipy", "sqlalchemy", "pydantic", "streamlit", "tensorflow", "paho", "pandas"}
