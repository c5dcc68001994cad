"""The script that Streamlit runs: opens the store and draws the page that the address asks for."""

from __future__ import annotations

import streamlit as st
from sqlalchemy import Engine

from app.access.passwords import AccountError
from app.console.frame import draw_console
from app.console.who import ask_to_log_in, current_user
from app.settings import Settings, load_settings
from app.store import open_store


@st.cache_resource
def _opened() -> tuple[Engine, Settings]:
    settings = load_settings()
    return open_store(settings.database, migrate=True), settings


st.set_page_config(page_title="Raceway", page_icon="🏭", layout="wide")
_engine, _settings = _opened()
try:
    _user = current_user(_engine, _settings)
except AccountError as error:
    st.error(f"Nobody can be let in: {error}.")
    st.stop()
if _user is None:
    ask_to_log_in(_settings)
else:
    draw_console(_engine, _settings, _user)
