"""The first page: what asks for attention first and why, health by area, then every measuring point, worst first."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import streamlit as st
from sqlalchemy import Engine

from app.access.roles import User
from app.alarms.register import HEALTH, NODE
from app.attention import ACT, IN_ORDER, LEARNING, LEVELS, NOT_WATCHED, PLAN, WATCH
from app.console.addresses import address
from app.console.glance import Glance, glances, worst_by_machine
from app.console.guard import part
from app.console.links import link
from app.console.words import KINDS, ago, clock, plain
from app.settings import Settings

__all__ = ["overview_page"]

_EVERY_S = 10.0
# Cards on top, reasons on each, tiles of areas, and rows of the list: a page is no store.
_CARDS, _REASONS, _TILES, _ROWS = 6, 3, 40, 200
_CARD_WIDTH, _TILE_WIDTH = 380, 250
_EVERYWHERE = "Everywhere"
_ALL = [level.word for level in LEVELS]


def overview_page(engine: Engine, settings: Settings, user: User) -> None:
    """Draw the page; its content renews itself."""
    del user
    st.title("Overview")

    @part(every_s=_EVERY_S)
    def content() -> None:
        now_ns = time.time_ns()
        found = glances(engine, settings, now_ns=now_ns)
        if not found:
            st.info(
                "No measuring point has sent anything yet. Start `raceway simulate`, or point a sensor at the broker."
            )
            return
        machines = worst_by_machine(found)
        _summary(machines, found)
        _first(machines, now_ns=now_ns)
        _areas(machines)
        _every_one(found, now_ns=now_ns)

    content()


def _summary(machines: Sequence[Glance], found: Sequence[Glance]) -> None:
    counts = Counter(one.level for one in machines)
    with st.container(horizontal=True, gap="medium"):
        st.metric("Machines", len(machines), help=f"With {len(found)} measuring points. A machine counts by its worst.")
        for level in (ACT, PLAN, NOT_WATCHED, WATCH, LEARNING, IN_ORDER):
            st.metric(f"{level.symbol} {level.word}", counts[level], help=f"{level.means[0].upper()}{level.means[1:]}.")


def _first(machines: Sequence[Glance], *, now_ns: int) -> None:
    st.markdown("##### First")
    asking = [one for one in machines if one.level.rank >= WATCH.rank]
    if not asking:
        st.success("Nothing asks for attention.")
        return
    with st.container(horizontal=True, gap="small"):
        for one in asking[:_CARDS]:
            with st.container(border=True, width=_CARD_WIDTH, gap=None):
                _card(one, now_ns=now_ns)
    if len(asking) > _CARDS:
        st.caption(f"{len(asking) - _CARDS} more below, in the same order.")


def _card(one: Glance, *, now_ns: int) -> None:
    link("machine", f"**{plain(one.row.name)}**", point=one.row.id)
    st.markdown(f"{one.level.symbol} :{one.level.colour}[**{one.level.word}**] · {plain(one.place.shown)}")
    reasons = one.facts.reasons(now_ns=now_ns)
    more = f"\n- and {len(reasons) - _REASONS} more" if len(reasons) > _REASONS else ""
    st.markdown("\n".join(f"- {plain(reason.words)}" for reason in reasons[:_REASONS]) + more)


def _areas(machines: Sequence[Glance]) -> None:
    by_area: dict[str, list[Glance]] = {}
    for one in machines:
        by_area.setdefault(one.place.shown, []).append(one)
    st.markdown("##### By area")
    # They come worst first, and so do the areas.
    with st.container(horizontal=True, gap="small"):
        for shown, own in list(by_area.items())[:_TILES]:
            with st.container(border=True, width=_TILE_WIDTH, gap="small"):
                _tile(shown, own)
    if len(by_area) > _TILES:
        st.caption(f"{len(by_area) - _TILES} more areas, which stand better; the list below has them.")


def _tile(shown: str, own: Sequence[Glance]) -> None:
    st.button(
        plain(shown),
        key=f"tile {shown}",
        on_click=_show_area,
        args=(shown,),
        type="tertiary",
        help="Show this area's machines in the list below.",
    )
    counts = Counter(one.level for one in own)
    parts = [f"{level.symbol} {counts[level]} {level.word.lower()}" for level in LEVELS if counts[level]]
    st.markdown(f"**{len(own)}** machine{'s' if len(own) > 1 else ''}  \n{' · '.join(parts)}")


def _show_area(shown: str) -> None:
    st.session_state["area"] = shown


def _every_one(found: Sequence[Glance], *, now_ns: int) -> None:
    st.markdown("##### Every measuring point, the worst first")
    shown = _filtered(found)
    if not shown:
        st.info("None is like that.")
        return
    st.dataframe(
        [_entry(one, now_ns=now_ns) for one in shown[:_ROWS]],
        hide_index=True,
        height=min(38 + 42 * min(len(shown), _ROWS), 900),
        row_height=42,
        column_config=_columns(),
    )
    if len(shown) > _ROWS:
        st.caption(f"The first {_ROWS} of {len(shown)}; filter to see others.")
    st.caption(
        "The number beside a state is the score over its threshold, which healthy windows of the same machine seldom "
        "pass: 1 is where alarms begin. It is no percentage of health, and says nothing of the time that is left."
    )


def _filtered(found: Sequence[Glance]) -> list[Glance]:
    areas = sorted({one.place.shown for one in found})
    if st.session_state.get("area") not in (None, _EVERYWHERE, *areas):
        del st.session_state["area"]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input("Search", key="search", placeholder="name, point or fault").strip().casefold()
        area = st.selectbox("Area", [_EVERYWHERE, *areas], key="area")
    levels = st.pills("State", _ALL, selection_mode="multi", key="levels", label_visibility="collapsed")
    return [
        one
        for one in found
        if area in (_EVERYWHERE, one.place.shown)
        and (not levels or one.level.word in levels)
        and (not text or text in f"{one.row.name} {one.row.id} {one.place.machine} {_kind(one)}".casefold())
    ]


def _kind(one: Glance) -> str:
    judged = any(tag.alarm.active and tag.tag in (HEALTH, NODE) for tag in one.facts.alarms)
    return KINDS.get(one.facts.kind or "", "unknown") if judged or one.facts.kind else ""


def _entry(one: Glance, *, now_ns: int) -> dict[str, Any]:
    reasons = one.facts.reasons(now_ns=now_ns)
    return {
        "Machine": f"{address('machine', point=one.row.id)}#{one.row.name}",
        "State": f"{one.level.symbol} {one.level.word}",
        "Why": reasons[0].words if reasons else "",
        "Score / threshold": one.facts.ratio,
        "Trend": one.line,
        "Zone": one.facts.zone or "",
        "Diagnosis": _kind(one),
        "Due": "" if one.facts.due_ns is None else clock(one.facts.due_ns[1])[:10],
        "Area": one.place.shown,
        "Judged by": "server" if one.node is None else "node",
        "Last seen": ago(one.row.seen_ns, now_ns=now_ns),
        "Point": one.row.id,
    }


def _columns() -> dict[str, Any]:
    return {
        "Machine": st.column_config.LinkColumn("Machine", display_text=r"#(.*)$", width=170),
        "State": st.column_config.TextColumn(width=115),
        "Why": st.column_config.TextColumn(width=280),
        "Score / threshold": st.column_config.ProgressColumn(
            min_value=0.0, max_value=2.0, format="%.2f", width=130, help="Above 1 a window is abnormal."
        ),
        "Trend": st.column_config.LineChartColumn(
            y_min=0.0, y_max=2.0, width=140, help="Score over threshold, 0 to 2, of up to 30 days"
        ),
        "Zone": st.column_config.TextColumn(
            width=50, help="Of ISO 20816, by the latest window; empty where no machine group is known."
        ),
        "Diagnosis": st.column_config.TextColumn(width=130),
        "Due": st.column_config.TextColumn(
            width=95,
            help="When a limit will likely be reached, as the trend tells; the machine's page has the interval.",
        ),
        "Area": st.column_config.TextColumn(width=140),
        "Judged by": st.column_config.TextColumn(
            width=75, help="Whose verdict it is: the server's, or that of the node at the machine."
        ),
        "Last seen": st.column_config.TextColumn(width=80),
        "Point": st.column_config.TextColumn(width=165),
    }
