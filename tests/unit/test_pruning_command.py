"""The command prunes a kept model to order, writes it whole, and refuses orders that say too little or too much."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from node_tasks_making import build_toy, toy_task

from edge.cycles import read_cycles
from edge.pruning.command import Order, gauge_of, lesson_of, prune_file, recipe_of
from edge.pruning.gradual import Recipe
from edge.pruning.masks import prunable, sparsity_of
from edge.pruning.target import Budget
from features.errors import ArtifactError, BudgetError, ParameterError
from models.node_tasks.task import Task

_RECIPE = Recipe(ramp_epochs=1, tune_epochs=1, rises=2, rate=3e-3)


def _silent(text: str) -> None:
    del text


@pytest.fixture
def task(rng: np.random.Generator) -> Task:
    return toy_task(rng)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "model.keras"
    build_toy(1).save(path)
    return path


def test_blocks_are_pruned_and_the_model_written_loads_with_them(task: Task, source: Path) -> None:
    import keras

    target = source.with_name("pruned.keras")
    order = Order(shape="2x4", sparsity=0.75, recipe=_RECIPE)
    figures = prune_file(source, target, task, order, table=read_cycles(), progress=_silent)
    pruned = keras.models.load_model(target)
    assert sparsity_of(pruned) == figures["after"]["sparsity"] == 0.75
    assert figures["before"]["sparsity"] == 0.0
    assert figures["after"]["metric"] == pytest.approx(gauge_of(task).score(pruned), rel=1e-6)
    assert sorted(path.name for path in source.parent.iterdir()) == ["model.keras", "pruned.keras"]


def test_nodes_are_pruned(task: Task, source: Path) -> None:
    import keras

    target = source.with_name("pruned.keras")
    order = Order(method="nodes", sparsity=0.5, recipe=_RECIPE)
    prune_file(source, target, task, order, table=read_cycles(), progress=_silent)
    assert [layer.kernel.shape for layer in prunable(keras.models.load_model(target))] == [(16, 8), (8, 16)]


def test_a_budget_that_cannot_be_met_leaves_nothing_behind(task: Task, source: Path) -> None:
    with pytest.raises(BudgetError, match="flash bytes is the least"):
        prune_file(
            source, source.with_name("pruned.keras"), task, Order(budget=Budget(flash_bytes=10)), table=read_cycles(),
            progress=_silent,
        )  # fmt: skip
    assert [path.name for path in source.parent.iterdir()] == ["model.keras"]


def test_what_is_no_model_or_of_another_task_is_refused(task: Task, source: Path) -> None:
    import keras

    order, target = Order(sparsity=0.5), source.with_name("pruned.keras")
    source.write_bytes(b"no model")
    with pytest.raises(ArtifactError, match=r"model.keras is no Keras model that can be read"):
        prune_file(source, target, task, order, table=read_cycles(), progress=_silent)
    other = keras.Sequential([keras.layers.Input((9,)), keras.layers.Dense(2)])
    other.compile(loss="mse")
    other.save(source)
    with pytest.raises(ParameterError, match=r"takes inputs of shape \(9,\); toy has \(16,\)"):
        prune_file(source, target, task, order, table=read_cycles(), progress=_silent)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"method": "magic", "sparsity": 0.5}, "a method magic was asked for; one of blocks, nodes, scalpel"),
        ({}, "blocks were asked for with no target"),
        ({"sparsity": 0.5, "loss": 0.1}, "with sparsity and loss; exactly one of sparsity, budget, loss"),
        ({"method": "nodes", "loss": 0.1}, "nodes were asked for with loss; exactly one of sparsity is wanted"),
    ],
)
def test_orders_that_say_too_little_or_too_much_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        Order(**given)


def test_the_recipe_of_a_task_follows_its_passes(task: Task) -> None:
    assert (recipe_of(task).ramp_epochs, recipe_of(task).tune_epochs) == (10, 10)
    assert lesson_of(task).steps == 4
