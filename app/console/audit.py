"""Who did what, when and why: deeds, log-ins, steps of alarms and of roll-outs in one order of time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st
from sqlalchemy import Engine

from app.access.roles import User, demand
from app.access.timeline import Happening, timeline
from app.console.words import clock
from app.settings import Settings
from app.spreadsheets import csv_text
from app.store import reading

__all__ = ["audit_page", "csv_of"]

_SHOWN, _EXPORTED = 300, 20_000
_DAY_NS = 86_400_000_000_000
_SPANS = {"1 day": 1, "1 week": 7, "30 days": 30, "1 year": 366}


def audit_page(engine: Engine, settings: Settings, user: User) -> None:
    """Draw the page."""
    del settings
    demand(user, "roll out")
    st.title("Audit")
    left, middle, right = st.columns([1, 1, 2])
    span = left.selectbox("Of the last", list(_SPANS), index=1)
    who = middle.text_input("Who", placeholder="everybody", key="audit who").strip()
    what = right.text_input("What, which or why", placeholder="such as a machine or `log in`", key="audit what").strip()
    since_ns = time.time_ns() - _SPANS[span] * _DAY_NS
    with reading(engine) as connection:
        found = timeline(connection, since_ns=since_ns, who=who, what=what, most=_SHOWN)
    if not found:
        st.info("Nothing of the kind was done in this time.")
        return
    st.dataframe([_row(one) for one in found], hide_index=True, height=min(38 + 36 * len(found), 900))
    if len(found) == _SHOWN:
        st.caption(f"The latest {_SHOWN} are shown; the file holds up to {_EXPORTED:,}.")

    def table() -> str:
        with reading(engine) as connection:
            return csv_of(timeline(connection, since_ns=since_ns, who=who, what=what, most=_EXPORTED))

    st.download_button("Download as CSV", table, file_name="raceway-audit.csv", mime="text/csv", on_click="ignore")


def _row(one: Happening) -> dict[str, str]:
    return {
        "When": clock(one.at_ns),
        "Who": f"{one.who} ({one.role})" if one.role else one.who,
        "Kind": one.kind,
        "Did": one.action,
        "To": one.target,
        "Why": one.why,
    }


def csv_of(found: Sequence[Happening]) -> str:
    """Give the list as CSV for spreadsheets, with times in UTC."""
    return csv_text(
        [
            {
                "time": datetime.fromtimestamp(one.at_ns / 1e9, UTC).isoformat(timespec="milliseconds"),
                "who": one.who,
                "role": one.role,
                "kind": one.kind,
                "action": one.action,
                "target": one.target,
                "why": one.why,
            }
            for one in found
        ]
    )
