"""Pruning of a kept Keras model from its task, as `raceway edge prune` asks for it; refuses models of another shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge.cycles import CycleTable
from edge.pruning.blocks import Block, block_of
from edge.pruning.choice import choose, prune_as_chosen
from edge.pruning.descent import Lesson
from edge.pruning.gradual import Gauge, Progress, Recipe, prune_blocks
from edge.pruning.masks import prunable
from edge.pruning.nodes import prune_nodes
from edge.pruning.target import Budget, Pruned, allowed_loss, figures_of, prune_to_budget, prune_to_loss
from features.errors import ArtifactError, ParameterError
from models.node_tasks.task import Task, outputs

__all__ = ["METHODS", "Order", "gauge_of", "lesson_of", "prune_file", "recipe_of"]

METHODS = ("blocks", "nodes", "scalpel")


@dataclass(frozen=True)
class Order:
    """What is to be pruned away.

    Attributes
    ----------
    method : str
        ``blocks``, ``nodes`` or ``scalpel``.
    shape : str
        Of the blocks: 1x1, 1x4, 2x4 or 4x4.
    sparsity : float, optional
        Share of weights or nodes to drop.
    budget : Budget, optional
        Met by blocks.
    loss : float, optional
        Of the metric on the validation part, in its unit, or relative where that is said.
    relative : bool
    recipe : Recipe, optional
        The task's own where not given.
    seed : int

    Raises
    ------
    ParameterError
        If the method is unknown, or not exactly one of sparsity, budget and loss is given, or one the method cannot
        serve.
    """

    method: str = "blocks"
    shape: str = "4x4"
    sparsity: float | None = None
    budget: Budget | None = None
    loss: float | None = None
    relative: bool = False
    recipe: Recipe | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ParameterError(f"a method {self.method} was asked for; one of {', '.join(METHODS)} is wanted")
        given = [name for name in ("sparsity", "budget", "loss") if getattr(self, name) is not None]
        admitted = {"blocks": ("sparsity", "budget", "loss"), "nodes": ("sparsity",), "scalpel": ("loss",)}[self.method]
        if len(given) != 1 or given[0] not in admitted:
            raise ParameterError(
                f"{self.method} were asked for with {' and '.join(given) or 'no target'}; exactly one of "
                f"{', '.join(admitted)} is wanted"
            )


def gauge_of(task: Task) -> Gauge:
    """Judge by the metric of a task on its validation part."""
    return Gauge(lambda model: task.score(outputs(model, task.validation), task.validation), task.larger_is_better)


def lesson_of(task: Task) -> Lesson:
    """Learn from the training part of a task in its batches."""
    return Lesson(task.training.inputs, task.training.targets, task.batch_size)


def recipe_of(task: Task) -> Recipe:
    """Give five times the passes that the task trains for to the ramp and as many to the fine-tuning after it."""
    return Recipe(ramp_epochs=5 * task.epochs, tune_epochs=5 * task.epochs)


def prune_file(
    source: Path, target: Path, task: Task, order: Order, *, table: CycleTable, progress: Progress
) -> Mapping[str, Any]:
    """Prune a kept model and keep the result.

    Parameters
    ----------
    source, target : Path
        The `.keras` file to read, and the one to write, which appears whole or not at all.
    task : Task
        What the model was trained for.
    order : Order
    table : CycleTable
    progress : callable
        Told what was reached.

    Returns
    -------
    mapping
        The figures ``before`` and ``after``, the metric being that of the validation part.

    Raises
    ------
    ArtifactError
        If the file is no Keras model.
    ParameterError
        If the model does not take the inputs of the task.
    BudgetError
        If the budget cannot be met.
    """
    model = _loaded(source, task)
    pruned = _pruned(model, task, order, table=table, progress=progress)
    # Beside the target, so that the rename stays within one file system.
    beside = target.with_name(f".{target.stem}.part.keras")
    try:
        pruned.model.save(beside)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    return {"before": asdict(pruned.before), "after": asdict(pruned.figures)}


def _loaded(source: Path, task: Task) -> Any:
    import keras

    try:
        model = keras.models.load_model(source)
    except (OSError, ValueError, TypeError) as error:
        raise ArtifactError(f"{source.name} is no Keras model that can be read: {error}") from error
    if tuple(model.input_shape[1:]) != task.training.inputs.shape[1:]:
        raise ParameterError(
            f"{source.name} takes inputs of shape {model.input_shape[1:]}; {task.name} has "
            f"{task.training.inputs.shape[1:]}"
        )
    return model


def _pruned(model: Any, task: Task, order: Order, *, table: CycleTable, progress: Progress) -> Pruned:
    blocks: dict[str, Block] = {layer.name: block_of(order.shape) for layer in prunable(model)}
    gauge, lesson, recipe = gauge_of(task), lesson_of(task), order.recipe or recipe_of(task)
    common: dict[str, Any] = {"recipe": recipe, "seed": order.seed, "progress": progress}
    if order.budget is not None:
        return prune_to_budget(model, lesson, blocks=blocks, budget=order.budget, gauge=gauge, table=table, **common)
    before = figures_of(model, table=table, gauge=gauge)
    if order.sparsity is None:
        assert order.loss is not None
        worst = allowed_loss(before.metric, loss=order.loss, gauge=gauge, relative=order.relative)
        if order.method == "blocks":
            return prune_to_loss(model, lesson, blocks=blocks, worst=worst, gauge=gauge, table=table, **common)
        short = Recipe(ramp_epochs=0, tune_epochs=max(task.epochs // 4, 1), rises=1, rate=recipe.rate)
        scan = {**common, "recipe": short}
        choices = choose(model, lesson, table=table, worst=worst, gauge=gauge, **scan)
        smaller = prune_as_chosen(model, lesson, choices, gauge=gauge, **common)
    elif order.method == "nodes":
        smaller = prune_nodes(model, lesson, share=order.sparsity, gauge=gauge, **common)
    else:
        smaller = prune_blocks(model, lesson, blocks=blocks, sparsity=order.sparsity, gauge=gauge, **common)
    return Pruned(smaller, figures_of(smaller, table=table, gauge=gauge), before)
