"""Subcommands that only look."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from app.commands.context import settings_of

__all__ = ["doctor", "features", "results", "settings"]


@click.group()
def features() -> None:
    """List the features, or compute those of a recording."""


@features.command("list")
@click.option(
    "--profile",
    type=click.Choice(["full", "baseline", "watched", "node", "analyses"]),
    default="full",
    show_default=True,
)
def features_list(profile: str) -> None:
    """List the features of a profile in order, or the analyses on demand, with unit, definition and source."""
    from features.analyses import ANALYSES
    from features.contract import BASELINE, FULL, NODE, WATCHED

    profiles = {"full": FULL, "baseline": BASELINE, "watched": WATCHED, "node": NODE}
    if profile in profiles:
        chosen = profiles[profile]
        click.echo(f"profile {chosen.name}, {len(chosen.features)} features, contract {chosen.hash}")
        for feature in chosen.features:
            needs = f" (needs {', '.join(feature.needs)})" if feature.needs else ""
            click.echo(f"{feature.name:24} {feature.unit:5} {feature.definition}{needs} [{feature.source}]")
        return
    click.echo(f"{len(ANALYSES)} analyses on demand")
    for analysis in ANALYSES:
        click.echo(f"{analysis.name:24} {analysis.unit:7} {analysis.definition} [{analysis.source}] {analysis.path}")


@features.command("page")
@click.option("--output", type=click.Path(path_type=Path), help="Write the page to a file instead of showing it.")
def features_page(output: Path | None) -> None:
    """Render the list of features and analyses as a page."""
    from app.catalogue import render_catalogue

    _show(render_catalogue(), output)


@features.command("extract")
@click.argument("recording", type=click.Path(path_type=Path))
@click.option("--rate", "rate_hz", type=float, help="Sampling rate in Hz, where the file does not state it.")
@click.option("--unit", type=click.Choice(["g", "m/s2", "mm/s"]), help="Unit, where the file does not state it.")
@click.option("--channel", help="Channel to take.  [default: the first]")
@click.option("--rpm", type=float, help="Shaft speed, where the file does not state it; without it no orders.")
@click.option("--bearing", help="Bearing from the library, such as 6205-2RS; without it no fault lines.")
@click.option("--window", "n", default=4096, show_default=True, type=click.IntRange(1), help="Samples of a window.")
@click.option("--overlap", default=0.5, show_default=True, type=click.FloatRange(0.0, 0.99), help="Share repeated.")
@click.option("--output", type=click.Path(path_type=Path), help="Write the table to a file instead of showing it.")
def features_extract(recording: Path, output: Path | None, **options: Any) -> None:
    """Compute the features of the windows of RECORDING (.mat, .wav, .csv, .npz) as a table in CSV."""
    from app.featuretable import feature_table

    _show(feature_table(recording, **options), output)


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), default="docs/results", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="Write the page to a file instead of showing it.")
def results(folder: Path, output: Path | None) -> None:
    """Render the measured figures as a page."""
    from app.results import render_results

    _show(render_results(folder), output)


def _show(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


@click.command()
@click.pass_context
def settings(ctx: click.Context) -> None:
    """List the settings with their values, as environment variables, and where each comes from; secrets are masked."""
    for one in settings_of(ctx).shown():
        comes = "" if one.origin == "default" else f"  # {one.origin}"
        click.echo(f"RACEWAY_{one.name.upper()}={one.value}{comes}")


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
