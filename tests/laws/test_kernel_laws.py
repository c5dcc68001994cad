"""Every other operator, and whole networks, equal the TFLite Micro interpreter on every byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from kernel_batches import differences
from networks import KERNELS, chain, one_kernel
from thoroughness import batches

_BATCH = 20
# A batch says by itself which of its networks differ: there is nothing to shrink.
_PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
# One number is drawn for a whole batch: Hypothesis begins with the simplest, which of a list is one seed over and over,
# and so a batch of one network.
_SEEDS = st.integers(0, 2**32 - 1).map(
    lambda seed: [int(one) for one in np.random.default_rng(seed).integers(2**32, size=_BATCH)]
)


def _laws(count: int) -> settings:
    return settings(
        max_examples=count, deadline=None, phases=_PHASES, suppress_health_check=list(HealthCheck), print_blob=True
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernels")


@pytest.mark.parametrize("name", KERNELS)
@_laws(batches(usual=2, thorough=40))
@given(seeds=_SEEDS)
def test_kernels_equal_the_interpreter(name: str, seeds: list[int], folder: Path) -> None:
    assert differences([one_kernel(name, seed) for seed in seeds], folder) == []


@_laws(batches(usual=4, thorough=60))
@given(seeds=_SEEDS)
def test_networks_equal_the_interpreter(seeds: list[int], folder: Path) -> None:
    assert differences([chain(seed) for seed in seeds], folder) == []
