"""A history that is written at once is whole: what stands in one table fits the others, and a seed gives it again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from making import NOW_NS

from app.alarms.register import HEALTH
from app.cli import _raceway
from app.console.queries import fleet, latest_verdict, speaking_nodes, trend
from app.demo.history import HistoryPlan, write_history
from app.demo.world import HOUR_NS, N_SAMPLES, RATE_HZ
from app.retraining.standing import standings
from app.schema import alarm_journal, alarm_tags, alarms, blocks, labels, node_reports, points, windows
from app.settings import Settings, load_settings
from app.store import features_from_blob, open_store, reading
from app.waveforms import waveform
from features.contract import WATCHED
from features.errors import ParameterError
from features.extraction import extract

_PLAN = HistoryPlan(machines=9, days=7, end_ns=NOW_NS, seed=5, nodes=2, waveforms_h=24)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = load_settings(data_dir=tmp_path_factory.mktemp("history"))
    shares: list[float] = []
    rows = write_history(settings, _PLAN, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert rows["points"] == 11
    return settings


@pytest.fixture
def engine(filled: Settings) -> sa.Engine:
    return open_store(filled.database)


def test_every_hour_that_a_machine_was_measured_has_one_block_and_one_window(engine: sa.Engine) -> None:
    with reading(engine) as connection:
        cut = connection.execute(sa.select(windows.c.point_id, windows.c.start_ns)).all()
        sent = connection.execute(sa.select(blocks.c.point_id, blocks.c.start_ns)).all()
        ids = connection.execute(sa.select(windows.c.start_ns).order_by(windows.c.id)).scalars().all()
    assert sorted(map(tuple, cut)) == sorted(map(tuple, sent))
    # Repairs and silences only take hours away.
    assert 0.8 * 9 * 7 * 24 < len(cut) <= 9 * 7 * 24
    assert ids == sorted(ids)
    assert min(ids) >= NOW_NS - 7 * 24 * HOUR_NS
    assert max(ids) + round(N_SAMPLES / RATE_HZ * 1e9) <= NOW_NS


def test_features_are_those_of_the_waveform_beside_them(engine: sa.Engine) -> None:
    point = fleet(engine)[0][0].id
    verdict = latest_verdict(engine, point)
    assert verdict is not None
    x = waveform(engine, point, start_ns=verdict.start_ns, end_ns=verdict.end_ns)
    assert x is not None
    with reading(engine) as connection:
        own = windows.c.start_ns == verdict.start_ns
        stored = connection.execute(sa.select(windows.c.features).where(own)).scalar_one()
    np.testing.assert_allclose(
        features_from_blob(stored), extract(x, RATE_HZ, profile=WATCHED, unit="g"), rtol=1e-4, atol=1e-5
    )


def test_alarms_stand_as_their_journal_left_them(engine: sa.Engine) -> None:
    with reading(engine) as connection:
        steps = connection.execute(sa.select(alarm_journal).order_by(alarm_journal.c.id)).all()
        stand = {(row.point_id, row.tag): row.state for row in connection.execute(sa.select(alarm_tags))}
        raised = connection.execute(sa.select(alarms)).all()
        labelled = connection.execute(sa.select(labels.c.kind)).scalars().all()
    assert [step.at_ns for step in steps] == sorted(step.at_ns for step in steps)
    last = {(step.point_id, step.tag): step.after for step in steps}
    assert stand == last
    assert {"unacknowledged", "acknowledged"} & set(stand.values())
    assert sum(step.tag == HEALTH and step.action == "raise" for step in steps) == len(raised) > 1
    # What is over the threshold is what was raised.
    for alarm in raised:
        found = trend(engine, alarm.point_id, most=10_000)
        at = int(np.searchsorted(found.start_ns, alarm.window_start_ns))
        assert found.start_ns[at] == alarm.window_start_ns
        assert (found.score[at - 2 : at + 1] > found.threshold[at - 2 : at + 1]).all()
    assert set(labelled) <= {"confirm", "rename", "repair"}


def test_points_stand_as_their_last_window(engine: sa.Engine) -> None:
    with reading(engine) as connection:
        rows = connection.execute(sa.select(points).where(points.c.rate_hz.is_not(None))).all()
        models = {one.point_id: one for one in standings(connection)}
    for row in rows:
        verdict = latest_verdict(engine, row.id)
        assert verdict is not None
        assert (verdict.start_ns, verdict.score) == (row.window_start_ns, row.score)
        assert (row.state == "watching") == (row.score is not None)
        assert row.state != "watching" or models[row.id].task is not None


def test_nodes_report_each_hour(engine: sa.Engine) -> None:
    nodes = speaking_nodes(engine)
    assert len(nodes) == 2
    with reading(engine) as connection:
        n = connection.execute(sa.select(sa.func.count()).select_from(node_reports)).scalar_one()
    assert n > 2 * 7 * 24 * 0.8


def test_a_seed_gives_the_same_again_and_a_full_store_is_refused(filled: Settings, tmp_path: Path) -> None:
    other = load_settings(data_dir=tmp_path)
    write_history(other, _PLAN, progress=lambda _: None)
    query = sa.select(windows.c.point_id, windows.c.start_ns, windows.c.score, windows.c.features)
    found = []
    for settings in (filled, other):
        with reading(open_store(settings.database)) as connection:
            found.append(connection.execute(query).all())
    assert found[0] == found[1]
    with pytest.raises(ParameterError, match="holds points already"):
        write_history(filled, _PLAN, progress=lambda _: None)
    with pytest.raises(ParameterError, match="6 machines or more"):
        HistoryPlan(machines=2, days=8, end_ns=NOW_NS, seed=5, nodes=0)


def test_the_command(tmp_path: Path) -> None:
    flags = ["demo", "history", "--machines", "6", "--days", "3", "--data-dir", str(tmp_path / "there")]
    done = CliRunner().invoke(_raceway, flags)
    assert done.exit_code == 0, done.output
    assert "windows of 6 machines" in done.output
