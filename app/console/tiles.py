"""Figures side by side: as many in a row as fit, two on a phone, where columns would stand below each other."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

__all__ = ["tiles"]

# Two and the gap between them fit a phone of 390 pixels.
_WIDTH = 160


def tiles(figures: Mapping[str, str | int], *, helps: Mapping[str, str] | None = None) -> None:
    """Show figures by their names; `helps` says more of some."""
    with st.container(horizontal=True):
        for name, value in figures.items():
            st.metric(name, value, help=(helps or {}).get(name), width=_WIDTH)
