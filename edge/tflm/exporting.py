"""Export of a `.tflite` for TFLite Micro: model array, resolver, arena, C header; refuses what TFLite Micro cannot run.

A folder is written as a whole or not at all, and the same `.tflite` gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np

from edge.oracle import ends_of, item_shape, measure_arena
from edge.tflite.graph import Graph, Tensor
from edge.tflite.reading import read_tflite
from edge.tflm.operators import method_of, refuse_lacking
from features.errors import ArtifactError, ParameterError
from models.bundle import drafted

__all__ = ["STATUSES", "export_tflm"]

# Name, value and meaning of what the functions of the export return.
STATUSES = (
    ("OK", 0, "done"),
    ("MEMORY", -1, "the memory is missing, too small, or does not start at a multiple of 16"),
    ("OPERATOR", -2, "the TFLite Micro library does not take an operator of the model"),
    ("ARENA", -3, "the arena is too small for the kernels of this TFLite Micro library"),
    ("ENDS", -4, "the input or output of the model is not of the size that was exported"),
    ("RUN", -5, "an operator failed"),
)

_C_TYPES = {"int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "int32": "int32_t", "float32": "float"}
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TEMPLATES = {
    "name.h": "rw_{}.h",
    "name.cc": "rw_{}.cc",
    "model.h": "rw_{}_model.h",
    "model.c": "rw_{}_model.c",
    "CMakeLists.txt": "CMakeLists.txt",
    "README.md": "README.md",
}
_BYTES_A_LINE = 16


def export_tflm(model: bytes, *, name: str, folder: Path, replace: bool = False) -> Path:
    """Write what a firmware needs beside a TFLite Micro library to run a network.

    Parameters
    ----------
    model : bytes
        A `.tflite` of one input and one output.
    name : str
        Of the network in C: a lower-case letter, then lower-case letters, digits and underscores.
    folder : Path
        Takes the files; must not be there yet.
    replace : bool
        Whether an earlier export at this place is replaced.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ArtifactError
        If the file is damaged, holds an operator that TFLite Micro lacks (by name), is refused by its interpreter, or
        something stands at the place of the folder. Nothing is written then.
    ParameterError
        If the name is none for C.
    """
    if not _NAME.fullmatch(name):
        raise ParameterError(f"{name!r} is no name for C; lower-case letters, digits and underscores are wanted")
    if folder.exists() and not (replace and (folder / f"rw_{name}.cc").is_file()):
        raise ArtifactError(f"{folder} is there already and no export of {name} to be replaced; name another folder")
    graph = read_tflite(model)
    refuse_lacking(graph.operator_names)
    values = _values(name, model, graph)
    with drafted(folder, replace=replace) as draft:
        for template, file in _TEMPLATES.items():
            text = resources.files("edge.tflm").joinpath("templates", template).read_text(encoding="utf-8")
            (draft / file.format(name)).write_text(_filled(text, values), encoding="utf-8")
    return folder


def _filled(template: str, values: dict[str, str]) -> str:
    """The template with each @key@ replaced."""
    return re.sub(r"@(\w+)@", lambda found: values[found[1]], template)


def _values(name: str, model: bytes, graph: Graph) -> dict[str, str]:
    into, out = ends_of(graph)
    arena = measure_arena(model)
    upper = name.upper()
    return {
        "name": name,
        "NAME": upper,
        "indent": " " * len(f"int rw_{name}_run("),
        "model_bytes": str(len(model)),
        "array": "\n".join(_lines(model)),
        "arena": str(arena.least_bytes),
        "used": str(arena.used_bytes),
        "count": str(len(graph.operator_names)),
        "operators": ", ".join(graph.operator_names),
        "additions": " &&\n           ".join(f"resolver.{method_of(op)}() == kTfLiteOk" for op in graph.operator_names),
        "statuses": " \\\n".join(f'    X(RW_{upper}_{key}, {value}, "{text}")' for key, value, text in STATUSES),
        "status_rows": "\n".join(f"| `RW_{upper}_{key}` | {value} | {text} |" for key, value, text in STATUSES),
        **_end("input", upper, into),
        **_end("output", upper, out),
    }


def _end(which: str, upper: str, tensor: Tensor) -> dict[str, str]:
    """What the templates say of the input or the output."""
    kind = str(tensor.dtype)
    if kind not in _C_TYPES:
        raise ArtifactError(f"an {which} of {kind} was given; one of {', '.join(_C_TYPES)} is wanted")
    shape = "x".join(str(n) for n in item_shape(tensor)) or "1"
    lines = []
    if tensor.quantisation is not None:
        prefix = f"#define RW_{upper}_{which.upper()}"
        lines = [
            f"{prefix}_SCALE {_c_float(tensor.quantised.scale)}",
            f"{prefix}_ZERO_POINT ({tensor.quantised.zero_point})",
        ]
    return {
        f"{which}_type": _C_TYPES[kind],
        f"{which}_shape": shape,
        f"{which}_bytes": str(tensor.n_bytes),
        f"{which}_count": str(tensor.size),
        f"{which}_quantisation": "".join(line + "\n" for line in lines),
    }


def _c_float(value: float) -> str:
    """A float32 as a constant of C that reads back as the same bits."""
    text = np.format_float_scientific(np.float32(value), unique=True, trim="0")
    return f"{text}f"


def _lines(model: bytes) -> Iterator[str]:
    for start in range(0, len(model), _BYTES_A_LINE):
        yield "    " + " ".join(f"0x{byte:02x}," for byte in model[start : start + _BYTES_A_LINE])
