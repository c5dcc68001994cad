"""The store: its form, its rows, and what happens when two processes write."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from making import NOW_NS

from app.alarms.lifecycle import AlarmState
from app.alarms.register import HEALTH, journal, tags
from app.doctor import examine
from app.schema import alarms, counters, metadata, quarantine, windows
from app.settings import Settings
from app.store import (
    PointRow,
    Quarantined,
    StaleError,
    StoreError,
    bundle_of,
    change_state,
    count,
    insert_rows,
    open_store,
    point_rows,
    quarantine_payloads,
    reading,
    save_point,
    set_champion,
    writing,
)
from features.bearing import bearing_named

_ROW = PointRow(id="a/b/c", name="Pump", bearing=bearing_named("6205-2RS"), channels=("x", "y"), alarm={"above": 2})
_GROUPED = _ROW.changed(id="a/b/d", iso_group="group-2-rigid")


@pytest.fixture
def engine(settings: Settings) -> sa.Engine:
    return open_store(settings.database, migrate=True)


def test_migrations_make_the_tables_of_the_schema(engine: sa.Engine) -> None:
    with reading(engine) as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    assert differences == []


def test_opening_again_keeps_what_is_stored(engine: sa.Engine, settings: Settings) -> None:
    with writing(engine) as connection:
        save_point(connection, _ROW, new=True)
        save_point(connection, _GROUPED, new=True)
    with reading(open_store(settings.database, migrate=True)) as connection:
        assert point_rows(connection) == [_ROW, _GROUPED]


def test_a_store_of_the_first_form_is_brought_to_todays_with_all_that_it_holds(
    engine: sa.Engine, settings: Settings
) -> None:
    with writing(engine) as connection:
        save_point(connection, _GROUPED, new=True)
        row = {"point_id": _GROUPED.id, "raised_ns": 1, "window_start_ns": 1, "ratio": 2.0}
        connection.execute(alarms.insert().values(**row))
        config = Config()
        config.set_main_option("script_location", str(resources.files("app") / "migrations"))
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        assert "iso_group" not in {column["name"] for column in sa.inspect(connection).get_columns("points")}
    with pytest.raises(StoreError, match=r"is of an older form \(0001; .*`raceway up`"):
        open_store(settings.database)
    with reading(open_store(settings.database, migrate=True)) as connection:
        assert point_rows(connection) == [_GROUPED.changed(iso_group=None)]
        assert connection.execute(sa.select(alarms.c.point_id)).scalars().all() == [_GROUPED.id]
        # An alarm that was open goes on as a new one, and the journal begins with it.
        (tag,), (step,) = tags(connection), journal(connection)
        assert (tag.tag, tag.alarm) == (HEALTH, AlarmState("unacknowledged", active=True, since_ns=1))
        assert (step.point_id, step.entry.action, step.entry.after) == (_GROUPED.id, "raise", "unacknowledged")


@pytest.mark.parametrize("migrate", [True, False])
def test_a_store_of_a_newer_raceway_is_refused_and_left_as_it_is(
    migrate: bool, engine: sa.Engine, settings: Settings
) -> None:
    with writing(engine) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0099'"))
    with pytest.raises(StoreError, match=r"made by a newer Raceway \(its form is '0099'"):
        open_store(settings.database, migrate=migrate)
    store = next(finding for finding in examine(settings) if finding.what == "store")
    assert "made by a newer Raceway" in store.detail
    with reading(engine) as connection:
        assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one() == "0099"


def test_a_store_of_todays_form_is_opened_without_alembic(engine: sa.Engine, settings: Settings) -> None:
    del engine
    script = (
        "import sys; from app.store import open_store; "
        f"open_store({settings.database!r}, migrate=True); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_store_without_tables_or_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no store yet; `raceway up`"):
        open_store(f"sqlite:///{tmp_path / 'empty.db'}")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        open_store(f"sqlite:///{tmp_path / 'file' / 'x.db'}", migrate=True)


def test_a_row_changed_by_another_process_is_not_overwritten(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        save_point(connection, _ROW, new=True)
        changed = change_state(connection, _ROW, state="training")
    assert changed.revision == 1
    with pytest.raises(StaleError, match="changed by another process"), writing(engine) as connection:
        save_point(connection, _ROW.changed(score=1.0))
    with reading(engine) as connection:
        assert point_rows(connection) == [changed]


def test_an_error_undoes_the_transaction(engine: sa.Engine) -> None:
    def fail_half_way() -> None:
        with writing(engine) as connection:
            save_point(connection, _ROW, new=True)
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        fail_half_way()
    with reading(engine) as connection:
        assert point_rows(connection) == []


def test_counters_add_up(engine: sa.Engine) -> None:
    for _ in range(3):
        with writing(engine) as connection:
            count(connection, {("a/b/c", "blocks"): 2, ("", "refused rate"): 1})
    with reading(engine) as connection:
        rows = {(row.point_id, row.name): row.value for row in connection.execute(sa.select(counters))}
    assert rows == {("a/b/c", "blocks"): 6, ("", "refused rate"): 3}


def test_a_long_payload_is_kept_by_head_size_and_digest(engine: sa.Engine) -> None:
    payload = bytes(range(256)) * 10
    with writing(engine) as connection:
        quarantine_payloads(connection, [Quarantined(NOW_NS, "t", "oversized", "d", payload)], keep_bytes=100)
    with reading(engine) as connection:
        row = connection.execute(sa.select(quarantine)).one()
    assert (bytes(row.payload), row.size, row.complete) == (payload[:100], 2560, False)
    assert row.sha256 == hashlib.sha256(payload).hexdigest()


def test_one_bundle_serves_a_role(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        assert bundle_of(connection, "diagnosis") is None
        set_champion(connection, "diagnosis", "first", now_ns=1)
        set_champion(connection, "diagnosis", "second", now_ns=2)
        assert bundle_of(connection, "diagnosis") == "second"


def test_rows_go_in_as_through_sqlalchemy(engine: sa.Engine) -> None:
    row = {
        "point_id": "a/b/c",
        "start_ns": NOW_NS,
        "end_ns": NOW_NS + 1,
        "rate_hz": 1000.0,
        "rms": 0.5,
        "contract": "c",
        "features": b"\x00\x01",
    }
    others = [row | {"start_ns": NOW_NS + i, "rms": 0.1 * i} for i in (2, 3)]
    with writing(engine) as connection:
        save_point(connection, _ROW, new=True)
        insert_rows(connection, windows, [])
        insert_rows(connection, windows, [row, others[0]])
        connection.execute(windows.insert(), [others[1]])
        stored = [dict(found._mapping) for found in connection.execute(sa.select(windows).order_by(windows.c.start_ns))]
    for found, wanted in zip(stored, [row, *others], strict=True):
        assert {name: found[name] for name in wanted} == wanted
        assert found["shaft_hz"] is None


@pytest.mark.sqlite
def test_statements_for_drivers_that_name_their_values(engine: sa.Engine) -> None:
    """PostgreSQL's driver takes values by name; the statement and the rows agree on the names."""
    from sqlalchemy.dialects import postgresql

    from app.store import _insert_text

    text, order = _insert_text(windows, postgresql.psycopg.dialect(), ("point_id", "rms"))
    assert order is None
    assert "%(point_id)s" in text
    assert "%(rms)s" in text
    positional, names = _insert_text(windows, engine.dialect, ("rms", "point_id"))
    assert positional.count("?") == 2
    assert names is not None
    assert sorted(names) == ["point_id", "rms"]
