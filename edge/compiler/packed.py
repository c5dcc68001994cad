"""What a packed model says of itself, and a library that runs one as a compiled model is run; refuses other bytes."""

from __future__ import annotations

import re
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

from edge.compiler.layouts import RUNTIME, layout_of, number_named
from edge.compiler.library import Library
from edge.compiler.memory import ALIGNMENT
from features.errors import ArtifactError, ParameterError

__all__ = ["PackedEnd", "PackedModel", "describe", "packed_library"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_BYTES_A_LINE = 20


@dataclass(frozen=True)
class PackedEnd:
    """Input or output: `number = scale * (integer - zero_point)`.

    Attributes
    ----------
    n_bytes : int
        In the arena.
    dtype : str
        `int8` or `float32`.
    scale : float
        Of one step; 1 for floats.
    zero_point : int
        Of int8; 0 for floats.
    """

    n_bytes: int
    dtype: str
    scale: float
    zero_point: int


@dataclass(frozen=True)
class PackedModel:
    """A packed model as its header and lists describe it.

    Attributes
    ----------
    n_bytes : int
        In flash.
    arena_bytes : int
        Input, output and scratch.
    memory_bytes : int
        What opening it takes on a processor of 32 bits.
    input, output : PackedEnd
        Of the network.
    needs : tuple of int
        Numbers of the kernels and forms that a firmware must have, ascending.
    """

    n_bytes: int
    arena_bytes: int
    memory_bytes: int
    input: PackedEnd
    output: PackedEnd
    needs: tuple[int, ...]


def describe(packed: bytes) -> PackedModel:
    """Read what a packed model says of itself.

    Parameters
    ----------
    packed : bytes
        From `edge.compiler.packing.pack_model`; not checked beyond its lists, as the loader does.

    Returns
    -------
    PackedModel

    Raises
    ------
    ArtifactError
        If it is no packed model, or cut off.
    """
    layout = layout_of("rw_model_header")
    if len(packed) < layout.n_bytes or int.from_bytes(packed[:4], "little") != number_named("RW_MODEL_MAGIC"):
        raise ArtifactError("no packed model was given; `raceway edge export --runtime packed` makes one")
    values = struct.unpack_from("<" + layout.format, packed)
    header = dict(zip((name for name, _ in layout.numbers), values, strict=True))
    ends = header["needs"] + 4 * header["n_needs"], header["steps"] + _call_bytes() * header["n_steps"]
    if header["version"] != number_named("RW_MODEL_VERSION") or header["bytes"] != len(packed):
        raise ArtifactError("the packed model is cut off or of another version; pack it again")
    if max(ends) > len(packed):
        raise ArtifactError("the packed model's lists lie outside of it; it is damaged")
    return PackedModel(
        len(packed),
        header["arena_bytes"],
        _memory_bytes(packed, header["steps"], header["n_steps"]),
        _end(header, "input"),
        _end(header, "output"),
        struct.unpack_from(f"<{header['n_needs']}I", packed, header["needs"]),
    )


def _call_bytes() -> int:
    return layout_of("rw_model_call").n_bytes


def _end(header: dict[str, int | float], which: str) -> PackedEnd:
    floats = header[f"{which}.type"] == number_named("RW_MODEL_FLOAT32")
    return PackedEnd(
        int(header[f"{which}.bytes"]),
        "float32" if floats else "int8",
        float(header[f"{which}.scale"]),
        int(header[f"{which}.zero"]),
    )


def _memory_bytes(packed: bytes, steps: int, n_steps: int) -> int:
    """As `rw_model_memory_bytes` counts it, with pointers of four bytes."""
    total = layout_of("rw_model").n_bytes + n_steps * layout_of("rw_model_step").n_bytes
    for i in range(n_steps):
        kernel, bands = struct.unpack_from("<II", packed, steps + i * _call_bytes())
        name = _STRUCTS.get(kernel)
        total += (layout_of(name).n_bytes if name else 0) + bands * layout_of("rw_band").n_bytes
    return total


# The struct of each kernel that takes one.
_STRUCTS = {
    number_named(f"RW_MODEL_ID_{kernel}"): name
    for kernel, name in {
        "ADD": "rw_add",
        "AVERAGE_POOL": "rw_pool",
        "CONVOLVE": "rw_convolution",
        "CONVOLVE_PLAIN": "rw_plain_convolution",
        "DEPTHWISE": "rw_depthwise",
        "DEQUANTISE": "rw_quantise",
        "MAX_POOL": "rw_pool",
        "MEAN": "rw_mean",
        "MULTIPLY": "rw_multiply",
        "QUANTISE": "rw_quantise",
        "SOFTMAX": "rw_softmax",
    }.items()
}


def packed_library(packed: bytes, *, name: str, folder: Path, with_runtime: bool = True) -> Library:
    """Write a packed model, its loader and all kernels as a folder that is built and called like a compiled one.

    Parameters
    ----------
    packed : bytes
        A packed model.
    name : str
        Part of the C names: lower-case letters, digits and underscores.
    folder : Path
        To be made.
    with_runtime : bool
        Whether the loader and the kernels are written too, and not its header alone.

    Returns
    -------
    Library
        Its operators are not functions of their own, so none is named; it opens the model before the first input.

    Raises
    ------
    ParameterError
        If the name is no C name, or the folder is there already.
    ArtifactError
        If it is no packed model.
    """
    if not _NAME.fullmatch(name) or folder.exists():
        raise ParameterError(f"a name of lower-case letters and a new folder are wanted; {name!r}, {folder} were given")
    model = describe(packed)
    folder.mkdir(parents=True)
    for path in RUNTIME.glob("rw_*.[ch]" if with_runtime else "rw_model.h"):
        shutil.copyfile(path, folder / path.name)
    values = {
        "name": name,
        "NAME": name.upper(),
        "arena": model.arena_bytes,
        "input": model.input.n_bytes,
        "output": model.output.n_bytes,
        "memory": model.memory_bytes,
        "alignment": ALIGNMENT,
        "bytes": "\n".join(_lines(packed)),
    }
    (folder / f"rw_{name}.h").write_text(_HEADER.format_map(values), encoding="ascii")
    (folder / f"rw_{name}.c").write_text(_SOURCE.format_map(values), encoding="ascii")
    return Library(
        folder, name, model.input.n_bytes, model.output.n_bytes, model.arena_bytes, model.n_bytes, operators=()
    )


def _lines(packed: bytes) -> list[str]:
    parts = (packed[i : i + _BYTES_A_LINE] for i in range(0, len(packed), _BYTES_A_LINE))
    return ["    " + " ".join(f"{byte}," for byte in part) for part in parts]


_HEADER = """/* A packed model with its loader; made, not written. */
#ifndef RW_{NAME}_H
#define RW_{NAME}_H

#include <stdint.h>

#define RW_{NAME}_ARENA_BYTES {arena}u
#define RW_{NAME}_INPUT_BYTES {input}u
#define RW_{NAME}_OUTPUT_BYTES {output}u

int8_t *rw_{name}_input(void *arena);
void rw_{name}_run(void *arena);
const int8_t *rw_{name}_output(const void *arena);

#endif
"""
_SOURCE = """/* rw_{name}.h says what this is; made, not written. */
#include "rw_{name}.h"

#include "rw_model.h"

static const _Alignas({alignment}) uint8_t rw_{name}_blob[] = {{
{bytes}
}};
/* Pointers of 8 bytes take twice the memory at most. */
static _Alignas({alignment}) uint8_t rw_{name}_memory[{memory}u * (sizeof(void *) / 4u)];
static struct rw_model *rw_{name}_model;

int8_t *rw_{name}_input(void *arena)
{{
    if (rw_{name}_model == NULL && rw_model_open(rw_{name}_blob, sizeof rw_{name}_blob, rw_{name}_memory,
                                           sizeof rw_{name}_memory, &rw_{name}_model) != RW_MODEL_OK) {{
        for (;;) {{
        }}
    }}
    return rw_model_input(rw_{name}_model, arena);
}}

void rw_{name}_run(void *arena)
{{
    rw_model_run(rw_{name}_model, arena);
}}

const int8_t *rw_{name}_output(const void *arena)
{{
    return rw_model_output(rw_{name}_model, arena);
}}
"""
