"""A store of every form that there was, with a row in each of its tables, is brought to today's and loses nothing."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from app.store import _FORM, open_store, reading

_SCRIPTS = str(resources.files("app") / "migrations")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", _SCRIPTS)
    return config


_REVISIONS = [step.revision for step in reversed(list(ScriptDirectory.from_config(_config()).walk_revisions()))]


def _made(url: str, revision: str) -> dict[str, dict[str, Any]]:
    """Make a store of a form with a row in each table; gives the rows."""
    engine = sa.create_engine(url)
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    with engine.begin() as connection:
        tables = sa.MetaData()
        tables.reflect(connection)
        rows: dict[str, dict[str, Any]] = {}
        for table in tables.sorted_tables:
            if table.name != "alembic_version":
                rows[table.name] = {column.name: _value(column, rows) for column in table.columns}
                connection.execute(table.insert().values(**rows[table.name]))
    engine.dispose()
    return rows


def _value(column: sa.Column[Any], rows: dict[str, dict[str, Any]]) -> Any:
    """Something of the column's type; of one that points elsewhere, what stands there."""
    for key in column.foreign_keys:
        return rows[key.column.table.name][key.column.name]
    if isinstance(column.type, sa.LargeBinary):
        return b"\x01\x00\xff"
    return {bool: True, int: 7, float: 1.5, str: "{}"}[column.type.python_type]


def test_the_forms_follow_each_other_from_the_first() -> None:
    assert _REVISIONS[0] == "0001"
    assert len(_REVISIONS) == len(set(_REVISIONS)) == len(list(Path(_SCRIPTS, "versions").glob("v*.py")))
    assert _REVISIONS[-1] == _FORM
    for revision in _REVISIONS:
        assert len(list(Path(_SCRIPTS, "versions").glob(f"v{revision}_*.py"))) == 1


@pytest.mark.parametrize("revision", _REVISIONS)
def test_a_store_of_any_form_keeps_all_its_rows(revision: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'raceway.db'}"
    rows = _made(url, revision)
    assert {"points", "blocks", "windows", "alarms", "quarantine", "counters", "champions"} <= set(rows)
    engine = open_store(url, migrate=True)
    with reading(engine) as connection:
        tables = sa.MetaData()
        tables.reflect(connection)
        for name, row in rows.items():
            stored = [dict(found._mapping) for found in connection.execute(sa.select(tables.tables[name]))]
            assert any(row.items() <= found.items() for found in stored), (name, row, stored)
        assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one() == _REVISIONS[-1]
        assert connection.execute(sa.text("PRAGMA foreign_key_check")).all() == []
    engine.dispose()
