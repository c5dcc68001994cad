"""The subcommand that holds what runs a `.tflite` against TFLite Micro."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import click

from app.commands.figures import SEED, run_of

__all__ = ["verify"]


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--inputs", type=click.Path(path_type=Path), help="Real inputs after the random ones (.npy, .npz).")
@click.option(
    "--vectors", default=200, show_default=True, type=click.IntRange(1), help="Random inputs, of all integers."
)
@click.option("--seed", default=SEED, show_default=True, help="Of the random inputs.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def verify(ctx: click.Context, /, *, model: Path, inputs: Path | None, vectors: int, seed: int, as_json: bool) -> None:
    """Say what MODEL (.tflite) is and needs in TFLite Micro, and compare byte for byte who else runs it.

    The others are LiteRT, which may round by some steps otherwise, and our C on this machine, where it compiles. Exit
    code 1 if our C differs in a byte.
    """
    from app.edge_report import read_model, read_vectors
    from app.edge_verification import verification, verification_figures, verification_table
    from edge.verify import vectors_for

    began_s = time.monotonic()
    content = read_model(model)
    given: Any = vectors_for(content, n_random=vectors, seed=seed)
    if inputs is not None:
        import numpy as np

        given = np.concatenate([given, read_vectors(inputs, content)])
    found, refusal = verification(content, given)
    if as_json:
        figures = verification_figures(found, refusal)
        click.echo(json.dumps(figures | {"run": run_of(ctx.command_path, time.monotonic() - began_s)}, indent=1))
    else:
        click.echo(verification_table(found, refusal))
    ours = found.comparisons.get("raceway")
    if ours is not None and ours.equal < ours.vectors:
        sys.exit(1)
