"""The subcommand that writes a network for a firmware: as C, or as data that is taken in the field."""

from __future__ import annotations

import re
from pathlib import Path

import click

__all__ = ["export"]


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--runtime",
    type=click.Choice(["tflm", "raceway", "packed"]),
    required=True,
    help="tflm: for a TFLite Micro library that you have built; raceway: C11 that needs no library; packed: data that "
    "a firmware with Raceway's kernels takes in the field.",
)
@click.option("--name", help="Of the network in C.  [default: from the name of the file]")
@click.option(
    "--firmware",
    type=click.Path(path_type=Path),
    help="Header of the firmware that says which kernels and forms it has (packed).  [default: edge/runtime's]",
)
@click.option(
    "--output",
    "folder",
    type=click.Path(path_type=Path),
    help="Folder to be made, or the file (packed).  [default: rw_NAME, or NAME.packed, beside the file]",
)
def export(model: Path, runtime: str, name: str | None, firmware: Path | None, folder: Path | None) -> None:
    """Write MODEL (.tflite) as C that a firmware builds or data that it takes; what cannot run is refused by name."""
    from app.edge_report import read_model
    from features.errors import ParameterError

    if firmware is not None and runtime != "packed":
        raise ParameterError("a firmware's header was given; only what is packed is packed for one (--runtime packed)")

    content = read_model(model)
    chosen = name or re.sub(r"[^a-z0-9]+", "_", model.stem.lower()).strip("_")
    if runtime == "packed":
        _pack(content, firmware, folder or model.parent / f"{chosen}.packed")
        return
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


def _pack(model: bytes, firmware: Path | None, place: Path) -> None:
    from edge.compiler.firmware import read_firmware
    from edge.compiler.packed import describe
    from edge.compiler.packing import pack_model
    from features.errors import ParameterError

    try:
        has = None if firmware is None else read_firmware(firmware.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"{firmware} cannot be read: {error}") from error
    packed = pack_model(model, firmware=has)
    said = describe(packed)
    try:
        place.write_bytes(packed)
    except OSError as error:
        raise ParameterError(f"{place} cannot be written: {error.strerror}") from error
    click.echo(
        f"{place}: {said.n_bytes:,} bytes in flash, {said.memory_bytes:,} bytes of memory, {said.arena_bytes:,} bytes "
        f"of arena; needs {', '.join(map(str, said.needs))} of the firmware"
    )
