"""Published convolutional networks that name bearing faults; refuses windows too short for 256 statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError
from features.spectral import amplitude_spectrum, band_rms, bin_power
from features.statistics import moments
from models.bearing.depth_width import weimer
from models.bearing.hierarchy import guo
from models.bearing.network import NetworkClassifier, Training
from models.bearing.standardised import Standardised
from models.bearing.windows import BearingWindows, FaultClassifier

__all__ = ["STATISTICS", "chen_network", "convolutional", "line_amplitudes", "statistics_image", "window_statistics"]

_CHEN = "Chen, Li, Sanchez, Shock Vib. 2015, 390134"
_JANSSENS = (
    "Janssens, Slavkovikj, Vervisch, Stockman, Loccufier, Verstockt, Van de Walle, Van Hoecke, J. Sound Vib. 377, 2016"
)
_CHEN_FIGURE = (
    "not confirmed: the abstract, all that was at hand, gives none; gearboxes, 20 cases of 12 conditions each"
)
_JANSSENS_FIGURE = "not confirmed: the start of the abstract, all that was at hand, gives none; the authors' own rig"
STATISTICS = 256
_SIDE = 16
_OF_TIME = 3
_BANDS = STATISTICS - _OF_TIME
_CHEN_TRAINING = Training(epochs=15, batch=64, rate=3e-3)
_JANSSENS_TRAINING = Training(epochs=5, batch=64, rate=1e-3)


def window_statistics(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Measure 256 statistics of windows: three of time, then the RMS of 253 bands of the spectrum.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        At least 506 samples.

    Returns
    -------
    ndarray, shape (..., 256)
        Standard deviation, skewness, kurtosis (3 for a Gaussian), then the RMS of 253 bands of as equal a width as the
        bins allow, from above DC to Nyquist in ascending frequency; no time axis is needed. The squares of the bands
        sum to the square of the deviation.

    Raises
    ------
    ParameterError
        If there are fewer bins than bands.

    Notes
    -----
    Chen, Li and Sanchez, Shock Vib. 2015, 390134: the kinds of statistics. That there are 253 bands makes 256 with the
    three of time, and is not taken from the paper.

    Examples
    --------
    >>> found = window_statistics(np.sin(2.0 * np.pi * 0.25 * np.arange(1024)))
    >>> found.shape, round(float(found[0]), 3), int(found[3:].argmax())
    ((256,), 0.707, 126)
    """
    n = x.shape[-1]
    if n // 2 < _BANDS:
        raise ParameterError(f"windows of {n} samples were given; {_BANDS} bands want at least {2 * _BANDS}")
    shared = moments(x)
    edges = np.linspace(1, n // 2 + 1, _BANDS + 1).astype(np.intp)
    bands = band_rms(bin_power(np.fft.rfft(shared.deviation, axis=-1), n), edges)
    of_time = np.stack([shared.std, shared.skewness, shared.kurtosis], axis=-1)
    return np.concatenate([of_time, bands], axis=-1)


def statistics_image(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Lay the 256 statistics of windows out as images, a plane for each sensor.

    Parameters
    ----------
    x : ndarray, shape (windows, sensors, n)

    Returns
    -------
    ndarray, shape (windows, 16, 16, sensors)
        Row after row in the order of `window_statistics`.

    Raises
    ------
    ParameterError
        If the windows are too short.
    """
    return window_statistics(x).reshape(*x.shape[:2], _SIDE, _SIDE).transpose(0, 2, 3, 1)


def line_amplitudes(windows: BearingWindows) -> NDArray[np.floating]:
    """Measure the amplitude of each line above DC.

    Parameters
    ----------
    windows : BearingWindows

    Returns
    -------
    ndarray, shape (windows, n // 2, 1)
        Peak amplitudes in g under a Hann window, from the first line to Nyquist.
    """
    return amplitude_spectrum(windows.samples, windows.rate_hz)[1][:, 1:, None]


def chen_network(seed: int) -> Standardised:
    """Give the network of Chen 2015 on images of standardised statistics, not yet learned.

    Parameters
    ----------
    seed : int

    Returns
    -------
    Standardised
        For images of `statistics_image`, of one sensor or several.
    """
    return Standardised(NetworkClassifier(seed, build=_chen, training=_CHEN_TRAINING))


def convolutional() -> tuple[FaultClassifier, ...]:
    """Give the published convolutional systems, each not yet learned.

    Returns
    -------
    tuple of FaultClassifier

    Notes
    -----
    Chen, Li and Sanchez, Shock Vib. 2015, 390134: standard deviation, skewness and kurtosis of the signal and the RMS
    of bands of its spectrum, 256 numbers seen as an image of 16 x 16, then a small convolutional network; of gearboxes.
    Not taken from the paper: 253 bands, the order within the image, two stages of 5 x 5 filters (8, then 16) with
    2 x 2 maximum pooling, 64 hidden units, standardised statistics, Adam on cross-entropy for 15 epochs.

    Janssens and others, J. Sound Vib. 377 (2016) 331-345: the discrete Fourier transform of the signals of two
    accelerometers at right angles into one convolutional layer, one dense layer and a softmax. Substituted: one
    accelerometer. Not taken from the paper: windows of 2,048 samples under a Hann window, each line standardised, 32
    filters over 32 lines every 4 lines, 200 hidden units, dropout of one half, Adam on cross-entropy for 5 epochs. Its
    data are of another rig with classes of its own, so its figure is none for CWRU.

    Guo, Chen and Shen 2016 is of `models.bearing.hierarchy`, Weimer, Scholz-Reiter and Shpitalni 2016 of
    `models.bearing.depth_width`.
    """
    return (
        FaultClassifier("Chen 2015", 4096, _bearing_statistics, chen_network, source=_CHEN, published=_CHEN_FIGURE),
        FaultClassifier(
            "Janssens 2016",
            2048,
            line_amplitudes,
            _janssens_network,
            source=_JANSSENS,
            published=_JANSSENS_FIGURE,
        ),
        guo(),
        weimer(),
    )


def _bearing_statistics(windows: BearingWindows) -> NDArray[np.float64]:
    return statistics_image(windows.samples[:, None])


def _janssens_network(seed: int) -> Standardised:
    return Standardised(NetworkClassifier(seed, build=_janssens, training=_JANSSENS_TRAINING))


def _chen(keras: Any, shape: tuple[int, ...], n_classes: int) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input(shape),
            layers.Conv2D(8, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(n_classes, activation="softmax"),
        ]
    )


def _janssens(keras: Any, shape: tuple[int, ...], n_classes: int) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input(shape),
            layers.Conv1D(32, 32, strides=4, activation="relu"),
            layers.Flatten(),
            layers.Dense(200, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(n_classes, activation="softmax"),
        ]
    )
