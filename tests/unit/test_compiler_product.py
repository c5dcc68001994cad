"""Weights in the form of the node's inner loops: what is packed is what was given, whatever form is chosen."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from tflite_making import constant, one_operator, value

from edge.compiler.convolution import fully_connected
from edge.compiler.fixed import quantised_multiplier, requantise
from edge.compiler.product import Band, Product, encode, fits, folded_bias, grouped, words
from edge.oracle import run_tflm
from edge.tflite.reading import read_tflite


def _unpacked(word: int) -> list[int]:
    """The four weights of a word, from the lanes as the node's instructions see them."""
    weights = []
    for lane in (word & 0xFFFF, word >> 16):
        low = (lane & 0xFF) - 256 * ((lane & 0xFF) >= 128)
        signed = lane - 65536 * (lane >= 32768)
        weights += [low, (signed - low) // 256]
    return weights


def _decoded(band: Band, product: Product) -> NDArray[np.int64]:
    """A band as weights, read as rw_product.h says."""
    rows = np.zeros((band.rows, product.segments, product.groups, 4), dtype=np.int64)
    stream, steps = iter(band.weights.tolist()), iter([] if band.steps is None else band.steps.tolist())
    counts = None if band.counts is None else iter(band.counts.tolist())
    for tile in range(band.rows // band.tile_rows):
        for segment in range(product.segments):
            at = 0
            for i in range(product.groups if counts is None else next(counts)):
                at = i if counts is None else at + next(steps)
                for row in range(band.tile_rows):
                    rows[tile * band.tile_rows + row, segment, at] = _unpacked(next(stream))
    assert next(stream, None) is None
    assert next(steps, None) is None
    return rows


def _blocks(rng: np.random.Generator, shape: tuple[int, ...], tile: int, kept: float) -> NDArray[np.int8]:
    outputs, segments, groups, _ = shape
    weights = rng.integers(-127, 128, shape)
    mask = rng.random((-(-outputs // tile), segments, groups, 1)) < kept
    return (weights * np.repeat(mask, tile, axis=0)[:outputs]).astype(np.int8)


def _encoded(groups: NDArray[np.int8]) -> Product:
    product = encode(groups)
    assert product is not None
    return product


@pytest.mark.parametrize("kept", [0.0, 0.05, 0.3, 1.0])
@pytest.mark.parametrize("tile", [1, 2, 4])
@pytest.mark.parametrize("outputs", [1, 2, 3, 4, 7, 16])
def test_what_is_encoded_is_what_was_given(rng: np.random.Generator, outputs: int, tile: int, kept: float) -> None:
    groups = _blocks(rng, (outputs, 2, 37, 4), tile, kept)
    product = _encoded(groups)
    assert np.array_equal(np.concatenate([_decoded(band, product) for band in product.bands]), groups)


def test_a_group_far_away_is_reached_in_steps_of_a_byte() -> None:
    groups = np.zeros((4, 1, 900, 4), dtype=np.int8)
    groups[:, 0, 0, 0], groups[:, 0, 899, 3] = 1, 2
    product = _encoded(groups)
    (band,) = product.bands
    assert band.sparse
    assert band.steps is not None
    assert band.steps.tolist() == [0, 255, 255, 255, 134]
    assert np.array_equal(_decoded(band, product), groups)


def test_blocks_are_taken_in_the_shape_they_were_pruned_in(rng: np.random.Generator) -> None:
    for tile in (4, 2, 1):
        (band,) = _encoded(_blocks(rng, (64, 1, 160, 4), tile, 0.2)).bands
        assert band.sparse
        assert band.tile_rows == tile
    (dense,) = _encoded(_blocks(rng, (64, 1, 160, 4), 4, 1.0)).bands
    assert not dense.sparse


def test_channels_begin_a_group_at_each_tap_or_run_on() -> None:
    weights = np.arange(1, 43, dtype=np.int8).reshape(1, 1, 3, 14)
    assert grouped(weights, each_tap=True).shape == (1, 1, 12, 4)
    run_on = grouped(weights, each_tap=False)
    assert run_on.shape == (1, 1, 11, 4)
    assert run_on.reshape(-1)[:42].tolist() == weights.reshape(-1).tolist()


def test_sums_of_expanded_inputs_are_256_times_the_sums_of_inputs(rng: np.random.Generator) -> None:
    zero_point = -17
    groups = rng.integers(-127, 128, (3, 1, 9, 4)).astype(np.int8)
    inputs = rng.integers(-128, 128, (9, 4))
    bias = rng.integers(-9000, 9000, 3)
    expanded = inputs + np.array([1, 129, 1, 129])
    folded = folded_bias(groups, bias, zero_point).astype(np.int64)
    sums = (folded + 256 * (groups.astype(np.int64) * expanded).sum(axis=(1, 2, 3)) + (1 << 31)) % (1 << 32) - (1 << 31)
    wanted = bias + (groups.astype(np.int64) * (inputs - zero_point)).sum(axis=(1, 2, 3))
    assert sums.tolist() == (256 * wanted).tolist()


def test_words_are_lanes_of_sixteen_bits(rng: np.random.Generator) -> None:
    groups = rng.integers(-127, 128, (50, 4)).astype(np.int8)
    assert [_unpacked(int(word)) for word in words(groups)] == groups.tolist()


def test_what_would_overflow_does_not_fit_the_packed_form() -> None:
    weights = np.full((1, 300), 127, dtype=np.int8)
    one, shift, bias = np.array([1 << 30]), np.array([-8]), np.array([0])
    assert fits(weights[:, :200], bias, 0, one, shift).all()
    assert not fits(weights, bias, -128, one, shift).any()  # 127 * 255 * 300 is beyond 2**23
    assert not fits(weights[:, :200], bias, 0, one, np.array([0])).any()
    assert not fits(weights[:, :200], bias, 0, one, np.array([-23])).any()
    assert not fits(weights[:, :200], bias, 0, np.array([0]), shift).any()
    assert not fits(np.full((1, 4), -128, dtype=np.int8), bias, 0, one, shift).any()
    assert not fits(weights[:, :4], np.array([1 << 23]), 0, one, shift).any()


def test_a_row_that_does_not_fit_takes_its_tile_along_and_no_more(rng: np.random.Generator) -> None:
    groups = rng.integers(-127, 128, (19, 1, 10, 4)).astype(np.int8)
    packed = np.ones(19, dtype=bool)
    packed[[6, 18]] = False
    product = encode(groups, packed)
    assert product is not None
    assert [(band.first, band.rows, band.exact) for band in product.bands] == [
        (0, 4, False),
        (4, 4, True),
        (8, 8, False),
        (16, 3, True),
    ]
    exact = product.bands[1]
    assert exact.weights.astype("<u4").view(np.int8).tolist() == groups[4:8].reshape(-1).tolist()
    assert encode(np.ones((1, 1, 256, 4), dtype=np.int8), np.zeros(1, dtype=bool)) is None


def test_scales_are_multiplied_in_double_precision(rng: np.random.Generator) -> None:
    """Sums at which a product of scales in float32 would give another integer: one vector in 3,800 had differed."""
    met = 0
    while met < 12:
        scale, weight_scale = (np.float32(np.exp(rng.uniform(-5, -2))) for _ in range(2))
        out_scale = np.float32(float(scale) * float(weight_scale) * rng.uniform(3e3, 3e4))
        single = quantised_multiplier(float(np.float32(scale * weight_scale)) / float(out_scale))
        double = quantised_multiplier(float(scale) * float(weight_scale) / float(out_scale))
        sums = np.arange(-2_000_000, 2_000_000)
        one, other = (requantise(sums, np.int64(m), np.int64(shift)) for m, shift in (single, double))
        apart = sums[(one != other) & (np.abs(one) < 120)][:4]
        if not apart.size:
            continue
        met += 1
        constants = [
            constant(np.zeros((apart.size, 4)), float(weight_scale)),
            constant(apart, float(scale) * float(weight_scale), dtype=np.int32),
        ]
        into, out = value((1, 4), float(scale)), value((1, apart.size), float(out_scale))
        model = one_operator("FULLY_CONNECTED", into, out, constants=constants)
        layer = fully_connected(graph := read_tflite(model), graph.operators[0])
        ours = requantise(apart, layer.multipliers, layer.shifts)
        assert run_tflm(model, np.zeros((1, 4), dtype=np.int8))[0].tolist() == ours.tolist()
