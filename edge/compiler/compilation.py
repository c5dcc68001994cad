"""Compilation of an int8 `.tflite` to a folder of C11; refuses what no kernel computes before anything is written."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from edge.compiler.emission import emit
from edge.compiler.layouts import RUNTIME
from edge.compiler.library import Library
from edge.compiler.lowering import lower
from edge.compiler.memory import plan_memory
from edge.compiler.step import Step, Table
from edge.tflite.reading import read_tflite
from features.errors import ParameterError

__all__ = ["RUNTIME", "compile_model"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_INCLUDE = re.compile(r'^#include "(rw_\w+\.h)"', re.MULTILINE)


def compile_model(model: bytes, *, name: str, folder: Path) -> Library:
    """Compile a `.tflite` to C11.

    Parameters
    ----------
    model : bytes
        An int8 network of one input and one output, of the operators in `edge.compiler.lowering.COMPUTED`.
    name : str
        Part of the C names: lower-case letters, digits and underscores.
    folder : Path
        To be made; it holds `rw_<name>.c`, `rw_<name>.h` and the files of the runtime that they need.

    Returns
    -------
    Library
        What a caller must know of it. The same model gives the same bytes.

    Raises
    ------
    ParameterError
        If the name is no C name, or the folder is there already.
    ArtifactError
        If the file is damaged or holds what is not computed.
    """
    if not _NAME.fullmatch(name):
        raise ParameterError(f"the name {name!r} was given; lower-case letters, digits and underscores are wanted")
    if folder.exists():
        raise ParameterError(f"{folder} is there already; name a folder that is to be made")
    graph = read_tflite(model)
    lowered = lower(graph)
    plan = plan_memory(graph, lowered.steps, lowered.aliases)
    library = Library(
        folder,
        name,
        graph.tensors[graph.inputs[0]].n_bytes,
        graph.tensors[graph.outputs[0]].n_bytes,
        plan.arena_bytes,
        sum(
            constant.n_bytes
            for step in lowered.steps
            for constant in step.constants.values()
            if isinstance(constant, Table)
        ),
        tuple("+".join(step.operators) for step in lowered.steps),
    )
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        for file, text in emit(graph, lowered.steps, plan, library).items():
            (draft / file).write_text(text, encoding="ascii")
        for file in _runtime_files(lowered.steps):
            shutil.copyfile(RUNTIME / file, draft / file)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return library


def _runtime_files(steps: tuple[Step, ...]) -> list[str]:
    """The sources that the steps name, and every header that these include."""
    wanted, found = {source for step in steps for source in step.sources}, set()
    wanted |= {source.replace(".c", ".h") for source in wanted}
    while wanted:
        file = wanted.pop()
        found.add(file)
        wanted |= set(_INCLUDE.findall((RUNTIME / file).read_text(encoding="ascii"))) - found
    return sorted(found)
