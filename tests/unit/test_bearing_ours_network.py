"""The network names faults fainter than those learned from, repeats, takes sizes, and says what it does not know."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from one_pass import one_pass

from features.bearing import bearing_named
from features.errors import ParameterError
from models.bearing.ours_network import UNKNOWN, LinesNetwork, lines_and_levels, ours_network
from models.bearing.windows import BearingWindows

_LOUDNESS = {"normal": 0.0, "inner": 1.0, "outer": 1.0, "ball": 1.0}


def _measured(
    rng: np.random.Generator, *, each: int = 80, sizes: tuple[str, ...] = ("",)
) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Leads, levels and a spectrum as `lines_and_levels` gives them, of two looks each."""
    labels = np.array([kind + size for kind in _LOUDNESS for size in (sizes if kind != "normal" else ("",))])
    labels = np.repeat(labels, each)
    x = 0.1 * rng.standard_normal((labels.size, 2, 70))
    for i, label in enumerate(labels):
        kind, _, size = str(label).partition(" ")
        x[i, :, 0] += 0.9 * (kind == "outer")
        x[i, :, 1] += 0.9 * (kind == "inner")
        x[i, :, 3:6] += 2.0 * _LOUDNESS[kind]
        x[i, :, 10:20] += 50.0 * float(size or 0.0)
    return x, labels


@pytest.fixture(scope="module")
def calibrated() -> LinesNetwork:
    """Learned from all windows at last, as `fit` does."""
    x, labels = _measured(np.random.default_rng(1))
    return LinesNetwork().calibrate(x, labels, np.resize(["a", "b"], labels.size))


def test_kinds_are_told_apart(rng: np.random.Generator, calibrated: LinesNetwork) -> None:
    test, truth = _measured(rng, each=6)
    assert np.mean(calibrated.predict(test) == truth) > 0.9
    assert calibrated.probabilities(test).sum(axis=1) == pytest.approx(np.ones(len(truth)))


def test_a_seed_repeats(rng: np.random.Generator) -> None:
    """In one pass of two batches: all that is drawn is drawn in it."""
    x, labels = _measured(rng, each=20)
    with one_pass():
        first, again, other = (LinesNetwork(seed).fit(x, labels).probabilities(x) for seed in (1, 1, 2))
    assert (again == first).all()
    assert np.abs(other - first).max() > 0.01


def test_kinds_with_sizes_are_named_by_the_spectrum(rng: np.random.Generator) -> None:
    x, labels = _measured(rng, sizes=(" 0.007", " 0.021"))
    test, truth = _measured(rng, each=4, sizes=(" 0.007", " 0.021"))
    assert np.mean(LinesNetwork().fit(x, labels).predict(test) == truth) > 0.9


def test_what_is_out_of_range_is_unknown_and_what_was_learned_is_not(
    rng: np.random.Generator, calibrated: LinesNetwork
) -> None:
    learned = calibrated
    test, truth = _measured(rng, each=6)
    answers = learned.answer(test)
    answered = answers != UNKNOWN
    assert answered.mean() > 0.8
    assert np.mean(answers[answered] == truth[answered]) > 0.9
    # Groups that all agree would have the answers sharpened; they are left as the network gives them.
    raw = np.asarray(learned.model.predict(learned.inputs(test), verbose=0))
    np.testing.assert_allclose(learned.probabilities(test), raw, rtol=1e-5)
    test[..., 3:6] += 20.0
    assert (learned.answer(test) == UNKNOWN).all()


def test_a_group_that_leaves_one_class_to_learn_from_is_refused(rng: np.random.Generator) -> None:
    x, labels = _measured(rng, each=4)
    with pytest.raises(ParameterError, match=r"windows of \['inner'\] alone were given; two classes are wanted"):
        LinesNetwork().calibrate(x, labels, np.where(labels == "inner", "b", "a"))


def test_noise_is_added_to_copies_alone(rng: np.random.Generator) -> None:
    t = np.arange(16_384) / 12_000.0
    tone = np.sin(2 * np.pi * 3000.0 * t).astype(np.float32) + 1e-3 * rng.standard_normal(t.size).astype(np.float32)
    windows = BearingWindows(tone[None, :], 12_000.0, np.full(1, 29.0), bearing_named("6205-2RS").orders)
    x = lines_and_levels(windows)
    assert x.shape == (1, 5, 70)
    assert (x == lines_and_levels(windows)).all()
    floor, above = x[0, :, 5], x[0, :, 4]
    assert (floor[1:] > floor[0] + 1.0).all()
    # The faintest of many bands of noise is fainter than noise, so that a little of it counts as above the floor.
    rise = x[0, 1:, 3] - x[0, 0, 3]
    assert np.abs(above[1:] - above[0]).max() < 0.5 * rise.max()


def test_what_was_not_learned_or_calibrated_is_refused(rng: np.random.Generator) -> None:
    x, labels = _measured(rng, each=2)
    with pytest.raises(ParameterError, match="before it had learned"):
        LinesNetwork().predict(x)
    with pytest.raises(ParameterError, match="windows of 1 group were to calibrate"):
        LinesNetwork().calibrate(x, labels, np.repeat("a", labels.size))
    with pytest.raises(ParameterError, match="before it was calibrated"):
        LinesNetwork().answer(x)
    assert ours_network().name.startswith("ours")


def test_the_int8_network_agrees_with_the_float_one(rng: np.random.Generator, calibrated: LinesNetwork) -> None:
    pytest.importorskip("ai_edge_litert")
    from edge.convert import to_tflite_int8
    from models.integer import run_int8

    x, _ = _measured(rng)
    learned = calibrated
    network = to_tflite_int8(learned.model, learned.inputs(x))
    named: NDArray[Any] = learned.classes[run_int8(network, learned.inputs(x)).argmax(axis=1)]
    assert len(network) < 128 * 1024
    assert np.mean(named == learned.predict(x)) > 0.9
    with pytest.raises(ParameterError, match="without representative inputs"):
        to_tflite_int8(learned.model, learned.inputs(x)[:0])
