"""The first page: every machine with its state, the worst first."""

from __future__ import annotations

import time
from typing import Any

import streamlit as st
from sqlalchemy import Engine

from app.access.roles import User
from app.console.addresses import address
from app.console.charts import spark_line
from app.console.queries import AlarmRow, fleet, report_trend, speaking_nodes, trend
from app.console.words import KINDS, ago, state_of
from app.fleet.nodes import Node
from app.settings import Settings
from app.store import PointRow

__all__ = ["fleet_page"]

_SPARK_WINDOWS = 240
_SILENT_NS = 60 * 1_000_000_000


def fleet_page(engine: Engine, settings: Settings, user: User) -> None:
    """Draw the page; its content renews itself."""
    del user
    st.title("Fleet")

    @st.fragment(run_every=2.0)
    def content() -> None:
        rows, active = fleet(engine)
        if not rows:
            st.info(
                "No measuring point has sent anything yet. Start `raceway simulate`, or point a sensor at the broker."
            )
            return
        nodes = speaking_nodes(engine)
        _summary(rows, active, nodes)
        _table(engine, settings, rows, active, nodes)

    content()


def _summary(rows: list[PointRow], active: dict[str, AlarmRow], nodes: dict[str, Node]) -> None:
    now_ns = time.time_ns()
    learning = sum(_learns(row, nodes.get(row.id)) for row in rows)
    silent = sum(_is_silent(row, nodes.get(row.id), now_ns) for row in rows)
    columns = st.columns(4)
    columns[0].metric("Measuring points", len(rows))
    columns[1].metric("In alarm", len(active))
    columns[2].metric("Learning", learning)
    columns[3].metric("Silent for a minute", silent)


def _learns(row: PointRow, node: Node | None) -> bool:
    return row.state in ("learning", "training") if node is None else node.state == "commissioning"


def _is_silent(row: PointRow, node: Node | None, now_ns: int) -> bool:
    # A node that reports each ten minutes is not silent in between.
    period_ns = 2_000_000 * (node.period_ms or 0) if node else 0
    return row.seen_ns is None or now_ns - row.seen_ns > max(_SILENT_NS, period_ns)


def _table(
    engine: Engine, settings: Settings, rows: list[PointRow], active: dict[str, AlarmRow], nodes: dict[str, Node]
) -> None:
    now_ns = time.time_ns()
    entries: list[tuple[tuple[bool, bool, float], dict[str, Any]]] = []
    for row in rows:
        alarm = active.get(row.id)
        node = nodes.get(row.id)
        symbol, word, _ = state_of(row, alarm, wanted=settings.baseline_windows, node=node)
        scores = trend if node is None else report_trend
        ratio = row.score / row.threshold if row.score is not None and row.threshold else None
        entry = {
            "Machine": f"{address('machine', point=row.id)}#{row.name}",
            "State": f"{symbol} {word}",
            "Diagnosis": KINDS.get(alarm.kind or "", "unknown") if alarm else "",
            "Score / threshold": ratio,
            "Trend": spark_line(scores(engine, row.id, most=_SPARK_WINDOWS)),
            "Judged by": "server" if node is None else "node",
            "Last seen": ago(row.seen_ns, now_ns=now_ns),
            "Point": row.id,
        }
        # The worst first: alarms, then nodes that are not there or cannot judge, then by how near to the threshold.
        entries.append(((alarm is None, symbol != "✕", -(ratio or 0.0)), entry))
    entries.sort(key=lambda found: found[0])
    st.dataframe(
        [entry for _, entry in entries],
        hide_index=True,
        height=min(38 + 42 * len(entries), 900),
        row_height=42,
        column_config={
            "Machine": st.column_config.LinkColumn("Machine", display_text=r"#(.*)$", width=170),
            "State": st.column_config.TextColumn(width=125),
            "Diagnosis": st.column_config.TextColumn(width=130),
            "Score / threshold": st.column_config.ProgressColumn(
                min_value=0.0, max_value=2.0, format="%.2f", width=130, help="Above 1 a window is abnormal."
            ),
            "Trend": st.column_config.LineChartColumn(
                y_min=0.0, y_max=2.0, width=140, help="Score over threshold, 0 to 2"
            ),
            "Judged by": st.column_config.TextColumn(
                width=75, help="Whose verdict it is: the server's, or that of the node at the machine."
            ),
            "Last seen": st.column_config.TextColumn(width=80),
            "Point": st.column_config.TextColumn(width=165),
        },
    )
    st.caption("Click a machine's name for its trend, spectra and diagnosis.")
