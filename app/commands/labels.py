"""Subcommands that say what verdicts were worth, and give labelled windows out for training."""

from __future__ import annotations

import getpass
import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.commands.context import settings_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from app.labels.records import Label

__all__ = ["labels", "latest_alarm"]

_user = click.option("--user", default=getpass.getuser, show_default="who is logged in", help="Who says it.")


@click.group()
def labels() -> None:
    """Say what verdicts were worth: confirm, reject, rename; mark repairs; export what was said for training.

    POINT is site/asset/point. `docs/LABELS.md` says what becomes of each.
    """


@labels.command("list")
@click.option("--point", help="Of one measuring point only.")
@click.option("--holding", "only_holding", is_flag=True, help="Only those that no later one overrules, oldest first.")
@click.option("--most", default=100, show_default=True, type=click.IntRange(1), help="How many of the latest.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def labels_list(ctx: click.Context, /, point: str | None, only_holding: bool, most: int, as_json: bool) -> None:
    """List what was said, newest first."""
    from app.labels.records import holding, labels_of
    from app.store import reading

    with reading(_store(ctx)) as connection:
        found = labels_of(connection, point_id=point, most=most)
    shown = holding(found) if only_holding else found
    if as_json:
        click.echo(json.dumps([asdict(label) for label in shown], indent=1))
        return
    for label in shown:
        click.echo(f"{_time(label.at_ns)} {label.point_id} {_words(label)} ({label.who}, {label.origin})")
    if not shown:
        click.echo("nothing was said yet")


@labels.command("alarms")
@click.option("--point", help="Of one measuring point only.")
@click.option("--most", default=20, show_default=True, type=click.IntRange(1), help="How many of the latest.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def labels_alarms(ctx: click.Context, /, point: str | None, most: int, as_json: bool) -> None:
    """List alarms with their numbers and what was said of them, newest first."""
    from app.labels.records import alarms_said
    from app.store import reading

    with reading(_store(ctx)) as connection:
        found = alarms_said(connection, point_id=point, most=most)
    if as_json:
        entries = [
            {name: getattr(row, name) for name in ("id", "point_id", "tag", "raised_ns", "cleared_ns", "kind")}
            | {"label": None if label is None else asdict(label)}
            for row, label in found
        ]
        click.echo(json.dumps(entries, indent=1))
        return
    for row, label in found:
        said = "nothing said" if label is None else _words(label)
        click.echo(f"{row.id:6} {_time(row.raised_ns)} {row.point_id:40} {row.kind or 'kind unknown':14} {said}")
    if not found:
        click.echo("no alarm was ever raised")


@labels.command("give")
@click.argument("point")
@click.argument("kind", type=click.Choice(["confirm", "reject", "rename", "repair", "note"]))
@click.option("--alarm", help="Number of the alarm that it is about, or `last`.  [default: the latest window]")
@click.option("--as", "named", help="The fault kind, to rename: inner, outer, ball or other.")
@click.option("--from", "first", help="Begin of the stretch of time, such as 2026-03-01T08:00Z.")
@click.option("--to", "last", help="End of it.")
@click.option("--why", default="", help="The reason; the text of a note.")
@_user
@click.pass_context
def labels_give(ctx: click.Context, /, point: str, kind: Any, *, user: str, why: str, **given: Any) -> None:
    """Say of POINT that its verdict was right (confirm), wrong (reject) or of another KIND of fault (rename).

    A repair lets the point learn anew at once and ends the alarm of its score.
    """
    from app.access.roles import User
    from app.labels.records import give, node_words
    from app.store import writing

    with writing(_store(ctx)) as connection:
        label = give(
            connection,
            User(user, "admin"),
            point,
            kind,
            now_ns=time.time_ns(),
            first_ns=_ns(given["first"]),
            last_ns=_ns(given["last"]),
            alarm_id=latest_alarm(connection, point, given["alarm"]),
            named=given["named"],
            why=why,
            origin="command line",
        )
        left = node_words(connection, point) if kind == "repair" else None
    click.echo(f"{point}: {_words(label)}")
    if kind == "repair":
        click.echo(left or "The point learns anew from now on.")


@labels.command("export")
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--point", help="Of one measuring point only.")
@click.pass_context
def labels_export(ctx: click.Context, /, output: Path, point: str | None) -> None:
    """Write the labelled windows with features, label and provenance to OUTPUT (.csv or .parquet)."""
    from app.labels.export import labelled_windows, write_table
    from app.store import reading

    with reading(_store(ctx)) as connection:
        table = labelled_windows(connection, point_id=point)
    write_table(output, table)
    left = f"; {table.other_contracts} windows of another feature contract left out" if table.other_contracts else ""
    click.echo(f"{table.windows} windows of {table.labels} labels written to {output}{left}")


def latest_alarm(connection: Connection, point: str, alarm: str | None) -> int | None:
    """The number of an alarm, where it was given as such or as ``last``."""
    from app.labels.records import alarms_said
    from features.errors import ParameterError

    if alarm is None or alarm.isdecimal():
        return None if alarm is None else int(alarm)
    if alarm != "last":
        raise ParameterError(f"alarm {alarm!r} is none; a number or `last` is wanted")
    found = alarms_said(connection, point_id=point, most=1)
    if not found:
        raise ParameterError(f"no alarm was ever raised at {point!r}")
    return int(found[0][0].id)


def _ns(text: str | None) -> int | None:
    from features.errors import ParameterError

    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ParameterError(f"{text!r} is no time; one such as 2026-03-01T08:00Z is wanted") from error
    # A time without a zone is UTC, as all that is printed here.
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1e6) * 1000


def _store(ctx: click.Context) -> Engine:
    from app.store import open_store

    return open_store(settings_of(ctx).database, migrate=True)


def _words(label: Label) -> str:
    about = "" if label.alarm_id is None else f" alarm {label.alarm_id}"
    kind = f" as {label.fault}" if label.kind == "rename" else ""
    return f"{label.kind}{about}{kind}{f': {label.why}' if label.why else ''}"


def _time(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, tz=UTC).strftime("%Y-%m-%d %H:%M:%SZ")
