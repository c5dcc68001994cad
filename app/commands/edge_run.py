"""The subcommand that runs a `.tflite` as a node would, and tells what it costs there."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import click

from app.commands.figures import SEED, run_of

__all__ = ["run"]


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--inputs", type=click.Path(path_type=Path), help="Run these (.npy, .npz; int8, or floats to quantise).")
@click.option(
    "--vectors",
    "n_vectors",
    default=200,
    show_default=True,
    type=click.IntRange(1),
    help="Random inputs over the whole range, where no file is given.",
)
@click.option("--seed", default=SEED, show_default=True, help="Of the random inputs.")
@click.option("--packed", is_flag=True, help="Run it as data, as a firmware does that took it in the field.")
@click.option("--host", "on_host", is_flag=True, help="Run on this machine instead; nothing is counted.")
@click.option(
    "--verify/--no-verify", default=True, show_default=True, help="Compare with the TFLite Micro interpreter."
)
@click.option("--budget", type=click.Path(path_type=Path), help="Limits to hold it to.  [default: edge/budget.toml]")
@click.option("--name", default="m", show_default=True, help="Of the model: in its C names, and in the budget.")
@click.option("--outputs", type=click.Path(path_type=Path), help="Write the outputs to a file (.npy).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def run(
    ctx: click.Context,
    /,
    *,
    model: Path,
    inputs: Path | None,
    n_vectors: int,
    seed: int,
    packed: bool,
    on_host: bool,
    verify: bool,
    budget: Path | None,
    name: str,
    outputs: Path | None,
    as_json: bool,
) -> None:
    """Compile MODEL (.tflite, int8), run it on an emulated Cortex-M4, and tell what each operator costs.

    Exit code 1 if an output differs from TFLite Micro's, 2 if the model exceeds its budget.
    """
    from app.edge_report import execution_figures, execution_table, read_model, read_vectors, write_outputs
    from edge.budget import BUDGET_FILE, check_budget, read_budget
    from edge.execution import execute
    from edge.verify import vectors_for
    from features.errors import ParameterError

    began_s = time.monotonic()
    if on_host and budget is not None:
        raise ParameterError("a budget was given for a run on this machine, where nothing is counted; leave out --host")
    if outputs is not None and (outputs.suffix != ".npy" or not outputs.parent.is_dir()):
        raise ParameterError(f"outputs were asked for as {outputs}; a name ending in .npy in a folder is wanted")
    limits = read_budget(budget or BUDGET_FILE)
    content = read_model(model)
    vectors = vectors_for(content, n_random=n_vectors, seed=seed) if inputs is None else read_vectors(inputs, content)
    with tempfile.TemporaryDirectory(prefix="raceway-run-") as folder:
        place = Path(folder)
        done = execute(content, vectors, name=name, folder=place, on_host=on_host, against_tflm=verify, packed=packed)
    if as_json:
        figures = execution_figures(done, limits.limits_of(name))
        click.echo(json.dumps(figures | {"run": run_of(ctx.command_path, time.monotonic() - began_s)}, indent=1))
    else:
        click.echo(execution_table(done, limits.limits_of(name)))
    if done.cost is not None:
        check_budget(done.cost, limits, name)
    if outputs is not None:
        write_outputs(done.outputs, outputs)
    if done.comparison is not None and done.comparison.equal < done.comparison.vectors:
        sys.exit(1)
