"""Import of publishers' files: read back to the last digit, refused in one sentence, never half-written."""

from __future__ import annotations

import csv
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.signal
from publishing import (
    publish_cmapss,
    publish_cwru,
    publish_femto,
    publish_gearbox,
    write_mat,
    write_snapshot,
)

from features.errors import RecordingError
from models.bearing.protocols import bearing_of
from models.datasets import cmapss, cwru, femto, gearbox
from models.datasets.catalogue import DATA_SETS, data_set_named
from models.datasets.folder import data_folder
from models.datasets.importing import Imported, import_data_set
from models.datasets.importing.cmapss import COLUMNS
from models.datasets.importing.matfiles import record_number
from models.datasets.importing.records import published, records
from models.datasets.importing.steps import step_of
from models.datasets.packs import open_pack

Rng = np.random.Generator


def imported(name: str, source: Path, root: Path, *, partial: bool = True, replace: bool = False) -> Imported:
    return import_data_set(name, source, root, partial=partial, replace=replace, progress=_unseen)


def _unseen(read: int, total: int) -> None:
    assert 0 < read <= total


def left_in(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir()) if root.exists() else []


# --- round trips of generated data ---


def test_cwru_is_read_back_to_the_last_digit(tmp_path: Path, rng: Rng) -> None:
    written = publish_cwru(tmp_path / "source", rng)
    done = imported("cwru", tmp_path / "source", tmp_path)
    assert (done.n_packs, done.n_left_out, done.n_missing, done.changed) == (5, 1, 60, True)
    found = {r.name: r for r in cwru.records(tmp_path / "cwru", rate_hz=12_000.0)}
    # The order of the packs' index: by kind and size, the healthy ones last.
    assert list(found) == ["drive12k_IR007_L0", "drive12k_IR028_L0", "normal12k_L0", "normal12k_L1"]
    fault = found["drive12k_IR007_L0"]
    assert (fault.number, fault.kind, fault.diameter_in, fault.load_hp, fault.rpm) == (105, "inner", 0.007, 0, 1797.0)
    for name, values in written[105].items():
        np.testing.assert_array_equal(fault.read(name).samples[0], values.astype(np.float32))
    np.testing.assert_array_equal(found["drive12k_IR028_L0"].read().samples[0], written[3001]["DE"].astype(np.float32))
    assert np.load(fault.path)["signal"].dtype == np.int16


def test_cwru_normals_are_decimated_to_the_rate_of_the_faults(tmp_path: Path, rng: Rng) -> None:
    written = publish_cwru(tmp_path / "source", rng)
    imported("cwru", tmp_path / "source", tmp_path)
    for record in cwru.normals_12k(tmp_path / "cwru"):
        wanted = scipy.signal.decimate(written[record.number]["DE"], 4, ftype="fir").astype(np.float32)
        np.testing.assert_array_equal(record.read().samples[0], wanted)
    (kept,) = cwru.records(tmp_path / "cwru", rate_hz=48_000.0)
    assert (kept.number, kept.rpm) == (97, 1796.0)
    np.testing.assert_array_equal(kept.read("FE").samples[0], written[97]["FE"].astype(np.float32))


def test_cmapss_is_read_back_to_the_last_digit(tmp_path: Path, rng: Rng) -> None:
    written = publish_cmapss(tmp_path / "source" / "deep", rng)
    imported("cmapss", tmp_path / "source", tmp_path)
    table = cmapss.turbofans(tmp_path / "cmapss", "FD001")
    stored = np.load(tmp_path / "cmapss" / "FD001.npz")
    for part in ("train", "test"):
        np.testing.assert_array_equal(stored[part], np.rint(written[part] * 1e4).astype(np.int64))
        np.testing.assert_allclose(getattr(table, part), written[part], rtol=1e-15)
    np.testing.assert_array_equal(table.rul, written["rul"])
    assert table.columns == COLUMNS


def test_femto_is_read_back_to_the_last_digit(tmp_path: Path, rng: Rng) -> None:
    written = publish_femto(tmp_path / "source", rng)
    imported("femto", tmp_path / "source", tmp_path)
    life = femto.run_to_failure(tmp_path / "femto", "Bearing2_1")
    np.testing.assert_array_equal(life.accel_g, written["Bearing2_1"].transpose(0, 2, 1).astype(np.float32))
    assert (life.rate_hz, life.shaft_hz, life.load_n) == (25_600.0, 27.5, 4200.0)
    # The life is the published one, also of a source without its end.
    np.testing.assert_array_equal(life.rul_s, [9100.0, 9090.0, 9080.0])
    assert np.load(tmp_path / "femto" / "Bearing2_1.npz")["clock_s"].tolist() == [0.0, 10.0, 20.5]


def test_femto_keeps_every_second_snapshot_where_the_packs_do(tmp_path: Path, rng: Rng) -> None:
    written = publish_femto(tmp_path / "source", rng)
    imported("femto", tmp_path / "source", tmp_path)
    life = femto.run_to_failure(tmp_path / "femto", "Bearing1_1")
    np.testing.assert_array_equal(life.rul_s, [28_020.0, 28_000.0])
    np.testing.assert_array_equal(life.accel_g, written["Bearing1_1"][::2].transpose(0, 2, 1).astype(np.float32))


def test_femto_test_bearings_are_packs_too_and_a_whole_life_goes_first(tmp_path: Path, rng: Rng) -> None:
    written = publish_femto(tmp_path / "source", rng)
    imported("femto", tmp_path / "source", tmp_path / "cut")
    pack = np.load(tmp_path / "cut" / "femto" / "Bearing1_4.npz")
    np.testing.assert_array_equal(pack["acc_milli_g"], np.rint(written["Bearing1_4"] * 1000.0))
    assert (int(pack["snapshots_total"]), int(pack["rpm"])) == (1428, 1800)
    whole = rng.integers(-9000, 9000, (2560, 2)) / 1000.0
    write_snapshot(tmp_path / "source" / "Full_Test_Set" / "Bearing1_4" / "acc_00001.csv", whole)
    imported("femto", tmp_path / "source", tmp_path / "whole")
    pack = np.load(tmp_path / "whole" / "femto" / "Bearing1_4.npz")
    np.testing.assert_array_equal(pack["acc_milli_g"], np.rint(whole[None] * 1000.0))


def test_gearbox_is_read_back_to_the_last_digit(tmp_path: Path, rng: Rng) -> None:
    written = publish_gearbox(tmp_path / "source", rng)
    assert imported("gearbox", tmp_path / "source", tmp_path, partial=False).n_packs == 20
    for (state, load), values in written.items():
        record = gearbox.gearbox_record(tmp_path / "gearbox_spectraquest", state=state, load_percent=load)
        np.testing.assert_array_equal(record.samples, values.T)
        assert (record.state, record.load_percent) == (state, load)


def test_every_record_says_which_machine_it_is_of(tmp_path: Path, rng: Rng) -> None:
    publish_cwru(tmp_path / "c", rng)
    imported("cwru", tmp_path / "c", tmp_path)
    bearings = {r.number: bearing_of(r) for r in cwru.records(tmp_path / "cwru", rate_hz=12_000.0)}
    assert bearings == {105: "inner 0.007", 3001: "inner 0.028", 97: "normal", 98: "normal"}
    publish_cmapss(tmp_path / "t", rng)
    imported("cmapss", tmp_path / "t", tmp_path)
    assert np.unique(cmapss.turbofans(tmp_path / "cmapss", "FD001").train[:, 0]).tolist() == [1.0, 2.0, 3.0]
    publish_femto(tmp_path / "f", rng)
    imported("femto", tmp_path / "f", tmp_path)
    assert femto.run_to_failure(tmp_path / "femto", "Bearing2_1").name == "Bearing2_1"


# --- round trips of slices of the real packs ---


def same_arrays(real: Path, made: Path) -> None:
    with np.load(real) as wanted, np.load(made) as found:
        assert set(found.files) == set(wanted.files)
        for key in wanted.files:
            assert (found[key].dtype, found[key].shape) == (wanted[key].dtype, wanted[key].shape), key
            if key == "scale":
                # The step is a slope over some 100,000 samples: its last bits depend on the order of the sum.
                np.testing.assert_allclose(found[key], wanted[key], rtol=2e-15, atol=0.0)
            else:
                np.testing.assert_array_equal(found[key], wanted[key], err_msg=key)


@pytest.mark.parametrize("name", ["drive12k_OR021-3_L0", "drive12k_B028_L0", "normal48k_normal_L0"])
def test_a_real_cwru_record_comes_back(data_dir: Path, tmp_path: Path, name: str) -> None:
    with (data_dir / "cwru" / "index.csv").open(newline="") as lines:
        rows = {row["file"]: row for row in csv.DictReader(lines)}
    row, pack = rows[f"{name}.npz"], np.load(data_dir / "cwru" / f"{name}.npz")
    number = int(row["record"])
    key = published().records[number].key if number in published().records else number
    (tmp_path / "source").mkdir()
    columns = {str(c): pack["signal"][:, i] * pack["scale"][i] for i, c in enumerate(pack["channels"])}
    rpm = int(row["rpm_in_file"]) if row["rpm_in_file"] else None
    write_mat(tmp_path / "source" / f"{number}.mat", key, rpm=rpm, **columns)
    imported("cwru", tmp_path / "source", tmp_path)
    same_arrays(data_dir / "cwru" / f"{name}.npz", tmp_path / "cwru" / f"{name}.npz")
    with (tmp_path / "cwru" / "index.csv").open(newline="") as lines:
        made = {line["file"]: line for line in csv.DictReader(lines)}
    assert made == {file: rows[file] for file in made}
    if number == 97:
        same_arrays(data_dir / "cwru" / "normal12k_L0.npz", tmp_path / "cwru" / "normal12k_L0.npz")


def test_real_turbofans_come_back(data_dir: Path, tmp_path: Path) -> None:
    pack = np.load(data_dir / "cmapss" / "FD001.npz")
    (tmp_path / "source").mkdir()
    rows = {part: pack[part][pack[part][:, 0] <= 50_000] for part in ("train", "test")}
    for part, codes in rows.items():
        np.savetxt(tmp_path / "source" / f"{part}_FD001.txt", codes / 1e4, fmt=["%d", "%d", *["%.4f"] * 24])
    np.savetxt(tmp_path / "source" / "RUL_FD001.txt", pack["rul"][:5], fmt="%d")
    imported("cmapss", tmp_path / "source", tmp_path)
    made = np.load(tmp_path / "cmapss" / "FD001.npz")
    for part, codes in rows.items():
        assert len(codes) > 300
        np.testing.assert_array_equal(made[part], codes)
        assert made[part].dtype == pack[part].dtype
    np.testing.assert_array_equal(made["rul"], pack["rul"][:5])
    assert (made["scale"], made["columns"].tolist()) == (pack["scale"], pack["columns"].tolist())


def test_real_snapshots_come_back(data_dir: Path, tmp_path: Path) -> None:
    pack = np.load(data_dir / "femto" / "Bearing3_1.npz")
    codes = pack["acc_milli_g"][:4]
    for i, snapshot in enumerate(codes):
        path = tmp_path / "source" / "Bearing3_1" / f"acc_{i + 1:05d}.csv"
        write_snapshot(path, snapshot / 1000.0, clock=(9, 0, 10 * i, 99))
    imported("femto", tmp_path / "source", tmp_path)
    made = np.load(tmp_path / "femto" / "Bearing3_1.npz")
    np.testing.assert_array_equal(made["acc_milli_g"], codes)
    for key in set(pack.files) - {"acc_milli_g"}:
        wanted = pack[key][:4] if key in {"snapshot", "clock_s"} else pack[key]
        np.testing.assert_array_equal(made[key], wanted, err_msg=key)
        assert made[key].dtype == pack[key].dtype, key


def test_a_real_gearbox_record_comes_back(data_dir: Path, tmp_path: Path) -> None:
    real = data_dir / "gearbox_spectraquest" / "broken_tooth_load80.npz"
    (tmp_path / "source").mkdir()
    np.savetxt(tmp_path / "source" / "b30hz80.txt", np.load(real)["signal"], fmt="%.6g", delimiter="\t")
    imported("gearbox", tmp_path / "source", tmp_path)
    same_arrays(real, tmp_path / "gearbox_spectraquest" / real.name)
    index = (data_dir / "gearbox_spectraquest" / "index.csv").read_bytes().splitlines(keepends=True)
    made = (tmp_path / "gearbox_spectraquest" / "index.csv").read_bytes().splitlines(keepends=True)
    assert made[0] == index[0]
    assert made[1] in index


def test_the_table_of_records_is_the_index_of_the_packs(data_dir: Path) -> None:
    with (data_dir / "cwru" / "index.csv").open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["fs_hz"] == "12000"]
    assert [(r.number, r.fault, r.load_hp, r.rpm_nominal) for r in records()] == [
        (int(row["record"]), row["fault"], int(row["load_hp"]), int(row["rpm_nominal"])) for row in rows
    ]
    assert [("" if r.position_oclock is None else str(r.position_oclock)) for r in records()] == [
        row["outer_position_oclock"] for row in rows
    ]
    assert not published().others & published().records.keys()


# --- what is wrong is named ---


def _spoil_text(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


CWRU_FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (lambda s: _truncate(s / "105.mat"), r"105\.mat cannot be read as \.mat"),
    "text": (lambda s: (s / "105.mat").write_text("moved"), r"105\.mat cannot be read as \.mat"),
    "unknown record": (
        lambda s: write_mat(s / "a.mat", 999, DE=np.ones(9)),
        r"a\.mat holds record 999, which CWRU's tables do not have",
    ),
    "no record": (lambda s: write_mat(s / "b.mat", 105, rpm=1797), r"b\.mat holds no X<number>_DE_time"),
    "twice": (lambda s: shutil.copy(s / "105.mat", s / "IR007_0.mat"), r"105\.mat and .*IR007_0\.mat are of the same"),
    "other name": (
        lambda s: (s / "105.mat").rename(s / "106.mat"),
        r"106\.mat is named record 106 but holds 105; rename it",
    ),
    "no drive end": (lambda s: write_mat(s / "105.mat", 105, FE=np.ones(9)), r"105\.mat has no drive end"),
    "NaN": (
        lambda s: write_mat(s / "105.mat", 105, DE=np.array([1.0, np.nan])),
        r"105\.mat has NaN or infinite .* in DE",
    ),
    "lengths": (
        lambda s: write_mat(s / "105.mat", 105, DE=np.ones(9), FE=np.ones(8)),
        r"105\.mat has channels of different length",
    ),
    "speed": (
        lambda s: write_mat(s / "105.mat", 105, rpm=0, DE=np.ones(9)),
        r"105\.mat states a speed of \[0\.0\] rpm",
    ),
}


@pytest.mark.parametrize("fault", CWRU_FAULTS)
def test_a_wrong_cwru_file_is_named(tmp_path: Path, rng: Rng, fault: str) -> None:
    publish_cwru(tmp_path / "source", rng)
    spoil, message = CWRU_FAULTS[fault]
    spoil(tmp_path / "source")
    with pytest.raises(RecordingError, match=message):
        imported("cwru", tmp_path / "source", tmp_path / "root")
    assert left_in(tmp_path / "root") == []


def test_a_normal_that_is_decimated_already_is_refused(tmp_path: Path, rng: Rng) -> None:
    written = publish_cwru(tmp_path / "source", rng)
    write_mat(tmp_path / "source" / "98.mat", 98, DE=scipy.signal.decimate(written[98]["DE"], 4, ftype="fir"))
    with pytest.raises(RecordingError, match=r"98\.mat has no shaft line at 29\.5 Hz when it is read at 48 kHz"):
        imported("cwru", tmp_path / "source", tmp_path / "root")


def test_a_file_of_two_records_is_told_by_its_name_or_refused(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    entries = {"X098_DE_time": np.ones((9, 1)), "X099_DE_time": np.ones((9, 1))}
    for name, number in (("99", 99), ("normal_2_99", 99), ("Normal_1", 98)):
        scipy.io.savemat(source / f"{name}.mat", entries)
        assert record_number(source / f"{name}.mat") == number
    scipy.io.savemat(source / "healthy.mat", entries)
    with pytest.raises(RecordingError, match=r"healthy\.mat holds records 98, 99 and its name says neither"):
        record_number(source / "healthy.mat")


CMAPSS_FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing table": (lambda s: (s / "RUL_FD001.txt").unlink(), r"tables of FD001, but not RUL_FD001\.txt"),
    "column": (
        lambda s: _spoil_text(s / "train_FD001.txt", "1 2 ", "1 "),
        r"train_FD001\.txt, row 2 has 25 columns; 26",
    ),
    "NaN": (
        lambda s: _spoil_text(s / "test_FD001.txt", "3 2 ", "3 2 nan ") or _drop_last(s / "test_FD001.txt"),
        r"test_FD001\.txt, row 9 holds 'nan'",
    ),
    "cycle": (
        lambda s: _spoil_text(s / "train_FD001.txt", "2 3 ", "2 7 "),
        r"train_FD001\.txt, row 6 is cycle 7 of unit 2",
    ),
    "unit": (lambda s: _spoil_text(s / "train_FD001.txt", "1 1 ", "2 1 "), r"row 1 is cycle 1 of unit 2"),
    "lives": (
        lambda s: (s / "RUL_FD001.txt").write_text("1\n2\n"),
        r"RUL_FD001\.txt has 2 remaining lives for the 3 units",
    ),
    "negative": (lambda s: (s / "RUL_FD001.txt").write_text("1\n2\n-3\n"), r"a remaining life of -3 cycles"),
    "decimals": (
        lambda s: (s / "RUL_FD001.txt").write_text("1\n2\n3.5\n"),
        r"RUL_FD001\.txt holds 3\.5; whole multiples",
    ),
    "empty": (lambda s: (s / "RUL_FD001.txt").write_text("\n"), r"RUL_FD001\.txt is empty"),
    "binary": (lambda s: (s / "RUL_FD001.txt").write_bytes(b"\x1f\x8b\xff"), r"RUL_FD001\.txt cannot be read as text"),
}


def _drop_last(path: Path) -> None:
    path.write_text("\n".join(" ".join(line.split()[:26]) for line in path.read_text().splitlines()))


@pytest.mark.parametrize("fault", CMAPSS_FAULTS)
def test_a_wrong_cmapss_table_is_named(tmp_path: Path, rng: Rng, fault: str) -> None:
    publish_cmapss(tmp_path / "source", rng)
    spoil, message = CMAPSS_FAULTS[fault]
    spoil(tmp_path / "source")
    with pytest.raises(RecordingError, match=message):
        imported("cmapss", tmp_path / "source", tmp_path / "root")
    assert left_in(tmp_path / "root") == []


_LEARNED = Path("Learning_set") / "Bearing2_1"
_SECOND = _LEARNED / "acc_00002.csv"
FEMTO_FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "rows": (lambda s: _truncate_lines(s / _SECOND, 2559), r"acc_00002\.csv has 2559 rows; 2560 are wanted"),
    "column": (lambda s: _spoil_text(s / _SECOND, "0,0,0,7,", "0,0,0,"), r"acc_00002\.csv, row 1 has 5 columns; 6"),
    "NaN": (lambda s: _spoil_text(s / _SECOND, "0,0,0,7,", "0,0,nan,7,"), r"acc_00002\.csv, row 1 holds 'nan'"),
    "clock": (lambda s: _spoil_text(s / _SECOND, "0,0,0,7,", "0,99,0,7,"), r"acc_00002\.csv begins at"),
    "name": (lambda s: (s / _SECOND).rename(s / _LEARNED / "acc_last.csv"), r"acc_last\.csv is no snapshot; acc_00001"),
    "number": (lambda s: (s / _SECOND).rename(s / _LEARNED / "acc_00912.csv"), r"acc_00912\.csv is no snapshot"),
    "no first": (lambda s: (s / _LEARNED / "acc_00001.csv").unlink(), r"Bearing2_1 has no acc_00001\.csv"),
    "bearing": (lambda s: (s / _LEARNED).rename(s / "Bearing9_9"), r"Bearing9_9 is no known bearing"),
    "twice": (lambda s: shutil.copytree(s / _LEARNED, s / "copy" / "Bearing2_1"), r"are of the same bearing"),
    "empty": (lambda s: (s / "Bearing2_2").mkdir(), r"Bearing2_2 holds no snapshot"),
}


def _truncate_lines(path: Path, n: int) -> None:
    path.write_text("\n".join(path.read_text().splitlines()[:n]))


@pytest.mark.parametrize("fault", FEMTO_FAULTS)
def test_a_wrong_femto_file_is_named(tmp_path: Path, rng: Rng, fault: str) -> None:
    publish_femto(tmp_path / "source", rng)
    spoil, message = FEMTO_FAULTS[fault]
    spoil(tmp_path / "source")
    with pytest.raises(RecordingError, match=message):
        imported("femto", tmp_path / "source", tmp_path / "root")
    assert left_in(tmp_path / "root") == []


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("gearbox.txt", "1 2 3 4\n", r"gearbox\.txt does not say state and load"),
        ("h30hz15.txt", "1 2 3 4\n", r"h30hz15\.txt does not say state and load"),
        ("H30HZ0.csv", "1,2,3,4\n", r"are of the same record"),
        ("h30hz0.txt", "1 2 3\n1 2 3\n", r"h30hz0\.txt, row 1 has 3 columns; 4 are wanted"),
        ("h30hz0.txt", "1 2 3 4\n1 inf 3 4\n", r"h30hz0\.txt, row 2 holds 'inf'"),
        ("h30hz0.txt", "a b c d\n", r"h30hz0\.txt is empty"),
    ],
)
def test_a_wrong_gearbox_file_is_named(tmp_path: Path, rng: Rng, name: str, text: str, message: str) -> None:
    publish_gearbox(tmp_path / "source", rng)
    (tmp_path / "source" / name).write_text(text)
    with pytest.raises(RecordingError, match=message):
        imported("gearbox", tmp_path / "source", tmp_path / "root")


# --- one import as a whole ---


def test_an_incomplete_source_is_refused_unless_asked(tmp_path: Path, rng: Rng) -> None:
    publish_gearbox(tmp_path / "source", rng)
    (tmp_path / "source" / "h30hz70.txt").unlink()
    with pytest.raises(RecordingError, match=r"lacks h30hz70\.txt; fetch them \(https://data\.openei.* give --partial"):
        imported("gearbox", tmp_path / "source", tmp_path / "root", partial=False)
    assert imported("gearbox", tmp_path / "source", tmp_path / "root").n_packs == 19
    publish_femto(tmp_path / "f", rng)
    with pytest.raises(RecordingError, match=r"lacks Learning_set/Bearing1_2, .* and \d+ more"):
        imported("femto", tmp_path / "f", tmp_path / "root", partial=False)


@pytest.mark.parametrize("name", [data_set.name for data_set in DATA_SETS])
def test_a_source_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordingError, match=r"no folder at .*nowhere; give the folder of"):
        imported(name, tmp_path / "nowhere", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordingError, match=f"holds nothing of {name}; .* are wanted, from https://"):
        imported(name, tmp_path / "empty", tmp_path)


def test_the_same_import_again_changes_nothing(tmp_path: Path, rng: Rng) -> None:
    publish_gearbox(tmp_path / "source", rng)
    imported("gearbox", tmp_path / "source", tmp_path / "root")
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "root").rglob("*.*") if p.is_file()}
    assert not imported("gearbox", tmp_path / "source", tmp_path / "root").changed
    after = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "root").rglob("*.*") if p.is_file()}
    assert after == before
    assert left_in(tmp_path / "root") == ["gearbox_spectraquest"]


def test_other_packs_are_replaced_only_when_asked_and_what_else_lies_there_stays(tmp_path: Path, rng: Rng) -> None:
    publish_gearbox(tmp_path / "a", rng)
    publish_gearbox(tmp_path / "b", rng)
    root = tmp_path / "root"
    imported("gearbox", tmp_path / "a", root)
    folder = root / "gearbox_spectraquest"
    (folder / "README.md").write_text("notes")
    first = gearbox.gearbox_record(folder, state="healthy", load_percent=0).samples
    with pytest.raises(RecordingError, match="holds other packs; give --replace"):
        imported("gearbox", tmp_path / "b", root)
    np.testing.assert_array_equal(gearbox.gearbox_record(folder, state="healthy", load_percent=0).samples, first)
    assert imported("gearbox", tmp_path / "b", root, replace=True).changed
    assert (gearbox.gearbox_record(folder, state="healthy", load_percent=0).samples != first).any()
    assert (folder / "README.md").read_text() == "notes"
    assert left_in(root) == ["gearbox_spectraquest"]


_KILLED = """
import os, signal, sys
from pathlib import Path
from models.datasets.importing import import_data_set

def die(read, total):
    if read == total - 1:
        os.kill(os.getpid(), signal.SIGKILL)

import_data_set("gearbox", Path(sys.argv[1]), Path(sys.argv[2]), progress=die)
"""


def test_a_killed_import_leaves_nothing_half_written(tmp_path: Path, rng: Rng) -> None:
    publish_gearbox(tmp_path / "source", rng)
    root = tmp_path / "root"
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path / "source"), str(root)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (root / "gearbox_spectraquest").exists()
    assert left_in(root) == [".gearbox_spectraquest.importing"]
    imported("gearbox", tmp_path / "source", root, partial=False)
    assert left_in(root) == ["gearbox_spectraquest"]


def test_an_interrupted_import_clears_up(tmp_path: Path, rng: Rng) -> None:
    publish_gearbox(tmp_path / "source", rng)

    def interrupt(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_data_set("gearbox", tmp_path / "source", tmp_path / "root", progress=interrupt)
    assert left_in(tmp_path / "root") == []


def test_packs_moved_aside_by_a_killed_replacement_come_back(tmp_path: Path, rng: Rng) -> None:
    publish_gearbox(tmp_path / "source", rng)
    root = tmp_path / "root"
    imported("gearbox", tmp_path / "source", root)
    # As if killed between the two renames.
    (root / "gearbox_spectraquest").rename(root / ".gearbox_spectraquest.replaced")
    assert not imported("gearbox", tmp_path / "source", root).changed
    assert left_in(root) == ["gearbox_spectraquest"]


def test_a_second_import_into_the_same_folder_waits(tmp_path: Path, rng: Rng) -> None:
    publish_gearbox(tmp_path / "source", rng)
    root = tmp_path / "root"
    root.mkdir()
    handle = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(RecordingError, match=r"another import into .* runs; wait for its end"):
            imported("gearbox", tmp_path / "source", root)
    finally:
        os.close(handle)


def test_progress_counts_the_files_read(tmp_path: Path, rng: Rng) -> None:
    publish_femto(tmp_path / "source", rng)
    told: list[tuple[int, int]] = []
    import_data_set(
        "femto", tmp_path / "source", tmp_path, partial=True, progress=lambda read, total: told.append((read, total))
    )
    # Three snapshots of two bearings, two of the thinned one.
    assert told == [(i, 8) for i in range(1, 9)]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, rng: Rng) -> None:
    publish_gearbox(tmp_path / "source", rng)
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match=r"cannot be written .* give another folder"):
        imported("gearbox", tmp_path / "source", tmp_path / "file")


# --- steps ---


@pytest.mark.parametrize("step", [1.6243512974051892e-4, 8.1380e-4, 0.5])
def test_the_step_is_the_largest_that_all_samples_are_multiples_of(rng: Rng, step: float) -> None:
    # No two neighbouring codes: the smallest distance is three steps, and not the step.
    codes = np.concatenate([9 * rng.integers(-500, 500, 4000), [30, -30, 21, 0]])
    found = step_of(codes * step)
    assert found == pytest.approx(3.0 * step, rel=1e-13)


def test_samples_without_a_step_have_none(rng: Rng) -> None:
    assert step_of(rng.standard_normal(5000)) is None
    assert step_of(np.array([1.0, 40_000.0])) is None
    assert step_of(np.zeros(5)) == 1.0


def test_a_record_with_a_changed_sample_is_refused(tmp_path: Path, rng: Rng) -> None:
    values = publish_cwru(tmp_path / "source", rng)[105]
    values["FE"][77] += 1e-5
    write_mat(tmp_path / "source" / "105.mat", 105, **values)
    with pytest.raises(
        RecordingError, match=r"105\.mat has samples in FE that are no whole multiples of a converter's step"
    ):
        imported("cwru", tmp_path / "source", tmp_path)


# --- missing data sets say where they are from ---


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("cwru", lambda folder: cwru.records(folder, rate_hz=12_000.0)),
        ("cmapss", lambda folder: cmapss.turbofans(folder, "FD001")),
        ("femto", lambda folder: femto.run_to_failure(folder, "Bearing1_1")),
        ("gearbox", lambda folder: gearbox.gearbox_record(folder, state="healthy", load_percent=0)),
    ],
)
def test_a_missing_data_set_names_its_publisher_and_its_import(
    tmp_path: Path, name: str, read: Callable[[Path], object]
) -> None:
    data_set = data_set_named(name)
    with pytest.raises(RecordingError) as caught:
        read(tmp_path)
    for part in ("set RACEWAY_DATA", data_set.publisher, data_set.url, f"`raceway data import {name} SOURCE_DIR`"):
        assert part in str(caught.value)


def test_a_damaged_pack_names_its_import(tmp_path: Path) -> None:
    (tmp_path / "FD001.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(RecordingError, match=r"fetch the pack again, or get it from NASA .*raceway data import cmapss"):
        cmapss.turbofans(tmp_path, "FD001")
    (tmp_path / "index.csv").write_text("fs_hz\ntwelve\n")
    with pytest.raises(RecordingError, match=r"is damaged .*raceway data import cwru"):
        cwru.records(tmp_path, rate_hz=12_000.0)


def test_a_pack_of_no_data_set_names_none(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"set RACEWAY_DATA to the data folder\Z"):
        open_pack(tmp_path / "a.npz", keys=("signal",))


@pytest.mark.parametrize("given", [None, "nowhere", "."])
def test_a_missing_data_folder_names_the_command_that_lists(tmp_path: Path, given: str | None) -> None:
    with pytest.raises(RecordingError, match="`raceway data list` for publishers and the commands that import"):
        data_folder(None if given is None else tmp_path / given)


def test_an_unknown_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no data set 'ims'; one of cwru, cmapss, femto, gearbox is wanted"):
        imported("ims", tmp_path, tmp_path)
