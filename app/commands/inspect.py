"""Subcommands that only look."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from app.commands.context import settings_of

__all__ = ["doctor", "features", "results", "settings"]


@click.group()
def features() -> None:
    """List the features with units and definitions."""


@features.command("list")
@click.option("--profile", type=click.Choice(["full", "node"]), default="full", show_default=True)
def features_list(profile: str) -> None:
    """List the features of a profile, in order."""
    from features.contract import FULL, NODE

    chosen = FULL if profile == "full" else NODE
    click.echo(f"profile {chosen.name}, {len(chosen.features)} features, contract {chosen.hash}")
    for feature in chosen.features:
        click.echo(f"{feature.name:20} {feature.unit:4} {feature.definition}")


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), default="docs/results", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="Write the page to a file instead of showing it.")
def results(folder: Path, output: Path | None) -> None:
    """Render the measured figures as a page."""
    from app.results import render_results

    page = render_results(folder)
    if output is None:
        click.echo(page)
    else:
        output.write_text(page, encoding="utf-8")


@click.command()
@click.pass_context
def settings(ctx: click.Context) -> None:
    """List the settings with their values, as environment variables."""
    for name, value in settings_of(ctx).environment().items():
        shown = "***" if name.endswith("PASSWORD") and value else value
        click.echo(f"{name}={shown}")


@click.command()
@click.pass_context
def doctor(ctx: click.Context) -> None:
    """Say what is installed, reachable and missing; exit code 1 if something needed is missing."""
    from app.doctor import examine

    findings = examine(settings_of(ctx))
    for finding in findings:
        colour = {"ok": "green", "note": "yellow", "missing": "red"}[finding.verdict]
        click.echo(f"{click.style(f'{finding.verdict:8}', fg=colour)}{finding.what:24} {finding.detail}")
    if any(finding.verdict == "missing" for finding in findings):
        sys.exit(1)
