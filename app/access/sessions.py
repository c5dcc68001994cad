"""Who is logged in: sessions by the hash of a random token, which end by time, by logging out and by every change."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy import Connection

from app.access.passwords import Account
from app.access.roles import User
from app.schema import sessions

__all__ = ["close", "close_all", "forget_ended", "open_session", "user_of"]


def open_session(connection: Connection, name: str, *, now_ns: int, hours: float) -> str:
    """Open a session and give its token, of which only the hash is kept; sessions that have ended are forgotten."""
    token = secrets.token_urlsafe(32)
    forget_ended(connection, now_ns=now_ns)
    ends_ns = now_ns + round(hours * 3_600_000_000_000)
    connection.execute(sessions.insert().values(token_hash=_hash(token), name=name, opened_ns=now_ns, ends_ns=ends_ns))
    return token


def user_of(connection: Connection, token: str | None, accounts: Mapping[str, Account], *, now_ns: int) -> User | None:
    """Give whose session a token is, or None if it has ended or its user was changed since it was opened."""
    if not token:
        return None
    # Found by the hash, so that no comparison tells how near a guess was.
    row = connection.execute(sa.select(sessions).where(sessions.c.token_hash == _hash(token))).first()
    if row is None or row.ends_ns <= now_ns:
        return None
    account = accounts.get(row.name)
    if account is None or account.changed_ns > row.opened_ns:
        return None
    return User(account.name, account.role)


def forget_ended(connection: Connection, *, now_ns: int) -> None:
    """Drop the sessions whose time is over."""
    connection.execute(sessions.delete().where(sessions.c.ends_ns <= now_ns))


def close(connection: Connection, token: str) -> None:
    """End a session."""
    connection.execute(sessions.delete().where(sessions.c.token_hash == _hash(token)))


def close_all(connection: Connection, name: str) -> None:
    """End all sessions of somebody."""
    connection.execute(sessions.delete().where(sessions.c.name == name))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
