"""Small networks compiled into one sanitised program and held byte for byte against the TFLite Micro interpreter."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tflite_making import Made

from edge.compiler.compilation import compile_model
from edge.compiler.host import build_host_program
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
    libraries = [compile_model(case.model, name=f"c{i}", folder=models / f"c{i}") for i, case in enumerate(cases)]
    given = [np.ascontiguousarray(case.inputs).reshape(len(case.inputs), -1).view(np.int8) for case in cases]
    found = build_host_program(libraries, folder / "program", sanitise=True).run(given)
    lines = []
    for case, outputs in zip(cases, found, strict=True):
        wanted = run_tflm(case.model, case.inputs)
        wanted = np.ascontiguousarray(wanted).reshape(len(wanted), -1).view(np.int8)
        if not np.array_equal(wanted, outputs):
            lines.append(f"{case.label}: {np.mean(wanted != outputs):.0%} of the bytes differ")
    return lines
