"""What the check of a `.tflite` is told as; refuses nothing that TFLite Micro runs."""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edge.execution import execute
from edge.verify import Comparison, End, Verification, run_litert, verify
from features.errors import ArtifactError, ToolchainError

__all__ = ["verification", "verification_figures", "verification_table"]


def verification(model: bytes, vectors: NDArray[Any]) -> tuple[Verification, str]:
    """Verify a network beside LiteRT and, where it compiles, our C on this machine.

    Parameters
    ----------
    model : bytes
        A `.tflite` of one input and one output.
    vectors : ndarray, shape (items, ...)
        Of the type and shape of the network's input.

    Returns
    -------
    tuple of Verification and str
        What was found, and why our C was not among it, or an empty text.

    Raises
    ------
    ArtifactError, ParameterError
        As `edge.verify.verify`.
    """
    runners = {"LiteRT": functools.partial(run_litert, model)}
    try:
        with tempfile.TemporaryDirectory(prefix="raceway-verify-") as folder:
            ours = execute(model, vectors, name="m", folder=Path(folder), on_host=True, against_tflm=False).outputs
    except (ArtifactError, ToolchainError) as error:
        return verify(model, vectors, runners=runners), str(error)
    return verify(model, vectors, runners={**runners, "raceway": lambda _: ours}), ""


def verification_figures(found: Verification, refusal: str) -> dict[str, Any]:
    """What was found as a tree of plain values."""
    figures = dataclasses.asdict(found)
    return figures | {"raceway_refused": refusal or None}


def verification_table(found: Verification, refusal: str) -> str:
    """Lines that say what the network is, what it needs, and who agrees with TFLite Micro."""
    arena = found.arena
    lines = [
        f"operators   {', '.join(found.operators)}",
        f"input       {_end(found.input)}",
        f"output      {_end(found.output)}",
        f"parameters  {found.parameters:,}",
        f"file        {found.model_bytes:,} bytes",
        f"arena       {arena.used_bytes:,} bytes used, starts in {arena.least_bytes:,} (TFLite Micro, x86-64)",
    ]
    lines += [f"{name:11} {_compared(comparison)}" for name, comparison in found.comparisons.items()]
    return "\n".join(lines + ([f"raceway     not compared: {refusal}"] if refusal else []))


def _end(end: End) -> str:
    shape = "x".join(str(n) for n in end.shape)
    scaled = "" if end.scale is None else f", scale {end.scale:.6g}, zero point {end.zero_point}"
    return f"{shape} of {end.dtype}{scaled}"


def _compared(comparison: Comparison) -> str:
    text = f"{comparison.equal:,} of {comparison.vectors:,} vectors equal TFLite Micro byte for byte"
    if comparison.first is None:
        return text
    first = comparison.first
    return (
        f"{text}; at most {comparison.largest:g} off; first in vector {first.vector} at {first.place}: "
        f"{first.other:g} for {first.tflm:g}"
    )
