"""What `streamlit run` serves: the pages of `main.py` behind the gate, and the routes beside them."""

from __future__ import annotations

import functools

from sqlalchemy import Engine
from starlette.middleware import Middleware
from streamlit.starlette import App

from app.access.opening import demand_closed
from app.console.gate import Gate
from app.console.routes import UNGUARDED, routes
from app.logs import configure_logs
from app.settings import load_settings
from app.store import open_store

_settings = load_settings()
configure_logs(level=_settings.log_level)
demand_closed(_settings)


@functools.cache
def _engine() -> Engine:
    return open_store(_settings.database, migrate=True)


app = App(
    "main.py",
    routes=routes(_engine, _settings),
    middleware=[Middleware(Gate, engine=_engine, settings=_settings, unguarded=UNGUARDED)],
)
