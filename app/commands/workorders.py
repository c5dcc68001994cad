"""Subcommands about work that a maintenance system is asked for."""

from __future__ import annotations

import getpass
import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from app.commands.context import settings_of

if TYPE_CHECKING:
    from app.labels.workorders import WorkOrder

__all__ = ["workorders"]

_user = click.option("--user", default=getpass.getuser, show_default="who is logged in", help="Who does it.")


@click.group()
def workorders() -> None:
    """Ask a maintenance system for work, and close what was asked for with a code that becomes a label.

    Orders are posted to the setting `workorder_webhook` by `raceway alarms tend`, which `raceway up` runs too.
    """


@workorders.command("list")
@click.option("--point", help="Of one measuring point only.")
@click.option("--open", "only_open", is_flag=True, help="Only those that are not closed.")
@click.option("--most", default=100, show_default=True, type=click.IntRange(1), help="How many of the latest.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def workorders_list(ctx: click.Context, /, point: str | None, only_open: bool, most: int, as_json: bool) -> None:
    """List work orders, newest first."""
    from app.labels.workorders import orders
    from app.store import open_store, reading

    with reading(open_store(settings_of(ctx).database, migrate=True)) as connection:
        found = orders(connection, point_id=point, only_open=only_open, most=most)
    if as_json:
        click.echo(json.dumps([asdict(order) for order in found], indent=1))
        return
    for order in found:
        click.echo(f"{order.key} {_time(order.asked_ns)} {order.point_id:40} {_state(order)}")
    if not found:
        click.echo("no work was asked for")


@workorders.command("ask")
@click.argument("point")
@click.option("--alarm", help="Number of the alarm that it is about, or `last`.")
@click.option("--why", default="", help="What is to be done.")
@_user
@click.pass_context
def workorders_ask(ctx: click.Context, /, point: str, alarm: str | None, why: str, user: str) -> None:
    """Ask for work at POINT (site/asset/point); asked again while it is open, it is the same order."""
    from app.access.roles import User
    from app.commands.labels import latest_alarm
    from app.labels.workorders import ask
    from app.store import open_store, writing

    settings = settings_of(ctx)
    with writing(open_store(settings.database, migrate=True)) as connection:
        about = latest_alarm(connection, point, alarm)
        order = ask(connection, User(user, "admin"), point, alarm_id=about, why=why, now_ns=time.time_ns())
    nobody = "" if settings.workorder_webhook else "; nobody is told: the setting workorder_webhook is empty"
    click.echo(f"{order.key} {_state(order)}{nobody}")


@workorders.command("close")
@click.argument("key")
@click.option("--code", required=True, help="What was found and done; `raceway workorders codes` lists them.")
@click.option("--note", default="", help="What there is to say beside it.")
@_user
@click.pass_context
def workorders_close(ctx: click.Context, /, key: str, code: str, note: str, user: str) -> None:
    """Close the order KEY; its code becomes a label. One that is closed stays as it is."""
    from app.access.roles import User
    from app.labels.workorders import close
    from app.store import open_store, writing

    settings = settings_of(ctx)
    with writing(open_store(settings.database, migrate=True)) as connection:
        closed = close(
            connection,
            User(user, "admin"),
            key,
            code=code,
            closures=settings.closures(),
            now_ns=time.time_ns(),
            why=note,
        )
    click.echo(f"{key} closed: {closed.words}")


@workorders.command("codes")
@click.pass_context
def workorders_codes(ctx: click.Context) -> None:
    """List the closure codes with what they say."""
    for code, closure in settings_of(ctx).closures().items():
        kind = f" as {closure.kind}" if closure.kind else ""
        click.echo(f"{code:20} {closure.label}{kind}{', repair' if closure.repair else ''}")


def _state(order: WorkOrder) -> str:
    if order.state == "closed":
        return f"closed with {order.closure}"
    number = f" as {order.number}" if order.number else ""
    failure = f" ({order.failure})" if order.failure else ""
    return f"{order.state}{number}{failure}"


def _time(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, tz=UTC).strftime("%Y-%m-%d %H:%M:%SZ")
