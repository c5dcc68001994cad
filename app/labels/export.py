"""Labelled windows as a table for training, as CSV or Parquet: features, label, provenance; only today's features.

One row is one channel of one window. A window that several labels are about has the one that was given last. Windows
whose features are of another contract are left out and counted: their numbers mean something else.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from app.labels.records import Label, verdicts
from app.schema import points, windows
from app.store import features_from_blob
from app.wire import PointId
from features.contract import WATCHED
from features.errors import ParameterError, RacewayError

__all__ = ["COLUMNS", "LabelTable", "labelled_windows", "write_table"]

# What stands before the features, with its type; times are nanoseconds since the epoch, UTC.
COLUMNS: dict[str, str] = {
    "site": "text",
    "asset": "text",
    "point": "text",
    "channel": "text",
    "start_ns": "integer",
    "end_ns": "integer",
    "rate_hz": "number",
    "shaft_hz": "number",
    "load": "number",
    "fault": "text",
    "label": "text",
    "said": "text",
    "score": "number",
    "threshold": "number",
    "bundle": "text",
    "diagnosis_bundle": "text",
    "contract": "text",
    "label_id": "integer",
    "alarm_id": "integer",
    "given_ns": "integer",
    "origin": "text",
    "who": "text",
    "why": "text",
}


@dataclass(frozen=True)
class LabelTable:
    """Labelled windows.

    Attributes
    ----------
    rows : list of list
        Values of ``COLUMNS``, then the features in the order of the contract's names.
    windows, labels : int
        Windows and labels that are in it.
    other_contracts : int
        Windows left out.
    """

    rows: list[list[Any]]
    windows: int
    labels: int
    other_contracts: int

    @property
    def names(self) -> list[str]:
        """Of the columns."""
        return [*COLUMNS, *WATCHED.names]


def labelled_windows(connection: Connection, *, point_id: str | None = None) -> LabelTable:
    """Read the windows that somebody has judged, of one point or of all.

    Parameters
    ----------
    connection : Connection
    point_id : str, optional

    Returns
    -------
    LabelTable
        By the labels' order, then by time.
    """
    channels = {row.id: row.channels for row in connection.execute(sa.select(points.c.id, points.c.channels))}
    taken: set[int] = set()
    rows: list[list[Any]] = []
    used, others = set(), 0
    # The latest label of a window is met first, and has it.
    for label in reversed(verdicts(connection, point_id=point_id)):
        for found in _windows_of(connection, label):
            if found.id in taken:
                continue
            taken.add(found.id)
            if found.contract != WATCHED.hash:
                others += 1
                continue
            used.add(label.id)
            rows += _rows(label, found, channels[label.point_id])
    places = {name: list(COLUMNS).index(name) for name in ("label_id", "start_ns", "channel")}
    rows.sort(key=lambda row: tuple(row[place] for place in places.values()))
    return LabelTable(rows, len(taken) - others, len(used), others)


def _windows_of(connection: Connection, label: Label) -> Sequence[sa.Row[Any]]:
    own = (windows.c.point_id == label.point_id) & (windows.c.start_ns >= label.first_ns)
    own &= windows.c.end_ns <= label.last_ns
    # Bounded by the start too, so that the index of starts leads to them.
    own &= windows.c.start_ns <= label.last_ns
    return connection.execute(sa.select(windows).where(own).order_by(windows.c.start_ns)).all()


def _rows(label: Label, found: sa.Row[Any], channels: str | None) -> list[list[Any]]:
    vectors = features_from_blob(found.features).reshape(-1, len(WATCHED.names))
    named = _channel_names(channels, len(vectors))
    point = PointId.parse(label.point_id)
    window = {name: getattr(found, name) for name in ("start_ns", "end_ns", "rate_hz", "shaft_hz", "load", "contract")}
    window |= {name: getattr(found, name) for name in ("score", "threshold", "bundle", "diagnosis_bundle")}
    said = {"fault": label.fault, "label": label.kind, "said": label.said, "label_id": label.id}
    said |= {"alarm_id": label.alarm_id, "given_ns": label.at_ns, "origin": label.origin}
    said |= {"who": label.who, "why": label.why}
    where = {"site": point.site, "asset": point.asset, "point": point.point}
    return [
        [(where | window | said | {"channel": name})[column] for column in COLUMNS] + vector.tolist()
        for name, vector in zip(named, vectors, strict=True)
    ]


def _channel_names(channels: str | None, count: int) -> list[str]:
    named = [str(name) for name in json.loads(channels or "[]")]
    return named if len(named) == count else [str(i) for i in range(count)]


def write_table(path: Path, table: LabelTable) -> None:
    """Write a table; the file is there whole or not at all.

    Parameters
    ----------
    path : Path
        Its ending says the form: ``.csv`` (a cell without value is empty) or ``.parquet``.
    table : LabelTable

    Raises
    ------
    ParameterError
        If the ending is another.
    RacewayError
        If Parquet is wanted and pyarrow is not installed.
    """
    writers = {".csv": _write_csv, ".parquet": _write_parquet}
    if path.suffix.lower() not in writers:
        raise ParameterError(f"{path.name} has the ending {path.suffix!r}; .csv or .parquet is wanted")
    draft = path.with_name(f".{path.name}.draft")
    writers[path.suffix.lower()](draft, table)
    draft.replace(path)


def _write_csv(path: Path, table: LabelTable) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table.names)
        writer.writerows(table.rows)


def _write_parquet(path: Path, table: LabelTable) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise RacewayError("Parquet wants pyarrow; pip install 'raceway[train]', or write .csv") from error
    types = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64()}
    fields = [pa.field(name, types[kind]) for name, kind in COLUMNS.items()]
    fields += [pa.field(name, pa.float32()) for name in WATCHED.names]
    schema = pa.schema(fields, metadata={"raceway.contract": WATCHED.hash})
    columns = list(zip(*table.rows, strict=True)) or [()] * len(fields)
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, fields, strict=True)]
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), path)
