"""Small networks, compiled and packed, in one sanitised program, held byte for byte against TFLite Micro."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tflite_making import Made

from edge.compiler.compilation import compile_model
from edge.compiler.host import build_host_program
from edge.compiler.packed import packed_library
from edge.compiler.packing import pack_model
from edge.oracle import run_tflm

__all__ = ["differences"]


def differences(cases: Sequence[Made], folder: Path) -> list[str]:
    """What differs, a line for each network whose outputs are not the interpreter's.

    Parameters
    ----------
    cases : sequence of Made
        Networks that the compiler knows.
    folder : Path
        Kernels that were compiled there before are used again.
    """
    models = folder / "models"
    shutil.rmtree(models, ignore_errors=True)
    compiled = [compile_model(case.model, name=f"c{i}", folder=models / f"c{i}") for i, case in enumerate(cases)]
    packed = [
        packed_library(pack_model(case.model), name=f"p{i}", folder=models / f"p{i}", with_runtime=i == 0)
        for i, case in enumerate(cases)
    ]
    given = [np.ascontiguousarray(case.inputs).reshape(len(case.inputs), -1).view(np.int8) for case in cases]
    program = build_host_program([*compiled, *packed], folder / "program", sanitise=True)
    found = program.run([*given, *given])
    wanted = [run_tflm(case.model, case.inputs) for case in cases]
    wanted = [np.ascontiguousarray(outputs).reshape(len(outputs), -1).view(np.int8) for outputs in wanted]
    both, lines = list(zip(cases, wanted, strict=True)), []
    for i, outputs in enumerate(found):
        (case, right), form = both[i % len(cases)], "compiled" if i < len(cases) else "packed"
        if not np.array_equal(right, outputs):
            lines.append(f"{case.label}, {form}: {np.mean(right != outputs):.0%} of the bytes differ")
    return lines
