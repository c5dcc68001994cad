"""The subcommand that says when machines need somebody."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from app.commands.context import settings_of

if TYPE_CHECKING:
    from app.forecast import Forecast

__all__ = ["forecast"]


@click.command()
@click.option("--due", is_flag=True, help="Only points with a due time.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def forecast(ctx: click.Context, /, due: bool, as_json: bool) -> None:
    """Say when growing indicators reach their limits, computed now."""
    from app.forecast import forecasts, renew
    from app.store import open_store, reading

    settings = settings_of(ctx)
    engine = open_store(settings.database, migrate=True)
    renew(engine, settings, now_ns=time.time_ns())
    with reading(engine) as connection:
        found = [one for one in forecasts(connection) if one.due or not due]
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=2))
        return
    for one in found:
        click.echo(f"{one.point_id}: {_words(one)}")
    if not found:
        click.echo("Nothing is due." if due else "No point is stored.")


def _words(one: Forecast) -> str:
    if one.likely_ns is None:
        return one.reason
    latest = "open" if one.latest_ns is None else _clock(one.latest_ns)
    return f"{one.reason} about {_clock(one.likely_ns)} ({_clock(one.earliest_ns or 0)} to {latest})"


def _clock(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M UTC")
