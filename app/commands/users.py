"""Subcommands for those who may log in to the console."""

from __future__ import annotations

import getpass
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, get_args

import click

from app.access.roles import Role
from app.commands.context import settings_of

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from app.access.roles import User

__all__ = ["users"]

_ROLES = click.Choice(get_args(Role))


@click.group()
def users() -> None:
    """Enter those who may log in to the console, with their roles (docs/ACCESS.md).

    Passwords are asked for, or read as one line from standard input where that is no terminal. A change ends the
    sessions of whom it concerns.
    """


@users.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def users_list(ctx: click.Context, /, *, as_json: bool) -> None:
    """List who is entered, with their roles."""
    from app.access.passwords import accounts_of

    accounts = accounts_of(settings_of(ctx).users)
    if as_json:
        click.echo(json.dumps([{"name": one.name, "role": one.role} for one in accounts.values()], indent=1))
        return
    for one in accounts.values():
        click.echo(f"{one.name:24} {one.role}")
    if not accounts:
        click.echo("nobody is entered; `raceway users add NAME --role admin` enters the first")


@users.command("add")
@click.argument("name")
@click.option("--role", type=_ROLES, default="viewer", show_default=True, help="What they may do; the first: admin.")
@click.pass_context
def users_add(ctx: click.Context, /, name: str, *, role: Role) -> None:
    """Enter NAME."""
    from app.access.accounts import add

    password = _password()
    with _deed(ctx) as (connection, path, by, now_ns):
        add(connection, path, by, name, role, password, now_ns=now_ns)
    click.echo(f"{name} is entered as {role}")


@users.command("passwd")
@click.argument("name")
@click.pass_context
def users_passwd(ctx: click.Context, /, name: str) -> None:
    """Give NAME another password."""
    from app.access.accounts import set_password

    password = _password()
    with _deed(ctx) as (connection, path, by, now_ns):
        set_password(connection, path, by, name, password, now_ns=now_ns)
    click.echo(f"{name} has another password")


@users.command("role")
@click.argument("name")
@click.argument("role", type=_ROLES)
@click.pass_context
def users_role(ctx: click.Context, /, name: str, role: Role) -> None:
    """Give NAME another role."""
    from app.access.accounts import set_role

    with _deed(ctx) as (connection, path, by, now_ns):
        set_role(connection, path, by, name, role, now_ns=now_ns)
    click.echo(f"{name} is {role} now")


@users.command("remove")
@click.argument("name")
@click.pass_context
def users_remove(ctx: click.Context, /, name: str) -> None:
    """Remove NAME."""
    from app.access.accounts import remove

    with _deed(ctx) as (connection, path, by, now_ns):
        remove(connection, path, by, name, now_ns=now_ns)
    click.echo(f"{name} is removed")


@contextmanager
def _deed(ctx: click.Context) -> Iterator[tuple[Connection, Path, User, int]]:
    """What each of these needs: the transaction of the trail, the password file, who does it, and when."""
    from app.access.roles import User
    from app.store import open_store, writing

    settings = settings_of(ctx)
    engine = open_store(settings.database, migrate=True)
    with writing(engine) as connection:
        yield connection, settings.users, User(getpass.getuser(), "admin"), time.time_ns()


def _password() -> str:
    from app.access.passwords import AccountError

    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password, again = getpass.getpass("Password: "), getpass.getpass("Again: ")
    if password != again:
        raise AccountError("the two are not the same")
    return password
