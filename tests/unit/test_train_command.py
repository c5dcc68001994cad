"""Training by command: nothing held out is learned from, figures and folder are given, mistakes are one sentence."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bearings import LIVES_S, NAMES, grown_run, six_histories, write_six_packs
from click.testing import CliRunner, Result

from app.cli import _raceway
from app.settings import Settings
from app.systemvote import system_vote
from features.bearing import bearing_named
from features.errors import ParameterError
from features.window import cut
from models.bearing.windows import BearingWindows
from models.datasets.cmapss import Turbofans
from models.datasets.cwru import KINDS, records
from models.datasets.gearbox import LOADS, STATES, GearboxRecord
from models.life.bearing_network import BearingNetwork
from models.life.bearing_ours import GRID, choose_setting
from models.life.protocol import Unit
from models.recordings import Recording
from models.systems import cmapss, femto, gearbox
from models.systems.cwru import CwruSystems
from models.systems.folder import load_system
from models.systems.registry import FAMILIES, slug
from models.systems.trainable import balanced_figures, chosen_fold

_RATE_HZ = 12_000
_TONES_HZ = {"normal": 350.0, "inner": 1550.0, "outer": 3050.0, "ball": 4550.0}
_FIELDS = "file,record,fault,diameter_in,outer_position_oclock,load_hp,rpm_in_file,rpm_nominal,fs_hz"


@pytest.fixture
def packs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CWRU pack of short records in which each kind is a tone of its own; the largest balls sound as inner races."""
    folder = tmp_path / "packs" / "cwru"
    folder.mkdir(parents=True)
    rng, rows = np.random.default_rng(1), [_FIELDS]
    made = [("normal", "", load) for load in range(4)]
    made += [(kind, size, load) for kind in KINDS[1:] for size in ("0.007", "0.014", "0.021") for load in (0, 3)]
    for number, (kind, size, load) in enumerate(made):
        tone_hz = _TONES_HZ["inner" if (kind, size) == ("ball", "0.021") else kind]
        x = np.sin(2.0 * np.pi * tone_hz * np.arange(8192) / _RATE_HZ) + 0.5 * rng.standard_normal(8192)
        name = f"{kind}{size}_L{load}.npz"
        signal = np.round(1000.0 * x).astype(np.int16)[:, None]
        np.savez(folder / name, signal=signal, scale=1e-3, channels=np.array(["DE"]))
        oclock = 6 if kind == "outer" else ""
        rows.append(f"{name},{number},{kind},{size},{oclock},{load},,1797,{_RATE_HZ}")
    (folder / "index.csv").write_text("\n".join(rows) + "\n")
    monkeypatch.setenv("RACEWAY_DATA", str(folder.parent))
    return folder.parent


def _run(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(_raceway, ["--data-dir", str(settings.data_dir), *arguments])


def _trained(settings: Settings, *arguments: str) -> dict[str, Any]:
    shown = _run(settings, "train", *arguments, "--json")
    assert shown.exit_code == 0, shown.output
    figures: dict[str, Any] = json.loads(shown.stdout)
    return figures


@pytest.mark.usefixtures("packs")
def test_a_size_is_held_out_of_what_is_learned(settings: Settings, packs: Path) -> None:
    figures = _trained(settings, "random-forest", "cwru", "--seed", "5")
    split = figures["split"]
    assert (split["protocol"], split["fold"], split["leaky"]) == ("size", "0.014 in", False)
    assert not set(split["learned"]) & set(split["held_out"])
    assert {name for name in split["held_out"] if not name.startswith("normal")} == {
        f"{kind}0.014_L{load}" for kind in KINDS[1:] for load in (0, 3)
    }
    assert figures["metrics"]["windows"] == 3 * len(split["held_out"])
    system = load_system(Path(figures["folder"]))
    assert (system.manifest.seed, system.manifest.classes) == (5, ("ball", "inner", "normal", "outer"))
    assert dict(system.manifest.metrics) == figures["metrics"]
    # The second source of the figure: the system as loaded, asked about each record that was held out.
    right: dict[str, list[bool]] = {kind: [] for kind in KINDS}
    orders = bearing_named("6205-2RS").orders
    for record in records(packs / "cwru", rate_hz=_RATE_HZ):
        if record.name in split["held_out"]:
            x = cut(record.read().samples[0], n=4096, hop=2048)
            named = system.predict(BearingWindows(x, _RATE_HZ, np.full(len(x), 30.0), orders))
            right[record.kind] += (named == record.kind).tolist()
    recalls = [float(np.mean(found)) for found in right.values()]
    assert figures["metrics"]["balanced_accuracy"] == pytest.approx(np.mean(recalls))
    assert np.mean(recalls) > 0.75


@pytest.mark.usefixtures("packs")
def test_another_fold_is_chosen_by_how_it_starts_and_shows_in_the_figure(settings: Settings) -> None:
    """The largest balls sound as inner races, so none of them is named and the accuracy is three quarters."""
    figures = _trained(settings, "random-forest", "cwru", "--fold", "0.021")
    assert figures["split"]["fold"] == "0.021 in"
    assert figures["metrics"]["recall ball"] == 0.0
    assert figures["metrics"]["balanced_accuracy"] == pytest.approx(0.75)


@pytest.mark.usefixtures("packs")
def test_everything_is_learned_from_if_asked_and_there_is_no_figure(settings: Settings, tmp_path: Path) -> None:
    figures = _trained(settings, "li-2000", "cwru", "--all", "--output", str(tmp_path / "li"))
    assert figures["metrics"] == {}
    assert (len(figures["split"]["learned"]), figures["split"]["held_out"]) == (22, [])
    assert figures["split"]["windows_learned"] == 3 * 22
    assert Path(figures["folder"]) == tmp_path / "li"
    shown = _run(settings, "train", "li-2000", "cwru", "--all", "--output", str(tmp_path / "li"), "--replace")
    assert "nothing: everything was learned from, so there is no figure" in shown.output


@pytest.mark.usefixtures("packs")
def test_a_leaky_figure_says_so(settings: Settings) -> None:
    shown = _run(settings, "train", "ridge", "cwru", "--protocol", "random")
    assert shown.exit_code == 0
    assert "one physical part is on both sides, so the figure flatters" in shown.output
    assert "Measuring" in shown.stderr


def _gears(_: Path, *, state: str, load_percent: int) -> GearboxRecord:
    rng = np.random.default_rng(LOADS.index(load_percent) + 100 * STATES.index(state))
    turned = 0.03 * np.arange(12_288)
    once = np.maximum(np.cos(2 * np.pi * turned / 18.0), 0.0) ** 40 if state == "broken_tooth" else 0.0
    x = np.sin(2 * np.pi * turned) * (1.0 + 3.0 * once) + 0.3 * rng.standard_normal((4, turned.size))
    return GearboxRecord(state, load_percent, x.astype(np.float32))


def test_a_load_is_held_out_of_the_gearbox(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gearbox, "gearbox_record", _gears)
    figures = _trained(settings, "ridge", "gearbox")
    assert figures["split"]["held_out"] == ["90 %"]
    assert figures["split"]["learned"] == [f"{load} %" for load in LOADS[:-1]]
    assert figures["split"]["leaky"]
    assert figures["metrics"]["balanced_accuracy"] > 0.8
    heavy = _trained(settings, "ridge", "gearbox", "--protocol", "light to heavy")
    assert heavy["split"]["held_out"] == ["50 %", "60 %", "70 %", "80 %", "90 %"]
    system = load_system(Path(heavy["folder"]))
    named = system.predict(_gears(Path(), state="broken_tooth", load_percent=90).samples)
    assert np.mean(named == "broken_tooth") > 0.8


def _fleet(folder: Path, name: str) -> Turbofans:
    del folder
    rng = np.random.default_rng(3)
    rows = []
    for number in range(1, 21):
        life = int(rng.integers(100, 180))
        wear = np.exp(-np.arange(life)[::-1] / 40.0)[:, None]
        sensors = 3.0 * wear + 0.2 * rng.standard_normal((life, 21))
        rows.append(np.concatenate([np.full((life, 1), number), np.zeros((life, 4)), sensors], axis=1))
    ends = np.concatenate([part[:-20] for part in rows])
    columns = tuple(f"c{i}" for i in range(26))
    return Turbofans(name, columns, np.concatenate(rows), ends, np.full(20, 20, dtype=np.int32))


def test_units_are_held_out_of_the_turbofans(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cmapss, "turbofans", _fleet)
    figures = _trained(settings, "ridge", "cmapss", "--subset", "FD003", "--fold", "2")
    split = figures["split"]
    assert (figures["data_set"], split["fold"]) == ("cmapss FD003", "2 of 5")
    assert sorted(split["learned"] + split["held_out"]) == list(range(1, 21))
    assert figures["metrics"]["histories"] == 40
    # The spread of the capped targets, which is the error of their mean.
    assert figures["metrics"]["rmse"] < 0.8 * np.minimum(np.arange(140), 125).std()
    published = _trained(settings, "ridge", "cmapss", "--protocol", "publisher")
    assert (published["data_set"], published["metrics"]["histories"]) == ("cmapss FD001", 20)
    assert len(published["split"]["learned"]) == 20
    data = _fleet(Path(), "FD001")
    one = data.train[data.train[:, 0] == 1]
    estimates = load_system(Path(published["folder"])).predict([Unit(1, one[:, 2:5], one[:, 5:])])
    assert 0.0 <= float(estimates.left[0]) < 30.0


@pytest.fixture
def bearing_packs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_six_packs(tmp_path / "packs" / "femto")
    monkeypatch.setenv("RACEWAY_DATA", str(tmp_path / "packs"))


@pytest.mark.usefixtures("bearing_packs")
def test_a_bearing_is_held_out_of_the_lives(settings: Settings) -> None:
    figures = _trained(settings, "mean-life", "femto")
    split = figures["split"]
    assert (split["fold"], split["held_out"], split["leaky"]) == ("Bearing1_1", ["Bearing1_1"], False)
    assert split["learned"] == list(NAMES[1:])
    # At every moment the estimate is wrong by what the mean of the other lives is.
    off_s = np.mean(LIVES_S[1:]) - LIVES_S[0]
    assert (figures["metrics"]["mae_s"], figures["metrics"]["moments"]) == (pytest.approx(off_s), 18)
    left_s = LIVES_S[0] * (1.0 - np.arange(2, 20) / 20.0)
    assert figures["metrics"]["score"] == pytest.approx(np.mean(0.5 ** (100.0 * off_s / left_s / 5.0)))
    everything = _trained(settings, "trend", "femto", "--all")
    assert (everything["metrics"], everything["split"]["learned"]) == ({}, list(NAMES))
    run = grown_run("Bearing1_3", total=60, until=58)
    said = load_system(Path(everything["folder"])).predict([run])
    assert 0.0 <= float(said.rul_s[0]) < 1000.0


@pytest.mark.usefixtures("bearing_packs")
def test_our_settings_are_chosen_without_the_bearing_held_out(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen_from: list[str] = []

    def choose(bearings: Any, **given: Any) -> Any:
        chosen_from.extend(bearing.name for bearing in bearings)
        return choose_setting(bearings, **given)

    monkeypatch.setattr(femto, "choose_setting", choose)
    # One network stands for all that would be learned: tracing the graph of each takes seconds.
    network = BearingNetwork.learn(six_histories()[:1], recipe=GRID[1], seed=1, steps=2)
    monkeypatch.setattr(BearingNetwork, "learn", lambda *_, **__: network)
    monkeypatch.setattr(femto, "GRID", GRID[1:2])
    figures = _trained(settings, "ours", "femto", "--fold", "Bearing2_1")
    assert chosen_from == figures["split"]["learned"] == [name for name in NAMES if name != "Bearing2_1"]
    assert figures["split"]["setting"]["inputs"] == list(GRID[1].inputs)
    assert figures["files"]["model-int8.tflite"] < 16 * 1024
    assert {"mae_s", "late_error_percent", "score", "coverage90"} < figures["metrics"].keys()
    assert dict(load_system(Path(figures["folder"])).manifest.metrics) == figures["metrics"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["ridge", "xjtu"], "no system learns from a data set 'xjtu'; one of cwru, gearbox, cmapss, femto is wanted"),
        (["theirs", "gearbox"], "no system of gearbox is called 'theirs'; one of ours, ridge, random-forest"),
        (["babu", "cwru"], "is called 'babu' (it learns from cmapss); one of ours,"),
        (["ridge", "cwru", "--subset", "FD001"], "'FD001' is no part of cwru; it has none"),
        (["ridge", "cmapss", "--subset", "FD009"], "one of FD001, FD002, FD003, FD004 is wanted"),
        (["ridge", "cwru", "--protocol", "unit"], "cwru is not divided by 'unit'; one of size, "),
        (["ridge", "cwru", "--fold", "9"], "'9' names no folds; one of 0.007 in, 0.014 in, 0.021 in is wanted"),
        (["ridge", "cwru", "--fold", "0.0"], "'0.0' names 3 folds"),
        (["ridge", "cwru", "--all", "--fold", "0.007"], "leave one of them out"),
        (["trend", "femto", "--fold", "Bearing1"], "'Bearing1' names 2 folds; one of Bearing1_1, Bearing1_2, "),
        (["trend", "femto", "--subset", "FD001"], "'FD001' is no part of femto; it has none"),
        (["ridge", "gearbox"], "and run `raceway data import gearbox SOURCE_DIR`"),
        (["ridge", "cwru", "--output", "."], "is there already; name another folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.usefixtures("packs")
def test_a_mistake_is_one_sentence(settings: Settings, arguments: list[str], sentence: str) -> None:
    shown = _run(settings, "train", *arguments)
    assert shown.exit_code == 2
    assert sentence in shown.stderr
    assert shown.stderr.count("Error:") == 1
    assert shown.stdout == ""


def test_a_missing_pack_names_its_publisher(settings: Settings, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("RACEWAY_DATA", str(tmp_path))
    publishers = {"cwru": "Case Western", "cmapss": "NASA Ames", "gearbox": "Y. Pandya", "femto": "FEMTO-ST"}
    for data_set, publisher in publishers.items():
        shown = _run(settings, "train", "trend" if data_set == "femto" else "ridge", data_set)
        assert shown.exit_code == 2
        assert publisher in shown.stderr
        assert f"raceway data import {data_set}" in shown.stderr


def test_every_system_and_its_source_are_listed(settings: Settings) -> None:
    shown = _run(settings, "train", "list")
    assert shown.exit_code == 0
    for family in FAMILIES:
        for entry in family.entries():
            assert re.search(rf"^  {slug(entry.name)} .*{re.escape(entry.source)}", shown.output, flags=re.MULTILINE)
    assert "  system " in _run(settings, "train", "--help").output


@pytest.mark.usefixtures("packs")
def test_a_recording_is_named_by_a_system(settings: Settings, packs: Path) -> None:
    folder = _trained(settings, "random-forest", "cwru")["folder"]
    arguments = ["diagnose", str(packs / "cwru" / "outer0.014_L3.npz"), "--rate", "12000", "--unit", "g"]
    shown = _run(settings, *arguments, "--system", folder)
    assert shown.exit_code == 0, shown.output
    assert re.search(r"random forest names outer \(shares of 3 windows: .*outer 1\.00\)", shown.output)
    said = json.loads(_run(settings, *arguments, "--system", folder, "--json").stdout)["system"]
    assert (said["kind"], said["windows"], said["shares"]["outer"]) == ("outer", 3, 1.0)
    assert "system" not in json.loads(_run(settings, *arguments, "--json").stdout)


@pytest.mark.usefixtures("packs")
def test_recordings_that_a_system_would_mistake_are_refused(settings: Settings) -> None:
    system = load_system(Path(_trained(settings, "ridge", "cwru")["folder"]))
    x = np.random.default_rng(1).standard_normal((1, 5000)).astype(np.float32)
    for recording, match in (
        (Recording("fast", x, 48_000.0, "g", ("a",)), "fast is in g at 48000 Hz; ridge learned from g at 12000 Hz"),
        (Recording("slow", x, 12_000.0, "mm/s", ("a",)), "slow is in mm/s at 12000 Hz"),
        (
            Recording("short", x[:, :4000], 12_000.0, "g", ("a",)),
            "short has 4000 samples; a window of ridge takes 4096",
        ),
    ):
        with pytest.raises(ParameterError, match=match):
            system_vote(recording, system, bearing=None, shaft_hz=None)
    assert [CwruSystems().follows_lines(name) for name in ("ours", "ours, network", "ridge")] == [True, True, False]


def test_a_fold_is_named_exactly_or_by_its_start() -> None:
    folds = ["0.014 in, +0 dB", "0.014 in, +10 dB", "0.014 in"]
    assert chosen_fold(folds, "0.014 in") == "0.014 in"
    assert chosen_fold(folds, "0.014 in, +1") == "0.014 in, +10 dB"
    with pytest.raises(ParameterError, match=r"'0\.01' names 3 folds"):
        chosen_fold(folds, "0.01")


def test_figures_are_those_of_scikit_learn(rng: np.random.Generator) -> None:
    from sklearn.metrics import balanced_accuracy_score, recall_score

    labels, named = rng.choice(["a", "b", "c"], (2, 200))
    found = balanced_figures(labels, named)
    assert found.pop("balanced_accuracy") == pytest.approx(balanced_accuracy_score(labels, named))
    assert list(found.values()) == pytest.approx(recall_score(labels, named, average=None).tolist())
