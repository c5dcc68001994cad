"""The nodes at the machines and the models on their way to them: the list, one node, the roll-outs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from sqlalchemy import Engine

from app.access.roles import User
from app.console.addresses import address
from app.console.guard import part
from app.console.nodeview import node_view
from app.console.nodewords import RECEIVING, last_seen, reached, start, update_words
from app.console.queries import speaking_nodes
from app.console.rollouts import rollouts_section
from app.console.tiles import tiles
from app.console.words import node_state, plain
from app.fleet.nodes import Node
from app.fleet.records import listed
from app.kinds import KINDS, alarm_kind
from app.settings import Settings
from app.store import reading

__all__ = ["nodes_page"]

_ROLLOUTS = 100
_STATES = ("All", "In alarm", "Offline", "Cannot judge", "Updating")


@dataclass(frozen=True)
class _Filter:
    """Which nodes are listed; version None for any."""

    state: str = "All"
    version: int | None = None
    text: str = ""

    def takes(self, node: Node) -> bool:
        """Say whether a node is listed."""
        of_state = {
            "All": True,
            "In alarm": node.alarm,
            "Offline": not node.online,
            "Cannot judge": node.state == "fault",
            "Updating": _is_updating(node),
        }[self.state]
        named = self.text in node.name.lower() or self.text in node.point_id.lower()
        return of_state and named and self.version in (None, node.model)


def nodes_page(engine: Engine, settings: Settings, user: User) -> None:
    """Draw the list and the roll-outs, or the page of the node that the address names."""
    point = st.query_params.get("node")
    if point is not None:
        node_view(engine, point)
        return
    st.title("Nodes")
    with reading(engine) as connection:
        found = listed(connection, most=_ROLLOUTS)
    for one in found:
        if one.phase == "halted":
            st.error(f"Roll-out {one.id} of version {one.version} is halted: {plain(one.reason or '')}")
    waiting = sum(one.phase in ("candidate", "signed") for one in found)
    going = sum(one.phase in ("running", "halted", "rolling back") for one in found)
    names = {"Nodes": "Nodes", "Roll-outs": f"Roll-outs ({going} open, {waiting} waiting)"}
    first = "Roll-outs" if "rollout" in st.query_params else "Nodes"
    shown = st.segmented_control(
        "Shown",
        list(names),
        default=first,
        format_func=names.__getitem__,
        label_visibility="collapsed",
        key="nodes shown",
    )
    if shown == "Roll-outs":
        rollouts_section(engine, settings, user, found)
    else:
        _list(engine)


def _list(engine: Engine) -> None:
    nodes = list(speaking_nodes(engine).values())
    if not nodes:
        st.info("No node has said anything yet. `raceway gateway` brings nodes to the broker.")
        return
    chosen = _filter(nodes)

    @part(every_s=2.0)
    def content() -> None:
        found = list(speaking_nodes(engine).values())
        _summary(found)
        _table([node for node in found if chosen.takes(node)], now_ns=time.time_ns())

    content()


def _filter(nodes: Sequence[Node]) -> _Filter:
    state = st.segmented_control("State", _STATES, default="All", label_visibility="collapsed")
    columns = st.columns(2)
    versions = [None, *sorted({node.model for node in nodes})]
    version = columns[0].selectbox("Model", versions, format_func=_version_words, label_visibility="collapsed")
    text = columns[1].text_input("Find", placeholder="name or point", label_visibility="collapsed")
    return _Filter(state or "All", version, text.strip().lower())


def _version_words(version: int | None) -> str:
    return "any model" if version is None else f"model {version}" if version else "model of the factory"


def _summary(found: Sequence[Node]) -> None:
    figures = {
        "Nodes": len(found),
        "Online": sum(node.online for node in found),
        "In alarm": sum(node.alarm for node in found),
        "Cannot judge": sum(node.state == "fault" for node in found),
        "Update under way": sum(_is_updating(node) for node in found),
    }
    tiles(figures)


def _is_updating(node: Node) -> bool:
    return node.received is not None or node.slot in RECEIVING


def _table(found: Sequence[Node], *, now_ns: int) -> None:
    if not found:
        st.caption("No such node.")
        return
    # What needs a person first: alarms, then what cannot judge or be reached, then by the score.
    ordered = sorted(found, key=lambda node: (not node.alarm, node.state != "fault", node.online, -(node.ratio or 0.0)))
    st.dataframe(
        [_row(node, now_ns=now_ns) for node in ordered],
        hide_index=True,
        height=min(38 + 36 * len(found), 760),
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
        "Diagnosis": KINDS.get(alarm_kind(node.diagnosis) or "", "unknown") if node.alarm else "",
        "Score / threshold": node.ratio,
        "Reached": reached(node, now_ns=now_ns),
        "Last seen": last_seen(node, now_ns=now_ns),
        "Model": f"{node.model or 'factory'} {update_words(node)}".strip(),
        "Starts": start(node) if node.boot is None else f"{node.boot}, {start(node)}",
        "Lost": node.lost,
        "Firmware": node.firmware or "unknown",
        "Point": node.point_id,
    }
