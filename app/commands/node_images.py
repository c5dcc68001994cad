"""The subcommands that make keys, sign model images and firmware images, and say what an image holds."""

from __future__ import annotations

import json
from pathlib import Path

import click

__all__ = ["image", "inspect", "keygen", "networks", "package", "resign"]

_FILE = click.Path(path_type=Path)
_PRIVATE, _PUBLIC, _HEADER = "private.pem", "public.pem", "rw_update_keys.h"


@click.command()
@click.argument("folder", type=_FILE)
def keygen(folder: Path) -> None:
    """Make a key in FOLDER: private.pem to sign with, public.pem, and rw_update_keys.h for the firmware.

    Whoever has private.pem decides what the nodes run: keep it off the machines that nodes are connected to.
    """
    from edge.node.package import generate_key, read_private_key, render_key_header, render_public_key
    from features.errors import ParameterError

    place = folder / _PRIVATE
    if place.exists():
        raise ParameterError(f"{place} is there already; a key that is lost cannot be made again, so none is replaced")
    folder.mkdir(parents=True, exist_ok=True)
    pem = generate_key()
    public = read_private_key(pem).public_key()
    place.touch(mode=0o600)
    place.write_bytes(pem)
    (folder / _PUBLIC).write_bytes(render_public_key(public))
    (folder / _HEADER).write_text(render_key_header([public]))
    click.echo(f"{place}: to sign with, not encrypted; {folder / _HEADER} goes into the firmware")


@click.command()
@click.argument("folder", type=_FILE)
@click.option("--health", type=_FILE, required=True, help="Rebuilds scaled features (.tflite, int8).")
@click.option("--kinds", type=_FILE, help="From samples to fault kinds (.tflite, int8).")
@click.option("--runtime", type=click.Choice(["raceway", "tflm"]), default="raceway", show_default=True)
def networks(folder: Path, *, health: Path, kinds: Path | None, runtime: str) -> None:
    """Write into FOLDER the networks that are built into a node's firmware (docs/NODE.md).

    They judge until a slot holds a model: compiled to C, or as a CMake project for a TFLite Micro library of yours.
    """
    from app.edge_report import read_model
    from edge.node.factory import write_factory, write_tflm_factory
    from features.errors import ParameterError

    if folder.exists() and any(folder.iterdir()):
        raise ParameterError(f"{folder} is not empty; name another folder")
    first, second = read_model(health), None if kinds is None else read_model(kinds)
    if runtime == "tflm":
        write_tflm_factory(folder, health=first, kinds=second)
        click.echo(f"{folder}: cmake -B build -DRW_FIRMWARE=edge/firmware -DTFLM_ROOT=FOLDER")
    else:
        sources, _ = write_factory(folder, health=first, kinds=second)
        click.echo(f"{folder}: {len(sources)} C files, networks.c among them")


@click.command()
@click.argument("model", type=_FILE)
@click.option("--key", type=_FILE, required=True, help="Private key (.pem) that signs.")
@click.option("--version", type=click.IntRange(0, 2**32 - 1), required=True, help="Above all that nodes confirmed.")
@click.option("--name", required=True, help="Of the model: 1 to 32 bytes.")
@click.option("--golden-input", type=_FILE, help="A window of its input: raw int8.  [default: drawn]")
@click.option("--metric", "metrics", multiple=True, metavar="NAME=NUMBER", help="For people; may be repeated.")
@click.option("--contract", metavar="HEX", help="Hash of its features, 16 digits.  [default: today's for nodes]")
@click.option("--output", type=_FILE, required=True, help="The image to be written.")
def package(
    model: Path,
    *,
    key: Path,
    version: int,
    name: str,
    golden_input: Path | None,
    metrics: tuple[str, ...],
    contract: str | None,
    output: Path,
) -> None:
    """Sign MODEL (.tflite of int8, or packed already) as an image that nodes take over their link.

    What it needs of a node, and what it gives for its golden window, is found out by running it on this machine.
    """
    from edge.node.package import image_id, read_private_key
    from edge.node.packaging import package_model
    from features.contract import NODE

    content = package_model(
        _read(model),
        version=version,
        name=name,
        key=read_private_key(_read(key)),
        contract=_contract(contract or NODE.hash),
        golden_input=None if golden_input is None else _read(golden_input),
        metrics=dict(map(_metric, metrics)),
    )
    output.write_bytes(content)
    click.echo(f"{output}: {name}, version {version}, {len(content):,} bytes, id {image_id(content).hex()}")


@click.command()
@click.argument("content", metavar="IMAGE", type=_FILE)
@click.option("--key", "keys", type=_FILE, multiple=True, required=True, help="Public key (.pem); may be repeated.")
def inspect(content: Path, *, keys: tuple[Path, ...]) -> None:
    """Check a model IMAGE as a node does and print its manifest as JSON."""
    from edge.node.package import image_id, open_image, read_public_key

    raw = _read(content)
    manifest = open_image(raw, keys=[read_public_key(_read(key)) for key in keys]).manifest
    shown = {
        "name": manifest.name,
        "version": manifest.version,
        "contract": manifest.contract.hex(),
        "operators": list(manifest.operators),
        "model_bytes": manifest.model_bytes,
        "memory_bytes": manifest.memory_bytes,
        "golden_bytes": [len(manifest.golden_input), len(manifest.golden_output)],
        "metrics": dict(manifest.metrics),
        "sha512": manifest.digest.hex(),
        "id": image_id(raw).hex(),
    }
    click.echo(json.dumps(shown, indent=2))


@click.command()
@click.argument("content", metavar="IMAGE", type=_FILE)
@click.option("--key", type=_FILE, required=True, help="Private key (.pem) that signed it and signs again.")
@click.option("--version", type=click.IntRange(1, 2**32 - 1), required=True, help="Above all that nodes confirmed.")
@click.option("--output", type=_FILE, required=True, help="The image to be written.")
def resign(content: Path, *, key: Path, version: int, output: Path) -> None:
    """Sign the model of an IMAGE anew under a higher version: nodes never go back to an older one."""
    from app.fleet.starting import image_again
    from edge.node.package import read_private_key

    output.write_bytes(image_again(_read(content), version=version, key=read_private_key(_read(key))))
    click.echo(f"{output}: version {version}")


@click.command()
@click.argument("binary", type=_FILE)
@click.option("--key", type=_FILE, required=True, help="Private key (.pem) that signs.")
@click.option("--version", required=True, help="Such as 1.2.3+4.")
@click.option("--slot-bytes", type=click.IntRange(1), required=True, help="Of MCUboot's slots.")
@click.option("--header-bytes", default=0x200, show_default=True, help="In front of the firmware's vectors.")
@click.option("--align", default="8", show_default=True, type=click.Choice(["1", "2", "4", "8", "16", "32"]))
@click.option("--output", type=_FILE, required=True, help="The image to be written.")
def image(
    binary: Path, *, key: Path, version: str, slot_bytes: int, header_bytes: int, align: str, output: Path
) -> None:
    """Sign the firmware BINARY as an image for MCUboot; `--align` is the smallest write of its flash, in bytes."""
    from edge.node.firmware_image import make_firmware_image

    made = make_firmware_image(
        binary,
        output,
        version=version,
        slot_bytes=slot_bytes,
        key=key,
        header_bytes=header_bytes,
        align=int(align),
    )
    click.echo(f"{output}: firmware {made.version}, {made.code_bytes:,} bytes behind a header of {made.header_bytes}")


def _read(path: Path) -> bytes:
    from features.errors import ArtifactError

    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}") from error


def _contract(text: str) -> str:
    from edge.node.manifest import CONTRACT_BYTES
    from features.errors import ParameterError

    try:
        contract = bytes.fromhex(text)
    except ValueError:
        contract = b""
    if len(contract) != CONTRACT_BYTES:
        raise ParameterError(f"{text!r} is no hash of a contract; {2 * CONTRACT_BYTES} hexadecimal digits are wanted")
    return contract.hex()


def _metric(text: str) -> tuple[str, float]:
    from features.errors import ParameterError

    name, _, number = text.partition("=")
    try:
        return name, float(number)
    except ValueError as error:
        raise ParameterError(f"{text!r} is no metric; NAME=NUMBER is wanted, such as auc=0.97") from error
