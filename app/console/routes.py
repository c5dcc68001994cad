"""What the console answers beside Streamlit's pages."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine
from starlette.routing import BaseRoute

from app.console.login import TO_PROVIDER, login_routes
from app.console.plot import library_routes
from app.console.provider import PROVIDER_PATHS
from app.console.shell import shell_routes
from app.console.workorders import CLOSING, workorder_routes
from app.settings import Settings

__all__ = ["UNGUARDED", "routes"]

# Paths that answer without a session: logging in and out, whether the server lives, and what has its own token.
UNGUARDED = frozenset({"/login", TO_PROVIDER, "/logout", "/_stcore/health", CLOSING}) | PROVIDER_PATHS


def routes(engine: Callable[[], Engine], settings: Settings) -> list[BaseRoute]:
    """Give the routes; the store is opened by the first that needs it."""
    return [*login_routes(engine, settings), *workorder_routes(engine, settings), *shell_routes(), *library_routes()]
