"""Tables to take away, as CSV or Parquet, each column with its unit in its name; made when they are asked for."""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.console.history import Past
from app.console.lines import Lines
from app.store import PointRow
from features.contract import WATCHED

__all__ = ["Table", "csv_bytes", "download", "file_name", "lines_table", "parquet_bytes", "past_table", "wave_table"]


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of the same length by their names, and what they rest on."""

    columns: dict[str, NDArray[Any]]
    rests_on: dict[str, str] = field(default_factory=dict)


def lines_table(lines: Lines) -> Table:
    """A spectrum."""
    return Table({lines.axis: lines.x, f"amplitude ({lines.unit or '1'})": lines.y}, {"made": lines.note})


def wave_table(x: NDArray[np.float32], rate_hz: float, start_ns: int, unit: str) -> Table:
    """A waveform in the unit in which it was sent."""
    return Table(
        {"time (s)": np.arange(x.size) / rate_hz, f"amplitude ({unit})": x},
        {"first sample, ns since 1970 in UTC": str(start_ns), "rate in Hz": repr(rate_hz)},
    )


def past_table(past: Past, row: PointRow) -> Table:
    """Windows over time with all their features, in the units of the store."""
    columns: dict[str, NDArray[Any]] = {
        "start (UTC)": past.start_ns.astype("datetime64[ns]"),
        "score": past.score,
        "threshold": past.threshold,
        "speed (Hz)": past.shaft_hz,
        "load (%)": past.load,
    }
    for channel in range(past.features.shape[1]):
        name = row.channels[channel] if channel < len(row.channels) else str(channel)
        for i, feature in enumerate(WATCHED.features):
            unit = (row.unit or "") if feature.unit == "x" else feature.unit
            columns[f"{name}: {feature.name} ({unit})"] = past.features[:, channel, i]
    rests_on = {"features": WATCHED.hash, "baseline": row.bundle or "none", "windows": past.thinned or "all"}
    return Table(columns, rests_on)


def csv_bytes(table: Table) -> bytes:
    """Comma-separated values in UTF-8; what they rest on stands above, behind `#`.

    Examples
    --------
    >>> print(csv_bytes(Table({"time (s)": np.array([0.0, 0.5])}, {"rate in Hz": "2"})).decode())
    # rate in Hz: 2
    time (s)
    0.0
    0.5
    <BLANKLINE>
    """
    head = "".join(f"# {name}: {value}\n" for name, value in table.rests_on.items() if value)
    import pandas as pd

    return (head + pd.DataFrame(table.columns).to_csv(index=False)).encode()


def parquet_bytes(table: Table) -> bytes:
    """Parquet with zstd; what the columns rest on is in the schema's metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    made = pa.table({name: pa.array(column) for name, column in table.columns.items()})
    into = io.BytesIO()
    pq.write_table(made.replace_schema_metadata(table.rests_on), into, compression="zstd")
    return into.getvalue()


def file_name(row: PointRow, what: str, at_ns: int, ending: str) -> str:
    """Name of a file about a point and a time in UTC.

    Examples
    --------
    >>> file_name(PointRow("plant/pump/drive-end", "Pump"), "spectrum", 0, "csv")
    'plant-pump-drive-end-spectrum-19700101T000000Z.csv'
    """
    stamp = str(np.datetime64(at_ns // 1_000_000_000, "s")).replace("-", "").replace(":", "")
    return f"{row.id.replace('/', '-')}-{what}-{stamp}Z.{ending}"


def download(table: Table, row: PointRow, what: str, at_ns: int) -> None:
    """Draw what saves a table; the file is made when it is asked for."""
    with st.container(horizontal=True):
        for ending, mime, make in (
            ("csv", "text/csv", csv_bytes),
            ("parquet", "application/vnd.apache.parquet", parquet_bytes),
        ):
            st.download_button(
                f"{what.capitalize()} as {ending.upper() if ending == 'csv' else 'Parquet'}",
                functools.partial(make, table),
                file_name=file_name(row, what, at_ns, ending),
                mime=mime,
                key=f"save {what} {ending}",
                on_click="ignore",
                icon=":material/download:",
            )
