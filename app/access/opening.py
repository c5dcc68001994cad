"""To whom the console opens: refuses to be open to a network without users, and says who looks."""

from __future__ import annotations

import getpass
import ipaddress
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine

from app.access.oidc import oidc_configured
from app.access.passwords import AccountError, accounts_of
from app.access.roles import User
from app.access.sessions import user_of
from app.access.signons import signed_on
from app.settings import Settings
from app.store import reading

__all__ = ["COOKIE", "demand_closed", "is_loopback", "is_open", "local_user", "open_words", "recognised"]

COOKIE = "raceway_session"


def is_loopback(host: str) -> bool:
    """Say whether an address is this machine's alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_open(settings: Settings) -> bool:
    """Say whether nobody is entered anywhere, so that there is nobody to log in as.

    Raises
    ------
    AccountError
        If the password file is damaged.
    """
    return not accounts_of(settings.users) and not oidc_configured()


def demand_closed(settings: Settings) -> None:
    """Refuse to serve a network while nobody is entered.

    Raises
    ------
    AccountError
    """
    if is_open(settings) and not is_loopback(settings.console_host):
        raise AccountError(
            f"the console would be open to whoever reaches {settings.console_host}: enter somebody first, with "
            "`raceway users add NAME --role admin`, or configure an identity provider (docs/ACCESS.md)"
        )


def local_user() -> User:
    """Give who has started the console, who may do everything while nobody is entered."""
    return User(getpass.getuser(), "admin")


def open_words(settings: Settings) -> str:
    """Say, as Markdown, that the console is open to this machine and how that ends; nothing if it is not."""
    if not is_open(settings):
        return ""
    return (
        f"Nobody is entered: whoever uses this machine works as {local_user().name} (admin). "
        "`raceway users add NAME --role admin` ends that."
    )


def recognised(
    engine: Engine, settings: Settings, *, token: str | None, claims: Mapping[str, Any] | None = None
) -> User | None:
    """Give who looks, by the session of a browser or the claims of an identity provider; None asks to log in.

    Raises
    ------
    AccountError
        If the password file is damaged.
    """
    accounts = accounts_of(settings.users)
    if not accounts and not oidc_configured():
        return local_user() if is_loopback(settings.console_host) else None
    if token and accounts:
        with reading(engine) as connection:
            user = user_of(connection, token, accounts, now_ns=time.time_ns())
        if user is not None:
            return user
    if claims and oidc_configured():
        return signed_on(settings, claims)
    return None
