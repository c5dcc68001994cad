"""What statements are run, and how SQLite finds their rows, as tests ask it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine


@contextmanager
def plans_of(engine: Engine) -> Iterator[list[str]]:
    """The steps of SQLite's plan of each statement that is run inside."""
    plans: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        del connection
        if statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            found = cursor.connection.cursor()
            plans.extend(row[3] for row in found.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

    sa.event.listen(engine, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        sa.event.remove(engine, "before_cursor_execute", explain)


@contextmanager
def statements_of(engine: Engine) -> Iterator[list[str]]:
    """The statements that are run inside."""
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
