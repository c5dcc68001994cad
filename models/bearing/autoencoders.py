"""Published systems that learn layers without labels before they name bearing faults; each says what it substitutes."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from models.bearing.classical import N_SAMPLES, baseline_features, spectrum_levels
from models.bearing.deep_belief import FusedBelief, sensor_features
from models.bearing.extreme_learning import AutoencoderElm
from models.bearing.finetuning import PretrainedClassifier
from models.bearing.network import Training
from models.bearing.pretraining import Floats, Layer, Recipe, greedy, learn_autoencoder
from models.bearing.windows import BearingWindows, FaultClassifier

__all__ = ["autoencoders", "one_sensor", "spectrum_lines"]

_TAO = "Tao, Zhang, Yang, Wang, Lu, 34th Chinese Control Conference, 2015"
_JIA = "Jia, Lei, Lin, Zhou, Lu, Mech. Syst. Signal Process. 72-73, 2016"
_CHEN = "Chen, Li, IEEE Trans. Instrum. Meas. 66, 2017"
_WANG = "Wang, Zhao, Pei, Tang, SpringerPlus 5:448, 2016 (power transformers)"
_MAO = "Mao, He, Li, Yan, Proc. IMechE C 231, 2017"
_NOTHING_AT_HAND = "not confirmed: neither the paper nor its abstract was at hand"
_JIA_FIGURE = (
    "not confirmed: the paper was not at hand; CWRU, means over 20 trials, read in a public review of how well it can "
    "be reproduced"
)
_CHEN_FIGURE = "not confirmed: the paper was not at hand; the review in which the method was read gives no figure"
_WANG_FIGURE = (
    "93.6 % (back-propagation alone 84.1 %, nearest neighbours 90 %) on gases in transformer oil, 134 samples of IEC "
    "TC 10 of five classes, five-fold, no bearings; read in public notes on the paper, data and method in its abstract"
)
_N_LINES = 512


def spectrum_lines(windows: BearingWindows) -> NDArray[np.float64]:
    """Measure the amplitude spectrum in 512 lines, shape (windows, 512); logarithms of power."""
    return spectrum_levels(windows, n_bands=_N_LINES)


def one_sensor(windows: BearingWindows) -> NDArray[np.float32]:
    """Measure `models.bearing.deep_belief.sensor_features` of the one sensor that bearing windows hold."""
    return sensor_features(windows.samples[:, None, :], windows.rate_hz)


def autoencoders() -> tuple[FaultClassifier, ...]:
    """Give the published systems with pre-trained layers, each not yet learned.

    Returns
    -------
    tuple of FaultClassifier
        All on windows of 4,096 samples.

    Notes
    -----
    Everywhere features are scaled to 0 to 1 over the training side, layers are logistic, one is learned on the codes of
    the one below by Adam, and the whole is then learned with the labels, classes balanced. Rates and epochs are not
    taken from the papers.

    Tao, Zhang, Yang, Wang and Lu, 34th Chinese Control Conference (2015): stacked autoencoders, then softmax
    regression. Not taken from the paper: what goes in (64 band levels here), the sizes (32 and 16 units).

    Jia, Lei, Lin, Zhou and Lu, Mech. Syst. Signal Process. 72-73 (2016) 303-315: frequency spectra into a deep network
    whose layers are pre-trained as autoencoders and then fine-tuned. Not taken from the paper: the sizes (200, 100 and
    50 units), 512 lines of windows of 4,096 samples, their logarithms.

    Chen and Li (2017): see `models.bearing.deep_belief.FusedBelief`. The healthy records of CWRU hold one sensor, so
    here nothing is fused but the features of that one; the gearbox of `models.gear_state` has four.

    Wang, Zhao, Pei and Tang, SpringerPlus 5 (2016) 448: continuous sparse autoencoders, which add Gaussian noise before
    the activation of each unit while they are learned; two of them below one layer that is learned by back-propagation.
    They name faults of power transformers from three ratios of dissolved gases, no bearings. Substituted: the features
    of the contract for the ratios, 0 to 1 for their -1 to 1. Not taken from the paper: the sizes (64 and 32 units), the
    sparsity (0.1), the deviation of the noise (0.2).

    Mao, He, Li and Yan (2017): see `models.bearing.extreme_learning.AutoencoderElm`; 64 band levels go in.
    """
    return (
        FaultClassifier("Tao 2015", N_SAMPLES, spectrum_levels, _tao, source=_TAO, published=_NOTHING_AT_HAND),
        FaultClassifier("Jia 2016", N_SAMPLES, spectrum_lines, _jia, source=_JIA, published=_JIA_FIGURE),
        FaultClassifier("Chen 2017", N_SAMPLES, one_sensor, FusedBelief, source=_CHEN, published=_CHEN_FIGURE),
        FaultClassifier(
            "Wang 2016, CSAE",
            N_SAMPLES,
            baseline_features,
            _wang,
            source=_WANG,
            published=_WANG_FIGURE,
        ),
        FaultClassifier(
            "Mao 2017", N_SAMPLES, spectrum_levels, AutoencoderElm, source=_MAO, published=_NOTHING_AT_HAND
        ),
    )


def _tao(seed: int) -> PretrainedClassifier:
    return _stacked(seed, sizes=(32, 16), recipe=Recipe(epochs=40, batch=32))


def _jia(seed: int) -> PretrainedClassifier:
    return _stacked(seed, sizes=(200, 100, 50), recipe=Recipe(epochs=20, batch=32), epochs=40)


def _wang(seed: int) -> PretrainedClassifier:
    return _stacked(seed, sizes=(64, 32), recipe=Recipe(epochs=40, batch=32, target=0.1, penalty=0.1, noise=0.2))


def _stacked(seed: int, *, sizes: tuple[int, ...], recipe: Recipe, epochs: int = 60) -> PretrainedClassifier:
    training = Training(epochs=epochs, batch=32, rate=3e-3)
    return PretrainedClassifier(seed, pretrain=partial(_pretrain, sizes=sizes, recipe=recipe), training=training)


def _pretrain(x: Floats, rng: np.random.Generator, *, sizes: tuple[int, ...], recipe: Recipe) -> tuple[Layer, ...]:
    return greedy(x, sizes, learn=lambda x, units: learn_autoencoder(x, units, recipe=recipe, rng=rng).encoder)
