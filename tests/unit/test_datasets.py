"""The public data sets: counts, rates, speeds and labels as published, each against a second source."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from features.bearing import bearing_named
from features.errors import RecordingError
from models.datasets import cmapss, cwru, femto, gearbox
from models.datasets.folder import data_folder
from models.datasets.packs import open_pack


def strongest_hz(x: NDArray[np.float32], rate_hz: float, *, low_hz: float, high_hz: float) -> float:
    """Frequency of the strongest line between two frequencies, by a zero-padded Hann periodogram."""
    n = 2 ** math.ceil(math.log2(8 * x.size))
    power = np.abs(np.fft.rfft((x - x.mean()) * np.hanning(x.size), n)) ** 2
    hz = np.fft.rfftfreq(n, 1.0 / rate_hz)
    inside = (hz >= low_hz) & (hz <= high_hz)
    return float(hz[inside][power[inside].argmax()])


# --- CWRU ---


@pytest.fixture
def cwru_dir(data_dir: Path) -> Path:
    return data_dir / "cwru"


def test_cwru_lists_sixty_faults_and_four_normals_at_12_khz(cwru_dir: Path) -> None:
    records = cwru.records(cwru_dir, rate_hz=12_000.0)
    counts = {kind: sum(r.kind == kind for r in records) for kind in cwru.KINDS}
    assert counts == {"normal": 4, "inner": 16, "outer": 28, "ball": 16}
    assert {r.rate_hz for r in records} == {12_000.0}
    assert all(r.path.is_file() for r in records)
    assert {r.load_hp for r in records} == {0, 1, 2, 3}


def test_cwru_labels_agree_with_the_file_names(cwru_dir: Path) -> None:
    letters = {"inner": "IR", "outer": "OR", "ball": "B"}
    for record in cwru.records(cwru_dir, rate_hz=12_000.0):
        if record.kind == "normal":
            assert (record.diameter_in, record.position_oclock) == (None, None)
            continue
        assert record.diameter_in is not None
        name = f"drive12k_{letters[record.kind]}{round(1000 * record.diameter_in):03d}"
        if record.position_oclock is not None:
            name += f"-{record.position_oclock}"
        assert record.name == f"{name}_L{record.load_hp}"


def test_cwru_normals_at_12_khz_are_never_the_48_khz_record(cwru_dir: Path) -> None:
    normals = cwru.normals_12k(cwru_dir)
    assert [r.name for r in normals] == [f"normal12k_L{load}" for load in range(4)]
    assert [r.number for r in normals] == [97, 98, 99, 100]
    assert [r.rpm for r in normals] == [1797.0, 1772.0, 1750.0, 1730.0]
    (published,) = cwru.records(cwru_dir, rate_hz=48_000.0)
    assert (published.number, published.kind, published.rpm) == (97, "normal", 1796.0)


@pytest.mark.parametrize("rate_hz", [12_000.0, 48_000.0])
def test_cwru_shaft_turns_at_the_stated_speed_only_at_the_stated_rate(cwru_dir: Path, rate_hz: float) -> None:
    record = next(r for r in cwru.records(cwru_dir, rate_hz=rate_hz) if r.number == 97)
    recording = record.read()
    assert recording.unit == "g"
    assert recording.shaft_hz == pytest.approx(29.94, abs=0.03)
    line_hz = strongest_hz(recording.samples[0], recording.rate_hz, low_hz=20.0, high_hz=45.0)
    assert line_hz == pytest.approx(29.93, abs=0.1)


def test_cwru_speed_in_the_record_wins_over_the_nominal_one(cwru_dir: Path) -> None:
    records = {r.name: r for r in cwru.records(cwru_dir, rate_hz=12_000.0)}
    assert records["drive12k_B007_L0"].rpm == 1796.0
    assert records["drive12k_B028_L0"].rpm == 1797.0


def test_cwru_outer_fault_strikes_at_the_geometry_of_its_bearing(cwru_dir: Path) -> None:
    record = next(r for r in cwru.records(cwru_dir, rate_hz=12_000.0) if r.name == "drive12k_OR007-6_L0")
    x = record.read().samples[0]
    bpfo_hz = bearing_named(cwru.BEARING).orders.bpfo * record.rpm / 60.0
    line_hz = strongest_hz(x**2, record.rate_hz, low_hz=60.0, high_hz=200.0)
    assert line_hz == pytest.approx(bpfo_hz, rel=0.01)


def test_cwru_channels_are_read_by_name(cwru_dir: Path) -> None:
    records = {r.name: r for r in cwru.records(cwru_dir, rate_hz=12_000.0)}
    stored = np.load(cwru_dir / "drive12k_IR007_L2.npz")
    recording = records["drive12k_IR007_L2"].read("FE")
    assert recording.channels == ("FE",)
    np.testing.assert_allclose(recording.samples[0], stored["signal"][:, 1] * stored["scale"][1], rtol=1e-6)
    with pytest.raises(RecordingError, match="has no channel 'FE'; it has DE"):
        records["drive12k_B028_L0"].read("FE")


def test_cwru_has_no_record_at_other_rates(cwru_dir: Path) -> None:
    with pytest.raises(RecordingError, match="lists no record at 25600 Hz; 12000 or 48000 is wanted"):
        cwru.records(cwru_dir, rate_hz=25_600.0)


def test_a_missing_cwru_pack_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"no CWRU pack at .*set RACEWAY_DATA"):
        cwru.records(tmp_path, rate_hz=12_000.0)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("file,fs_hz\na.npz,12000\n", "is damaged"),
        ("fs_hz\ntwelve\n", "is damaged"),
        (
            "file,record,fs_hz,fault,diameter_in,outer_position_oclock,load_hp,rpm_nominal,rpm_in_file\n"
            "a.npz,1,12000,cage,,,0,1797,\n",
            "no CWRU fault 'cage'; one of normal, inner, outer, ball is wanted",
        ),
    ],
)
def test_a_damaged_cwru_index_is_refused(tmp_path: Path, index: str, message: str) -> None:
    (tmp_path / "index.csv").write_text(index)
    with pytest.raises(RecordingError, match=message):
        cwru.records(tmp_path, rate_hz=12_000.0)


# --- FEMTO ---

SNAPSHOTS = {"Bearing1_2": (871, 8710.0, 30.0), "Bearing2_2": (797, 7970.0, 27.5), "Bearing3_1": (515, 5150.0, 25.0)}


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_femto_lives_are_as_published(data_dir: Path, name: str) -> None:
    count, life_s, shaft_hz = SNAPSHOTS[name]
    life = femto.run_to_failure(data_dir / "femto", name)
    assert life.accel_g.shape == (count, 2, 2560)
    assert (life.rate_hz, life.shaft_hz) == (25_600.0, shaft_hz)
    assert life.rul_s[0] == life_s - 10.0
    assert life.rul_s[-1] == 0.0
    np.testing.assert_array_equal(np.diff(life.rul_s), -10.0)


def test_femto_thinned_lives_keep_their_clock(data_dir: Path) -> None:
    life = femto.run_to_failure(data_dir / "femto", "Bearing1_1")
    assert len(life.accel_g) == len(life.rul_s) == 1402
    assert (life.rul_s[0], life.rul_s[-1]) == (28_020.0, 0.0)
    np.testing.assert_array_equal(np.diff(life.rul_s), -20.0)


def test_femto_accelerations_are_exact_and_clip_at_the_end_of_life(data_dir: Path) -> None:
    life = femto.run_to_failure(data_dir / "femto", "Bearing1_1")
    stored = np.load(data_dir / "femto" / "Bearing1_1.npz")["acc_milli_g"]
    np.testing.assert_allclose(life.accel_g[7, 1], stored[7, :, 1] * 1e-3, rtol=1e-6)
    assert np.abs(life.accel_g[:10]).max() < 5.0
    # Full scale of the publisher's converter.
    assert np.abs(life.accel_g[-10:]).max() == pytest.approx(48.148)


def test_an_unknown_femto_bearing_is_no_missing_folder(data_dir: Path) -> None:
    with pytest.raises(RecordingError, match="no FEMTO bearing 'Bearing9_9'; one of Bearing1_1, "):
        femto.run_to_failure(data_dir / "femto", "Bearing9_9")


# --- gearbox ---


def test_gearbox_has_every_load_of_both_states(data_dir: Path) -> None:
    lengths = [
        gearbox.gearbox_record(data_dir / "gearbox_spectraquest", state=state, load_percent=load).samples.shape
        for state in gearbox.STATES
        for load in gearbox.LOADS
    ]
    assert len(lengths) == 20
    assert {channels for channels, _ in lengths} == {4}
    assert (min(n for _, n in lengths), max(n for _, n in lengths)) == (88_320, 114_432)


def test_gearbox_samples_are_those_of_the_file_and_have_no_rate(data_dir: Path) -> None:
    folder = data_dir / "gearbox_spectraquest"
    record = gearbox.gearbox_record(folder, state="healthy", load_percent=0)
    np.testing.assert_array_equal(record.samples, np.load(folder / "healthy_load00.npz")["signal"].T)
    assert not hasattr(record, "rate_hz")


@pytest.mark.parametrize(
    ("state", "load", "message"),
    [("worn", 0, "no gearbox state 'worn'"), ("healthy", 15, "no gearbox load in percent '15'; one of 0, 10, ")],
)
def test_an_unknown_gearbox_record_is_refused(tmp_path: Path, state: str, load: int, message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        gearbox.gearbox_record(tmp_path, state=state, load_percent=load)


# --- C-MAPSS ---

# Units and rows of the training table, units and rows of the test table: the publisher's own counts.
TABLES = {
    "FD001": (100, 20631, 100, 13096),
    "FD002": (260, 53759, 259, 33991),
    "FD003": (100, 24720, 100, 16596),
    "FD004": (249, 61249, 248, 41214),
}


@pytest.mark.parametrize("name", cmapss.NAMES)
def test_cmapss_tables_have_the_published_size(data_dir: Path, name: str) -> None:
    table = cmapss.turbofans(data_dir / "cmapss", name)
    found = (np.unique(table.train[:, 0]).size, len(table.train), np.unique(table.test[:, 0]).size, len(table.test))
    assert found == TABLES[name]
    assert table.train.shape[1] == table.test.shape[1] == len(table.columns) == 26
    assert table.rul.shape == (TABLES[name][2],)
    assert table.rul.min() > 0


def test_cmapss_training_rul_falls_by_one_each_cycle_to_zero(data_dir: Path) -> None:
    table = cmapss.turbofans(data_dir / "cmapss", "FD001")
    rul = table.train_rul()
    same_unit = np.diff(table.train[:, 0]) == 0
    np.testing.assert_array_equal(np.diff(rul)[same_unit], -1.0)
    assert int((rul == 0).sum()) == 100
    # Shortest, median and longest life, from the publisher's description.
    lives = rul[np.flatnonzero(table.train[:, 1] == 1)] + 1
    assert (lives.min(), np.median(lives), lives.max()) == (128.0, 199.0, 362.0)


def test_an_unknown_cmapss_subset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no C-MAPSS subset 'FD005'; one of FD001, "):
        cmapss.turbofans(tmp_path, "FD005")


# --- packs and their folder ---


def test_a_missing_pack_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"no data pack at .*FD001.*set RACEWAY_DATA"):
        cmapss.turbofans(tmp_path, "FD001")


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "other keys", "one array"])
def test_a_damaged_pack_is_refused(tmp_path: Path, rng: np.random.Generator, damage: str) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, signal=rng.standard_normal(5000))
    content = path.read_bytes()
    if damage == "one array":
        with path.open("wb") as out:
            np.save(out, np.ones(3))
    elif damage != "other keys":
        flipped = content[:2000] + bytes(b ^ 0xFF for b in content[2000:2100]) + content[2100:]
        path.write_bytes({"cut": content[:1000], "flipped": flipped, "text": b"moved to another server"}[damage])
    with pytest.raises(RecordingError, match=r"a\.npz cannot be read \(.*\); fetch the pack again"):
        open_pack(path, keys=("signal", "scale") if damage == "other keys" else ("signal",))


def test_the_data_folder_is_checked(tmp_path: Path) -> None:
    (tmp_path / "cwru").mkdir()
    assert data_folder(tmp_path) == tmp_path


@pytest.mark.parametrize("given", [None, "nowhere", "."])
def test_a_data_folder_that_is_none_says_what_to_set(tmp_path: Path, given: str | None) -> None:
    with pytest.raises(RecordingError, match="set RACEWAY_DATA to the"):
        data_folder(None if given is None else tmp_path / given)
