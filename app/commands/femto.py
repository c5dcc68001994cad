"""The subcommand that measures detection and remaining life on the FEMTO bearings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from app.commands.context import data_root, quiet_tensorflow, settings_of, share_bar
from app.commands.figures import SEED, measured

__all__ = ["evaluate_degradation", "evaluate_femto"]


@click.command("femto")
@click.option("--seeds", "n_seeds", default=5, show_default=True, type=click.IntRange(1), help="Runs, each anew.")
@click.option(
    "--test",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Learn from all six bearings and judge the further ones whose packs (*.npz) lie in this folder.",
)
@measured
def evaluate_femto(ctx: click.Context, /, *, n_seeds: int, test: Path | None) -> dict[str, Any]:
    """Detection and remaining life of the FEMTO bearings, one left out at a time, or of further ones (--test)."""
    settings_of(ctx)
    quiet_tensorflow()
    from edge.convert import to_tflite

    folder, seeds = data_root() / "femto", [SEED + i for i in range(n_seeds)]
    if test is not None:
        from models.life.bearing_challenge import femto_test

        with share_bar("Judging   ") as progress:
            return femto_test(
                folder,
                test,
                convert=to_tflite,
                seeds=seeds,
                progress=progress,
            )
    from models.detection import femto_detection
    from models.life.bearing_protocol import bearing_lives, femto_life

    bearings = bearing_lives(folder)
    with share_bar("Detection ") as progress:
        figures = femto_detection(folder, convert=to_tflite, seeds=seeds, progress=progress)
    with share_bar("Life      ") as progress:
        return figures | femto_life(bearings, seeds=seeds, progress=progress)


@click.command("degradation")
@measured
def evaluate_degradation(ctx: click.Context, /) -> dict[str, Any]:
    """What the service's forecast says over the lives of the FEMTO bearings."""
    settings_of(ctx)
    from models.life.bearing_passage import femto_passage
    from models.life.bearing_protocol import bearing_lives

    bearings = bearing_lives(data_root() / "femto")
    with share_bar("Forecasts ") as progress:
        return femto_passage(bearings, progress=progress)
