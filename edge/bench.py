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
from edge.execution import execute
from edge.oracle import ends_of, item_shape
from edge.tflite.reading import read_tflite
from models.node_tasks.task import Task

__all__ = ["VECTORS", "Reached", "Row", "Variant", "judge", "measure"]

VECTORS = 200
_COSTS = ("instructions", "cycles", "flash_bytes", "model_bytes", "ram_bytes", "stack_bytes")


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
class Reached:
    """What a network reaches on both judged parts."""

    validation: float
    test: float


def measure(
    network: bytes,
    task: Task,
    *,
    name: str,
    variant: Variant,
    dense: Reached,
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
    dense : Reached
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
        As `execute`.
    ModelBudgetError
        If a limit is passed.
    """
    entry, _ = ends_of(read_tflite(network))
    vectors = _vectors(entry.quantised.integers(task.test.inputs), seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        done = execute(network, vectors, name="m", folder=Path(folder))
        reached = _reached(network, task, done.library, Path(folder) / "host")
    assert done.cost is not None
    assert done.comparison is not None
    if budget is not None:
        check_budget(done.cost, read_budget(), budget)
    return Row(
        model=name,
        variant=variant.name,
        shape=variant.shape,
        sparsity=variant.sparsity,
        **{field: getattr(done.cost, field) for field in _COSTS},
        metric_name=task.metric,
        metric=reached.test,
        metric_dense_float=dense.test,
        validation=reached.validation,
        validation_dense_float=dense.validation,
        bit_equal_vectors=done.comparison.equal,
        operators=[(cost.name, cost.instructions, cost.cycles) for cost in done.cost.operators],
    )


def judge(network: bytes, task: Task) -> Reached:
    """Score the integers of a network on both judged parts, on this machine.

    Parameters
    ----------
    network : bytes
        An int8 `.tflite` of the task's network.
    task : Task

    Returns
    -------
    Reached

    Raises
    ------
    ArtifactError, ToolchainError
        As `edge.compiler.host.run_on_host`.
    """
    with tempfile.TemporaryDirectory() as folder:
        library = compile_model(network, name="m", folder=Path(folder) / "library")
        return _reached(network, task, library, Path(folder) / "host")


def _reached(network: bytes, task: Task, library: Library, folder: Path) -> Reached:
    entry, out = ends_of(read_tflite(network))
    items, validated = (entry.quantised.integers(part.inputs) for part in (task.test, task.validation))
    both = np.concatenate([items, validated]).reshape(len(items) + len(validated), -1)
    outputs = run_on_host(library, both, folder)
    numbers = out.quantised.numbers(outputs).reshape(len(outputs), *item_shape(out))
    return Reached(task.score(numbers[len(items) :], task.validation), task.score(numbers[: len(items)], task.test))


def _vectors(items: NDArray[np.int8], *, seed: int) -> NDArray[np.int8]:
    """Half of the vectors from the test part, evenly; half random over the whole range of int8."""
    half = VECTORS // 2
    real = np.asarray(items[np.linspace(0, len(items) - 1, half).round().astype(int)])
    rng = np.random.default_rng(seed)
    noise = rng.integers(-128, 128, (VECTORS - half, *items.shape[1:])).astype(np.int8)
    return np.asarray(np.concatenate([real, noise]))
