"""Compiles networks into what a firmware takes as its own (`rw_factory.h`); refuses what the compiler refuses."""

from __future__ import annotations

from pathlib import Path

from edge.compiler.compilation import compile_model
from edge.compiler.library import Library
from edge.node.reference import Network

__all__ = ["write_factory"]

_NO_KINDS = "const struct rw_network *rw_factory_kinds(void) { return NULL; }"


def write_factory(folder: Path, *, health: bytes, kinds: bytes | None = None) -> tuple[list[Path], list[Path]]:
    """Compile the networks that a firmware judges with until a slot holds a model.

    Parameters
    ----------
    folder : Path
        Is made where there is none; takes a folder for each network, and `networks.c`.
    health : bytes
        An int8 `.tflite` that rebuilds the scaled features.
    kinds : bytes, optional
        An int8 `.tflite` from the first samples of a window to classes.

    Returns
    -------
    sources : list of Path
        C files to be compiled; a kernel that both networks need is named once.
    includes : list of Path
        Folders of headers.

    Raises
    ------
    ArtifactError
        If a network is damaged, is not int8 at its ends, or holds what is not computed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    given = {"health": health} | ({} if kinds is None else {"kinds": kinds})
    libraries = [compile_model(model, name=name, folder=folder / name) for name, model in given.items()]
    parts = [_source(library, Network(model)) for library, model in zip(libraries, given.values(), strict=True)]
    (folder / "networks.c").write_text(
        "\n".join(['#include "rw_factory.h"', *parts, *[_NO_KINDS] * (kinds is None), ""])
    )
    sources = {path.name: path for library in libraries for path in sorted(library.folder.glob("*.c"))}
    return [folder / "networks.c", *sources.values()], [library.folder for library in libraries]


def _source(library: Library, network: Network) -> str:
    """C that gives a compiled library the node's form."""
    name, upper = library.name, library.name.upper()
    given, output = network.input_as, network.output_as
    return f"""
#include "rw_{name}.h"
static _Alignas(8) uint8_t arena_{name}[RW_{upper}_ARENA_BYTES];
static struct rw_network network_{name} = {{
    arena_{name}, rw_{name}_run, NULL, NULL, RW_{upper}_INPUT_BYTES, RW_{upper}_OUTPUT_BYTES,
    {{{given.scale.hex()}f, {given.zero_point}}}, {{{output.scale.hex()}f, {output.zero_point}}},
}};
const struct rw_network *rw_factory_{name}(void)
{{
    network_{name}.input = rw_{name}_input(arena_{name});
    network_{name}.output = rw_{name}_output(arena_{name});
    return &network_{name};
}}
"""
