"""Further bearings under the challenge's protocol: which packs are refused, where they are cut, and the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bearings import NAMES, grown_history, write_pack
from click.testing import CliRunner

from app.cli import _raceway
from features.errors import RecordingError
from models import detection
from models.datasets.femto import CHALLENGE_CUTS, read_bearing
from models.detection import GRID, Detection, Detector
from models.detection_unseen import choose_detector, detect_unseen
from models.life import bearing_challenge
from models.life.bearing_challenge import cut_for_challenge, femto_test, judge_unseen, unseen_packs
from models.life.bearing_figures import LifeEstimates
from models.life.bearing_history import BearingHistory
from models.life.bearing_network import Networks, Recipe


def test_a_pack_cut_short_knows_what_is_left(tmp_path: Path) -> None:
    codes = write_pack(tmp_path / "Bearing1_3.npz", total=40, every=2, until=29)
    run = read_bearing(tmp_path / "Bearing1_3.npz")
    assert (run.name, run.rate_hz, run.shaft_hz, run.load_n) == ("Bearing1_3", 25_600.0, 30.0, 4000.0)
    assert run.snapshots.tolist() == list(range(1, 30, 2))
    assert (run.age_s[-1], run.rul_s[-1]) == (290.0, 110.0)
    np.testing.assert_allclose(run.accel_g[3, 1], codes[3, :, 1] * 1e-3, rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rpm": None}, r"Bearing1_3\.npz cannot be read"),
        ({"rpm": np.array(0)}, "rpm is 0, a positive number is wanted"),
        ({"fs": np.array(np.nan)}, "fs is nan, a positive number is wanted"),
        ({"scale": np.array("x")}, "scale is x, a positive number is wanted"),
        ({"snapshots_total": np.array(9)}, "not rising numbers from 1 to 9"),
        ({"snapshots_total": np.array([40, 40])}, r"snapshots_total is int64 of shape \(2,\), one integer"),
        ({"snapshot": np.zeros(10, dtype=np.int32)}, "not rising numbers from 1 to 10"),
        ({"snapshot": np.arange(1, 10)}, r"snapshot is int64 of shape \(9,\) for 10 snapshots"),
        ({"acc_milli_g": np.zeros((10, 2560), dtype=np.int16)}, r"acc_milli_g is int16 of shape \(10, 2560\)"),
        ({"acc_milli_g": np.zeros((10, 2560, 2))}, "acc_milli_g is float64 of shape"),
        ({"acc_milli_g": np.zeros((0, 2560, 2), dtype=np.int16)}, r"acc_milli_g is int16 of shape \(0, 2560, 2\)"),
    ],
)
def test_a_pack_that_contradicts_itself_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    write_pack(tmp_path / "Bearing1_3.npz", total=10, **changes)
    with pytest.raises(RecordingError, match=message):
        read_bearing(tmp_path / "Bearing1_3.npz")


def test_learned_bearings_are_left_out_and_said_to_be(tmp_path: Path) -> None:
    for name in ("Bearing2_1", "Bearing2_3", "mill"):
        (tmp_path / f"{name}.npz").touch()
    judged, skipped = unseen_packs(tmp_path)
    assert [path.stem for path in judged] == ["Bearing2_3", "mill"]
    assert skipped == ["Bearing2_1 was learned from and is not judged"]


def test_a_folder_without_further_bearings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="holds no pack of a bearing that was not learned from; import"):
        unseen_packs(tmp_path)
    (tmp_path / "Bearing1_1.npz").touch()
    with pytest.raises(
        RecordingError, match=r"not learned from.*Bearing1_1 was learned from and is not judged.*import"
    ):
        unseen_packs(tmp_path)
    with pytest.raises(RecordingError, match=r"no folder at .*nowhere"):
        unseen_packs(tmp_path / "nowhere")


def test_whole_lives_are_cut_where_the_challenge_cut_them_and_others_at_a_share() -> None:
    numbers = np.arange(1, 231)
    known = cut_for_challenge(grown_history("Bearing2_7", 2300.0, seed=1, period_s=10.0), numbers)
    assert (known.history.age_s[-1], known.history.rul_s[-1]) == (1720.0, 580.0)
    assert known.cut == "snapshot 172, where the challenge cut it"
    other = cut_for_challenge(grown_history("mill", 2300.0, seed=1, period_s=10.0), numbers)
    assert other.history.age_s[-1] == 1720.0
    assert other.cut.startswith("75% of its life")
    # Every fourth snapshot of a whole life ends before the last one without being cut short.
    thinned = grown_history("Bearing2_7", 2300.0, seed=1, period_s=10.0)
    thinned = BearingHistory("Bearing2_7", thinned.age_s[::4], thinned.indicators[::4], 2300.0)
    assert thinned.rul_s[-1] == 10.0
    assert cut_for_challenge(thinned, numbers[::4]).history.rul_s[-1] == 610.0
    short = cut_for_challenge(grown_history("Bearing2_7", 2300.0, seed=1, period_s=10.0).until(90), numbers[:90])
    assert (len(short.history.age_s), short.cut) == (90, "its pack ends there")
    with pytest.raises(RecordingError, match="Bearing1_3 has 230 snapshots, none with life left at snapshot 1802"):
        cut_for_challenge(grown_history("Bearing1_3", 2300.0, seed=1, period_s=10.0), numbers)


def test_the_challenges_cuts_leave_the_life_that_is_published() -> None:
    """Remaining lives as the literature lists them; Bearing1_4's there differs from the files and is left out."""
    import tomllib

    from models.datasets import femto

    totals = tomllib.loads(Path(femto.__file__).with_name("femto_bearings.toml").read_text())["snapshots"]
    left = {name: 10 * (totals[name] - last) for name, last in CHALLENGE_CUTS.items() if name != "Bearing1_4"}
    assert list(left.values()) == [5730, 1610, 1460, 7570, 7530, 1390, 3090, 1290, 580, 820]
    assert set(totals) - set(NAMES) == set(CHALLENGE_CUTS)


def test_the_seeds_of_a_system_speak_together() -> None:
    unseen = cut_for_challenge(grown_history("Bearing2_7", 2300.0, seed=1, period_s=10.0), np.arange(1, 231))

    def says(rul_s: float) -> Any:
        return lambda *_: LifeEstimates(*(np.array([f * rul_s]) for f in (1.0, 0.5, 2.0)))

    ours, trend = judge_unseen(unseen, {"ours": [says(232.0), says(928.0)], "trend": [says(609.0)]})
    assert (ours["rul_true_s"], ours["inside"]) == (580.0, True)
    assert ours["rul_s"] == pytest.approx(464.0)
    assert (ours["error_percent"], ours["score"]) == (pytest.approx(20.0), pytest.approx(0.5))
    assert (trend["error_percent"], trend["score"]) == (pytest.approx(-5.0), pytest.approx(0.5))


class _Learned:
    """A baseline whose score is its first feature."""

    def __init__(self, features: np.ndarray, **_: Any) -> None:
        self.held_out = 1.0 + 0.1 * np.random.default_rng(len(features)).random(len(features))

    def scores(self, features: np.ndarray) -> np.ndarray:
        return features[:, 0]


def test_detection_on_a_further_bearing_uses_the_setting_that_served_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(detection, "learn_baseline", _Learned)

    def life(*, step: float) -> Any:
        scores = np.concatenate([np.ones(150), np.full(150, step)])[:, None].astype(np.float32)
        return scores, 10.0 * np.arange(300)[::-1]

    told: list[tuple[int, int]] = []
    detector = choose_detector(
        {"a": life(step=50.0), "b": life(step=60.0)},
        convert=lambda _: b"",
        seed=1,
        progress=lambda *at: told.append(at),
    )
    assert detector in GRID
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    found = detect_unseen(life(step=50.0), detector=detector, convert=lambda _: b"", seed=1)
    assert (found["false_alarms"], found["lead_s"] > 1000.0) == (0, True)
    features, rul_s = life(step=50.0)
    short = features[: detector.healthy], rul_s[: detector.healthy]
    assert detect_unseen(short, detector=detector, convert=lambda _: b"", seed=1)["lead_s"] is None


@pytest.fixture
def packs(tmp_path: Path) -> Path:
    """Six learning bearings in `femto`, a further one cut short and one whole in `test`."""
    for folder in ("femto", "test"):
        (tmp_path / folder).mkdir()
    for seed, name in enumerate(NAMES):
        write_pack(tmp_path / "femto" / f"{name}.npz", total=200 + 60 * seed, every=4, seed=seed)
    write_pack(tmp_path / "test" / "Bearing1_3.npz", total=300, every=4, until=241, seed=7)
    write_pack(tmp_path / "test" / "Bearing2_7.npz", total=230, every=3, seed=8)
    write_pack(tmp_path / "test" / "Bearing1_1.npz", total=40, every=4, seed=9)
    return tmp_path


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few batches, one recipe, and detection that learns nothing: it is tested by itself."""
    monkeypatch.setattr(bearing_challenge, "Networks", lambda: Networks(steps=60))
    monkeypatch.setattr(bearing_challenge, "choose_detector", lambda *_, **__: GRID[0])
    monkeypatch.setattr(bearing_challenge, "detect_unseen", _detect)


def _detect(life: Any, *, detector: Detector, **_: Any) -> dict[str, Any]:
    assert detector == GRID[0]
    return {"false_alarms": Detection(0, 0.0).false_alarms, "snapshots": len(life[0])}


@pytest.mark.usefixtures("quick")
def test_every_further_bearing_is_judged_once_at_its_cut(packs: Path) -> None:
    told: list[tuple[int, int]] = []
    figures = femto_test(
        packs / "femto",
        packs / "test",
        convert=lambda _: b"",
        seeds=[1],
        progress=lambda *at: told.append(at),
        grid=(Recipe(("age", "jump", "level"), 0.5, 1.6),),
    )
    rows = {(row["system"], row["bearing"]): row for row in figures["test"]}
    assert list(rows) == [(s, b) for b in ("Bearing1_3", "Bearing2_7") for s in ("ours", "trend")]
    # Snapshots 1, 5, ... 241 of 300, and 1, 4, ... 172 of 230.
    assert {b: rows["ours", b]["rul_true_s"] for b in ("Bearing1_3", "Bearing2_7")} == {
        "Bearing1_3": 590.0,
        "Bearing2_7": 580.0,
    }
    ours = rows["ours", "Bearing1_3"]
    assert ours["low_s"] <= ours["rul_s"] <= ours["high_s"]
    assert ours["error_percent"] == pytest.approx(100.0 * (590.0 - ours["rul_s"]) / 590.0)
    assert ours["inside"] == (ours["low_s"] <= 590.0 <= ours["high_s"])
    assert figures["test_mean_score"]["ours"] == pytest.approx(
        np.mean([row["score"] for (system, _), row in rows.items() if system == "ours"])
    )
    assert [row["snapshots"] for row in figures["test_detection"]] == [61, 77]
    assert figures["test_skipped"] == ["Bearing1_1 was learned from and is not judged"]
    assert told[-1] == (22, 22)
    json.dumps(figures)


def test_the_command_judges_a_folder_and_refuses_an_empty_one(packs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RACEWAY_DATA", str(packs))
    empty = packs / "empty"
    empty.mkdir()
    result = CliRunner().invoke(_raceway, ["evaluate", "femto", "--test", str(empty)])
    assert result.exit_code != 0
    assert isinstance(result.exception, (RecordingError, SystemExit))
    given: dict[str, Any] = {}

    def judge(learning: Path, test: Path, **options: Any) -> dict[str, Any]:
        given.update(options, learning=learning, test=test)
        return {"test": []}

    monkeypatch.setattr(bearing_challenge, "femto_test", judge)
    result = CliRunner().invoke(
        _raceway, ["evaluate", "femto", "--json", "--seeds", "2", "--test", str(packs / "test")]
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["test"] == []
    assert (given["learning"], given["test"], len(given["seeds"])) == (packs / "femto", packs / "test", 2)
