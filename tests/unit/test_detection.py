"""Detection over a life: what counts as false and as found, and that a bearing's setting comes from the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.errors import ParameterError
from models import detection
from models.detection import GRID, Detection, Detector, choose, detect, femto_detection, trailing_median

_DETECTOR = Detector(healthy=60, median_of=5, margin=2.0)


def _life(*stretches: tuple[float, int]) -> tuple[np.ndarray, np.ndarray]:
    scores = np.concatenate([np.full(n, level) for level, n in stretches])
    return scores, 10.0 * np.arange(len(scores))[::-1]


def test_an_alarm_that_stands_is_found_and_its_lead_is_from_its_raising() -> None:
    scores, rul_s = _life((1.0, 100), (3.0, 50))
    found = detect(scores, np.ones(60), rul_s, detector=_DETECTOR)
    # Three of the five latest scores are above from snapshot 102 on, and five such medians in a row raise the alarm.
    assert found == Detection(false_alarms=0, lead_s=float(rul_s[106]))


def test_an_alarm_that_clears_is_false() -> None:
    scores, rul_s = _life((1.0, 100), (3.0, 20), (1.0, 60))
    assert detect(scores, np.ones(60), rul_s, detector=_DETECTOR) == Detection(false_alarms=1, lead_s=0.0)


def test_a_single_shock_is_no_alarm_and_sets_no_threshold(rng: np.random.Generator) -> None:
    scores, rul_s = _life((1.0, 100), (3.0, 50))
    scores[80], held_out = 100.0, np.ones(60)
    held_out[30] = 100.0
    assert detect(scores, held_out, rul_s, detector=_DETECTOR).lead_s == rul_s[106]
    x = rng.standard_normal(50)
    slow = [np.median(x[i - 4 : i + 1]) for i in range(4, 50)]
    np.testing.assert_array_equal(trailing_median(x, 5)[4:], slow)


def test_lives_shorter_than_their_healthy_start_are_refused() -> None:
    with pytest.raises(ParameterError, match="life of 60 snapshots with 60 held out; more than 60"):
        detect(np.ones(60), np.ones(60), np.arange(60.0), detector=_DETECTOR)


def test_the_chosen_setting_warns_in_time_then_seldom_and_stands_in_the_middle() -> None:
    late, noisy, tight, middle, wide = (Detector(60, 5, margin) for margin in (3.0, 2.5, 1.25, 1.5, 2.0))
    in_time = [Detection(0, 9000.0), Detection(0, 9000.0)]
    by_setting = {
        late: [Detection(0, 9000.0), Detection(0, 100.0)],
        noisy: [Detection(1, 9000.0), Detection(0, 9000.0)],
        wide: in_time,
        tight: in_time,
        middle: in_time,
    }
    assert choose(by_setting) == middle


def test_a_bearings_setting_does_not_depend_on_its_own_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six lives; one of them would want another setting for itself, which must not change its own."""
    chosen: list[dict[str, object]] = []
    shown: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        shown.append((done, total))

    for own in ((1.0, 200), (1.0, 200)), ((1.0, 200), (1.6, 200)):
        lives = {name: _life((1.0, 200), (1.8, 200)) for name in detection.femto.NAMES}
        lives["Bearing1_1"] = _life(*own)
        # A score stands in for the features, and the network gives it back.
        monkeypatch.setattr(detection, "_life", lambda _, name, lives=lives: lives[name])
        monkeypatch.setattr(detection, "learn_baseline", lambda x, **_: _Learned(x))
        monkeypatch.setattr(detection, "_scores", lambda _, x: x)
        found = femto_detection(Path(), convert=lambda _: b"", seeds=[1, 2], progress=progress)
        assert shown[-1] == (24, 24)
        assert len(found["rows"]) == 12
        assert found["missed"] == (2 if own[1][0] == 1.0 else 0)
        chosen.append(found["rows"][0]["setting"])
    assert chosen[0] == chosen[1]
    assert chosen[0]["margin"] in {1.25, 1.5}


class _Learned:
    def __init__(self, x: np.ndarray) -> None:
        self.held_out = x


def test_the_grid_has_no_setting_twice() -> None:
    assert len(set(GRID)) == len(GRID) == 30
