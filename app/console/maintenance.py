"""What falls due in the next days and weeks, at which machine, what is to be done, and a way to ask for the work."""

from __future__ import annotations

import time
from collections.abc import Sequence

import streamlit as st
from sqlalchemy import Engine

from app.access.roles import User
from app.console.addresses import address
from app.console.gantt import due_chart
from app.console.glance import glances
from app.console.marks import marked_rows
from app.console.plot import plot
from app.console.words import clock, plain
from app.labels.workorders import WorkOrder, ask, orders
from app.maintenance import WITHIN_DAYS, Duty, calendar_text, duties_of, table_text
from app.settings import Settings
from app.store import reading, writing
from features.errors import RacewayError

__all__ = ["maintenance_page"]

_DAY_NS = 86_400_000_000_000
_SPANS = {"1 week": 7, "1 month": 30, "3 months": 90, "1 year": 365}
_EVERYWHERE = "Everywhere"
# Bars of the plot and rows of the list; files have all of them.
_BARS, _ROWS, _ORDERS = 25, 200, 1000


def maintenance_page(engine: Engine, settings: Settings, user: User) -> None:
    """Draw the page; it is renewed when something is chosen on it, so that marks stay while one works."""
    now_ns = time.time_ns()
    st.title("Maintenance")
    found = [
        duty
        for one in glances(engine, settings, now_ns=now_ns)
        for duty in duties_of(one.row.id, one.row.name, one.place.shown, one.facts, now_ns=now_ns)
    ]
    with reading(engine) as connection:
        asked = {order.point_id: order for order in orders(connection, only_open=True, most=_ORDERS)}
    _summary(found, asked, now_ns=now_ns)
    shown, days = _chosen(found, now_ns=now_ns)
    if not shown:
        st.success("Nothing falls due in this time.")
        return
    plot(due_chart(shown[:_BARS], now_ns=now_ns, until_ns=now_ns + days * _DAY_NS), key="due")
    if len(shown) > _BARS:
        st.caption(f"The first {_BARS} of {len(shown)} are drawn.")
    marked = _listed(shown, asked)
    _work(engine, settings, user, marked, asked, now_ns=now_ns)
    _files(shown, now_ns=now_ns)
    _meaning()


def _summary(found: Sequence[Duty], asked: dict[str, WorkOrder], *, now_ns: int) -> None:
    with st.container(horizontal=True, gap="medium"):
        for words, days in (("Due within a day", 1), ("Within a week", 7), ("Within a month", 30)):
            st.metric(words, sum(one.likely_ns <= now_ns + days * _DAY_NS for one in found))
        st.metric("Work orders open", len(asked))


def _chosen(found: Sequence[Duty], *, now_ns: int) -> tuple[list[Duty], int]:
    """What is shown: of an area and a time, machine by machine, the one with the first duty on top."""
    areas = sorted({one.area for one in found})
    if st.session_state.get("maintenance area") not in (None, _EVERYWHERE, *areas):
        del st.session_state["maintenance area"]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        area = st.selectbox("Area", [_EVERYWHERE, *areas], key="maintenance area")
        span = st.selectbox("Due within", list(_SPANS), index=1, key="maintenance span")
    days = _SPANS[span]
    kept = [one for one in found if area in (_EVERYWHERE, one.area) and one.likely_ns <= now_ns + days * _DAY_NS]
    first: dict[str, int] = {}
    for one in kept:
        first[one.machine] = min(first.get(one.machine, one.likely_ns), one.likely_ns)
    return sorted(kept, key=lambda one: (first[one.machine], one.machine, one.likely_ns, one.advice.what)), days


def _listed(shown: Sequence[Duty], asked: dict[str, WorkOrder]) -> list[Duty]:
    rows = [
        {
            "Machine": f"{address('machine', point=one.point_id)}#{one.name}",
            "What to do": one.advice.what,
            "Likely by": clock(one.likely_ns)[:10],
            "Why": one.why,
            "Earliest": clock(one.earliest_ns)[:10],
            "Latest": "may be never" if one.latest_ns is None else clock(one.latest_ns)[:10],
            "Work order": _order(asked.get(one.point_id)),
            "Area": one.area,
            "Point": one.point_id,
        }
        for one in shown[:_ROWS]
    ]
    columns = {"Machine": st.column_config.LinkColumn("Machine", display_text=r"#(.*)$", width=220)}
    marked = marked_rows(rows, [one.key for one in shown[:_ROWS]], name="duties", columns=columns)
    if len(shown) > _ROWS:
        st.caption(f"The first {_ROWS} of {len(shown)}; the files below have all of them.")
    return [shown[i] for i in marked]


def _order(order: WorkOrder | None) -> str:
    return "" if order is None else f"{order.state}{f' as {order.number}' if order.number else ''}"


def _work(
    engine: Engine,
    settings: Settings,
    user: User,
    marked: Sequence[Duty],
    asked: dict[str, WorkOrder],
    *,
    now_ns: int,
) -> None:
    for one in marked:
        source = f"after {one.advice.source}"
        st.markdown(f"**{plain(one.name)}: {one.advice.what}.** {one.advice.steps} ({source})")
    wanted = [one for one in marked if one.point_id not in asked]
    if not marked:
        st.caption("Mark rows in the first column to see what to do step by step, and to ask for the work.")
        return
    if not user.may("work alarms"):
        st.caption(f"As {user.role} you may look only; operators ask for work.")
    elif not wanted:
        st.caption("Work was asked for already.")
    nobody = "" if settings.workorder_webhook else " Nobody is told yet: the setting workorder_webhook is empty."
    refused = not wanted or not user.may("work alarms")
    if st.button("Ask for this work", key="ask", disabled=refused, help=f"Writes work orders.{nobody}"):
        try:
            with writing(engine) as connection:
                for point_id, why in _whys(wanted).items():
                    ask(connection, user, point_id, now_ns=now_ns, why=why)
        except RacewayError as error:
            st.warning(f"Refused: {error}.")
            return
        st.rerun()


def _whys(wanted: Sequence[Duty]) -> dict[str, str]:
    """One order for each point, which says all that is to be done there."""
    found: dict[str, list[str]] = {}
    for one in wanted:
        found.setdefault(one.point_id, []).append(f"{one.advice.what}: {one.why}")
    return {point_id: "; ".join(parts) for point_id, parts in found.items()}


def _files(shown: Sequence[Duty], *, now_ns: int) -> None:
    with st.container(horizontal=True):
        st.download_button("As table (CSV)", table_text(shown), "raceway-maintenance.csv", "text/csv", key="csv")
        text = calendar_text(shown, now_ns=now_ns)
        st.download_button("As calendar (ICS)", text, "raceway-maintenance.ics", "text/calendar", key="ics")


def _meaning() -> None:
    with st.expander("What these times mean"):
        within = ", ".join(f"{name} {days:g}" for name, days in WITHIN_DAYS.items())
        st.markdown(
            "A **forecast** is made where an indicator has begun to grow: from the earliest (5 % sure that the limit "
            "is reached by then) over the likely to the latest day (95 %). It is a trend carried on, not a promise: "
            "load, speed and repairs change it.\n\n"
            f"Everything else is **to be done by** a day that its urgency sets, in days from now: {within}. Zone C "
            "counts as medium, zone D as urgent. These times are no standard's: they are a beginning, and the plant "
            "knows better."
        )
