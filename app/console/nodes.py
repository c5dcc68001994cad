"""The nodes at the machines: which can be reached, what they run, how an update goes, and what each has said."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import streamlit as st
from sqlalchemy import Engine

from app.access.roles import User
from app.console.addresses import address
from app.console.charts import trend_chart
from app.console.plot import plot
from app.console.queries import alarm_history, report_trend, speaking_nodes
from app.console.words import ago, clock, node_state
from app.fleet.nodes import EventRow, Node, events_of
from app.fleet.words import alarm_words, update_reason
from app.kinds import KINDS
from app.settings import Settings
from app.store import reading

__all__ = ["nodes_page"]

_EVENTS = 200
_MOST_REPORTS = 20_000
# Where a node has not said its own.
_LONGEST_PERIOD_MS = 3_600_000
_ALARMS = 20
_SPANS = {"15 minutes": 900, "1 hour": 3600, "6 hours": 21_600, "1 day": 86_400, "everything": None}
# Starts that nobody asked for: something is wrong with the node or its supply.
_BAD_STARTS = {"watchdog": "watchdog: it hung", "fault": "fault of its program", "brown-out": "low supply"}
_STARTS = {"power": "power on", "pin": "reset pin", "requested": "on request"}
_RECEIVING = {"staged": "received, not tried yet", "trial": "on trial"}
_UPDATE_STATES = {"empty": "none received", "receiving": "receiving", "confirmed": "confirmed"} | _RECEIVING


def nodes_page(engine: Engine, settings: Settings, user: User) -> None:
    """Draw the list, or the page of the node at the point that the address asks for; the content renews itself."""
    del settings, user
    node = st.query_params.get("node")
    if node is not None:
        _node_page(engine, node)
        return
    st.title("Nodes")

    @st.fragment(run_every=2.0)
    def content() -> None:
        found = list(speaking_nodes(engine).values())
        if not found:
            st.info("No node has said anything yet. `raceway gateway` brings nodes to the broker.")
            return
        _summary(found)
        _table(found, now_ns=time.time_ns())

    content()


def _summary(found: Sequence[Node]) -> None:
    columns = st.columns(5)
    columns[0].metric("Nodes", len(found))
    columns[1].metric("Online", sum(node.online for node in found))
    columns[2].metric("In alarm", sum(node.alarm for node in found))
    columns[3].metric("Cannot judge", sum(node.state == "fault" for node in found))
    columns[4].metric("Update under way", sum(_is_updating(node) for node in found))


def _is_updating(node: Node) -> bool:
    return node.received is not None or node.slot in _RECEIVING


def _table(found: Sequence[Node], *, now_ns: int) -> None:
    # What needs a person first: alarms, then what cannot judge or be reached, then by the score.
    ordered = sorted(found, key=lambda node: (not node.alarm, node.state != "fault", node.online, -(node.ratio or 0.0)))
    st.dataframe(
        [_row(node, now_ns=now_ns) for node in ordered],
        hide_index=True,
        height=min(38 + 36 * len(found), 1200),
        row_height=36,
        column_config={
            "Node": st.column_config.LinkColumn("Node", display_text=r"#(.*)$", width=150),
            "State": st.column_config.TextColumn(width=125),
            "Diagnosis": st.column_config.TextColumn(width=125),
            "Reached": st.column_config.TextColumn(width=125, help="Whether its gateway reaches it, and for how long."),
            "Last seen": st.column_config.TextColumn(width=95, help="△: three of its own periods have passed since."),
            "Score / threshold": st.column_config.ProgressColumn(
                min_value=0.0, max_value=2.0, format="%.2f", width=115, help="Above 1 a window is abnormal."
            ),
            "Model": st.column_config.TextColumn(
                width=150,
                help="Version that judges (`factory`: built into the firmware) → new one under way, or its end.",
            ),
            "Firmware": st.column_config.TextColumn(width=70),
            "Starts": st.column_config.TextColumn(
                width=150, help="How often it has started in its life, and why the last time; △: nobody asked for it."
            ),
            "Lost": st.column_config.NumberColumn(width=60, help="Samples lost since its latest start."),
        },
    )
    st.caption("Click a node's name for its trend and what it said.")


def _row(node: Node, *, now_ns: int) -> dict[str, Any]:
    symbol, word, _ = node_state(node)
    return {
        "Node": f"{address('nodes', node=node.point_id)}#{node.name}",
        "State": f"{symbol} {word}",
        "Diagnosis": KINDS.get(_kind(node) or "", "unknown") if node.alarm else "",
        "Score / threshold": node.ratio,
        "Reached": _reached(node, now_ns=now_ns),
        "Last seen": _last_seen(node, now_ns=now_ns),
        "Model": f"{node.model or 'factory'} {_update(node)}".strip(),
        "Starts": _start(node) if node.boot is None else f"{node.boot}, {_start(node)}",
        "Lost": node.lost,
        "Firmware": node.firmware or "unknown",
        "Point": node.point_id,
    }


def _kind(node: Node) -> str | None:
    return "other" if node.diagnosis == "normal" else node.diagnosis


def _reached(node: Node, *, now_ns: int) -> str:
    if node.gateway is None:
        return "unknown"
    since = "" if node.since_ns is None else f" for {ago(node.since_ns, now_ns=now_ns).removesuffix(' ago')}"
    return f"● online{since}" if node.online else f"✕ offline{since}"


def _last_seen(node: Node, *, now_ns: int) -> str:
    """△ marks a node that has let three of its own periods pass."""
    late = node.seen_ns is not None and now_ns - node.seen_ns > 3_000_000 * (node.period_ms or _LONGEST_PERIOD_MS)
    return f"{'△ ' if late else ''}{ago(node.seen_ns, now_ns=now_ns)}"


def _start(node: Node) -> str:
    if node.reset is None:
        return "unknown"
    return f"△ {_BAD_STARTS[node.reset]}" if node.reset in _BAD_STARTS else _STARTS.get(node.reset, node.reset)


def _update(node: Node) -> str:
    if node.received is not None:
        return f"→ {node.candidate or 'new'}: {node.received:.0%} received"
    if node.slot in _RECEIVING and node.candidate == node.model:
        return f"({_RECEIVING[node.slot]})"
    if node.slot in _RECEIVING:
        return f"→ {node.candidate or 'new'}: {_RECEIVING[node.slot]}"
    return "" if node.update_reason is None else f"✕ refused: {node.update_reason}"


# -- one node -------------------------------------------------------------------------------------------------------


def _node_page(engine: Engine, point_id: str) -> None:
    first = speaking_nodes(engine).get(point_id)
    if first is None:
        st.error(f"No node is known at {point_id!r}.")
        return
    st.title(f"Node {first.name}")
    st.markdown(f"at [{point_id}]({address('machine', point=point_id)}) · [all nodes]({address('nodes')})")
    span = st.segmented_control("Trend over", list(_SPANS), default="1 hour", key="span") or "1 hour"

    @st.fragment(run_every=2.0)
    def content() -> None:
        node = speaking_nodes(engine).get(point_id, first)
        with st.container():
            _stands(node)
        with st.container():
            _trend(engine, point_id, _SPANS[span])
        with st.container():
            _said(engine, point_id)

    content()


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
    elif node.slot in _RECEIVING:
        st.info(f"Model {node.candidate or ''} is {_RECEIVING[node.slot]}.")
    elif node.update_reason is not None:
        st.warning(f"The latest update was refused: {node.update_reason}. `docs/UPDATES.md` says what it means.")
    top, below = st.columns(4), st.columns(4)
    top[0].metric("Score / threshold", "unknown" if node.ratio is None else f"{node.ratio:.2f}")
    top[1].metric("Reached", "unknown" if node.gateway is None else "online" if node.online else "offline")
    top[2].metric("Last seen", ago(node.seen_ns, now_ns=now_ns))
    top[3].metric("Lost samples", f"{node.lost:,}", help="Since its latest start.")
    below[0].metric("Model", str(node.model) if node.model else "of the factory")
    below[1].metric("Firmware", node.firmware or "unknown")
    below[2].metric("Starts", "unknown" if node.boot is None else str(node.boot))
    below[3].metric("Latest start", _start(node))
    st.caption(" · ".join(_facts(node, now_ns=now_ns)))


def _facts(node: Node, *, now_ns: int) -> list[str]:
    facts = [f"{_reached(node, now_ns=now_ns)}, through {node.gateway}" if node.gateway else "gateway unknown"]
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
        start = _BAD_STARTS.get(why) or _STARTS.get(why, why)
        return f"start {said.get('boot')} ({start}), firmware {said.get('firmware')}, model {said.get('model')}"
    if one.kind == "update_status":
        state = _UPDATE_STATES.get(str(said.get("slot")), str(said.get("slot")))
        refused = update_reason(int(said.get("reason", 0)))
        end = f"refused: {refused}" if refused else f"{said.get('offset')} of {said.get('size')} bytes"
        return f"model {said.get('candidate') or said.get('version')}: {state}, {end}"
    shown = {key: value for key, value in said.items() if key != "body" and value is not None}
    return ", ".join(f"{key} {value}" for key, value in shown.items())
