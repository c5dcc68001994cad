"""False alarms on simulated machines and real rigs: shares are counts, intervals are SciPy's, refusals are said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from click.testing import CliRunner

from app.cli import _raceway
from app.settings import Settings
from edge.convert import to_tflite
from features.contract import WATCHED
from features.errors import ParameterError
from models import left_out
from models.false_alarms import FORMER, MONTH, RATES, SEVERITIES, binomial_interval, simulated_false_alarms
from models.left_out import cwru_left_out, gearbox_left_out

_RULES = [f"{rate:g}" for rate in RATES] + [FORMER]


def _silent(done: int, total: int) -> None:
    assert 0 < done <= total


@pytest.mark.parametrize(("hits", "n"), [(0, 50), (3, 50), (50, 50)])
def test_the_binomial_interval_is_that_of_scipy(hits: int, n: int) -> None:
    exact = scipy.stats.binomtest(hits, n).proportion_ci(0.95, method="exact")
    assert binomial_interval(hits, n) == pytest.approx((exact.low, exact.high))


@pytest.mark.parametrize(("machines", "windows"), [(0, 100), (1, 0)])
def test_no_machine_and_no_window_are_refused(machines: int, windows: int) -> None:
    with pytest.raises(ParameterError, match="1 or more of each are wanted"):
        simulated_false_alarms(convert=to_tflite, seed=1, machines=machines, windows=windows, progress=_silent)


def test_simulated_machines_keep_to_the_stated_rate_and_show_their_faults(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command at a small size; the rigs stand aside, they have tests of their own."""
    for name in ("gearbox_left_out", "cwru_left_out"):
        monkeypatch.setattr(left_out, name, lambda folder, **_: [{"data": Path(folder).name}])
    flags = ["--data-dir", str(settings.data_dir), "evaluate", "false-alarms", "--json"]
    result = CliRunner().invoke(_raceway, [*flags, "--machines", "1", "--windows", "600"])
    figures = json.loads(result.stdout)
    rows = figures["rows"]
    assert [row["rule"] for row in rows] == _RULES
    assert all(row["share"] == row["passed"] / 600 == row["worst_machine"] for row in rows)
    assert all(row["low"] <= row["share"] <= row["high"] for row in rows)
    shares = [row["share"] for row in rows[:-1]]
    assert shares == sorted(shares, reverse=True)
    assert shares[1] < 0.02
    for row in rows:
        detected = [row[f"detected_{severity:g}"] for severity in SEVERITIES]
        assert detected == sorted(detected)
        assert detected[-1] > 10 * row["share"]
        assert row["alarms_a_month"] == pytest.approx(row["alarms"] * MONTH / 600)
        most = row["alarms_a_month_high"] * 600 / MONTH
        assert scipy.stats.poisson.cdf(row["alarms"], most) == pytest.approx(0.025)
    assert figures["left_out"] == [{"data": "gearbox_spectraquest"}, {"data": "cwru"}]
    assert figures["contract"] == WATCHED.hash


def test_a_load_left_out_of_the_gearbox_is_healthy_and_its_broken_tooth_is_seen(data_dir: Path) -> None:
    folder = data_dir / "gearbox_spectraquest"
    rows = gearbox_left_out(folder, convert=to_tflite, seed=1, progress=_silent, loads=(50, 60))
    assert [(row["data"], row["load"]) for row in rows] == [
        (f"gearbox, {inputs}", f"{load} %") for inputs in ("levels and shapes", "shapes") for load in (50, 60)
    ]
    for row in rows:
        assert [row[f"passed at {rule}"] for rule in _RULES[2:]] == pytest.approx([0.0] * 3, abs=0.2)
        assert row["detected at 0.001"] == row[f"detected at {FORMER}"] == 1.0
        assert row["healthy_windows"] > 40


def test_a_load_left_out_of_cwru_is_tested_against_its_own_faults(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A feature stands in for all, so that each row's windows can be counted against the records."""
    seen = []

    def tested(learned: np.ndarray, healthy: np.ndarray, faulty: np.ndarray, **_: object) -> dict[str, object]:
        seen.append([sorted(part[:, 0].tolist()) for part in (learned, healthy, faulty)])
        return {}

    records = left_out.cwru.records(data_dir / "cwru", rate_hz=12_000.0)
    number = {record.name: i for i, record in enumerate(records)}
    monkeypatch.setattr(left_out, "_watched", lambda record: np.array([[float(number[record.name])]]))
    monkeypatch.setattr(left_out, "_tested", tested)
    rows = cwru_left_out(data_dir / "cwru", convert=to_tflite, seed=1, progress=_silent)
    assert [row["load"] for row in rows] == ["0 hp", "1 hp", "2 hp", "3 hp"]
    for load, (learned, healthy, faulty) in enumerate(seen):
        assert learned == [number[f"normal12k_L{other}"] for other in range(4) if other != load]
        assert healthy == [number[f"normal12k_L{load}"]]
        assert faulty == sorted(number[r.name] for r in records if r.load_hp == load and r.kind != "normal")
