"""Makes of networks what a firmware takes as its own (`rw_factory.h`), compiled or for TFLite Micro.

Refuses what the compiler or the export refuses.
"""

from __future__ import annotations

from pathlib import Path

from edge.compiler.compilation import compile_model
from edge.compiler.library import Library
from edge.node.reference import Network
from edge.tflm.exporting import export_tflm

__all__ = ["write_factory", "write_tflm_factory"]

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


def write_tflm_factory(folder: Path, *, health: bytes, kinds: bytes | None = None) -> Path:
    """Write the same networks for TFLite Micro: a CMake project that links a library of it that the user has built.

    Parameters
    ----------
    folder : Path
        Must not hold an export yet; takes one for each network, `networks.c` and `CMakeLists.txt`.
    health, kinds : bytes
        As in `write_factory`.

    Returns
    -------
    Path
        The folder. Its libraries are `rw_networks` and one for each network; CMake is to be given ``TFLM_ROOT`` and
        ``RW_FIRMWARE``.

    Raises
    ------
    ArtifactError
        If a network is damaged, is not int8 at its ends, or holds an operator that TFLite Micro lacks.
    """
    given = {"health": health} | ({} if kinds is None else {"kinds": kinds})
    parts = [_TFLM_SOURCE.format(name=name, NAME=name.upper(), **_ends(Network(m))) for name, m in given.items()]
    for name, model in given.items():
        export_tflm(model, name=name, folder=folder / name)
    (folder / "networks.c").write_text(
        "\n".join(['#include "rw_factory.h"', "#include <string.h>", *parts, *[_NO_KINDS] * (kinds is None), ""])
    )
    lists = _TFLM_CMAKE.format(
        folders="\n".join(f"add_subdirectory({name})" for name in given), libraries=" ".join(f"rw_{n}" for n in given)
    )
    (folder / "CMakeLists.txt").write_text(lists)
    return folder


def _ends(network: Network) -> dict[str, str]:
    """Both quantisations as C."""
    ends = {"given": network.input_as, "output": network.output_as}
    return {name: f"{{{end.scale.hex()}f, {end.zero_point}}}" for name, end in ends.items()}


_TFLM_SOURCE = """
#include "rw_{name}.h"
/* Beside the arena, the interpreter and its resolver. */
#ifndef RW_{NAME}_INTERPRETER_BYTES
#define RW_{NAME}_INTERPRETER_BYTES 2048u
#endif
static _Alignas(16) uint8_t memory_{name}[RW_{NAME}_ARENA_BYTES + RW_{NAME}_INTERPRETER_BYTES];
static int8_t input_{name}[RW_{NAME}_INPUT_BYTES], output_{name}[RW_{NAME}_OUTPUT_BYTES];

/* A kernel that fails gives what no machine gives, so that it raises an alarm rather than hide one. */
static void run_{name}(void *context)
{{
    if (rw_{name}_run(context, input_{name}, output_{name}) != RW_{NAME}_OK) {{
        memset(output_{name}, INT8_MIN, sizeof output_{name});
    }}
}}

const struct rw_network *rw_factory_{name}(void)
{{
    static const struct rw_network network = {{
        memory_{name}, run_{name}, input_{name}, output_{name}, RW_{NAME}_INPUT_BYTES, RW_{NAME}_OUTPUT_BYTES,
        {given}, {output},
    }};
    return rw_{name}_init(memory_{name}, sizeof memory_{name}) == RW_{NAME}_OK ? &network : NULL;
}}"""

_TFLM_CMAKE = """\
# The networks of a node's firmware, run by a TFLite Micro library that you have built. Generated by Raceway.
cmake_minimum_required(VERSION 3.16)
project(rw_networks LANGUAGES C CXX)

set(RW_FIRMWARE "" CACHE PATH "The folder edge/firmware of Raceway")
if(NOT EXISTS "${{RW_FIRMWARE}}/node/rw_factory.h")
  message(FATAL_ERROR "RW_FIRMWARE is '${{RW_FIRMWARE}}', which holds no node/rw_factory.h: pass edge/firmware.")
endif()
{folders}
add_library(rw_networks STATIC networks.c)
target_include_directories(rw_networks PUBLIC "${{RW_FIRMWARE}}/node")
target_compile_features(rw_networks PRIVATE c_std_11)
target_link_libraries(rw_networks PUBLIC {libraries})
"""
