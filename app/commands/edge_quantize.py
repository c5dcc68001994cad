"""The subcommand that turns a trained network into the int8 form of a node."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from app.commands.context import progress_bar, quiet_tensorflow
from app.commands.figures import SEED, run_of, show_figures

__all__ = ["quantize"]


@click.command()
@click.argument("network", type=click.Path(path_type=Path))
@click.option(
    "--inputs",
    type=click.Path(path_type=Path),
    required=True,
    help="What it learned from (.npy, or .npz of inputs and targets); ranges are taken from it.",
)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The .tflite to write.")
@click.option("--validation", type=click.Path(path_type=Path), help="Figures are of this (.npz of inputs and targets).")
@click.option(
    "--dense",
    type=click.Choice(["per-channel", "per-tensor"]),
    default="per-channel",
    show_default=True,
    help="A scale for each output of a dense layer, or one for the layer, which takes less flash and arena.",
)
@click.option(
    "--fine-tune",
    "epochs",
    type=click.IntRange(1),
    help="Epochs learned with the rounding in sight, where int8 loses half a point of accuracy or 2 % of error.",
)
@click.option("--learning-rate", default=1e-3, show_default=True, type=click.FloatRange(0.0, min_open=True))
@click.option("--batch", default=64, show_default=True, type=click.IntRange(1), help="Items of a step of fine-tuning.")
@click.option("--seed", default=SEED, show_default=True, help="Of fine-tuning.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def quantize(
    ctx: click.Context,
    /,
    *,
    network: Path,
    inputs: Path,
    output: Path,
    validation: Path | None,
    dense: str,
    epochs: int | None,
    learning_rate: float,
    batch: int,
    seed: int,
    as_json: bool,
) -> None:
    """Turn NETWORK, a .keras file or a folder of `raceway train`, into an int8 .tflite.

    With --validation its figure is given as floats and as integers, in TFLite Micro: accuracy where targets are
    classes, else the root mean square error. With --fine-tune it is learned further where the integers lose too much;
    the choice is then made on the validation, so report the figure of something else.
    """
    quiet_tensorflow()
    from app.edge_quantising import Tuning, quantise_files, write_model

    began_s = time.monotonic()
    tuning = None if epochs is None else Tuning(epochs, batch, learning_rate, seed)
    with progress_bar("Quantising", 100) as show:
        model, figures = quantise_files(
            network,
            inputs,
            validation,
            dense_per_channel=dense == "per-channel",
            tuning=tuning,
            progress=lambda done, total: show(100 * done // total),
        )
    write_model(model, output)
    figures["file"] = str(output)
    if as_json:
        click.echo(json.dumps(figures | {"run": run_of(ctx.command_path, time.monotonic() - began_s)}, indent=1))
    else:
        show_figures(figures)
