"""Networks of several scales, of raw vibration and of packet images; refuses windows that divide unevenly."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.packets import packet_image
from models.bearing.network import Build, NetworkClassifier, Training
from models.bearing.windows import BearingWindows, FaultClassifier

__all__ = ["N_IMAGE", "N_RAW", "build_ding", "build_wang", "multiscale", "packet_levels", "raw_samples"]

_WANG = (
    "Wang, Zhuang, Duan, Cheng, A multi-scale convolution neural network for featureless fault diagnosis, "
    "Int. Symp. Flexible Automation, 2016"
)
_DING = "Ding, He, IEEE Trans. Instrum. Meas. 66, 2017"
_WANG_FIGURE = "not confirmed: neither the paper nor its abstract was at hand"
_DING_FIGURE = "not confirmed: the abstract, all that was at hand, gives none; bearings of spindles under varying load"
N_RAW = 2048
# Four coefficients in each node of the tree.
N_IMAGE = 4096
_WAVELET, _LEVEL = "db8", 10
# What silence counts as, far below what any converter resolves.
_FAINTEST = 1e-20
_SCALES = (16, 32, 64, 128)
_WANG_TRAINING = Training(epochs=5, batch=32, rate=2e-3)
_DING_TRAINING = Training(epochs=8, batch=32, rate=2e-3)


def raw_samples(windows: BearingWindows) -> NDArray[np.float32]:
    """Give the samples as they are, shape (windows, n), in g."""
    return windows.samples


def packet_levels(windows: BearingWindows) -> NDArray[np.float32]:
    """Measure the image of wavelet packet energies (db8, level 10).

    Parameters
    ----------
    windows : BearingWindows
        A multiple of 1,024 samples long.

    Returns
    -------
    ndarray of float32, shape (windows, 32, 32)
        Common logarithm of the energy of each node in g squared, ascending in frequency along each row and from row to
        row; their antilogarithms sum to the energy of the window. Silence is -20.

    Raises
    ------
    ParameterError
        If the length is not a multiple of 1,024.
    """
    image = packet_image(windows.samples, wavelet=_WAVELET, level=_LEVEL)
    return np.asarray(np.log10(np.maximum(image, _FAINTEST)), dtype=np.float32)


def multiscale() -> tuple[FaultClassifier, ...]:
    """Give the published networks of several scales, each not yet learned.

    Returns
    -------
    tuple of FaultClassifier
        Wang 2016 on windows of 2,048 samples, Ding 2017 on windows of 4,096.

    Notes
    -----
    Wang, Zhuang, Duan and Cheng, Int. Symp. Flexible Automation (2016): raw vibration goes through parallel
    convolutions with kernels of several lengths, whose maps are joined and classified. Ding and He, IEEE Trans.
    Instrum. Meas. 66 (2017) 1926-1935: the energies of the packets of level 10 as an image of 32 by 32, a deep network
    of convolutions, and a multiscale layer that sees the last convolution and, past it, the layer before. They lay the
    nodes out by a reconstruction of phase space; a public implementation has db8 and level 10 too.

    Not taken from the papers, since not known here: the sizes in `build_wang` and `build_ding`, the lengths of windows,
    optimiser, batches and passes (5 and 8). Substituted: logarithms for the energies of the image, which span many
    decades, with nodes row by row in ascending frequency; batch normalisation for the scaling of inputs.
    """
    return (
        FaultClassifier(
            "Wang 2016",
            N_RAW,
            raw_samples,
            functools.partial(_network, build_wang),
            source=_WANG,
            published=_WANG_FIGURE,
        ),
        FaultClassifier(
            "Ding 2017",
            N_IMAGE,
            packet_levels,
            functools.partial(_network, build_ding),
            source=_DING,
            published=_DING_FIGURE,
        ),
    )


def build_wang(keras: Any, shape: tuple[int, ...], n_classes: int) -> Any:
    """Build parallel convolutions over raw samples.

    Parameters
    ----------
    keras : module
    shape : tuple of int
        Of one window, (n,), at least 512 samples.
    n_classes : int

    Returns
    -------
    keras.Model
        Convolutions of 16, 32, 64 and 128 samples side by side, 8 kernels each, a quarter of a kernel apart; each
        followed by maxima of 4, a convolution of 5 with 16 kernels, and the mean and the maximum over time; these are
        joined before 64 neurons and a softmax.
    """
    layers = keras.layers
    given = layers.Input(shape)
    # One channel, so one scale for all windows: levels stay comparable between them.
    x = layers.BatchNormalization()(layers.Reshape((*shape, 1))(given))
    joined = layers.Concatenate()([_scale(layers, x, taps) for taps in _SCALES])
    return keras.Model(given, _classified(layers, joined, 64, n_classes))


def build_ding(keras: Any, shape: tuple[int, ...], n_classes: int) -> Any:
    """Build convolutions over an image with a multiscale layer at their end.

    Parameters
    ----------
    keras : module
    shape : tuple of int
        Of one image, (height, width), at least 18 by 18.
    n_classes : int

    Returns
    -------
    keras.Model
        Convolutions of 5 by 5 with 10 kernels, maxima of 2 by 2, 3 by 3 with 20 kernels, maxima of 2 by 2, 3 by 3 with
        40 kernels; a layer of 100 neurons that sees the last convolution and the maxima before it; a softmax.
    """
    layers = keras.layers
    given = layers.Input(shape)
    x = layers.BatchNormalization()(layers.Reshape((*shape, 1))(given))
    x = layers.MaxPooling2D(2)(layers.Conv2D(10, 5, activation="relu")(x))
    skipped = layers.MaxPooling2D(2)(layers.Conv2D(20, 3, activation="relu")(x))
    last = layers.Conv2D(40, 3, activation="relu")(skipped)
    joined = layers.Concatenate()([layers.Flatten()(skipped), layers.Flatten()(last)])
    return keras.Model(given, _classified(layers, joined, 100, n_classes))


def _scale(layers: Any, x: Any, taps: int) -> Any:
    """What kernels of one length see, whenever they see it."""
    x = layers.Conv1D(8, taps, strides=taps // 4, padding="same", activation="relu")(x)
    x = layers.Conv1D(16, 5, padding="same", activation="relu")(layers.MaxPooling1D(4)(x))
    return layers.Concatenate()([layers.GlobalAveragePooling1D()(x), layers.GlobalMaxPooling1D()(x)])


def _classified(layers: Any, x: Any, neurons: int, n_classes: int) -> Any:
    return layers.Dense(n_classes, activation="softmax")(layers.Dense(neurons, activation="relu")(x))


def _network(build: Build, seed: int) -> NetworkClassifier:
    return NetworkClassifier(seed, build=build, training=_WANG_TRAINING if build is build_wang else _DING_TRAINING)
