"""One node: how it stands, what its model costs it, its trend and what it has said."""

from __future__ import annotations

import time
from collections.abc import Mapping

import streamlit as st
from sqlalchemy import Engine

from app.console.charts import trend_chart
from app.console.guard import part
from app.console.links import link
from app.console.nodewords import RECEIVING, UPDATE_STATES, reached, start, start_words
from app.console.plot import plot
from app.console.queries import alarm_history, point_counters, report_trend
from app.console.tiles import tiles
from app.console.words import ago, clock, node_state, plain
from app.fleet.costs import Cost, cost_of
from app.fleet.nodes import EventRow, Node, events_of, node_at
from app.fleet.words import alarm_words, update_reason
from app.store import reading

__all__ = ["node_view"]

_EVENTS = 200
_MOST_REPORTS = 20_000
_ALARMS = 20
_SPANS = {"15 minutes": 900, "1 hour": 3600, "6 hours": 21_600, "1 day": 86_400, "everything": None}


def node_view(engine: Engine, point_id: str) -> None:
    """Draw the page of the node at a point; the content renews itself."""
    first = _node(engine, point_id)
    if first is None:
        st.error(f"No node is known at {plain(repr(point_id))}.")
        return
    st.title(f"Node {plain(first.name)}")
    left, right = st.columns(2)
    with left:
        link("machine", f"Machine at {plain(point_id)}", point=point_id)
    with right:
        link("nodes", "All nodes")
    span = st.segmented_control("Trend over", list(_SPANS), default="1 hour", key="span") or "1 hour"

    @part(every_s=2.0)
    def content() -> None:
        node = _node(engine, point_id) or first
        with st.container():
            _stands(node)
        with st.container():
            _costs(engine, node)
        with st.container():
            _trend(engine, point_id, _SPANS[span])
        with st.container():
            _said(engine, point_id)

    content()


def _node(engine: Engine, point_id: str) -> Node | None:
    with reading(engine) as connection:
        return node_at(connection, point_id)


def _costs(engine: Engine, node: Node) -> None:
    """What the model takes of the node, and what became of its reports."""
    with reading(engine) as connection:
        cost = cost_of(connection, node.model)
        counted = point_counters(connection, node.point_id)
    left, right = st.columns(2)
    with left:
        st.markdown("##### Budget of its model")
        if cost is None:
            whose = "of the factory" if not node.model else "was not rolled out from here"
            st.caption(f"Not known: the model {whose}. `raceway edge budget` says what the whole firmware takes.")
        else:
            st.dataframe(_cost_rows(cost), hide_index=True)
    with right:
        st.markdown("##### Link")
        st.dataframe(_link_rows(node, counted), hide_index=True)


def _cost_rows(cost: Cost) -> list[dict[str, str]]:
    rows = [{"What": "model in its slot", "Takes": f"{cost.model_bytes:,} bytes", "Of the budget": ""}]
    rows += [{"What": "memory while it runs", "Takes": f"{cost.memory_bytes:,} bytes", "Of the budget": ""}]
    for name, value in cost.measured.items():
        limit = cost.limits.get(name)
        share = f"{100.0 * value / limit:.0f} % of {limit:,}" if limit else ""
        rows.append({"What": f"{name}, emulated", "Takes": f"{value:,}", "Of the budget": share})
    return rows


def _link_rows(node: Node, counted: Mapping[str, int]) -> list[dict[str, str]]:
    rows = {"reports stored": counted.get("reports", 0), "reports missing": counted.get("reports missing", 0)}
    rows |= {"bursts of samples": counted.get("blocks", 0), "delivered again": counted.get("duplicates", 0)}
    rows |= {"samples lost since its start": node.lost}
    return [{"What": name, "Count": f"{value:,}"} for name, value in rows.items()]


def _stands(node: Node) -> None:
    now_ns = time.time_ns()
    symbol, word, colour = node_state(node)
    st.subheader(f"{symbol} :{colour}[{word}]")
    if node.alarm:
        words = alarm_words(node.diagnosis, node.probability, ratio=node.ratio)
        st.error(f"The node's diagnosis: {words}.")
    if node.received is not None:
        text = f"Model {node.candidate or ''} is being received: {node.update_offset:,} of {node.update_size:,} bytes"
        st.progress(node.received, text=text)
    elif node.slot in RECEIVING:
        st.info(f"Model {node.candidate or ''} is {RECEIVING[node.slot]}.")
    elif node.update_reason is not None:
        st.warning(f"The latest update was refused: {node.update_reason}. `docs/UPDATES.md` says what it means.")
    figures = {
        "Score / threshold": "unknown" if node.ratio is None else f"{node.ratio:.2f}",
        "Reached": "unknown" if node.gateway is None else "online" if node.online else "offline",
        "Last seen, ago": ago(node.seen_ns, now_ns=now_ns).removesuffix(" ago"),
        "Lost samples": f"{node.lost:,}",
        "Model": str(node.model) if node.model else "of the factory",
        "Firmware": node.firmware or "unknown",
        "Starts": "unknown" if node.boot is None else str(node.boot),
        "Latest start": start(node),
    }
    tiles(figures, helps={"Lost samples": "Since its latest start."})
    st.caption(" · ".join(_facts(node, now_ns=now_ns)))


def _facts(node: Node, *, now_ns: int) -> list[str]:
    facts = [f"{reached(node, now_ns=now_ns)}, through {node.gateway}" if node.gateway else "gateway unknown"]
    if node.rate_hz and node.window:
        facts.append(f"windows of {node.window} samples at {node.rate_hz:,.0f} Hz")
    if node.period_ms:
        facts.append(f"a report each {node.period_ms / 1000:g} s")
    if node.contract:
        facts.append(f"features {node.contract}")
    return facts


def _trend(engine: Engine, point_id: str, span_s: int | None) -> None:
    since_ns = 0 if span_s is None else time.time_ns() - span_s * 1_000_000_000
    found = report_trend(engine, point_id, since_ns=since_ns, most=_MOST_REPORTS)
    st.markdown("##### Anomaly score, by the node's reports")
    if not (found.score == found.score).any():
        st.caption("No report with a score in this time.")
        return
    history = alarm_history(engine, point_id, most=_ALARMS)
    plot(trend_chart(found, history, key=f"node {point_id} {span_s}"), key="node trend")


def _said(engine: Engine, point_id: str) -> None:
    with reading(engine) as connection:
        found = events_of(connection, point_id, most=_EVENTS)
    st.markdown("##### Log")
    if not found:
        st.caption("It has said nothing beside its reports.")
        return
    st.dataframe(
        [{"When": clock(one.at_ns), "What": one.kind.replace("_", " "), "Says": _words(one)} for one in found],
        hide_index=True,
        column_config={"Says": st.column_config.TextColumn(width="large")},
    )


def _words(one: EventRow) -> str:
    """What an event says, for a person."""
    said = one.entries
    if one.kind == "log":
        level = str(said.get("level", "info"))
        return f"{'' if level in ('debug', 'info') else f'{level}: '}{said.get('text', '')}"
    if one.kind == "hello":
        why = str(said.get("reset", "unknown"))
        return (
            f"start {said.get('boot')} ({start_words(why)}), firmware {said.get('firmware')}, model {said.get('model')}"
        )
    if one.kind == "update_status":
        state = UPDATE_STATES.get(str(said.get("slot")), str(said.get("slot")))
        refused = update_reason(int(said.get("reason", 0)))
        end = f"refused: {refused}" if refused else f"{said.get('offset')} of {said.get('size')} bytes"
        return f"model {said.get('candidate') or said.get('version')}: {state}, {end}"
    shown = {key: value for key, value in said.items() if key != "body" and value is not None}
    return ", ".join(f"{key} {value}" for key, value in shown.items())
