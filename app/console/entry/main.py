"""The script that Streamlit runs: opens the store and draws the page that the address asks for."""

from __future__ import annotations

import streamlit as st
from sqlalchemy import Engine

from app.console.frame import draw_console
from app.console.who import current_user
from app.settings import Settings, load_settings
from app.store import open_store


@st.cache_resource
def _opened() -> tuple[Engine, Settings]:
    settings = load_settings()
    return open_store(settings.database, migrate=True), settings


st.set_page_config(page_title="Raceway", page_icon="🏭", layout="wide")
draw_console(*_opened(), current_user())
