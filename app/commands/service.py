"""Subcommands that run until they are told to end."""

from __future__ import annotations

import os
from typing import Any

import click

from app.commands.context import settings_of, stop_event

__all__ = ["console", "ingest", "learn", "up"]


@click.command()
@click.option("--simulate/--no-simulate", default=True, show_default=True, help="Run the simulated plant.")
@click.option("--machines", default=8, show_default=True, type=click.IntRange(1, 100), help="Simulated machines.")
@click.option("--console-port", type=int, help="Port of the console.  [default: 8501]")
@click.option("--embedded-port", type=int, help="Port of the embedded broker; 0: a free one.  [default: 1883]")
@click.pass_context
def up(ctx: click.Context, /, simulate: bool, machines: int, **flags: Any) -> None:
    """Start everything on this machine: broker, ingest, learner, console and a simulated plant.

    Ends all of it on Ctrl-C. What was measured stays in the data folder and is there at the next start.
    """
    from app.supervisor import run_all

    settings = settings_of(ctx, **flags)
    run_all(settings, machines=machines if simulate else 0, stopped=stop_event(), say=click.echo)


@click.command()
@click.pass_context
def ingest(ctx: click.Context) -> None:
    """Take vibration in from the broker, judge it, store it, and only then acknowledge it."""
    from app.numerics import ENVIRONMENT

    os.environ.update({name: os.environ.get(name, value) for name, value in ENVIRONMENT.items()})
    from app.ingest import run_ingest

    run_ingest(settings_of(ctx), stopped=stop_event())


@click.command()
@click.pass_context
def learn(ctx: click.Context) -> None:
    """Train baselines as points have collected their healthy start (needs the extra `train`)."""
    from app.learner import run_learner

    run_learner(settings_of(ctx), stopped=stop_event())


@click.command()
@click.option("--console-port", type=int, help="Port to listen on.  [default: 8501]")
@click.option("--console-host", help="Address to listen on.  [default: 127.0.0.1]")
@click.pass_context
def console(ctx: click.Context, /, **flags: Any) -> None:
    """Start the operators' console in the browser (needs the extra `console`)."""
    from app.console.launch import console_command
    from app.process import ended, spawn, stop

    settings = settings_of(ctx, **flags)
    stopped = stop_event()
    process = spawn(console_command(settings), environment=settings.environment())
    click.echo(f"Console: http://{settings.console_host}:{settings.console_port}")
    try:
        while not ended(process) and not stopped.wait(0.3):
            pass
    finally:
        stop([process])
    if not stopped.is_set():
        raise click.ClickException("the console ended by itself; its last words are above")
