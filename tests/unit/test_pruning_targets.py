"""Bytes and cycles equal sums by hand, budgets are met or refused with the excess, and layers get the cheapest way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.cycles import CycleTable, GroupCycles, read_cycles
from edge.pruning.accounting import layer_bytes, model_bytes
from edge.pruning.blocks import block_of
from edge.pruning.choice import Choice, choose, prune_as_chosen
from edge.pruning.cycles import cheapest_shapes, model_cycles
from edge.pruning.descent import Lesson
from edge.pruning.gradual import Gauge, Recipe, prune_blocks
from edge.pruning.masks import prunable, sparsity_of
from edge.pruning.target import Budget, allowed_loss, figures_of, prune_to_budget, prune_to_loss, ram_bytes
from features.errors import BudgetError, ParameterError

_TABLE = CycleTable(
    dense_per_mac=1.0,
    dense_row_per_mac=2.0,
    per_output=10.0,
    per_input=2.0,
    per_layer=100.0,
    groups={"1x4": GroupCycles(9.0, 20.0), "4x4": GroupCycles(25.0, 12.0)},
)
_LEAN = replace(_TABLE, groups={"4x4": _TABLE.groups["4x4"]})
_QUICK = Recipe(ramp_epochs=1, tune_epochs=2, rises=2, rate=3e-3)


def _silent(text: str) -> None:
    del text


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    rng = np.random.default_rng(2)
    inputs = rng.standard_normal((512, 16)).astype(np.float32)
    return Lesson(inputs, inputs[:, :2] @ np.array([[1.0], [-0.5]], dtype=np.float32), batch=32)


@pytest.fixture(scope="module")
def model(lesson: Lesson) -> Any:
    import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    sizes = [layers.Dense(32, activation="relu"), layers.Dense(16, activation="relu"), layers.Dense(1)]
    made = keras.Sequential([layers.Input((16,)), *sizes])
    made.compile(optimizer="adam", loss="mse")
    made.fit(lesson.inputs, lesson.targets, epochs=15, verbose=0)
    return made


@pytest.fixture
def gauge(lesson: Lesson) -> Gauge:
    def error(model: Any) -> float:
        return float(np.sqrt(np.mean((np.asarray(model(lesson.inputs)) - lesson.targets) ** 2)))

    return Gauge(error, larger_is_better=False)


def _convolution() -> Any:
    import keras

    layers = keras.layers
    shapes = [layers.Conv2D(6, (1, 3), name="conv"), layers.DepthwiseConv2D((1, 2), name="depth"), layers.Flatten()]
    made = keras.Sequential([layers.Input((1, 9, 2)), *shapes, layers.Dense(5, name="dense")])
    kernel = np.zeros((1, 3, 2, 6), dtype=np.float32)
    kernel[0, 0, 1, 0] = kernel[0, 2, 1, 5] = 1.0
    made.get_layer("conv").kernel.assign(kernel)
    return made


def test_bytes_are_those_counted_by_hand() -> None:
    counted = {one.name: one for one in layer_bytes(_convolution(), {"conv": "4x4"})}
    # Two of the four blocks are kept: 16 bytes and one of index each; two tiles; six biases and six multipliers.
    assert counted["conv"].total == 2 * 17 + 2 * 2 + 6 * 4 + 6 * 5
    assert counted["depth"].total == 12 + 6 * 4 + 6 * 5
    assert counted["dense"].total == 36 * 5 + 5 * 4
    assert model_bytes(_convolution(), {"conv": "1x4"}) - model_bytes(_convolution(), {"conv": "4x4"}) == (
        2 * 5 + 6 * 2 - (2 * 17 + 2 * 2)
    )


def test_cycles_are_those_counted_by_hand_and_the_cheapest_encoding_is_chosen() -> None:
    made = _convolution()
    conv = 100 + 2 * 18 + 10 * 6 * 7 + (25 * 2 + 12 * 2) * 7
    dense = 100 + 2 * 36 + 10 * 5 + 180
    assert model_cycles(made, _TABLE, {"conv": "4x4"}) == conv + dense
    # Dense: 36 MACs at each place; 1x4: 2 groups and 6 tiles; 4x4: 2 groups and 2 tiles.
    assert cheapest_shapes(made, _TABLE) == {"conv": "dense", "dense": "dense"}
    dear = CycleTable(3.0, 3.0, 10.0, 2.0, 100.0, _TABLE.groups)
    assert cheapest_shapes(made, dear)["conv"] == "4x4"
    assert cheapest_shapes(made, dear, among=["1x4"])["conv"] == "dense"


def test_a_table_that_lacks_an_entry_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cycles.toml"
    path.write_text("dense_per_mac = 1.0\n[groups.1x4]\nper_group = 8.0\nper_tile = 20.0\n", encoding="utf-8")
    with pytest.raises(ParameterError, match=r"cycles.toml lacks or misstates an entry: 'dense_row_per_mac'"):
        read_cycles(path)
    assert read_cycles().groups["4x4"].per_group < 4 * read_cycles().groups["1x4"].per_group


def test_a_flash_budget_is_met_with_little_to_spare(model: Any, lesson: Lesson, gauge: Gauge) -> None:
    blocks = {layer.name: block_of("4x4") for layer in prunable(model)[:2]}
    pruned = prune_to_budget(
        model, lesson, blocks=blocks, budget=Budget(flash_bytes=700), gauge=gauge, recipe=_QUICK, table=_TABLE, seed=1,
        progress=_silent,
    )  # fmt: skip
    assert 650 < pruned.figures.flash_bytes <= 700 < pruned.before.flash_bytes
    assert pruned.figures.flash_bytes == model_bytes(pruned.model, pruned.figures.shapes)
    assert pruned.figures.cycles < pruned.before.cycles


def test_a_budget_holds_though_training_has_made_the_network_dearer(
    model: Any, lesson: Lesson, gauge: Gauge, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []

    def forgetful(given: Any, *args: Any, **settings: Any) -> Any:
        """The first pruning drops nothing at all: no training could move more."""
        seen.append(settings["sparsity"])
        return given if len(seen) == 1 else prune_blocks(given, *args, **settings)

    monkeypatch.setattr("edge.pruning.target.prune_blocks", forgetful)
    blocks = {layer.name: block_of("4x4") for layer in prunable(model)[:2]}
    pruned = prune_to_budget(
        model, lesson, blocks=blocks, budget=Budget(flash_bytes=700), gauge=gauge,
        recipe=replace(_QUICK, whole=True), table=_TABLE, seed=1, progress=_silent,
    )  # fmt: skip
    assert pruned.figures.flash_bytes <= 700
    assert len(seen) == 2


def test_a_ram_budget_takes_nodes(model: Any, lesson: Lesson, gauge: Gauge) -> None:
    assert ram_bytes(model) == 16 + 32
    pruned = prune_to_budget(
        model, lesson, blocks={}, budget=Budget(ram_bytes=40), gauge=gauge, recipe=_QUICK, table=_TABLE, seed=1,
        progress=_silent,
    )  # fmt: skip
    assert ram_bytes(pruned.model) == pruned.figures.ram_bytes == 40
    assert [layer.kernel.shape[-1] for layer in prunable(pruned.model)] == [24, 12, 1]


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (Budget(flash_bytes=100), r"flash bytes is the least that was reached, .* above the budget of 100; raise"),
        (Budget(cycles=50.0), "cycles is the least"),
        (Budget(ram_bytes=5), "17 RAM bytes is the least that was reached, 12 above the budget of 5"),
    ],
)
def test_a_budget_that_cannot_be_met_says_by_how_much(
    budget: Budget, said: str, model: Any, lesson: Lesson, gauge: Gauge
) -> None:
    blocks = {layer.name: block_of("4x4") for layer in prunable(model)}
    with pytest.raises(BudgetError, match=said) as caught:
        prune_to_budget(
            model, lesson, blocks=blocks, budget=budget, gauge=gauge, recipe=_QUICK, table=_TABLE, seed=1,
            progress=_silent,
        )  # fmt: skip
    assert caught.value.reached > caught.value.allowed


def test_an_empty_budget_is_refused(model: Any, lesson: Lesson, gauge: Gauge) -> None:
    with pytest.raises(ParameterError, match="a budget without a number"):
        prune_to_budget(
            model, lesson, blocks={}, budget=Budget(), gauge=gauge, recipe=_QUICK, table=_TABLE, seed=1,
            progress=_silent,
        )  # fmt: skip


def test_a_loss_that_is_allowed_is_kept_and_used(model: Any, lesson: Lesson, gauge: Gauge) -> None:
    worst = allowed_loss(gauge.score(model), loss=0.2, gauge=gauge)
    blocks = {layer.name: block_of("1x4") for layer in prunable(model)}
    pruned = prune_to_loss(
        model, lesson, blocks=blocks, worst=worst, gauge=gauge, recipe=_QUICK, table=_TABLE, seed=1, trials=3,
        progress=_silent,
    )  # fmt: skip
    assert pruned.figures.metric <= worst
    assert pruned.figures.sparsity == pytest.approx(sparsity_of(pruned.model))
    assert pruned.figures.sparsity > 0.3
    unpruned = prune_to_loss(
        model, lesson, blocks=blocks, worst=-1.0, gauge=gauge, recipe=_QUICK, table=_TABLE, seed=1, trials=1,
        progress=_silent,
    )  # fmt: skip
    assert unpruned.model is model


def test_each_layer_gets_the_way_that_costs_least_where_the_metric_holds(
    model: Any, lesson: Lesson, gauge: Gauge
) -> None:
    names = [layer.name for layer in prunable(model)]
    choices = choose(
        model, lesson, table=_LEAN, worst=gauge.score(model) + 0.1, gauge=gauge, recipe=_QUICK, seed=1,
        progress=_silent, grid=(0.5,),
    )  # fmt: skip
    assert [choice.layer for choice in choices] == names
    whole = figures_of(model, table=_LEAN, gauge=gauge)
    assert all(choice.cycles <= whole.cycles for choice in choices)
    assert choices[1].kind != "dense"
    none = choose(
        model, lesson, table=_LEAN, worst=-1.0, gauge=gauge, recipe=_QUICK, seed=1, progress=_silent, grid=(0.5,)
    )
    assert {choice.kind for choice in none} == {"dense"}
    with pytest.raises(ParameterError, match="a grid without shares"):
        choose(model, lesson, table=_LEAN, worst=0.0, gauge=gauge, recipe=_QUICK, seed=1, progress=_silent, grid=())


def test_what_was_chosen_is_what_is_pruned(model: Any, lesson: Lesson) -> None:
    first, second, last = (layer.name for layer in prunable(model))
    chosen = [
        Choice(first, "nodes", 0.5, 0.0, 0.0),
        Choice(second, "4x4", 0.75, 0.0, 0.0),
        Choice(last, "dense", 0.0, 0.0, 0.0),
    ]
    pruned = prune_as_chosen(model, lesson, chosen, recipe=_QUICK, seed=1, progress=_silent)
    kernels = [np.asarray(layer.kernel) for layer in prunable(pruned)]
    assert [kernel.shape for kernel in kernels] == [(16, 16), (16, 16), (16, 1)]
    assert [float(np.mean(kernel == 0)) for kernel in kernels] == [0.0, 0.75, 0.0]
