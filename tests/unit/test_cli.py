"""The command line: help a newcomer understands, refusals in one sentence, exit codes."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli import _COMMANDS, _raceway
from app.doctor import _backup
from app.settings import Settings, load_settings
from features.analyses import ANALYSES
from features.contract import BASELINE, FULL, NODE, WATCHED, Profile


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
        (["replay", "broken.npz", "--point", "a/b/c", "--iso-group", "group-9"], "known are class-I, "),
        (["replay", "broken.npz", "--point", "a/b/c", "--iso-group", ""], "no limits named ''"),
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


@pytest.mark.parametrize("profile", [FULL, BASELINE, WATCHED, NODE], ids=lambda profile: profile.name)
def test_features_are_listed(settings: Settings, profile: Profile) -> None:
    shown = _run(
        settings, "features", "list", "--profile", {"full-unaided": "baseline"}.get(profile.name, profile.name)
    )
    assert shown.exit_code == 0
    first, *rows = shown.output.splitlines()
    assert profile.hash in first
    assert [row.split()[0] for row in rows] == list(profile.names)
    for row, feature in zip(rows, profile.features, strict=True):
        assert feature.definition in row
        assert f"[{feature.source}]" in row


def test_analyses_are_listed(settings: Settings) -> None:
    shown = _run(settings, "features", "list", "--profile", "analyses")
    assert [row.split()[0] for row in shown.output.splitlines()[1:]] == [analysis.name for analysis in ANALYSES]


def _recorded(folder: Path, n: int) -> str:
    path = folder / "pump.csv"
    path.write_text("\n".join(f"{math.sin(0.3 * i):.6f}" for i in range(n)))
    return str(path)


def test_features_of_a_recording_are_a_table(settings: Settings, tmp_path: Path) -> None:
    arguments = ["features", "extract", _recorded(tmp_path, 5000), "--rate", "1000", "--unit", "g", "--window", "1024"]
    shown = _run(settings, *arguments, "--output", str(tmp_path / "table.csv"))
    assert shown.exit_code == 0
    header, *rows = csv.reader((tmp_path / "table.csv").read_text().splitlines())
    assert header == ["start_s", *BASELINE.names]
    assert [float(row[0]) for row in rows] == [0.512 * i for i in range(8)]
    assert float(rows[3][header.index("rms")]) == pytest.approx(math.sqrt(0.5), rel=3e-3)
    full = _run(settings, *arguments, "--rpm", "1500", "--bearing", "6205-2RS")
    assert next(csv.reader(full.output.splitlines())) == ["start_s", *FULL.names]
    with_speed = _run(settings, *arguments, "--rpm", "1500")
    assert next(csv.reader(with_speed.output.splitlines())) == ["start_s", *FULL.knowing("speed").names]


def test_recordings_that_hold_no_window_are_refused(settings: Settings, tmp_path: Path) -> None:
    arguments = ["features", "extract", _recorded(tmp_path, 600), "--rate", "1000", "--unit", "g"]
    for more, sentence in (
        ([], "has 600 samples; a window of 4096 does not fit"),
        (["--window", "100"], "multiple of 16"),
    ):
        shown = _run(settings, *arguments, *more)
        assert shown.exit_code == 2
        assert sentence in shown.output


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


def test_doctor_says_how_old_the_backup_is(settings: Settings, tmp_path: Path) -> None:
    assert "none was ever made of this store" in _run(settings, "doctor").output
    assert _run(settings, "backup", str(tmp_path / "kept.tar.zst")).exit_code == 0
    assert re.search(r"ok +backup +kept\.tar\.zst, 0\.0 days ago", _run(settings, "doctor").output)


def test_doctor_does_not_send_to_a_backup_that_refuses(settings: Settings) -> None:
    other = _backup(load_settings(database_url="postgresql://plant/raceway"), [])
    assert (other.verdict, "raceway backup" in other.detail) == ("note", False)
    assert "pg_dump" in other.detail
    assert "raceway backup FILE" in _backup(settings, []).detail


def test_points_of_an_empty_store(settings: Settings) -> None:
    assert "no measuring point" in _run(settings, "points", "list").output
