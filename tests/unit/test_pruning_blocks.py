"""Blocks of weights are aligned, judged by what exists of them, and dropped by layer or under one threshold."""

from __future__ import annotations

import numpy as np
import pytest

from edge.pruning.blocks import SHAPES, block_of, block_scores, block_sizes, kept_blocks, rows_of, spread
from edge.pruning.masks import global_masks, layer_masks
from features.errors import ParameterError

# A dense layer; convolutions over 3, 6 and 8 channels; and a one-dimensional one. Edges that fill no block among them.
_KERNELS = [(10, 7), (2, 5, 3, 6), (2, 3, 6, 5), (1, 3, 8, 4), (5, 6, 3)]


def _slow_blocks(shape: tuple[int, ...], outputs: int, inputs: int) -> list[list[tuple[int, ...]]]:
    """Indices of the weights of each block, one after the other as the kernels of the node load them."""
    taps = list(np.ndindex(*shape[:-2])) or [()]
    if len(shape) > 2 and not (shape[-2] >= 4 and shape[-2] % 4):
        lines = [[tap for tap in taps if tap[:-1] == row] for row in sorted({tap[:-1] for tap in taps})]
    else:
        lines = [[tap] for tap in taps]
    found = []
    for tile in range(0, shape[-1], outputs):
        for line in lines:
            along = [(*tap, channel) for tap in line for channel in range(shape[-2])]
            for start in range(0, len(along), inputs):
                rows = range(tile, min(tile + outputs, shape[-1]))
                found.append([(*place, row) for place in along[start : start + inputs] for row in rows])
    return found


@pytest.mark.parametrize("shape", _KERNELS)
@pytest.mark.parametrize("name", SHAPES)
def test_scores_sizes_and_kept_blocks_equal_a_slow_twin(
    shape: tuple[int, ...], name: str, rng: np.random.Generator
) -> None:
    block = block_of(name)
    kernel = rng.standard_normal(shape) * (rng.random(shape) < 0.2)
    wanted = [
        np.array([kernel[index] for index in indices]) for indices in _slow_blocks(shape, block.outputs, block.inputs)
    ]
    assert block_scores(kernel, block).ravel() == pytest.approx([np.sqrt(np.mean(part**2)) for part in wanted])
    assert block_sizes(shape, block).ravel().tolist() == [part.size for part in wanted]
    assert kept_blocks(kernel, block).ravel().tolist() == [bool(part.any()) for part in wanted]


@pytest.mark.parametrize("shape", _KERNELS)
def test_spread_blocks_cover_their_own_weights_alone(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    for block in SHAPES.values():
        kept = rng.random(block_sizes(shape, block).shape) < 0.5
        mask = spread(kept, shape, block)
        for indices, stays in zip(_slow_blocks(shape, block.outputs, block.inputs), kept.ravel(), strict=True):
            assert {bool(mask[index]) for index in indices} == {bool(stays)}


def test_rows_of_a_convolution_are_in_the_order_of_the_converted_network(rng: np.random.Generator) -> None:
    kernel = rng.standard_normal((2, 3, 4, 5))
    assert (rows_of(kernel).reshape(5, 2, 3, 4) == np.transpose(kernel, (3, 0, 1, 2))).all()


def test_layers_lose_their_weakest_blocks_and_no_more_than_asked(rng: np.random.Generator) -> None:
    kernels = {"a": rng.standard_normal((32, 16)), "b": 100.0 * rng.standard_normal((3, 8, 12))}
    block = block_of("4x4")
    masks = layer_masks(kernels, dict.fromkeys(kernels, block), {"a": 0.75, "b": 0.5})
    assert [round(1.0 - float(mask.mean()), 6) for mask in masks.values()] == [0.75, 0.5]
    for name, mask in masks.items():
        scores, kept = block_scores(kernels[name], block), kept_blocks(mask, block)
        assert scores[kept].min() > scores[~kept].max()


def test_one_threshold_ignores_the_scale_of_a_layer_but_not_its_spread(rng: np.random.Generator) -> None:
    spiky = rng.standard_normal((32, 16)) ** 5
    kernels = {"a": rng.standard_normal((32, 16)), "b": spiky}
    blocks = dict.fromkeys(kernels, block_of("1x1"))
    masks = global_masks(kernels, blocks, 0.5)
    scaled = global_masks({"a": kernels["a"], "b": 1e3 * spiky}, blocks, 0.5)
    assert sum(mask.sum() for mask in masks.values()) == 512
    assert masks["b"].mean() < masks["a"].mean()
    assert all((masks[name] == scaled[name]).all() for name in masks)


def test_one_threshold_leaves_each_layer_something(rng: np.random.Generator) -> None:
    kernels = {"a": rng.standard_normal((64, 64)), "b": rng.standard_normal((64, 64)) * (rng.random((64, 64)) < 0.001)}
    kernels["b"][:8, :8] += 1e-6
    masks = global_masks(kernels, dict.fromkeys(kernels, block_of("4x4")), 0.9, most=0.95)
    assert min(float(mask.mean()) for mask in masks.values()) >= 0.05 - 1e-9


def test_unknown_shapes_and_impossible_sparsities_are_refused() -> None:
    with pytest.raises(ParameterError, match="blocks of 8x8 were asked for; one of 1x1, 1x4, 2x4, 4x4"):
        block_of("8x8")
    with pytest.raises(ParameterError, match="a sparsity of 1 was given"):
        layer_masks({"a": np.ones((4, 4))}, {"a": block_of("1x4")}, {"a": 1.0})
