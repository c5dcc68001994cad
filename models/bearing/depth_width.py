"""A convolutional network whose depth and width are searched on held-out training windows; refuses to hold out none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError
from features.spectral import hann
from models.bearing.network import NetworkClassifier, Training
from models.bearing.standardised import Standardised
from models.bearing.windows import BearingWindows, FaultClassifier

__all__ = [
    "DEPTHS",
    "WIDTHS",
    "Design",
    "SearchedNetwork",
    "later_half",
    "search_depth_width",
    "spectrogram_image",
    "weimer",
]

_SOURCE = "Weimer, Scholz-Reiter, Shpitalni, CIRP Ann. 65, 2016 (optical inspection of surfaces)"
_FIGURE = "not confirmed: the start of the paper, all that was at hand, gives none; images of surfaces, no bearings"
DEPTHS = (1, 2, 3)
WIDTHS = (4, 8, 16)
_SIDE = 32
# Two neighbouring lines to a band, so that 32 bands come of 64 lines.
_FRAME = 4 * _SIDE
_FLOOR = 1e-12
_SEARCHED = Training(epochs=3, batch=64, rate=3e-3)
_KEPT = Training(epochs=6, batch=64, rate=3e-3)


@dataclass(frozen=True, order=True)
class Design:
    """Size of a network.

    Attributes
    ----------
    depth : int
        Blocks of convolution and pooling.
    width : int
        Filters of each.
    """

    depth: int
    width: int


def spectrogram_image(windows: BearingWindows) -> NDArray[np.float32]:
    """Measure the level of 32 bands in 32 stretches of each window.

    Parameters
    ----------
    windows : BearingWindows
        Of 4,096 samples.

    Returns
    -------
    ndarray of float32, shape (windows, 32, 32, 1)
        Common logarithm of the power under a Hann window, stretches by bands in ascending frequency, DC left out.

    Raises
    ------
    ParameterError
        If the windows are of another length.
    """
    count, n = windows.samples.shape
    if n != _SIDE * _FRAME:
        raise ParameterError(f"windows of {n} samples were given; {_SIDE * _FRAME} make an image")
    frames = windows.samples.reshape(count, _SIDE, _FRAME)
    spectrum = np.fft.rfft((frames - frames.mean(axis=-1, keepdims=True)) * hann(_FRAME), axis=-1)[..., 1:]
    power = (np.abs(spectrum) ** 2).reshape(count, _SIDE, _SIDE, 2).sum(axis=-1)
    return np.asarray(np.log10(power + _FLOOR)[..., None], dtype=np.float32)


def search_depth_width(
    score: Callable[[Design], float], *, depths: Sequence[int] = DEPTHS, widths: Sequence[int] = WIDTHS
) -> tuple[Design, dict[Design, float]]:
    """Search the depth at the middle width, then the width at the depth that was found.

    Parameters
    ----------
    score : callable
        Of a design; higher is better.
    depths, widths : sequence of int
        Ascending; at least one of each.

    Returns
    -------
    chosen : Design
        The best of those scored, the smallest where several are.
    table : dict of Design to float
        Every score, in the order asked for.

    Raises
    ------
    ParameterError
        If there is no depth or no width.

    Examples
    --------
    >>> chosen, table = search_depth_width(lambda design: design.depth - abs(design.width - 4))
    >>> chosen, len(table)
    (Design(depth=3, width=4), 5)
    """
    if not depths or not widths:
        raise ParameterError(f"{len(depths)} depths and {len(widths)} widths were given; one of each is wanted")
    middle = widths[len(widths) // 2]
    table = {Design(depth, middle): score(Design(depth, middle)) for depth in depths}
    depth = _best(table).depth
    for width in widths:
        if (design := Design(depth, width)) not in table:
            table[design] = score(design)
    return _best(table), table


def later_half(labels: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Mark the later half of the windows of each class, in the order they are given.

    Parameters
    ----------
    labels : ndarray of str, shape (n,)

    Returns
    -------
    ndarray of bool, shape (n,)

    Examples
    --------
    >>> later_half(np.array(["a", "a", "b", "a", "b", "a"])).tolist()
    [False, False, False, True, True, True]
    """
    later = np.zeros(labels.size, dtype=np.bool_)
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        later[of_class[(of_class.size + 1) // 2 :]] = True
    return later


class SearchedNetwork:
    """Chooses depth and width on the later half of each class after learning from the earlier one, then learns of all.

    Parameters
    ----------
    seed : int

    Attributes
    ----------
    design : Design or None
        What was chosen.
    table : dict of Design to float
        Balanced accuracy of each design that was tried, on the training windows held out.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.design: Design | None = None
        self.table: dict[Design, float] = {}
        self._model: Any = None

    def fit(self, x: NDArray[np.floating], labels: NDArray[np.str_]) -> SearchedNetwork:
        """Choose a design within these images (windows, side, side, 1) and learn from all of them; returns itself.

        Raises
        ------
        ParameterError
            If a class has one window alone, so that none can be held out.
        """
        held = later_half(labels)
        if (lone := sorted(set(labels.tolist()) - set(labels[held].tolist()))) != []:
            raise ParameterError(f"class {', '.join(lone)} has one window; two are wanted, one to hold out")
        self.design, self.table = search_depth_width(lambda design: self._score(design, x, labels, held))
        self._model = self._network(self.design, _KEPT).fit(x, labels)
        return self

    def predict(self, x: NDArray[np.floating]) -> NDArray[np.str_]:
        """Name the class of each image.

        Raises
        ------
        ParameterError
            If nothing was learned yet.
        """
        if self._model is None:
            raise ParameterError("a searched network was asked before it had learned; call fit first")
        return np.asarray(self._model.predict(x))

    def inputs(self, x: NDArray[np.floating]) -> NDArray[np.float32]:
        """What the network sees of images (windows, side, side, 1), once a design was chosen and learned."""
        return np.asarray(self._model.inputs(x))

    def _score(
        self, design: Design, x: NDArray[np.floating], labels: NDArray[np.str_], held: NDArray[np.bool_]
    ) -> float:
        named = self._network(design, _SEARCHED).fit(x[~held], labels[~held]).predict(x[held])
        truth = labels[held]
        return float(np.mean([np.mean(named[truth == label] == label) for label in np.unique(truth)]))

    def _network(self, design: Design, training: Training) -> Standardised:
        network = NetworkClassifier(self.seed, build=_builder(design), training=training)
        return Standardised(network, together=True)


def weimer() -> FaultClassifier:
    """Give the search of Weimer 2016 on images of windows of 4,096 samples, not yet learned.

    Returns
    -------
    FaultClassifier

    Notes
    -----
    Weimer, Scholz-Reiter and Shpitalni, CIRP Ann. 65 (2016) 417-420: convolutional networks of several depths and
    widths for the optical inspection of industrial surfaces, not for vibration. What is followed is the search; not
    taken from the paper are the image (a spectrogram of 32 x 32), depths of 1 to 3 blocks of 3 x 3 filters and 2 x 2
    maximum pooling, 4 to 16 filters in each, 64 hidden units, and Adam on cross-entropy (3 epochs for a design tried, 6
    for the one kept).

    The choice is made within the training windows of each learning, earlier against later half of each class. Where
    windows come record after record and fault size after size, as those of CWRU do, that nearly holds out a size or a
    load; where they are dealt at random, the halves share bearings and the score within the search is optimistic.
    """
    return FaultClassifier(
        "Weimer 2016", _SIDE * _FRAME, spectrogram_image, SearchedNetwork, source=_SOURCE, published=_FIGURE
    )


def _best(table: dict[Design, float]) -> Design:
    highest = max(table.values())
    return min(design for design, found in table.items() if found == highest)


def _builder(design: Design) -> Callable[[Any, tuple[int, ...], int], Any]:
    def build(keras: Any, shape: tuple[int, ...], n_classes: int) -> Any:
        layers = keras.layers
        stack = [layers.Input(shape)]
        for _ in range(design.depth):
            stack += [layers.Conv2D(design.width, 3, padding="same", activation="relu"), layers.MaxPooling2D()]
        stack += [layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dense(n_classes, activation="softmax")]
        return keras.Sequential(stack)

    return build
