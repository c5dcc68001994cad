"""The subcommand that prunes a trained network in the shapes that the node's kernels skip."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from app.commands.context import data_root, quiet_tensorflow, settings_of
from app.commands.figures import SEED, run_of, show_figures

__all__ = ["prune"]

_TASKS = ("M1", "M2", "M3")


@click.command()
@click.argument("network", type=click.Path(path_type=Path))
@click.option("--task", "task_name", type=click.Choice(_TASKS), required=True, help="What it was trained for.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The .keras file to write.")
@click.option("--method", type=click.Choice(["blocks", "nodes", "scalpel"]), default="blocks", show_default=True)
@click.option("--shape", type=click.Choice(["1x1", "1x4", "2x4", "4x4"]), default="4x4", show_default=True)
@click.option("--sparsity", type=click.FloatRange(0.0, 1.0, max_open=True), help="Share of weights or nodes to drop.")
@click.option("--cycles", type=click.FloatRange(0.0, min_open=True), help="Budget of the layers with weights.")
@click.option("--flash", "flash_bytes", type=click.IntRange(1), help="Budget of weights, indices and biases, in bytes.")
@click.option("--ram", "ram_bytes", type=click.IntRange(1), help="Budget of activations, in bytes.")
@click.option("--loss", type=click.FloatRange(0.0), help="What the metric may lose on the validation part.")
@click.option("--relative", is_flag=True, help="Take the loss as a share of the metric.")
@click.option("--ramp", "ramp_epochs", type=click.IntRange(1), help="Passes while sparsity rises.")
@click.option("--tune", "tune_epochs", type=click.IntRange(1), help="Passes after it.  [default: five trainings each]")
@click.option("--seed", default=SEED, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def prune(ctx: click.Context, /, *, network: Path, task_name: str, output: Path, as_json: bool, **asked: Any) -> None:
    """Prune NETWORK (.keras) and fine-tune what is left: to a sparsity, into a budget, or as far as the metric holds.

    Blocks are RxK: weights of R outputs and K inputs that are kept or dropped together. Scalpel chooses for each layer
    between blocks and nodes by the table of cycles. The metric is that of the task's validation part.
    """
    settings_of(ctx)
    quiet_tensorflow()
    from edge.cycles import read_cycles
    from edge.pruning.command import prune_file
    from models.node_tasks.tasks import task

    began_s = time.monotonic()
    figures = dict(
        prune_file(
            network,
            output,
            task(task_name, data_root()),
            _order(**asked),
            table=read_cycles(),
            progress=lambda text: click.echo(text, err=True),
        )
    )
    if as_json:
        click.echo(json.dumps(figures | {"run": run_of(ctx.command_path, time.monotonic() - began_s)}, indent=1))
    else:
        show_figures(figures)


def _order(
    *,
    cycles: float | None,
    flash_bytes: int | None,
    ram_bytes: int | None,
    ramp_epochs: int | None,
    tune_epochs: int | None,
    **others: Any,
) -> Any:
    from edge.pruning.command import Order
    from edge.pruning.gradual import Recipe
    from edge.pruning.target import Budget

    limits = (cycles, flash_bytes, ram_bytes)
    budget = None if limits == (None, None, None) else Budget(*limits)
    passes = {"ramp_epochs": ramp_epochs, "tune_epochs": tune_epochs}
    given: dict[str, Any] = {name: count for name, count in passes.items() if count is not None}
    return Order(budget=budget, recipe=Recipe(**given) if given else None, **others)
