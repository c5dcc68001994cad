"""The command line: help a newcomer understands, refusals in one sentence, exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli import _COMMANDS, _raceway
from app.settings import Settings


def _run(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(_raceway, ["--data-dir", str(settings.data_dir), *arguments])


def test_help_lists_every_command(settings: Settings) -> None:
    shown = _run(settings, "--help")
    assert shown.exit_code == 0
    for name in _COMMANDS:
        assert f"\n  {name} " in shown.output


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_has_help(settings: Settings, name: str) -> None:
    shown = _run(settings, name, "--help")
    assert shown.exit_code == 0
    assert len(shown.output.splitlines()) > 4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["replay", "missing.mat", "--point", "a/b/c"], "no recording at"),
        (["replay", "broken.npz", "--point", "a/b/c"], "broken.npz cannot be read"),
        (["replay", "broken.txt", "--point", "a/b/c"], "no known format"),
        (["points", "relearn", "a/b/c"], "no point 'a/b/c'"),
        (["--broker", "http://x", "points", "list"], "is no mqtt://"),
        (["evaluate", "cwru-kind"], "no diagnosis network serves"),
        (["simulate", "--period", "0.1"], "lengthen it"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_refusal_is_one_sentence_and_exit_code_two(settings: Settings, arguments: list[str], sentence: str) -> None:
    Path("broken.npz").write_bytes(b"PK\x03\x04 not a zip")
    Path("broken.txt").write_bytes(b"1 2 3")
    shown = _run(settings, *arguments)
    assert shown.exit_code == 2
    assert sentence in shown.output
    assert len(shown.output.strip().splitlines()) == 1


def test_a_missing_broker_is_said(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("\n".join(str(i) for i in range(5000)))
    arguments = ["replay", "x.csv", "--point", "a/b/c", "--rate", "1000", "--unit", "g"]
    shown = _run(settings, "--broker", "mqtt://127.0.0.1:1", *arguments)
    assert shown.exit_code == 2
    assert "no broker answers at mqtt://127.0.0.1:1" in shown.output


def test_features_are_listed(settings: Settings) -> None:
    shown = _run(settings, "features", "list", "--profile", "node")
    assert shown.exit_code == 0
    assert "kurtosis" in shown.output
    assert "packet_share" not in shown.output


def test_a_password_is_not_shown(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RACEWAY_BROKER_PASSWORD", "secret")
    shown = _run(settings, "settings")
    assert "RACEWAY_BROKER_PASSWORD=***" in shown.output
    assert "secret" not in shown.output


def test_doctor_says_what_is_there(settings: Settings) -> None:
    shown = _run(settings, "doctor")
    assert shown.exit_code == 0
    assert "ai-edge-litert" in shown.output
    assert "data folder" in shown.output


def test_points_of_an_empty_store(settings: Settings) -> None:
    assert "no measuring point" in _run(settings, "points", "list").output
