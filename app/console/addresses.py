"""Where the pages of the console are."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlencode

__all__ = ["Page", "address"]

Page = Literal["overview", "machine", "alarms", "maintenance", "models", "nodes", "data", "assets", "settings", "audit"]


def address(page: Page, **query: str) -> str:
    """Give the address of a page below the console's own.

    Examples
    --------
    >>> address("overview"), address("machine", point="plant/pump/drive-end")
    ('/', '/machine?point=plant%2Fpump%2Fdrive-end')
    """
    path = "/" if page == "overview" else f"/{page}"
    return f"{path}?{urlencode(query)}" if query else path
