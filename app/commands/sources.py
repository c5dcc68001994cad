"""Subcommands about where vibration comes from."""

from __future__ import annotations

import getpass
import time
from pathlib import Path
from typing import Any

import click

from app.commands.context import progress_bar, settings_of, stop_event

__all__ = ["points", "replay", "simulate"]


@click.command()
@click.option("--machines", "n_machines", default=8, show_default=True, type=click.IntRange(1, 1000), help="Machines.")
@click.option("--rate", "rate_hz", default=12_800.0, show_default=True, help="Sampling rate in Hz.")
@click.option("--burst", "burst_samples", default=8192, show_default=True, help="Samples in each burst.")
@click.option("--period", "period_s", default=1.0, show_default=True, help="Seconds from burst to burst.")
@click.option("--faults-at-once", is_flag=True, help="Do not wait until a point is watched.")
@click.option("--seed", default=1, show_default=True, help="Of the plant and its noise.")
@click.pass_context
def simulate(ctx: click.Context, /, **options: Any) -> None:
    """Publish the vibration of a simulated plant: faults that grow, are repaired, and come again.

    A machine's faults begin once its point has learned its baseline and is watched.
    """
    from app.simulate import run_simulation

    run_simulation(settings_of(ctx), stopped=stop_event(), **options)


@click.command()
@click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--point", required=True, help="Measuring point as site/asset/point.")
@click.option("--name", help="Name for people.  [default: the point]")
@click.option("--rate", "rate_hz", type=float, help="Sampling rate in Hz, where the files do not state it.")
@click.option("--unit", type=click.Choice(["g", "m/s2", "mm/s"]), help="Unit, where the files do not state it.")
@click.option("--channel", "channels", multiple=True, help="Channel to play; may be given again.  [default: all]")
@click.option("--rpm", type=float, help="Shaft speed, where the files do not state it.")
@click.option("--bearing", help="Bearing from the library, such as 6205-2RS; without it no fault kind is named.")
@click.option("--iso-group", help="Machine group whose severity zones hold, such as group-2-rigid.")
@click.option("--speed", default=1.0, show_default=True, help="1: real time, 10: ten times as fast, 0: at once.")
@click.option("--block", "block_samples", default=4096, show_default=True, help="Samples in each block.")
@click.option("--loop", is_flag=True, help="Begin again after the last recording, until Ctrl-C.")
@click.pass_context
def replay(ctx: click.Context, /, recordings: tuple[Path, ...], point: str, **options: Any) -> None:
    """Publish recordings, one after the other, as if they were live from one measuring point."""
    from app.mqtt import broker_of
    from app.publisher import Publisher
    from app.replay import Track, play
    from app.wire import About, PointId
    from features.bearing import bearing_named
    from features.iso20816 import limits_named
    from models.recordings import read_recording

    settings = settings_of(ctx)
    group = options["iso_group"]
    if group is not None:
        limits_named(group, settings.zone_limits())
    asked = {name: options[name] for name in ("rate_hz", "unit", "rpm")}
    played = [read_recording(path, channels=options["channels"] or None, **asked) for path in recordings]
    bearing = bearing_named(options["bearing"]) if options["bearing"] else None
    about = About(PointId.parse(point), options["name"] or point, bearing, played[0].shaft_hz, group)
    track = Track(about, played)
    n_blocks = sum(r.samples.shape[1] for r in played) // options["block_samples"]
    stopped = stop_event()
    with (
        Publisher(broker_of(settings), client_id=f"raceway-replay-{time.time_ns()}") as publisher,
        progress_bar("Replaying", n_blocks) as show,
    ):
        publisher.about(about)
        sent = play(
            [track],
            publisher.block,
            start_ns=time.time_ns(),
            block_samples=options["block_samples"],
            speed=options["speed"],
            loop=options["loop"],
            stopped=stopped.wait,
            progress=show,
        )
        publisher.flush()
    click.echo(f"{sent} blocks published on {about.point.topic('waveform')}")


@click.group()
def points() -> None:
    """List measuring points; let one learn anew."""


@points.command("list")
@click.pass_context
def points_list(ctx: click.Context) -> None:
    """List measuring points with their state."""
    from app.store import open_store, point_rows, reading

    with reading(open_store(settings_of(ctx).database, migrate=True)) as connection:
        rows = point_rows(connection)
    for row in rows:
        score = "" if row.score is None or not row.threshold else f"{row.score / row.threshold:.2f} of threshold"
        click.echo(f"{row.id:50} {row.state:10} {score}")
    if not rows:
        click.echo("no measuring point has sent anything yet")


@points.command("relearn")
@click.argument("point")
@click.pass_context
def points_relearn(ctx: click.Context, /, point: str) -> None:
    """Let POINT (site/asset/point) learn anew, after a repair or a change of its sampling rate."""
    from app.access.roles import User
    from app.commissioning import relearn
    from app.store import open_store

    user = User(getpass.getuser(), "admin")
    relearn(open_store(settings_of(ctx).database, migrate=True), user, point, now_ns=time.time_ns())
    click.echo(f"{point} learns anew from now on")
