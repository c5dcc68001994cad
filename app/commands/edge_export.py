"""The subcommand that writes a network as C for a firmware."""

from __future__ import annotations

import re
from pathlib import Path

import click

__all__ = ["export"]


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--runtime",
    type=click.Choice(["tflm", "raceway"]),
    required=True,
    help="tflm: for a TFLite Micro library that you have built; raceway: C11 that needs no library.",
)
@click.option("--name", help="Of the network in C.  [default: from the name of the file]")
@click.option(
    "--output", "folder", type=click.Path(path_type=Path), help="Folder to be made.  [default: rw_NAME beside the file]"
)
def export(model: Path, runtime: str, name: str | None, folder: Path | None) -> None:
    """Write MODEL (.tflite) as a folder of C that a firmware builds; what cannot run on a node is refused by name."""
    from app.edge_report import read_model

    content = read_model(model)
    chosen = name or re.sub(r"[^a-z0-9]+", "_", model.stem.lower()).strip("_")
    place = folder or model.parent / f"rw_{chosen}"
    if runtime == "tflm":
        from edge.tflm.exporting import export_tflm

        export_tflm(content, name=chosen, folder=place)
        click.echo(f"{place}: for TFLite Micro; its README.md says how it is built and called")
        return
    from edge.compiler.compilation import compile_model

    library = compile_model(content, name=chosen, folder=place)
    click.echo(
        f"{place}: {len(library.operators)} operators, {library.model_bytes:,} bytes of model, "
        f"{library.arena_bytes:,} bytes of arena; rw_{chosen}.h has the calls"
    )
