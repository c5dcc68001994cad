"""Pages of the console as Streamlit's own test driver shows them, opened by somebody."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app.access.roles import User
from app.console.launch import ENTRY

__all__ = ["acting_as", "opened"]


def acting_as(monkeypatch: pytest.MonkeyPatch, user: User) -> None:
    """Let this user open the pages from now on."""
    monkeypatch.setattr("app.console.who.current_user", lambda *_: user)


def opened(path: str = "", **query: str) -> AppTest:
    """Open the page at a path, such as `machine`; it may have drawn no exception."""
    page = AppTest.from_file(str(ENTRY), default_timeout=60)
    if path:
        # The driver itself switches between script files only; ours are functions, known by the hash of their path.
        page._page_hash = calc_hash(path)
    for name, value in query.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return page
