"""What of an address may be shown: where it leads, but no password, and not the path of a web hook, which is secret."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

__all__ = ["HIDDEN", "shown_url"]

HIDDEN = "***"
_PASSWORD = re.compile(r"(?<=://)([^/:\s]*):([^/\s]*)@")


def shown_url(url: str, *, hook: bool = False) -> str:
    """Give an address without what is secret in it; what is none is returned without anything before an `@`.

    Parameters
    ----------
    url : str
    hook : bool
        Whether its path is secret too.

    Examples
    --------
    >>> shown_url("postgresql://raceway:word@db:5432/plant?sslmode=require")
    'postgresql://raceway:***@db:5432/plant?***'
    >>> shown_url("https://hooks.example.org/T0/secret", hook=True)
    'https://hooks.example.org/***'
    >>> shown_url("smtp://127.0.0.1:25"), shown_url("sqlite:////data/raceway.db")
    ('smtp://127.0.0.1:25', 'sqlite:////data/raceway.db')
    """
    head, query, _ = url.partition("?")
    head = _PASSWORD.sub(rf"\1:{HIDDEN}@", head)
    if "://" not in head:
        return head.rpartition("@")[2]
    if hook:
        scheme, _, rest = head.partition("://")
        host = urlsplit(f"//{rest.rpartition('@')[2]}").netloc
        return f"{scheme}://{host}/{HIDDEN}"
    return f"{head}?{HIDDEN}" if query else head
