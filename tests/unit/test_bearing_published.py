"""Each published system names its paper, and either a figure with where it was read or what of it is missing."""

from __future__ import annotations

import re

import pytest

from models.bearing.systems import systems
from models.bearing.windows import FaultClassifier

# Ours and the baselines; whatever else is compared follows a paper.
_WITHOUT_PAPER = {
    "ours",
    "ours, network",
    "random forest on our measurements",
    "ridge",
    "random forest",
    "gradient boosting",
}
_PUBLISHED = [system for system in systems() if system.name not in _WITHOUT_PAPER]
_FIGURE = re.compile(r"\d %")


def test_all_that_is_named_without_a_paper_exists() -> None:
    assert {system.name for system in systems()} >= _WITHOUT_PAPER
    assert len(_PUBLISHED) == 16


@pytest.mark.parametrize("system", _PUBLISHED, ids=lambda system: system.name)
def test_a_published_system_names_its_paper(system: FaultClassifier) -> None:
    assert re.search(r"\b(19|20)\d\d\b", system.source), f"{system.name} names no year of a paper"
    assert system.published.strip()


@pytest.mark.parametrize("system", _PUBLISHED, ids=lambda system: system.name)
def test_a_figure_says_where_it_was_read_and_none_is_given_unconfirmed(system: FaultClassifier) -> None:
    if system.published.startswith("not confirmed: "):
        assert not _FIGURE.search(system.published)
    else:
        assert _FIGURE.search(system.published)
        assert "read in " in system.published


@pytest.mark.parametrize("system", [s for s in systems() if s.name in _WITHOUT_PAPER], ids=lambda system: system.name)
def test_what_has_no_paper_claims_none(system: FaultClassifier) -> None:
    assert (system.source, system.published) == ("", "")
