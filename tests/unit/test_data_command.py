"""The command `raceway data`: what it lists, what it imports, and that the documents' commands run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from publishing import publish_cmapss, publish_cwru, publish_femto, publish_gearbox

from app.cli import _raceway
from app.commands.data import data_import
from models.datasets.catalogue import DATA_SETS
from models.datasets.folder import PACKS

_ROOT = Path(__file__).parents[2]
_PUBLISH: dict[str, Callable[[Path, np.random.Generator], object]] = {
    "cwru": publish_cwru,
    "cmapss": publish_cmapss,
    "femto": publish_femto,
    "gearbox": publish_gearbox,
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that RACEWAY_DATA names, in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RACEWAY_DATA", str(tmp_path / "packs"))
    return tmp_path / "packs"


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(_raceway, ["data", *arguments])


def test_the_command_offers_every_data_set() -> None:
    (name,) = (parameter for parameter in data_import.params if parameter.name == "name")
    assert tuple(name.type.choices) == tuple(data_set.name for data_set in DATA_SETS) == tuple(_PUBLISH)  # type: ignore[attr-defined]
    assert sorted(data_set.folder for data_set in DATA_SETS) == list(PACKS)


def test_the_list_says_publisher_place_terms_and_what_is_here(root: Path, rng: np.random.Generator) -> None:
    publish_cmapss(root.parent / "source", rng)
    assert _run("import", "cmapss", "source", "--partial").exit_code == 0
    shown = _run("list")
    assert shown.exit_code == 0
    for data_set in DATA_SETS:
        for part in (data_set.publisher, data_set.url, data_set.terms, data_set.citation, data_set.import_command):
            assert part in shown.output
    assert f"1 of 4 subsets in {root / 'cmapss'}" in shown.output
    assert shown.output.count(f"not in {root}") == 3
    assert _run("list", "--to", "other").output.count("not in other") == 4


def test_the_real_packs_are_counted(data_dir: Path) -> None:
    shown = _run("list", "--to", str(data_dir))
    for data_set in DATA_SETS:
        assert f"{data_set.n_packs} of {data_set.n_packs} {data_set.records}" in shown.output


@pytest.mark.parametrize("name", _PUBLISH)
def test_an_import_says_what_it_did(root: Path, rng: np.random.Generator, name: str) -> None:
    _PUBLISH[name](root.parent / "source", rng)
    done = _run("import", name, "source", "--partial")
    assert done.exit_code == 0
    n = len(list(root.rglob("*.npz")))
    assert n > 0
    assert f"{n} packs in {root}" in done.output
    assert ("1 other files left out" in done.output) == (name == "cwru")
    assert ("files missing" in done.output) == (name != "gearbox")
    assert ", unchanged" in _run("import", name, "source", "--partial").output


def test_a_refused_import_is_one_sentence_and_exit_code_two(root: Path) -> None:
    shown = _run("import", "cwru", "nowhere")
    assert shown.exit_code == 2
    assert "no folder at nowhere; give the folder of MATLAB files" in shown.output
    assert not root.exists()


def test_the_documents_commands_run(root: Path, rng: np.random.Generator) -> None:
    for name in _PUBLISH:
        _PUBLISH[name](root.parent / "downloads" / name, rng)
    _PUBLISH["cwru"](root.parent / "DOWNLOADED_FOLDER", rng)
    pages = (_ROOT / "docs/DATA.md").read_text() + (_ROOT / "README.md").read_text()
    commands = re.findall(r"^    (?:\.venv/bin/)?raceway data (.*)$", pages, flags=re.MULTILINE)
    assert len(commands) >= 8
    for command in commands:
        # The published data are complete; the generated ones are a few files of them.
        more = ["--partial"] if command.startswith("import") else []
        done = _run(*shlex.split(command), *more)
        assert done.exit_code == 0, (command, done.output)


def test_the_page_says_what_the_catalogue_says() -> None:
    page = " ".join((_ROOT / "docs/DATA.md").read_text().split())
    for data_set in DATA_SETS:
        for part in (data_set.publisher, data_set.url, data_set.terms, data_set.files, data_set.import_command):
            assert part in page, (data_set.name, part)
