"""Tables of the console: the key under which rows are marked, and CSV in which a spreadsheet finds no formula."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["csv_text", "marks_key"]

# Spreadsheets compute cells that begin with these; names and reasons come from other people.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def csv_text(rows: Sequence[Mapping[str, object]]) -> str:
    """Write rows of the same columns.

    Parameters
    ----------
    rows : sequence of mapping
        Column names as keys, in order; None is an empty cell.

    Examples
    --------
    >>> print(csv_text([{"Machine": "Pump", "Why": "=1+1"}, {"Machine": "Fan", "Why": None}]), end="")
    Machine,Why
    Pump,'=1+1
    Fan,
    """
    if not rows:
        return ""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return stream.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value


def marks_key(name: str, identities: Iterable[str]) -> str:
    """Give the key of a table whose rows people mark: another one for each list, so that a changed one has no marks.

    Marks are positions, and Streamlit keeps them under a key whatever is listed: they would stand at other rows.

    Parameters
    ----------
    name : str
        Of the table.
    identities : iterable of str
        What is listed, row by row.

    Examples
    --------
    >>> first = marks_key("duties", ["a", "b"])
    >>> first == marks_key("duties", ["a", "b"]), first == marks_key("duties", ["b", "a"])
    (True, False)
    """
    return f"{name} {hashlib.sha256(repr(list(identities)).encode()).hexdigest()[:16]}"
