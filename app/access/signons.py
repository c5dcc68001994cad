"""Log-ins by an identity provider, which happen elsewhere: noted in the trail once each, as they first open a page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine

from app.access.audit import note, note_refused
from app.access.oidc import name_of, oidc_user
from app.access.roles import User
from app.access.sessions import forget_ended
from app.schema import sessions
from app.settings import Settings
from app.store import reading, writing

__all__ = ["WHY", "note_sign_on", "signed_on"]

WHY = "single sign-on"

# Longer than the cookie of a log-in lasts (30 days): what is forgotten would be noted as a new one.
_KEPT_NS = 32 * 86_400_000_000_000
_LONGEST_NAME = 200


def note_sign_on(engine: Engine, settings: Settings, claims: Mapping[str, Any], *, address: str, now_ns: int) -> None:
    """Write a log-in by a provider down, or that it was refused for want of a role, unless that was done before.

    Parameters
    ----------
    engine : Engine
    settings : Settings
    claims : mapping
        Of the identity token; they differ from one log-in to the next by the time of issue at least.
    address : str
        Where the browser is.
    now_ns : int
        Unix time in nanoseconds.
    """
    user = signed_on(settings, claims)
    mark = _mark(claims, granted=user is not None)
    # Most pages are asked for by a log-in that is known: they shall not wait for whoever writes.
    with reading(engine) as connection:
        if _is_known(connection, mark):
            return
    with writing(engine) as connection:
        if _is_known(connection, mark):
            return
        forget_ended(connection, now_ns=now_ns)
        name = name_of(claims)[:_LONGEST_NAME]
        connection.execute(
            sessions.insert().values(token_hash=mark, name=name, opened_ns=now_ns, ends_ns=now_ns + _KEPT_NS)
        )
        if user is None:
            note_refused(connection, name or "unknown", target=address, why=WHY, now_ns=now_ns)
        else:
            note(connection, user, "log in", target=address, why=WHY, now_ns=now_ns)


def signed_on(settings: Settings, claims: Mapping[str, Any]) -> User | None:
    """Give whom the claims of a provider name, with the role that they have here, or None without one."""
    return oidc_user(claims, claim=settings.oidc_claim, roles=settings.oidc_roles)


def _is_known(connection: sa.Connection, mark: str) -> bool:
    return connection.execute(sa.select(sessions.c.name).where(sessions.c.token_hash == mark)).first() is not None


def _mark(claims: Mapping[str, Any], *, granted: bool) -> str:
    """Mark of a log-in, which no token of a session has as its hash: whoever logs in knows their own claims."""
    text = json.dumps([granted, claims], sort_keys=True, default=str)
    return "sso:" + hashlib.sha256(text.encode()).hexdigest()[:60]
