"""Temperature, calibration error and threshold agree with closed forms and slow twins, and refuse what is none."""

from __future__ import annotations

import numpy as np
import pytest

from features.errors import ParameterError
from models.bearing.calibration import expected_calibration_error, temperature, tempered, unknown_threshold


def test_two_classes_have_the_temperature_of_the_closed_form() -> None:
    # The likeliest T makes the softened probability the share that is right: logit(0.99) / T = logit(0.75).
    p = np.tile([0.99, 0.01], (8, 1))
    index = np.array([0, 0, 0, 1] * 2)
    assert temperature(p, index) == pytest.approx(np.log(99.0) / np.log(3.0), rel=1e-3)


def test_what_was_sharpened_is_softened_back(rng: np.random.Generator) -> None:
    p = rng.dirichlet(np.ones(3), 4000)
    index = np.array([rng.choice(3, p=row) for row in p])
    assert temperature(tempered(p, 0.25), index) == pytest.approx(4.0, rel=0.15)


def test_softened_probabilities_are_the_softmax_of_logits(rng: np.random.Generator) -> None:
    logits = rng.standard_normal((5, 4))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    twin = np.exp(logits / 3.0) / np.exp(logits / 3.0).sum(axis=1, keepdims=True)
    assert tempered(p, 3.0) == pytest.approx(twin)
    assert tempered(p, 1.0) == pytest.approx(p)


def test_calibration_error_is_that_of_a_slow_twin(rng: np.random.Generator) -> None:
    p, index = rng.dirichlet(np.ones(3), 300), rng.integers(0, 3, 300)
    total = 0.0
    for low in np.arange(10) / 10.0:
        chosen = [i for i in range(300) if low <= p[i].max() < low + 0.1]
        if chosen:
            total += abs(np.mean([p[i].max() - (p[i].argmax() == index[i]) for i in chosen])) * len(chosen) / 300
    assert expected_calibration_error(p, index) == pytest.approx(total)


def test_certainty_that_is_right_has_no_error_and_wrong_has_all() -> None:
    p = np.eye(3)
    assert expected_calibration_error(p, np.arange(3)) == 0.0
    assert expected_calibration_error(p, np.full(3, -1)) == 1.0


def test_threshold_is_the_least_that_keeps_the_share(rng: np.random.Generator) -> None:
    p, index = rng.dirichlet(np.full(3, 0.5), 400), np.zeros(400, dtype=np.intp)
    index[:] = [rng.choice(3, p=row) for row in p]
    found = unknown_threshold(p, index, error_share=0.1)
    top, wrong = p.max(axis=1), p.argmax(axis=1) != index
    fitting = [t for t in top if wrong[top >= t].mean() <= 0.1]
    assert found == min(fitting)


def test_windows_of_one_probability_are_answered_together() -> None:
    p = np.tile([0.8, 0.2], (4, 1))
    assert unknown_threshold(p, np.array([0, 0, 0, 1]), error_share=0.1) == np.inf
    assert unknown_threshold(p, np.array([0, 0, 0, 1]), error_share=0.25) == 0.8


def test_what_is_no_probability_is_refused() -> None:
    p = np.eye(2)
    with pytest.raises(ParameterError, match=r"probabilities of shape \(2, 2\) with classes of shape \(3,\)"):
        temperature(p, np.zeros(3, dtype=np.intp))
    with pytest.raises(ParameterError, match=r"a share of 1\.0 wrong answers"):
        unknown_threshold(p, np.arange(2), error_share=1.0)
    with pytest.raises(ParameterError, match="over 0 bins"):
        expected_calibration_error(p, np.arange(2), bins=0)
    with pytest.raises(ParameterError, match="a positive temperature"):
        tempered(p, 0.0)
