"""Subcommands to work through alarms without the console."""

from __future__ import annotations

import getpass
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from app.commands.context import settings_of, stop_event

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from app.alarms.lifecycle import Action
    from app.alarms.register import Tag

__all__ = ["alarms"]

_HOUR_NS = 3_600_000_000_000
_user = click.option("--user", default=getpass.getuser, show_default="who is logged in", help="Who does it.")


@click.group()
def alarms() -> None:
    """Work through alarms: list, acknowledge, shelve; read the journal.

    POINT is site/asset/point, TAG which of its alarms; `health` is that of its score over its threshold. Every step
    goes into the journal with its user and reason.
    """


@alarms.command("list")
@click.option("--waiting", is_flag=True, help="Only those that somebody is to acknowledge.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def alarms_list(ctx: click.Context, /, *, waiting: bool, as_json: bool) -> None:
    """List alarms, the most urgent first."""
    from app.alarms.register import tags
    from app.store import reading

    with reading(_store(ctx)) as connection:
        found = tags(connection, waiting=waiting)
    if as_json:
        click.echo(json.dumps([_tag_json(one) for one in found], indent=1))
        return
    for one in found:
        condition = "condition present" if one.alarm.active else "condition gone"
        until = "" if one.alarm.until_ns is None else f" until {_shown(one.alarm.until_ns)}"
        state = f"{one.alarm.state}{until}"
        click.echo(
            f"{one.priority:7} {one.point_id:40} {one.tag:16} {state:24} {condition:18} {_shown(one.alarm.since_ns)}"
        )
    if not found:
        click.echo("no alarm is waiting" if waiting else "no alarm was ever raised")


@alarms.command("journal")
@click.option("--point", help="Of one measuring point only.")
@click.option("--most", default=100, show_default=True, type=click.IntRange(1), help="How many steps.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def alarms_journal(ctx: click.Context, /, *, point: str | None, most: int, as_json: bool) -> None:
    """List the latest steps of alarms, newest first: when, which, what, who and why."""
    from app.alarms.register import journal
    from app.store import reading

    with reading(_store(ctx)) as connection:
        rows = journal(connection, point_id=point, most=most)
    if as_json:
        steps = [{"point": row.point_id, "tag": row.tag} | asdict(row.entry) for row in rows]
        click.echo(json.dumps(steps, indent=1))
        return
    for row in rows:
        entry = row.entry
        why = f": {entry.why}" if entry.why else ""
        click.echo(f"{_shown(entry.at_ns)} {row.point_id} {row.tag}: {entry.who} did {entry.action}{why}")


@alarms.command("statistics")
@click.option("--days", default=7.0, show_default=True, type=click.FloatRange(0.0, 3650.0, min_open=True))
@click.option("--operators", default=1, show_default=True, type=click.IntRange(1), help="Who answer them at a time.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def alarms_statistics(ctx: click.Context, /, *, days: float, operators: int, as_json: bool) -> None:
    """Count new alarms: per operator and hour, in floods, the most frequent, and those that stand for days."""
    from app.alarms.statistics import alarm_statistics
    from app.store import reading

    with reading(_store(ctx)) as connection:
        found = alarm_statistics(connection, now_ns=time.time_ns(), days=days, operators=operators)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=1))
        return
    click.echo(f"{found.new} new alarms in {found.hours:.1f} h: {found.per_operator_hour:.2f} per operator and hour")
    click.echo(
        f"{100.0 * found.flooded:.1f} % of the time in flood; {found.most_in_ten_minutes} in ten minutes at most"
    )
    for one in found.frequent:
        chatters = ", chatters" if one.chatters else ""
        click.echo(f"{one.count:6} {100.0 * one.share:3.0f} % {one.point_id} {one.tag}{chatters}")
    for lasting in found.lasting:
        click.echo(f"since {_shown(lasting.raised_ns)} {lasting.point_id} {lasting.tag}: {lasting.state}")


@alarms.command("priority")
@click.argument("point")
@click.argument("tag")
@click.argument("priority", type=click.Choice(["low", "medium", "high", "urgent"]))
@_user
@click.pass_context
def alarms_priority(ctx: click.Context, /, *, point: str, tag: str, priority: Any, user: str) -> None:
    """Say how urgent an alarm is from now on."""
    from app.access.roles import User
    from app.alarms.register import set_priority
    from app.store import writing

    with writing(_store(ctx)) as connection:
        _known(connection, point)
        set_priority(connection, User(user, "admin"), point, tag, priority, now_ns=time.time_ns())
    click.echo(f"{point} {tag}: {priority}")


@alarms.command("tend")
@click.pass_context
def alarms_tend(ctx: click.Context) -> None:
    """End shelves, notice points that have fallen silent, and tell people of new alarms, until Ctrl-C."""
    from app.alarms.tending import run_tending

    run_tending(settings_of(ctx), stopped=stop_event())


def _step(name: str, action: Action, words: str, *, shelf: bool = False, reasoned: bool = True) -> None:
    """Add the subcommand of a step."""

    def run(ctx: click.Context, /, point: str, tag: str, **given: Any) -> None:
        from app.access.roles import User
        from app.alarms.register import act
        from app.store import writing

        now_ns = time.time_ns()
        hours = given.get("hours")
        until_ns = None if hours is None else now_ns + round(hours * _HOUR_NS)
        with writing(_store(ctx)) as connection:
            _known(connection, point)
            user = User(given["user"], "admin")
            alarm = act(connection, user, point, tag, action, now_ns=now_ns, why=given["why"], until_ns=until_ns)
        click.echo(f"{point} {tag}: {alarm.state}")

    options: list[Callable[..., Any]] = [
        click.pass_context,
        click.argument("point"),
        click.argument("tag", default="health"),
        _user,
        click.option("--why", required=True, help="The reason.")
        if reasoned
        else click.option("--why", default="", help="The reason, where there is one."),
    ]
    if shelf:
        options.append(click.option("--hours", required=True, type=click.FloatRange(0.0, 24.0 * 90, min_open=True)))
    run.__doc__ = words
    for option in reversed(options):
        run = option(run)
    alarms.command(name)(run)


_step("acknowledge", "acknowledge", "Say that somebody has seen an alarm and deals with it.", reasoned=False)
_step("comment", "comment", "Attach a note to an alarm.")
_step("shelve", "shelve", "Keep an alarm from the work list for some hours.", shelf=True)
_step("unshelve", "unshelve", "Bring a shelved alarm back before its time.", reasoned=False)
_step("suppress", "suppress", "Suppress an alarm by design, such as while its machine stands still.")
_step("unsuppress", "unsuppress", "End a suppression by design.", reasoned=False)
_step("out-of-service", "take out of service", "Take an alarm out of service, such as while its sensor is repaired.")
_step("in-service", "return to service", "Bring an alarm back into service.", reasoned=False)


def _known(connection: Any, point: str) -> None:
    from app.store import point_rows
    from features.errors import ParameterError

    if all(row.id != point for row in point_rows(connection)):
        raise ParameterError(f"no point {point!r} is stored; `raceway points list` shows them")


def _store(ctx: click.Context) -> Engine:
    from app.store import open_store

    return open_store(settings_of(ctx).database, migrate=True)


def _tag_json(one: Tag) -> dict[str, Any]:
    return {"point": one.point_id, "tag": one.tag, "priority": one.priority} | asdict(one.alarm)


def _shown(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, tz=UTC).strftime("%Y-%m-%d %H:%M:%SZ")
