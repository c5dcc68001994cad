"""The script that Streamlit runs: opens the store and draws the page that the address asks for."""

from __future__ import annotations

import streamlit as st
from sqlalchemy import Engine

from app.console.alarms import alarms_page
from app.console.data_quality import data_quality_page
from app.console.fleet import fleet_page
from app.console.machine import machine_page
from app.console.nodes import nodes_page
from app.settings import Settings, load_settings
from app.store import open_store


@st.cache_resource
def _opened() -> tuple[Engine, Settings]:
    settings = load_settings()
    return open_store(settings.database, migrate=True), settings


def _page() -> None:
    st.set_page_config(page_title="Raceway", page_icon="🏭", layout="wide")
    engine, settings = _opened()
    with st.sidebar:
        st.markdown("## Raceway")
        st.markdown("[Fleet](/)")
        st.markdown("[Alarms](/?page=alarms)")
        st.markdown("[Nodes](/?page=nodes)")
        st.markdown("[Data quality](/?page=data-quality)")
    point = st.query_params.get("point")
    if point:
        machine_page(engine, settings, point)
    elif st.query_params.get("page") == "alarms":
        alarms_page(engine)
    elif st.query_params.get("page") == "nodes":
        nodes_page(engine, node=st.query_params.get("node"))
    elif st.query_params.get("page") == "data-quality":
        data_quality_page(engine)
    else:
        fleet_page(engine, settings)


_page()
