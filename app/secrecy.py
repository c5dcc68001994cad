"""What of an address may be shown: where it leads, but no password, and not the path of a web hook, which is secret."""

from __future__ import annotations

import re

__all__ = ["HIDDEN", "shown_url"]

HIDDEN = "***"


def shown_url(url: str, *, hook: bool = False) -> str:
    """Give an address without what is secret in it; what is none is returned without anything before an `@`.

    Parameters
    ----------
    url : str
    hook : bool
        Whether its path is secret too; of what is no address nothing is shown then.

    Examples
    --------
    >>> shown_url("postgresql://raceway:word@db:5432/plant?sslmode=require")
    'postgresql://raceway:***@db:5432/plant?***'
    >>> shown_url("postgresql://raceway:wo/r?d@db/plant")
    'postgresql://raceway:***@db/plant'
    >>> shown_url("https://hooks.example.org/T0/secret", hook=True)
    'https://hooks.example.org/***'
    >>> shown_url("smtp://127.0.0.1:25"), shown_url("sqlite:////data/raceway.db")
    ('smtp://127.0.0.1:25', 'sqlite:////data/raceway.db')
    """
    scheme, known, rest = url.partition("://")
    if not known:
        return HIDDEN if hook else url.rpartition("@")[2]
    # A password may hold a slash or a question mark: what is before the last `@` is never shown but for the name.
    before, at, place = ("", "", rest) if rest.startswith("/") else rest.rpartition("@")
    head, query, _ = place.partition("?")
    if hook:
        return f"{scheme}://{head.partition('/')[0]}/{HIDDEN}"
    name, password, _ = before.partition(":")
    if at and (password or re.search(r"[/?#]", name)):
        name = f"{name}:{HIDDEN}" if password and not re.search(r"[/?#]", name) else HIDDEN
    return f"{scheme}://{name}{at}{head}{f'?{HIDDEN}' if query else ''}"
