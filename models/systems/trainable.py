"""What every data set offers to those who train on it: its systems, how it holds out, and what a training gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError

__all__ = ["Division", "Entry", "Family", "HoldOut", "Lesson", "Progress", "balanced_figures", "chosen_fold", "some_of"]

# Told the stage, what of it is done and how much there is.
Progress = Callable[[str, int, int], None]

# Inputs that ranges of an int8 network are taken from, and that a saved system is asked again.
_MOST_SEEN = 256


@dataclass(frozen=True)
class Entry:
    """A system that learns from a data set.

    Attributes
    ----------
    name : str
    source : str
        The paper it follows, or an empty text.
    published : str
        The figure of that paper and what it was measured on; empty where none is known here.
    """

    name: str
    source: str = ""
    published: str = ""


@dataclass(frozen=True)
class Division:
    """A way to hold out a part of a data set.

    Attributes
    ----------
    name, what : str
        What options call it, and the division in words.
    leaky : bool
        Whether one physical part is on both sides, so that the figure flatters.
    fold : str
        What is held out unless another fold is asked for.
    """

    name: str
    what: str
    leaky: bool
    fold: str


@dataclass(frozen=True)
class HoldOut:
    """What is kept from a training for its figure.

    Attributes
    ----------
    division : str
        Name of a `Division`; it also says what the classes are.
    fold : str or None
        What is held out, by its name or the only one that starts so; None for the division's own.
    everything : bool
        Whether nothing is held out, so that there is no figure.
    """

    division: str
    fold: str | None = None
    everything: bool = False


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a training gives.

    Attributes
    ----------
    learned : object
        Predicts from what the front of its system measured.
    classes : tuple of str
        Empty for estimates of remaining life.
    split : mapping
        What was learned from and what was held out.
    metrics : mapping of str to float
        On what was held out; empty where nothing was.
    seen : sequence
        Some of the measurements (or histories) learned from, at most 256.
    """

    learned: Any
    classes: tuple[str, ...]
    split: Mapping[str, Any]
    metrics: Mapping[str, float]
    seen: Any


class Family(Protocol):
    """The systems of one data set."""

    @property
    def data_set(self) -> str:
        """Name in `models.datasets.catalogue`."""

    @property
    def task(self) -> str:
        """What its systems say, in words."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts that are learned each for itself; empty where it is one whole. The first one is the default."""

    @property
    def divisions(self) -> tuple[Division, ...]:
        """Ways to hold out; the first one is the default."""

    def entries(self) -> tuple[Entry, ...]:
        """List the systems."""

    def contract(self, system: str) -> str:
        """Hash of the feature contract that a system measures by; empty where it measures something else."""

    def train(self, root: Path, system: str, *, part: str, hold_out: HoldOut, seed: int, progress: Progress) -> Lesson:
        """Train a system on the packs of a data folder.

        Raises
        ------
        ParameterError
            If there is no such fold.
        RecordingError
            If a pack is missing or damaged.
        """

    def predict(self, system: str, learned: Any, inputs: Any) -> Any:
        """Say of raw inputs what the system says."""

    def answer(self, learned: Any, seen: Any) -> NDArray[Any]:
        """Say it of measurements (or histories), as `Lesson.seen` holds them."""

    def probe(self, system: str) -> NDArray[np.float32]:
        """Generate raw inputs, by which a front is known again."""

    def respond(self, system: str, learned: Any, probe: NDArray[np.float32]) -> NDArray[np.floating]:
        """What the code between raw inputs and learning makes of a probe."""


def chosen_fold(folds: Sequence[str], wanted: str) -> str:
    """Find a fold by its name or by how it alone starts.

    Raises
    ------
    ParameterError
        If none or several start so.

    Examples
    --------
    >>> chosen_fold(["0.007 in", "0.014 in"], "0.014")
    '0.014 in'
    """
    found = [fold for fold in folds if fold == wanted] or [fold for fold in folds if fold.startswith(wanted)]
    if len(found) != 1:
        raise ParameterError(f"{wanted!r} names {len(found) or 'no'} folds; one of {', '.join(folds)} is wanted")
    return found[0]


def balanced_figures(labels: NDArray[np.str_], named: NDArray[np.str_]) -> dict[str, float]:
    """Balanced accuracy of named windows, and the share of each class that was named right.

    Examples
    --------
    >>> balanced_figures(np.array(["a", "a", "b"]), np.array(["a", "b", "b"]))
    {'balanced_accuracy': 0.75, 'recall a': 0.5, 'recall b': 1.0}
    """
    recalls = {f"recall {label}": float(np.mean(named[labels == label] == label)) for label in np.unique(labels)}
    return {"balanced_accuracy": float(np.mean(list(recalls.values()))), **recalls}


def some_of(x: NDArray[Any]) -> NDArray[Any]:
    """Take at most 256 rows, as far apart as the order allows."""
    return np.asarray(x[:: -(-len(x) // _MOST_SEEN)])
