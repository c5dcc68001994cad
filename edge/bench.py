"""What a trained network costs on an emulated Cortex-M4 and what it is still worth there: one row of figures.

The metric is that of the integers a node computes, on the whole test part; instructions and cycles are of the emulator,
and every output byte of its vectors is held against the TFLite Micro interpreter.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.budget import check_budget, read_budget
from edge.compiler.compilation import compile_model
from edge.compiler.host import run_on_host
from edge.compiler.library import Library
from edge.emulator.running import run_on_m4
from edge.oracle import ends_of, run_tflm
from edge.tflite.graph import Tensor
from edge.tflite.reading import read_tflite
from models.node_tasks.task import Task

__all__ = ["VECTORS", "Dense", "Row", "Variant", "integers_of", "measure", "numbers_of"]

VECTORS = 200


@dataclass(frozen=True)
class Variant:
    """How a network was pruned.

    Attributes
    ----------
    shape : str
        `dense`, or the blocks: `1x4`, `2x4`, `4x4`; outputs by inputs.
    sparsity : float
        Share of the weights that are zero.
    remark : str
        What else was done, such as nodes that were removed.
    """

    shape: str
    sparsity: float
    remark: str = ""

    @property
    def name(self) -> str:
        """As a row is called: `dense`, `4x4 90 %`."""
        name = "dense" if self.shape == "dense" else f"{self.shape} {100 * self.sparsity:.0f} %"
        return f"{name}, {self.remark}" if self.remark else name


@dataclass(frozen=True)
class Row:
    """Figures of one network in one variant.

    Attributes
    ----------
    model, variant, shape : str
    sparsity : float
        Asked for; `zeros` is the share found in the weights.
    instructions, cycles : int
        Of one inference; exact, and modelled.
    flash_bytes, model_bytes, ram_bytes, stack_bytes : int
        Flash is code and model.
    metric_name : str
    metric, metric_dense_float : float
        Of the integers, and of the dense network in float; on the test part.
    validation, validation_dense_float : float
        The same on the validation part, on which a variant is chosen.
    bit_equal_vectors : int
        Of `VECTORS`.
    operators : list
        Name, instructions and cycles of each.
    """

    model: str
    variant: str
    shape: str
    sparsity: float
    instructions: int
    cycles: int
    flash_bytes: int
    model_bytes: int
    ram_bytes: int
    stack_bytes: int
    metric_name: str
    metric: float
    metric_dense_float: float
    validation: float
    validation_dense_float: float
    bit_equal_vectors: int
    operators: list[tuple[str, int, int]]

    def as_json(self) -> dict[str, Any]:
        """The row as a file has it."""
        return asdict(self)


@dataclass(frozen=True)
class Dense:
    """What the dense network reaches in float on both judged parts."""

    validation: float
    test: float


def measure(
    network: bytes,
    task: Task,
    *,
    name: str,
    variant: Variant,
    dense: Dense,
    seed: int,
    budget: str | None = None,
) -> Row:
    """Compile a network, run it on the emulated M4 and score its integers.

    Parameters
    ----------
    network : bytes
        An int8 `.tflite` of the task's network.
    task : Task
        Its test part is scored.
    name : str
        Of the model in the row.
    variant : Variant
    dense : Dense
        Metrics of the dense network in float.
    seed : int
        Of the random half of the vectors.
    budget : str, optional
        Name under which the limits of `edge/budget.toml` are enforced; where not given, none are.

    Returns
    -------
    Row

    Raises
    ------
    ArtifactError, ToolchainError
        As `compile_model`, `run_on_m4` and `run_tflm`.
    ModelBudgetError
        If a limit is passed.
    """
    entry, out = ends_of(read_tflite(network))
    items = integers_of(task.test.inputs, entry)
    validated = integers_of(task.validation.inputs, entry)
    vectors = _vectors(items, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        library = compile_model(network, name="m", folder=Path(folder) / "library")
        outputs = run_on_host(library, np.concatenate([items, validated]), Path(folder) / "host")
        run = run_on_m4(library, vectors)
    if budget is not None:
        check_budget(run, read_budget(), budget)
    return Row(
        model=name,
        variant=variant.name,
        shape=variant.shape,
        sparsity=variant.sparsity,
        instructions=run.instructions,
        cycles=run.cycles,
        flash_bytes=run.flash_bytes,
        model_bytes=run.model_bytes,
        ram_bytes=run.ram_bytes,
        stack_bytes=run.stack_bytes,
        metric_name=task.metric,
        metric=task.score(numbers_of(outputs[: len(items)], out), task.test),
        metric_dense_float=dense.test,
        validation=task.score(numbers_of(outputs[len(items) :], out), task.validation),
        validation_dense_float=dense.validation,
        bit_equal_vectors=_equal(network, library, vectors, run.outputs, entry),
        operators=[(cost.name, cost.instructions, cost.cycles) for cost in run.operators],
    )


def integers_of(inputs: NDArray[np.floating], entry: Tensor) -> NDArray[np.int8]:
    """Quantise inputs as a node does before a run: rounded half to even and held within int8; shape (items, bytes)."""
    scaled = np.rint(inputs / entry.quantised.scales[0]) + entry.quantised.zero_point
    return np.asarray(np.clip(scaled, -128, 127).astype(np.int8).reshape(len(inputs), -1))


def numbers_of(outputs: NDArray[np.int8], out: Tensor) -> NDArray[np.float64]:
    """What integers stand for, shape (items, ...) of the network's output without its batch."""
    numbers = (outputs.astype(np.float64) - out.quantised.zero_point) * out.quantised.scale
    return numbers.reshape(len(outputs), *out.shape[1:])


def _vectors(items: NDArray[np.int8], *, seed: int) -> NDArray[np.int8]:
    """Half of the vectors from the test part, evenly; half random over the whole range of int8."""
    half = VECTORS // 2
    real = np.asarray(items[np.linspace(0, len(items) - 1, half).round().astype(int)])
    rng = np.random.default_rng(seed)
    noise = rng.integers(-128, 128, (VECTORS - half, items.shape[1])).astype(np.int8)
    return np.asarray(np.concatenate([real, noise]))


def _equal(
    network: bytes, library: Library, vectors: NDArray[np.int8], outputs: NDArray[np.int8], entry: Tensor
) -> int:
    wanted = run_tflm(network, vectors.reshape(len(vectors), *entry.shape[1:]))
    return int(np.all(wanted.reshape(len(vectors), library.output_bytes) == outputs, axis=1).sum())
