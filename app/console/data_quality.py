"""What arrived, and what was set aside and why."""

from __future__ import annotations

import streamlit as st
from sqlalchemy import Engine

from app.access.roles import User
from app.console.queries import point_counts, quarantined, refusal_counts
from app.console.words import clock
from app.settings import Settings
from app.wire import REASONS

__all__ = ["data_quality_page"]

_COLUMNS = ("blocks", "windows", "reports", "reports missing", "duplicates", "late", "gaps", "steps", "restarts")
_SHOWN = 200


def data_quality_page(engine: Engine, settings: Settings, user: User) -> None:
    """Draw the page; its content renews itself."""
    del settings, user
    st.title("Data quality")

    @st.fragment(run_every=5.0)
    def content() -> None:
        refused = refusal_counts(engine)
        st.markdown(f"##### Set aside: {sum(refused.values())} messages")
        if refused:
            ordered = sorted(refused.items(), key=lambda item: -item[1])
            st.dataframe(
                [{"Reason": r, "Meaning": REASONS.get(r, ""), "Messages": n} for r, n in ordered], hide_index=True
            )
            latest = [
                {
                    "Arrived": clock(q.arrived_ns),
                    "Topic": q.topic,
                    "Reason": q.reason,
                    "Detail": q.detail,
                    "Bytes": q.size,
                }
                for q in quarantined(engine, most=_SHOWN)
            ]
            st.markdown("##### Latest messages set aside")
            st.dataframe(latest, hide_index=True)
        else:
            st.success("Every message so far was admissible.")
        st.markdown("##### Measuring points")
        counts = point_counts(engine)
        st.dataframe(
            [{"Point": p} | {name: c.get(name, 0) for name in _COLUMNS} for p, c in sorted(counts.items())],
            hide_index=True,
        )
        st.caption(
            "reports: of nodes; missing ones gave way while a link was away · duplicates: redelivered, stored once · "
            "late: stored, but in no window · gaps: blocks that never came · "
            "steps: clock set back · restarts: sequence began anew"
        )

    content()
