"""The law of updates: power is cut at every step of the flash, and the node has the old model or the new one, whole.

Each run cuts one step by half, starts the node again, sees that a model runs that may, does again what was to be done,
and sees that the last confirmed model runs. The simulated flash ends the program where its rules are broken.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from update_driving import GIVEN_UP, KEPT, LEFT_OFF, REFUSED, UNCONFIRMED, Flash, Node, another, driver, image

_FIRST, _SECOND, _THIRD, _LAST = (image(version) for version in (1, 2, 3, 4))
_WRONG_GOLDEN = image(3, golden_output=b"\x01\x02\x03")

_STORIES = {
    "the first model": [(KEPT, _FIRST)],
    "a second one": [(KEPT, _FIRST), (KEPT, _SECOND)],
    "a third one, in the first one's place": [(KEPT, _FIRST), (KEPT, _SECOND), (KEPT, _THIRD)],
    "a transfer left off and taken up again": [(KEPT, _FIRST), (LEFT_OFF, _SECOND), (KEPT, _SECOND)],
    "a transfer left off for another": [(KEPT, _FIRST), (LEFT_OFF, _SECOND), (KEPT, _THIRD)],
    "a model that is never confirmed": [(KEPT, _FIRST), (UNCONFIRMED, _SECOND), (KEPT, _THIRD)],
    "a model that the node gives up": [(KEPT, _FIRST), (GIVEN_UP, _SECOND), (KEPT, _THIRD)],
    "a model that fails its golden window": [(KEPT, _FIRST), (REFUSED, _WRONG_GOLDEN), (KEPT, _LAST)],
}
_FLASHES = {
    "units of 8 written once": Flash(),
    "units of 4 written again": Flash(unit=4, rewritable=True),
    "one sector a slot, erased to zeros": Flash(sector=512, slot_bytes=512, rewritable=True, erased_byte=0),
    "units of 64 in small sectors": Flash(unit=64, sector=128, slot_bytes=640),
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return driver(tmp_path_factory)


@pytest.mark.parametrize("flash", _FLASHES.values(), ids=_FLASHES)
@pytest.mark.parametrize("story", _STORIES.values(), ids=_STORIES)
def test_power_is_cut_at_every_step(program: Path, story: list[tuple[int, bytes]], flash: Flash) -> None:
    """Each step with several ways to be half done; of what was cut, the second round reads otherwise at every start."""
    for trial_boots, unstable in ((1, False), (2, False), (2, True)):
        node = Node(program, another(flash, unstable=unstable), trial_boots=trial_boots)
        (((steps, runs),),) = node.law(story, seeds=3).run()
        assert runs == 3 * steps
        assert steps >= len(story) * (400 // flash.unit + 4)


@pytest.mark.parametrize("flash", _FLASHES.values(), ids=_FLASHES)
def test_power_is_cut_at_every_step_and_again_soon(program: Path, flash: Flash) -> None:
    """The second cut comes up to so many steps behind the first, often in what makes the first one good."""
    for trial_boots, every in ((1, 13), (2, 13), (2, 101)):
        node = Node(program, flash, trial_boots=trial_boots)
        for story in _STORIES.values():
            node.law(story, every=every, seeds=2)
        assert all(runs == 2 * steps for ((steps, runs),) in node.run())
