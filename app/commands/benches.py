"""Subcommands that measure speed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from app.commands.context import progress_bar, quiet_tensorflow, settings_of
from app.commands.figures import SEED, measured

__all__ = ["bench"]


@click.group()
def bench() -> None:
    """Measure speed, as ratios within one run."""


@bench.command("ingest")
@click.option(
    "--blocks", "n_blocks", default=20_000, show_default=True, type=click.IntRange(1000), help="In each phase."
)
@measured
def bench_ingest(ctx: click.Context, /, *, n_blocks: int) -> dict[str, Any]:
    """Blocks a second through Mosquitto into committed verdicts, beside a subscriber that only acknowledges."""
    settings_of(ctx)
    quiet_tensorflow()
    from app.bench import bench_ingest

    with progress_bar("Measuring", 100) as show:
        return bench_ingest(n_blocks=n_blocks, progress=show)


@bench.command("features")
@measured
def bench_features(ctx: click.Context, /) -> dict[str, Any]:
    """Cost of the feature profiles on one core, over one Fourier transform and over TSFEL in the same run."""
    settings_of(ctx)
    from app.bench_features import bench_features

    with progress_bar("Measuring", 100) as show:
        return bench_features(progress=show)


@bench.command("fleet")
@click.option("--nodes", default=100, show_default=True, type=click.IntRange(1, 1000))
@click.option("--minutes", default=10.0, show_default=True, type=click.FloatRange(0.05))
@click.option("--loss", default=0.01, show_default=True, type=click.FloatRange(0.0, 0.5), help="Share of frames.")
@click.option("--kill-gateway", is_flag=True, help="Kill the gateway half way, and start it again.")
@measured
def bench_fleet(
    ctx: click.Context, /, *, nodes: int, minutes: float, loss: float, kill_gateway: bool
) -> dict[str, Any]:
    """What becomes of the reports of a fleet of nodes in C on lines that lose frames and drop, over one gateway."""
    settings_of(ctx)
    from app.bench_fleet import FleetPlan, bench_fleet

    plan = FleetPlan(nodes, 60.0 * minutes, loss, kills_gateway=kill_gateway)
    with progress_bar("Running", 100) as show:
        return bench_fleet(plan, progress=lambda share: show(round(100 * share)))


@bench.command("console")
@click.option("--repeats", default=7, show_default=True, type=click.IntRange(1, 100), help="Of each page.")
@click.option("--machines", default=50, show_default=True, type=click.IntRange(6, 500))
@click.option("--days", default=90, show_default=True, type=click.IntRange(3, 365))
@click.option("--seed", default=SEED, show_default=True)
@click.option("--page", "pages", multiple=True, help="Only this page; again for more.")
@click.option("--history", type=click.Path(exists=True, path_type=Path), help="Data folder of `raceway demo history`.")
@click.option("--pictures", type=click.Path(path_type=Path), help="Folder for a picture of each page.")
@measured
def bench_console(ctx: click.Context, /, *, history: Path | None, **options: Any) -> dict[str, Any]:
    """First paint and an interaction of every page of the console in Chromium, over months of a plant's history."""
    settings_of(ctx)
    from app.bench_console import ConsolePlan, bench_console

    with progress_bar("Measuring", 100) as show:
        return bench_console(ConsolePlan(**options), history=history, progress=lambda share: show(round(100 * share)))


@bench.command("page")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    default="docs/results/console.json",
    show_default=True,
    help="Figures.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Write the page to a file instead of showing it.")
def bench_page(results: Path, output: Path | None) -> None:
    """Render the page that shows the console, with what was measured of it."""
    from app.consolepage import console_page

    text = console_page(results)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
