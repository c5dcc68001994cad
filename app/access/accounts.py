"""Entering, changing and removing users; refuses what would leave nobody who can, and writes every deed down."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection

from app.access.audit import note
from app.access.passwords import Account, AccountError, changing, entered, matches, with_password
from app.access.roles import Role, User, demand
from app.access.sessions import close_all

__all__ = ["add", "change_own_password", "remove", "set_password", "set_role"]


def add(connection: Connection, path: Path, by: User, name: str, role: Role, password: str, *, now_ns: int) -> None:
    """Enter a user.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction, for the trail.
    path : Path
        The password file.
    by : User
        Who does it.
    name, role, password : str
        Whom, as what, with which password.
    now_ns : int

    Raises
    ------
    ForbiddenError
        If the user who does it may not.
    AccountError
        If there is such a user, if the first one would be no admin, or if name or password is not admissible.
    """
    demand(by, "manage")
    with changing(path) as accounts:
        if any(name.casefold() == known.casefold() for known in accounts):
            raise AccountError(f"there is a user {name} already")
        accounts[name] = entered(name, role, password, now_ns=now_ns)
        _demand_admin(accounts)
        note(connection, by, "add user", target=name, why=role, now_ns=now_ns)


def set_password(connection: Connection, path: Path, by: User, name: str, password: str, *, now_ns: int) -> None:
    """Give somebody another password and end their sessions; raises as `add` does."""
    demand(by, "manage")
    with changing(path) as accounts:
        accounts[name] = with_password(_known(accounts, name), password, now_ns=now_ns)
        close_all(connection, name)
        note(connection, by, "set password", target=name, now_ns=now_ns)


def change_own_password(connection: Connection, path: Path, user: User, old: str, new: str, *, now_ns: int) -> None:
    """Give oneself another password, knowing the old one; raises as `add` does."""
    demand(user, "look")
    with changing(path) as accounts:
        account = _known(accounts, user.name)
        if not matches(account, old):
            raise AccountError("the old password is wrong")
        accounts[user.name] = with_password(account, new, now_ns=now_ns)
        close_all(connection, user.name)
        note(connection, user, "change password", target=user.name, now_ns=now_ns)


def set_role(connection: Connection, path: Path, by: User, name: str, role: Role, *, now_ns: int) -> None:
    """Give somebody another role and end their sessions; raises as `add` does."""
    demand(by, "manage")
    with changing(path) as accounts:
        accounts[name] = replace(_known(accounts, name), role=role, changed_ns=now_ns)
        _demand_admin(accounts)
        close_all(connection, name)
        note(connection, by, "set role", target=name, why=role, now_ns=now_ns)


def remove(connection: Connection, path: Path, by: User, name: str, *, now_ns: int) -> None:
    """Remove somebody and end their sessions; raises as `add` does."""
    demand(by, "manage")
    with changing(path) as accounts:
        _known(accounts, name)
        del accounts[name]
        _demand_admin(accounts)
        close_all(connection, name)
        note(connection, by, "remove user", target=name, now_ns=now_ns)


def _known(accounts: dict[str, Account], name: str) -> Account:
    if name not in accounts:
        raise AccountError(f"there is no user {name}; `raceway users list` shows them")
    return accounts[name]


def _demand_admin(accounts: dict[str, Account]) -> None:
    # Without an admin nobody could enter one from the console; with no user at all it would be open.
    if all(account.role != "admin" for account in accounts.values()):
        raise AccountError("at least one user has to be admin")
