"""What stands around every page: the list of pages, who is logged in; refuses pages that a role may not see."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from sqlalchemy import Engine
from streamlit.navigation.page import StreamlitPage

from app.access.opening import open_words
from app.access.roles import User, demand
from app.console.guard import guarded
from app.console.links import former_address, go
from app.console.pages import PAGES, Listed
from app.console.who import leave
from app.console.words import zone_name
from app.settings import Settings

__all__ = ["draw_console"]

# A phone's screen is short: Streamlit's space above the title is halved.
# Figures stand two in a row there, where Streamlit would give each a row of its own.
_STYLE = """<style>
[data-testid="stMainBlockContainer"] { padding-top: 3.5rem; padding-bottom: 3rem; }
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] h1 { font-size: 1.9rem; padding: 0.5rem 0; }
  [data-testid="stMetricValue"] { font-size: 1.5rem; }
  [data-testid="stColumn"]:has([data-testid="stMetric"]):not(:has(.raceway-chart, [data-testid="stDataFrame"])) {
    min-width: calc(50% - 1rem); flex: 1 1 calc(50% - 1rem);
  }
}
</style>"""


def draw_console(engine: Engine, settings: Settings, user: User) -> None:
    """Draw the page that the address asks for, within its frame."""
    chosen = st.navigation([_registered(listed, engine, settings, user) for listed in PAGES])
    if not chosen.url_path and (meant := former_address()):
        page, query = meant
        go(page, **query)
    st.html(_STYLE)
    with st.sidebar:
        _around(settings, user)
    chosen.run()


def _around(settings: Settings, user: User) -> None:
    """Say who is logged in, and that nobody needs to be while nobody is entered."""
    st.caption(f"{user.name} · {user.role}  \nTimes of {zone_name()}")
    if words := open_words(settings):
        st.warning(words)
    elif st.button("Log out", icon=":material/logout:"):
        leave()


def _registered(listed: Listed, engine: Engine, settings: Settings, user: User) -> StreamlitPage:
    first = listed is PAGES[0]
    return st.Page(
        _guarded(listed, engine, settings, user),
        title=listed.title,
        icon=f":material/{listed.icon}:",
        url_path="" if first else listed.page,
        default=first,
        visibility="visible" if user.may(listed.right) else "hidden",
    )


def _guarded(listed: Listed, engine: Engine, settings: Settings, user: User) -> Callable[[], None]:
    def draw() -> None:
        with guarded("page"):
            demand(user, listed.right)
            listed.draw(engine, settings, user)

    return draw
