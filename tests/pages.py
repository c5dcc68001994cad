"""Pages of the console as Streamlit's own test driver shows them, opened by somebody."""

from __future__ import annotations

import functools
import gc
import json
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app.access.roles import User
from app.console.launch import ENTRY

__all__ = ["acting_as", "button", "drawn", "mark", "opened", "press"]

# The driver reads the metadata of all installed packages, in search of components, for each page anew.
manifest_scanner.scan_component_manifests = functools.cache(manifest_scanner.scan_component_manifests)


@functools.cache
def _leave_out_what_is_there() -> None:
    """Streamlit searches for garbage after each run of a page, for seconds where much else has been tested before."""
    gc.collect()
    gc.freeze()


def acting_as(monkeypatch: pytest.MonkeyPatch, user: User) -> None:
    """Let this user open the pages from now on."""
    monkeypatch.setattr("app.console.who.current_user", lambda *_: user)


def opened(path: str = "", **query: str) -> AppTest:
    """Open the page at a path, such as `machine`; it may have drawn no exception."""
    page = AppTest.from_file(str(ENTRY), default_timeout=60)
    if path:
        # The driver itself switches between script files only; ours are functions, known by the hash of their path.
        page._page_hash = calc_hash(path)
    return _run(page, query)


def drawn(script: Callable[..., None], /, *args: Any, **query: str) -> AppTest:
    """Draw what a function draws, whose text alone is run, from its first import on; without an exception."""
    return _run(AppTest.from_function(script, default_timeout=60, args=args), query)


def _run(page: AppTest, query: dict[str, str]) -> AppTest:
    _leave_out_what_is_there()
    for name, value in query.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return page


def button(page: AppTest, label: str) -> Any:
    """Give the first button of this label."""
    return next(one for one in page.button if one.label == label)


def press(page: AppTest, label: str) -> AppTest:
    """Press the first button of this label; the page may draw no exception after."""
    button(page, label).click().run()
    assert not page.exception
    return page


def mark(page: AppTest, table: int, *rows: int) -> AppTest:
    """Mark rows of a table as a browser's clicks in its first column do; the driver itself cannot."""
    states = page._tree.get_widget_states()
    chosen = json.dumps({"selection": {"rows": rows, "columns": [], "cells": []}})
    states.widgets.add(id=page.dataframe[table].proto.id, string_value=chosen)
    page._run(states)
    assert not page.exception
    return page
