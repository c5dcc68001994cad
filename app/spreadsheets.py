"""Tables as CSV for spreadsheets; what a spreadsheet would take for a formula stays text."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

__all__ = ["csv_text"]

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
