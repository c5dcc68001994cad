"""Detection over a life: what counts as false and as found, and that a bearing's setting comes from the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from features.errors import ParameterError
from models import detection
from models.detection import GRID, Detection, Detector, choose, detect, femto_detection, trailing_median
from models.tail import pareto_by_moments

_DETECTOR = Detector(healthy=60, median_of=5, rate=1e-3)
# Evenly spread scores around 1: the tail of their medians begins at 1.1 and passes 1.6 once in a thousand.
_HELD_OUT = np.random.default_rng(3).permuted(np.linspace(0.5, 1.5, 60))

# Spread of healthy scores around their mean.
_SPREAD = np.random.default_rng(4).uniform(-1.0, 1.0, 200)


def _life(*stretches: tuple[float, int]) -> tuple[np.ndarray, np.ndarray]:
    scores = np.concatenate([np.full(n, level) for level, n in stretches])
    return scores, 10.0 * np.arange(len(scores))[::-1]


def test_an_alarm_that_stands_is_found_and_its_lead_is_from_its_raising() -> None:
    scores, rul_s = _life((1.0, 100), (3.0, 50))
    found = detect(scores, _HELD_OUT, rul_s, detector=_DETECTOR)
    # Three of the five latest scores are above from snapshot 102 on, and five such medians in a row raise the alarm.
    assert found == Detection(false_alarms=0, lead_s=float(rul_s[106]))


def test_an_alarm_that_clears_is_false() -> None:
    scores, rul_s = _life((1.0, 100), (3.0, 20), (1.0, 60))
    assert detect(scores, _HELD_OUT, rul_s, detector=_DETECTOR) == Detection(false_alarms=1, lead_s=0.0)


def test_a_single_shock_is_no_alarm_and_sets_no_threshold(rng: np.random.Generator) -> None:
    scores, rul_s = _life((1.0, 100), (3.0, 50))
    scores[80], held_out = 100.0, _HELD_OUT.copy()
    held_out[30] = 100.0
    assert detect(scores, held_out, rul_s, detector=_DETECTOR).lead_s == rul_s[106]
    x = rng.standard_normal(50)
    slow = [np.median(x[i - 4 : i + 1]) for i in range(4, 50)]
    np.testing.assert_array_equal(trailing_median(x, 5)[4:], slow)


def test_lives_shorter_than_their_healthy_start_are_refused() -> None:
    with pytest.raises(ParameterError, match="life of 60 snapshots with 60 held out; more than 60"):
        detect(np.ones(60), np.ones(60), np.arange(60.0), detector=_DETECTOR)


def test_the_threshold_is_passed_by_the_stated_share_of_medians() -> None:
    medians = np.array([np.median(_HELD_OUT[i - 4 : i + 1]) for i in range(4, 60)])
    excesses = np.sort(medians)[-12:] - np.sort(medians)[-13]
    shape, scale = pareto_by_moments(excesses)
    shape, scale = (shape, scale) if shape > 0.0 else (0.0, float(excesses.mean()))
    level = np.sort(medians)[-13] + scipy.stats.genpareto.isf(1e-3 * 56 / 12, shape, scale=scale)
    for factor, found in ((0.999, False), (1.001, True)):
        scores, rul_s = _life((0.1, 100), (factor * level, 50))
        assert (detect(scores, _HELD_OUT, rul_s, detector=_DETECTOR).lead_s > 0.0) == found


def test_the_chosen_setting_warns_in_time_then_seldom_and_has_its_like_around() -> None:
    late, noisy, in_time = (
        [Detection(0, 9000.0), Detection(0, 100.0)],
        [Detection(1, 9000.0), Detection(0, 9000.0)],
        [Detection(0, 9000.0), Detection(0, 9000.0)],
    )
    rates = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
    found = {5: (in_time, late, late, late, in_time), 11: (in_time, in_time, noisy, noisy, late)}
    by_setting = {Detector(60, n, rate): found[n][i] for n in found for i, rate in enumerate(rates)}
    # Three are good around the highest rate, and one alone at the lowest, which would shift the middle of all four.
    assert choose(by_setting) == Detector(60, 11, 1e-1)


def test_of_settings_with_as_many_around_the_middle_is_chosen() -> None:
    rates = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
    by_setting = {Detector(60, 5, rate): [Detection(0, 9000.0)] for rate in rates}
    assert choose(by_setting) == Detector(60, 5, 1e-3)


def test_a_bearings_setting_does_not_depend_on_its_own_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six lives; one of them would want another setting for itself, which must not change its own."""
    chosen: list[dict[str, object]] = []
    shown: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        shown.append((done, total))

    for own in ((1.0, 200), (1.0, 200)), ((1.0, 200), (1.6, 200)):
        lives = {name: _life((1.0, 200), (1.8, 200)) for name in detection.femto.NAMES}
        lives["Bearing1_1"] = _life(*own)
        for scores, _ in lives.values():
            scores[:200] += 0.2 * _SPREAD
        # A score stands in for the features, and the network gives it back.
        monkeypatch.setattr(detection, "_life", lambda _, name, lives=lives: lives[name])
        monkeypatch.setattr(detection, "learn_baseline", lambda x, **_: _Learned(x))
        found = femto_detection(Path(), convert=lambda _: b"", seeds=[1, 2], progress=progress)
        assert shown[-1] == (24, 24)
        assert len(found["rows"]) == 12
        assert found["missed"] == (2 if own[1][0] == 1.0 else 0)
        chosen.append(found["rows"][0]["setting"])
    assert chosen[0] == chosen[1]
    assert 1e-4 < chosen[0]["rate"] < 1e-1


class _Learned:
    def __init__(self, x: np.ndarray) -> None:
        self.held_out = x

    def scores(self, x: np.ndarray) -> np.ndarray:
        return x


def test_the_grid_has_no_setting_twice() -> None:
    assert len(set(GRID)) == len(GRID) == 56
