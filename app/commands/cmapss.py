"""Subcommands that measure remaining life on C-MAPSS, as floats and as integers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from app.commands.beside import beside_option, read_earlier
from app.commands.context import data_root, quiet_tensorflow, settings_of, share_bar
from app.commands.figures import SEED, measured

__all__ = ["evaluate_cmapss", "evaluate_cmapss_int8"]


@click.command("cmapss")
@click.option(
    "--subset",
    "subsets",
    multiple=True,
    type=click.Choice(["FD001", "FD002", "FD003", "FD004"]),
    help="May be repeated.  [default: all]",
)
@click.option(
    "--system",
    "systems",
    multiple=True,
    type=click.Choice(["ridge", "forest", "boosting", "boosting on our means", "babu", "ours"]),
    help="May be repeated.  [default: all]",
)
@click.option(
    "--seeds",
    default=5,
    show_default=True,
    type=click.IntRange(1),
    help="How often each system with chance is learned.",
)
@click.option("--seed", default=SEED, show_default=True, help="Of the first learning.")
@beside_option
@measured
def evaluate_cmapss(
    ctx: click.Context,
    /,
    *,
    subsets: tuple[str, ...],
    systems: tuple[str, ...],
    seeds: int,
    seed: int,
    beside: tuple[Path, ...],
) -> dict[str, Any]:
    """Remaining life of the C-MAPSS test units by Babu's network, ours with its intervals, and four baselines."""
    settings_of(ctx)
    quiet_tensorflow()
    from models.datasets.cmapss import NAMES
    from models.life.evaluation import SYSTEMS, beside_trees, evaluate_cmapss

    before = read_earlier(beside, command="raceway evaluate cmapss", same=("protocol", "seed"))
    with share_bar("Evaluating") as progress:
        figures = evaluate_cmapss(
            data_root() / "cmapss",
            subsets=subsets or NAMES,
            systems=systems or SYSTEMS,
            seeds=seeds,
            seed=seed,
            progress=progress,
        )
    for earlier in before:
        rows = earlier.joined(figures, key=("subset", "system"), order=SYSTEMS)
        figures["rows"] = beside_trees(sorted(rows, key=lambda row: row["subset"]))
    return figures


@click.command("cmapss-int8")
@click.option("--seeds", "n_seeds", default=5, show_default=True, type=click.IntRange(1), help="How often it learns.")
@measured
def evaluate_cmapss_int8(ctx: click.Context, /, *, n_seeds: int) -> dict[str, Any]:
    """What our network of remaining life loses on C-MAPSS as the int8 form that a node runs, and its size."""
    settings_of(ctx)
    quiet_tensorflow()
    from edge.convert import to_tflite_int8
    from models.datasets.cmapss import NAMES
    from models.life.integer import cmapss_int8

    with share_bar("Evaluating") as progress:
        return cmapss_int8(
            data_root() / "cmapss",
            quantise=to_tflite_int8,
            subsets=NAMES,
            seeds=[SEED + i for i in range(n_seeds)],
            progress=progress,
        )
