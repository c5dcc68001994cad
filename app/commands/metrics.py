"""Subcommands that show how Raceway itself fares."""

from __future__ import annotations

import time
from typing import Any

import click

from app.commands.context import settings_of, stop_event

__all__ = ["metrics"]


@click.group()
def metrics() -> None:
    """Show Raceway's own health as Prometheus reads it, or serve it."""


@metrics.command()
@click.pass_context
def show(ctx: click.Context) -> None:
    """Print all figures once."""
    from app.metrics.exposition import exposed
    from app.store import open_store

    settings = settings_of(ctx)
    click.echo(exposed(open_store(settings.database), settings, clock_ns=time.time_ns), nl=False)


@metrics.command()
@click.option("--metrics-port", type=int, help="Port to listen on.  [default: 9464]")
@click.option("--metrics-host", help="Address to listen on.  [default: 127.0.0.1]")
@click.pass_context
def serve(ctx: click.Context, /, **flags: Any) -> None:
    """Serve the figures under /metrics until ended."""
    from app.metrics.exposition import run_metrics
    from app.store import open_store

    settings = settings_of(ctx, **flags)
    run_metrics(open_store(settings.database, migrate=True), settings, clock_ns=time.time_ns, stopped=stop_event())
