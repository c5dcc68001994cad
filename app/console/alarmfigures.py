"""The figures of alarm rationalisation on the page of alarms: rate, floods, the most frequent, those that never end."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from sqlalchemy import Engine

from app.alarms.flood import FLOOD
from app.alarms.statistics import MANAGEABLE_PER_HOUR, Statistics, alarm_statistics
from app.assets.places import Place
from app.console.words import ago
from app.store import reading

__all__ = ["figures_section"]

_SPANS = {"1 day": 1.0, "1 week": 7.0, "30 days": 30.0}


def figures_section(engine: Engine, names: Mapping[str, Place], *, now_ns: int) -> None:
    """Draw how many alarms people are asked to answer, and which ones.

    Parameters
    ----------
    engine : Engine
    names : mapping of str to Place
        Of all points.
    now_ns : int
    """
    st.markdown("##### How many alarms")
    columns = st.columns(2)
    days = _SPANS[columns[0].selectbox("Over the last", list(_SPANS), index=1, key="figures days")]
    operators = int(columns[1].number_input("Operators at a time", 1, 100, key="figures operators"))
    with reading(engine) as connection:
        found = alarm_statistics(connection, now_ns=now_ns, days=days, operators=operators)
    _rates(found)
    if found.frequent:
        st.caption(f"The most frequent ones are {100.0 * found.of_frequent:.0f} % of all: what is mended there counts.")
        st.dataframe(
            [
                {
                    "Machine": _name(names, one.point_id),
                    "Alarm": one.tag,
                    "New": one.count,
                    "Share": f"{100.0 * one.share:.0f} %",
                    "Chatters": "▲ yes" if one.chatters else "",
                }
                for one in found.frequent
            ],
            hide_index=True,
            key="frequent",
        )
    if found.lasting:
        st.caption(f"{found.n_lasting} have stood for more than a day: mend, shelve or give them other limits.")
        st.dataframe(
            [
                {
                    "Machine": _name(names, one.point_id),
                    "Alarm": one.tag,
                    "State": one.state,
                    "Raised": ago(one.raised_ns, now_ns=now_ns),
                }
                for one in found.lasting
            ],
            hide_index=True,
            key="lasting",
        )


def _rates(found: Statistics) -> None:
    columns = st.columns(4)
    limit = f"Up to {MANAGEABLE_PER_HOUR:.0f} can be answered over a long time, half of it well (ISA-18.2, EEMUA 191)."
    columns[0].metric("Per operator and hour", f"{found.per_operator_hour:.2g}", help=limit)
    columns[1].metric("Per day", f"{found.per_day:.3g}")
    flood = f"Share of time with more than {FLOOD} new alarms in ten minutes; less than 1 % is wanted."
    columns[2].metric("In flood", f"{100.0 * found.flooded:.1f} %", help=flood)
    columns[3].metric("Chattering", found.chattering, help="New thrice within a minute; none is wanted.")
    if not found.manageable:
        st.warning("More alarms than can be answered: begin with the most frequent ones below.")


def _name(names: Mapping[str, Place], point_id: str) -> str:
    return names[point_id].name if point_id in names else point_id
