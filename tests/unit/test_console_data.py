"""The data page: how each point's blocks flow in, what was set aside with its bytes, and what the disk holds."""

from __future__ import annotations

import time

import pytest
import sqlalchemy as sa
import streamlit as st
from making import POINT, arrival, block
from pages import acting_as, drawn, opened
from plans import plans_of

from app.access.audit import note, trail
from app.access.roles import ForbiddenError, User
from app.assets.model import Machine, Point
from app.assets.register import enter
from app.console import data, flows
from app.console.flows import blocks_per_hour, flow_of, point_briefs
from app.console.setaside import drop_set_aside, hex_dump, set_aside
from app.console.words import plain
from app.intake import Arrival
from app.pipeline import Pipeline
from app.schema import blocks, quarantine
from app.settings import Settings
from app.store import PointRow, reading, save_point, writing

_HOUR_NS = 3_600_000_000_000
_DAY_NS = 24 * _HOUR_NS
_ADA = User("Ada", "admin")


@pytest.fixture
def engine(console: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    acting_as(monkeypatch, User("Vera", "viewer"))
    return console


@pytest.fixture
def filled(engine: sa.Engine, settings: Settings) -> sa.Engine:
    """A point with twelve blocks that arrived two seconds after the last ended, and two messages set aside."""
    now_ns = time.time_ns()
    first_ns = now_ns - 12 * 160_000_000 - 2_000_000_000
    sent = [arrival(block(i, start_ns=first_ns + i * 160_000_000), now_ns=now_ns) for i in range(12)]
    bad = [Arrival(POINT.topic("waveform"), b"junk \x00\x01", now_ns), Arrival("raceway/v1/short", b"", now_ns)]
    pipeline = Pipeline(engine, settings)
    pipeline.process(pipeline.prepare([*sent, *bad]), now_ns=now_ns)
    return engine


@pytest.mark.sqlite
def test_rates_delay_and_counts_of_a_point_are_said(filled: sa.Engine) -> None:
    assert filled is not None
    page = opened("data")
    row = page.dataframe[0].value.iloc[0]
    assert (row["Point"], row["Blocks"], row["Windows"], row["Gaps"]) == (str(POINT), 12, 11, 0)
    assert row["Blocks/h"] == pytest.approx(3600 / 0.16, rel=1e-6)
    assert row["MB/h"] == pytest.approx(block(0).samples.nbytes * 3600 / 0.16 / 1e6, rel=1e-6)
    assert (row["Says, Hz"], row["Seen, Hz"]) == (12_800.0, "12,800.0")
    assert row["Longest, s"] == pytest.approx(2.0 + 11 * 0.16, abs=0.01)
    assert {metric.label: metric.value for metric in page.metric}["Points"] == "1"
    assert [metric.label for metric in page.metric][-5:] == ["Database", "Bundles", "Reports", "Logs", "Free"]
    assert "Nothing says that this store was ever backed up" in page.warning[0].value
    with writing(filled) as connection:
        note(connection, _ADA, "back up", target="backup", why="monday.tar.zst", now_ns=time.time_ns())
    said = [caption.value for caption in opened("data").caption]
    assert any(text.endswith("by Ada, as monday.tar.zst.") for text in said)


def _draw_backup(database, settings):  # type: ignore[no-untyped-def]  # Streamlit runs the text of it alone
    from app.console.data import _backup
    from app.store import open_store

    _backup(open_store(database), settings)


def test_where_backup_refuses_the_databases_own_tools_are_named(engine: sa.Engine, settings: Settings) -> None:
    other = settings.model_copy(update={"database_url": "postgresql://plant/raceway"})
    shown = drawn(_draw_backup, str(engine.url), other)
    assert not shown.warning
    assert "the database's own tools, such as pg_dump" in shown.caption[0].value


def test_a_rate_that_is_not_the_one_said_and_a_clock_that_is_ahead_are_marked(filled: sa.Engine) -> None:
    with writing(filled) as connection:
        connection.execute(sa.text("UPDATE points SET rate_hz = 12500.0"))
        connection.execute(blocks.update().values(arrived_ns=blocks.c.end_ns - 5_000_000_000))
    row = opened("data").dataframe[0].value.iloc[0]
    assert (row["Seen, Hz"], row["Delayed"]) == ("△ 12,800.0", "△ its clock is ahead")


def test_bursts_have_no_rate_of_their_own_and_one_block_has_none(filled: sa.Engine) -> None:
    with writing(filled) as connection:
        connection.execute(blocks.update().values(sequence=3 * blocks.c.sequence))
        burst = flow_of(connection, str(POINT))
        connection.execute(blocks.delete().where(blocks.c.sequence > 0))
        one = flow_of(connection, str(POINT))
    assert burst is not None
    assert (burst.rate_hz, one) == (None, None)


def test_silent_points_stand_first_and_nodes_have_their_periods(filled: sa.Engine) -> None:
    now_ns = time.time_ns()
    with writing(filled) as connection:
        for name, seen_ns in (("b/b/b", None), ("c/c/c", now_ns - 200 * 10**9)):
            save_point(connection, PointRow(name, name, seen_ns=seen_ns), new=True)
        row = {"point_id": "c/c/c", "name": "n", "online": True, "model": 0, "period_ms": 100_000, "update_offset": 0}
        row |= {"update_size": 0, "candidate": 0, "alarm": False, "lost": 0}
        connection.execute(sa.insert(sa.table("nodes", *(sa.column(name) for name in row))).values(**row))
    page = opened("data")
    listed = page.dataframe[0].value
    assert listed["Point"].iloc[0] == "b/b/b"
    assert {metric.label: metric.value for metric in page.metric}["Silent"] == "1"
    page.text_input[0].input("c/c").run()
    assert list(page.dataframe[0].value["Point"]) == ["c/c/c"]


def test_a_slow_sensor_is_silent_by_the_rule_of_its_alarm(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns = time.time_ns()
    ages_s = {"every-ten-minutes": 590, "gone": 7200, "daily": 7200, "watched": 590}
    own = {"daily": Point(alarming={"stale_after_s": 90_000}), "watched": Point(alarming={"stale_after_s": 300})}
    with writing(engine) as connection:
        for name, age_s in ages_s.items():
            save_point(connection, PointRow(f"a/m/{name}", name, seen_ns=now_ns - age_s * 10**9), new=True)
        enter(connection, [Machine("a", "hall", "m", points=own)])
    page = opened("data")
    said = dict(zip(page.dataframe[0].value["Point"], page.dataframe[0].value["Last heard"], strict=True))
    assert {key.split("/")[-1] for key, words in said.items() if words.startswith("△")} == {"gone", "watched"}
    assert set(list(said)[:2]) == {"a/m/gone", "a/m/watched"}
    assert {metric.label: metric.value for metric in page.metric}["Silent"] == "2"
    # The settings of the page are read once.
    st.cache_resource.clear()
    monkeypatch.setenv("RACEWAY_STALE_AFTER_S", "0")
    assert {metric.label: metric.value for metric in opened("data").metric}["Silent"] == "1"


def test_what_was_set_aside_is_shown_with_its_reason_and_its_bytes(filled: sa.Engine) -> None:
    assert filled is not None
    page = opened("data")
    assert any("Set aside: 2 messages" in text.value for text in page.markdown)
    reasons, messages = (frame.value for frame in page.dataframe[1:3])
    assert set(reasons["Reason"]) == {"malformed", "topic"}
    assert list(messages["Topic"]) == ["raceway/v1/short", POINT.topic("waveform")]
    next(box for box in page.selectbox if box.label == "Reason").select("malformed").run()
    assert page.code[0].value.startswith("0000  6a 75 6e 6b 20 00 01")
    assert page.code[0].value.endswith("junk ..")
    next(one for one in page.text_input if one.label == "Topic").input("nothing").run()
    assert any("None among the latest 5,000" in caption.value for caption in page.caption)
    assert not page.button


def test_what_somebody_sent_is_no_markdown(filled: sa.Engine) -> None:
    detail = "'[*here*](//x)' names no site"
    with writing(filled) as connection:
        connection.execute(quarantine.update().values(detail=detail))
    assert any(one.value.startswith(f"{plain(detail)}. ") for one in opened("data").caption)


def test_only_admins_drop_what_is_old_and_it_is_audited(filled: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with writing(filled) as connection:
        connection.execute(quarantine.update().where(quarantine.c.reason == "topic").values(arrived_ns=1))
    with pytest.raises(ForbiddenError, match="may not manage"), writing(filled) as connection:
        drop_set_aside(connection, User("kim", "engineer"), older_d=1, now_ns=2 * _DAY_NS)
    acting_as(monkeypatch, _ADA)
    page = opened("data")
    page.button[0].click().run()
    assert page.success[0].value == "1 messages were dropped."
    with reading(filled) as connection:
        assert [one.reason for one in set_aside(connection, most=9)] == ["malformed"]
        assert [(deed.who, deed.why) for deed in trail(connection)] == [("Ada", "1 older than 30 d")]


def test_hours_without_a_block_show(filled: sa.Engine) -> None:
    now_ns = time.time_ns()
    with writing(filled) as connection:
        moved = blocks.c.end_ns - 3 * _HOUR_NS
        connection.execute(blocks.update().where(blocks.c.sequence < 4).values(end_ns=moved))
        counted = blocks_per_hour(connection, str(POINT), now_ns=now_ns, hours=6)
    assert (sum(counted), len(counted)) == (12, 6)
    assert sum(counted[-2:]) == 8
    assert sum(counted[1:4]) == 4


@pytest.mark.usefixtures("filled")
def test_hours_are_read_once_they_are_opened() -> None:
    assert "Point" not in [one.label for one in opened("data").selectbox]
    assert "Point" in [one.label for one in opened("data", point=str(POINT)).selectbox]


def test_a_fast_point_has_no_hours_without_a_block(filled: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """All hours together were counted up to a bound, so that the older ones showed an outage."""
    now_ns = time.time_ns()
    monkeypatch.setattr(flows, "MOST_PER_HOUR", 4)
    monkeypatch.setattr(data, "MOST_PER_HOUR", 4)
    with writing(filled) as connection:
        for hour in range(4):
            own = blocks.c.sequence // 3 == hour
            connection.execute(blocks.update().where(own).values(end_ns=now_ns - hour * _HOUR_NS))
        assert blocks_per_hour(connection, str(POINT), now_ns=now_ns, hours=5) == [0, 3, 3, 3, 3]
    said = "Of an hour no more than 4 blocks are counted: the highest bars are higher."
    assert said not in [one.value for one in opened("data", point=str(POINT)).caption]
    with writing(filled) as connection:
        connection.execute(blocks.update().where(blocks.c.sequence < 6).values(end_ns=now_ns))
        assert blocks_per_hour(connection, str(POINT), now_ns=now_ns, hours=5) == [0, 3, 3, 0, 4]
    assert said in [one.value for one in opened("data", point=str(POINT)).caption]


def test_bytes_are_shown_in_lines() -> None:
    assert hex_dump(bytes(range(60, 78))).splitlines() == [
        "0000  3c 3d 3e 3f 40 41 42 43 44 45 46 47 48 49 4a 4b  <=>?@ABCDEFGHIJK",
        f"0010  {'4c 4d':47}  LM",
    ]


@pytest.mark.sqlite
def test_of_a_hundred_thousand_blocks_a_few_are_read(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        for i in range(50):
            save_point(connection, PointRow(f"s/m{i}/p", "m"), new=True)
        # As many rows as ninety days of fifty machines leave, made by the database itself.
        connection.execute(
            sa.text(
                "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1999) "
                "INSERT INTO blocks (point_id, sequence, start_ns, end_ns, arrived_ns, rate_hz, sample_type, scale, "
                "n_samples, n_channels, digest) SELECT points.id, i, i * 1000000000, (i + 1) * 1000000000, "
                "(i + 2) * 1000000000, 100.0, 'i2', 1.0, 100, 1, x'00' FROM n, points"
            )
        )
    with plans_of(engine) as plans, reading(engine) as connection:
        flows = [flow_of(connection, one.id) for one in point_briefs(connection)]
    assert not any(plan.startswith("SCAN blocks") or "TEMP B-TREE" in plan for plan in plans), plans
    assert {flow.rate_hz for flow in flows if flow is not None} == {100.0}
