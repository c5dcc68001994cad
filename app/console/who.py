"""Who looks at the console."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st
from sqlalchemy import Engine

from app.access.oidc import oidc_configured
from app.access.opening import COOKIE, recognised
from app.access.passwords import accounts_of
from app.access.roles import User
from app.settings import Settings

__all__ = ["ask_to_log_in", "current_user", "leave", "send_to"]


def current_user(engine: Engine, settings: Settings) -> User | None:
    """Give who has opened the page, or None if they have to log in; asked anew each time that the page is drawn.

    Raises
    ------
    AccountError
        If the password file is damaged.
    """
    return recognised(engine, settings, token=st.context.cookies.get(COOKIE), claims=_claims())


def _claims() -> Mapping[str, Any] | None:
    return st.user.to_dict() if oidc_configured() and st.user.get("is_logged_in") else None


def ask_to_log_in(settings: Settings) -> None:
    """Say that somebody has to log in, and offer the ways there are."""
    st.title("Raceway")
    if not oidc_configured():
        # A page that was open when its session ended: the browser asks for it anew and is sent to the form.
        st.info("You are not logged in. [Log in](/login)")
        send_to("/login")
        return
    if claims := _claims():
        st.error(f"{claims.get('email') or claims.get('sub')} has no role here; ask who runs Raceway for one.")
        st.button("Log out", on_click=st.logout)
        return
    if st.button("Log in by single sign-on", type="primary"):
        st.login()
    if accounts_of(settings.users):
        st.markdown("[Log in with a password](/login)")


def leave() -> None:
    """Log out, of a session and of a provider's log-in: `/logout` goes on to the provider."""
    send_to("/logout")


def send_to(path: str) -> None:
    """Let the browser load another path of ours."""
    st.html(f"<script>window.location.assign({path!r})</script>", unsafe_allow_javascript=True)
