"""A fixed set of small networks over all kernels, layouts and forms, for what takes too long to draw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from networks import KERNELS, Draft, chain, convolution, dense, max_pool, one_kernel
from tflite_making import Made, constant, value

__all__ = ["FIXED"]


def _begun(seed: int, shape: tuple[int, ...]) -> Draft:
    draft = Draft(np.random.default_rng(seed), [])
    draft.put(value(shape, draft.scale(), draft.zero()))
    return draft


def _dense(rows: int, inputs: int, outputs: int, **options: Any) -> Callable[[int], Made]:
    def made(seed: int) -> Made:
        draft = _begun(seed, (rows, inputs))
        dense(draft, outputs=outputs, **options)
        return draft.made()

    return made


def _convolution(shape: tuple[int, int, int], *, pool: bool = False, **options: Any) -> Callable[[int], Made]:
    def made(seed: int) -> Made:
        draft = _begun(seed, (1, *shape))
        convolution(draft, **options)
        if pool:
            max_pool(draft, size=(1, 2), stride=(1, 2), activation=0)
        return draft.made()

    return made


def _largest_weight(seed: int) -> Made:
    """A weight of -128 is left to the plain kernel."""
    draft = _begun(seed, (1, 24))
    weights = draft.rng.integers(-127, 128, (5, 24))
    weights[1, 3] = -128
    others = draft.put(constant(weights, 0.01)), draft.put(constant(np.arange(5), 0.01, dtype=np.int32))
    draft.then("FULLY_CONNECTED", value((1, 5), 60 * draft.last.scales[0]), *others)
    return draft.made()


def _networks() -> Iterator[tuple[str, Callable[[int], Made]]]:
    """Name and maker of each."""
    for tile, kept in ((1, 0.2), (2, 0.2), (4, 0.2), (4, 1.0)):
        for per_row, pool in ((False, True), (True, False)):
            yield (
                f"dense {tile}x4 kept {kept} per row {per_row}",
                _dense(1, 70, 11, tile=tile, kept=kept, per_row=per_row),
            )
            yield (
                f"convolution {tile}x4 kept {kept} pooled {pool}",
                _convolution((1, 24, 4), outputs=11, kernel=(1, 5), stride=(1, 1), tile=tile, kept=kept, pool=pool),
            )
        yield (
            f"kernel of three rows {tile}x4 kept {kept}",
            _convolution((7, 9, 8), outputs=7, kernel=(3, 3), stride=(1, 2), tile=tile, kept=kept),
        )
    yield "several rows", _dense(5, 33, 6)
    yield "every row its taps", _convolution((3, 10, 6), outputs=6, kernel=(2, 3), stride=(1, 1), kept=0.5)
    yield "every window expanded", _convolution((1, 30, 1), outputs=9, kernel=(1, 8), stride=(1, 3))
    yield "plain by its dilation", _convolution((1, 20, 5), outputs=5, kernel=(1, 3), dilation=(1, 2), stride=(1, 1))
    yield "plain by a weight", _largest_weight
    for name in KERNELS:
        yield name, lambda seed, name=name: one_kernel(name, seed)  # type: ignore[misc]
        yield f"{name} again", lambda seed, name=name: one_kernel(name, 1000 + seed)  # type: ignore[misc]
    for i in range(4):
        yield f"chain {i}", lambda seed, i=i: chain(seed + i)  # type: ignore[misc]


# Seed, name and maker of each.
FIXED = tuple((seed, name, make) for seed, (name, make) in enumerate(_networks()))
