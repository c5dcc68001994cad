"""Subcommands to enter the machines and measuring points of a plant."""

from __future__ import annotations

import getpass
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.commands.context import settings_of

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["assets"]


@click.group()
def assets() -> None:
    """Enter machines and measuring points: site, area, machine, point, with bearing, speed, ISO group and mounting.

    What is entered holds over what a point says of itself; `raceway assets list` says where the two differ.
    """


@assets.command("import")
@click.argument("source", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--replace", is_flag=True, help="Take machines out that are not in SOURCE.")
@click.option("--dry-run", is_flag=True, help="Say what would change; change nothing.")
@click.pass_context
def assets_import(ctx: click.Context, /, source: Path, *, replace: bool, dry_run: bool) -> None:
    """Enter the machines of SOURCE (YAML, see docs/ASSETS.md), all of them or, where one is faulty, none."""
    from app.access.roles import User
    from app.assets.document import AssetError, read_assets
    from app.assets.editing import laid_over, take_in
    from app.assets.model import changes
    from app.assets.register import entered
    from app.store import reading, writing

    try:
        text = source.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise AssetError([f"line 1: {source} is no UTF-8"]) from error
    settings, engine = settings_of(ctx), _store(ctx)
    given = read_assets(text, zones=settings.zone_limits(), bearings=settings.bearings())
    if dry_run:
        with reading(engine) as connection:
            before = entered(connection)
        lines = changes(before, given if replace else laid_over(before, given))
    else:
        user = User(getpass.getuser(), "admin")
        with writing(engine) as connection:
            lines = take_in(connection, user, given, replace_all=replace, now_ns=time.time_ns(), why=f"from {source}")
    for line in lines or ["nothing changes" if dry_run else "nothing changed"]:
        click.echo(line)


@assets.command("export")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="File.  [default: standard output]")
@click.pass_context
def assets_export(ctx: click.Context, /, output: Path | None) -> None:
    """Write what was entered as YAML; importing it changes nothing."""
    from app.assets.document import write_assets
    from app.assets.register import entered
    from app.store import reading

    with reading(_store(ctx)) as connection:
        text = write_assets(entered(connection), bearings=settings_of(ctx).bearings())
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


@assets.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def assets_list(ctx: click.Context, /, *, as_json: bool) -> None:
    """List what was entered, and where points say something else of themselves."""
    from dataclasses import asdict

    from app.assets.register import differences, entered
    from app.store import reading

    with reading(_store(ctx)) as connection:
        machines, found = entered(connection), differences(connection)
    if as_json:
        listed = {"machines": [asdict(one) for one in machines], "differences": [asdict(one) for one in found]}
        click.echo(json.dumps(listed, indent=1))
        return
    for machine in machines:
        for key, point in sorted(machine.points.items()):
            hz = machine.shaft_hz(key)
            speed = "" if hz is None else f"{60.0 * hz:g} rpm"
            bearing = "" if point.bearing is None else point.bearing.name
            area, group = machine.area, machine.iso_group or ""
            mounting = point.mounting or ""
            click.echo(f"{machine.id}/{key:20} {area:16} {bearing:12} {speed:10} {group:18} {mounting}".rstrip())
        if not machine.points:
            click.echo(f"{machine.id} {machine.area}: no measuring point")
    for one in found:
        click.echo(f"{one.point_id} says {one.what} {one.said} of itself; {one.entered} was entered and holds")
    if not machines:
        click.echo("nothing was entered yet; `raceway assets import FILE` enters machines")


def _store(ctx: click.Context) -> Engine:
    from app.store import open_store

    return open_store(settings_of(ctx).database, migrate=True)
