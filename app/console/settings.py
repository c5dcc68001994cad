"""Settings as they are in force, zones and units in use, one's own password, and for admins the users."""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st
from sqlalchemy import Connection, Engine

from app.access import accounts
from app.access.opening import is_open
from app.access.passwords import LEAST_PASSWORD, AccountError, accounts_of
from app.access.roles import RIGHTS, ROLES, ForbiddenError, Role, User
from app.console.units import units_choice
from app.console.who import send_to
from app.console.words import plain
from app.settings import Settings
from app.store import writing
from features.errors import RacewayError

__all__ = ["settings_page"]

_ORIGINS = {
    "default": "default",
    "file": "raceway.toml",
    "environment": "environment",
    "flag": "command line",
}


def settings_page(engine: Engine, settings: Settings, user: User) -> None:
    """Draw the page: each part for whom it concerns."""
    st.title("Settings")
    _own(engine, settings, user)
    units_choice()
    if user.may("manage"):
        _users(engine, settings, user)
    _roles()
    _zones(settings)
    if user.may("edit assets"):
        _in_force(settings)


def _own(engine: Engine, settings: Settings, user: User) -> None:
    st.markdown("##### You")
    st.markdown(f"**{user.name}**, {user.role}: may {', '.join(sorted(RIGHTS[user.role]))}.")
    if user.name not in accounts_of(settings.users):
        return
    with st.expander("Change your password"), st.form("own password", clear_on_submit=True, border=False):
        old = st.text_input("Old password", type="password", autocomplete="current-password")
        new = st.text_input("New password", type="password", autocomplete="new-password", help=_LENGTH)
        if st.form_submit_button("Change"):

            def change(connection: Connection, now_ns: int) -> None:
                accounts.change_own_password(connection, settings.users, user, old, new, now_ns=now_ns)

            if _done(engine, change):
                send_to("/login")


_LENGTH = f"At least {LEAST_PASSWORD} characters. Your sessions end; log in anew with it."


def _done(engine: Engine, deed: Callable[[Connection, int], None]) -> bool:
    """Do something to an account and say how it went."""
    try:
        with writing(engine) as connection:
            deed(connection, time.time_ns())
    except (AccountError, ForbiddenError) as error:
        st.error(f"Refused: {error}.")
        return False
    return True


def _users(engine: Engine, settings: Settings, user: User) -> None:
    st.markdown("##### Users")
    known = accounts_of(settings.users)
    if known:
        rows = [{"Name": one.name, "Role": one.role} for one in known.values()]
        st.dataframe(rows, hide_index=True, height=min(38 + 36 * len(rows), 400))
    else:
        st.info("Nobody is entered. The first has to be admin; from then on everybody logs in.")
    _add(engine, settings, user, first=not known)
    if known:
        _change(engine, settings, user, list(known))


def _add(engine: Engine, settings: Settings, user: User, *, first: bool) -> None:
    with st.expander("Enter somebody"), st.form("add user", clear_on_submit=True, border=False):
        name = st.text_input("Name", autocomplete="off").strip()
        role: Role = st.selectbox("Role", ROLES[::-1] if first else ROLES)
        password = st.text_input("Password", type="password", autocomplete="new-password", help=_LENGTH)
        if st.form_submit_button("Enter"):
            was_open = is_open(settings)

            def add(connection: Connection, now_ns: int) -> None:
                accounts.add(connection, settings.users, user, name, role, password, now_ns=now_ns)

            if _done(engine, add):
                if was_open:
                    send_to("/login")
                st.rerun()


def _change(engine: Engine, settings: Settings, user: User, names: list[str]) -> None:
    with st.expander("Change or remove somebody"):
        name = st.selectbox("Who", names)
        with st.form("change user", clear_on_submit=True, border=False):
            role: Role = st.selectbox("New role", ROLES, index=ROLES.index(accounts_of(settings.users)[name].role))
            password = st.text_input("Their new password", type="password", autocomplete="new-password", help=_LENGTH)
            columns = st.columns(3)
            given = columns[0].form_submit_button("Set role")
            reset = columns[1].form_submit_button("Set password")
            gone = columns[2].form_submit_button("Remove")

        def change(connection: Connection, now_ns: int) -> None:
            if given:
                accounts.set_role(connection, settings.users, user, name, role, now_ns=now_ns)
            elif reset:
                accounts.set_password(connection, settings.users, user, name, password, now_ns=now_ns)
            else:
                accounts.remove(connection, settings.users, user, name, now_ns=now_ns)

        if (given or reset or gone) and _done(engine, change):
            st.rerun()


def _roles() -> None:
    with st.expander("What each role may do"):
        rights = sorted({right for own in RIGHTS.values() for right in own}, key=lambda right: -_how_many(right))
        st.dataframe(
            [{"Right": right} | {role: "yes" if right in RIGHTS[role] else "" for role in ROLES} for right in rights],
            hide_index=True,
        )


def _how_many(right: str) -> int:
    return sum(right in own for own in RIGHTS.values())


def _zones(settings: Settings) -> None:
    with st.expander("Severity zones in use"):
        try:
            table = settings.zone_limits()
        except RacewayError as error:
            st.error(plain(f"No zone can be given: {error}."))
            return
        st.dataframe(
            [
                {
                    "Group": limits.name,
                    "Velocity A/B/C, mm/s RMS": " / ".join(f"{limit:g}" for limit in limits.velocity_mm_s),
                    "Displacement A/B/C, µm RMS": " / ".join(f"{limit:g}" for limit in limits.displacement_um or ()),
                    "For": limits.description,
                    "After": limits.citation,
                }
                for limits in table.values()
            ],
            hide_index=True,
        )
        own = settings.iso_limits
        st.caption(
            f"Laid over the built-in ones: `{own}`." if own else "The built-in ones; `iso_limits` lays others over."
        )


def _in_force(settings: Settings) -> None:
    st.markdown("##### In force")
    st.dataframe(
        [
            {"Setting": one.name, "Value": one.value, "From": _ORIGINS[one.origin], "Meaning": one.description}
            for one in settings.shown()
        ],
        hide_index=True,
        height=500,
        column_config={"Meaning": st.column_config.TextColumn(width="large")},
    )
    st.caption("Changed in `raceway.toml` or the environment, and in force from the next start on. Secrets are masked.")
