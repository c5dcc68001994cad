"""Links between pages that keep what the reader has set, where plain addresses would load the console anew."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from app.console.addresses import Page

__all__ = ["former_address", "go", "link"]

# What pages were called in `?page=` before each had a path of its own.
_FORMER: dict[str, Page] = {"alarms": "alarms", "nodes": "nodes", "data-quality": "data"}


def link(page: Page, label: str, *, icon: str | None = None, help: str | None = None, **query: str) -> None:  # noqa: A002
    """Show a link to a page; without a query it loses the one there is."""
    st.page_link(_of(page, label), label=label, icon=icon or "", help=help, query_params=query or None)


def go(page: Page, **query: str) -> NoReturn:
    """Go to a page at once."""
    st.switch_page(_of(page, page), query_params=query or None)


def former_address() -> tuple[Page, dict[str, str]] | None:
    """Page and query that an address of before paths means (`/?point=...`, `/?page=...`), or None."""
    query = st.query_params.to_dict()
    if "point" in query:
        return "machine", query
    page = _FORMER.get(query.pop("page", ""))
    return None if page is None else (page, query)


def _of(page: Page, title: str) -> StreamlitPage:
    # Streamlit knows pages by their paths; what this one would draw is never asked for.
    overview = page == "overview"
    return st.Page(_nothing, title=title, url_path="" if overview else page, default=overview)


def _nothing() -> None:
    """Stand for a page that the frame draws."""
