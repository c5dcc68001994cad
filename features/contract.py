"""The one ordered list of features, its constants and its hash; refuses what is not in the list."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from features.errors import ParameterError
from features.spectral import band_rms, bin_power, centroid_spread_hz, octave_edges
from features.statistics import Moments, clearance_factor, moments, zero_crossing_rate
from features.wavelet import packet_energies

__all__ = ["CONSTANTS", "FULL", "NODE", "REGISTRY", "Feature", "Profile", "Signals", "extract"]

Floats = NDArray[np.floating]

_N_BANDS = 7
_WAVELET = "db4"
_WAVELET_LEVEL = 4
# Windows computed at once: few enough that what they share stays in the processor's cache.
_CHUNK = 32
# Everything besides the formulas that a value depends on; part of the hash.
CONSTANTS: dict[str, int | str] = {"octave_bands": _N_BANDS, "wavelet": _WAVELET, "wavelet_level": _WAVELET_LEVEL}


@dataclass(frozen=True, eq=False)
class Signals:
    """A batch of windows and what several features derive from it, each computed once and on demand.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Samples, time last.
    rate_hz : float
        Sampling rate in Hz.
    """

    x: Floats
    rate_hz: float

    @cached_property
    def moments(self) -> Moments:
        """Central moments and extremes."""
        return moments(self.x)

    @cached_property
    def power(self) -> Floats:
        """One-sided mean square of each bin."""
        return bin_power(scipy.fft.rfft(self.x, axis=-1), self.x.shape[-1])

    @cached_property
    def octaves(self) -> Floats:
        """RMS in octaves below Nyquist, shape (..., bands), lowest first."""
        return band_rms(self.power, octave_edges(self.power.shape[-1], _N_BANDS))

    @cached_property
    def centroid_spread(self) -> tuple[Floats, Floats]:
        """Spectral centroid and spread in Hz."""
        return centroid_spread_hz(self.power, self.rate_hz)

    @cached_property
    def packet_shares(self) -> Floats:
        """Wavelet packet energies over their sum, shape (..., 2**level); even shares for silence."""
        energies = packet_energies(self.x, wavelet=_WAVELET, level=_WAVELET_LEVEL)
        total = energies.sum(axis=-1, keepdims=True)
        return np.where(total > 0.0, energies / np.where(total > 0.0, total, 1.0), 1.0 / energies.shape[-1])


@dataclass(frozen=True)
class Feature:
    """One entry of the contract.

    Attributes
    ----------
    name, unit : str
        Identifier and unit; ``x`` in the unit stands for the unit of the samples, ``1`` for none.
    definition, source : str
        Formula in words and where it comes from; the definition is part of the hash.
    compute : callable
        From `Signals` to an array of shape (...).
    growth : int
        Power of a gain on the samples that the value follows: 1 for levels, 0 for shapes.
    node : bool
        Whether a Cortex-M4 front end computes it too.
    """

    name: str
    unit: str
    definition: str
    source: str
    compute: Callable[[Signals], Floats] = field(repr=False)
    growth: int = 0
    node: bool = False


_STATISTICS = "Randall, Vibration-based Condition Monitoring (2011), ch. 3"
_FACTORS = "Li, Pickering, Wear 21 (1993); Lei et al., Mech. Syst. Signal Process. 24 (2010)"


def _octave(index: int) -> Feature:
    low, high = _N_BANDS - index, _N_BANDS - index - 1
    lower = "above DC" if index == 0 else f"from Nyquist / {2**low}"
    return Feature(
        name=f"octave_rms_{index + 1}",
        unit="x",
        definition=f"RMS {lower} to Nyquist / {2**high}, from the one-sided spectrum without window",
        source="Parseval",
        compute=lambda s: s.octaves[..., index],
        growth=1,
        node=True,
    )


def _packet(index: int) -> Feature:
    return Feature(
        name=f"packet_share_{index:02d}",
        unit="1",
        definition=f"Energy of packet {index} of {2**_WAVELET_LEVEL} by ascending frequency over the sum, periodic",
        source="Coifman and Wickerhauser 1992; Ding and He, IEEE Trans. Instrum. Meas. 66 (2017)",
        compute=lambda s: s.packet_shares[..., index],
    )


REGISTRY: tuple[Feature, ...] = (
    Feature("mean", "x", "Arithmetic mean", _STATISTICS, lambda s: s.moments.mean, growth=1, node=True),
    Feature("std", "x", "Population standard deviation", _STATISTICS, lambda s: s.moments.std, growth=1, node=True),
    Feature("rms", "x", "Root mean square", _STATISTICS, lambda s: s.moments.rms, growth=1, node=True),
    Feature("peak", "x", "Largest absolute value", _STATISTICS, lambda s: s.moments.peak, growth=1, node=True),
    Feature(
        "peak_to_peak",
        "x",
        "Largest minus smallest",
        _STATISTICS,
        lambda s: s.moments.peak_to_peak,
        growth=1,
        node=True,
    ),
    Feature("mean_abs", "x", "Mean absolute value", _STATISTICS, lambda s: s.moments.mean_abs, growth=1, node=True),
    Feature("skewness", "1", "Third standardised moment", _STATISTICS, lambda s: s.moments.skewness, node=True),
    Feature(
        "kurtosis", "1", "Fourth standardised moment (Pearson)", _STATISTICS, lambda s: s.moments.kurtosis, node=True
    ),
    Feature("crest_factor", "1", "Peak over RMS", _FACTORS, lambda s: s.moments.crest_factor, node=True),
    Feature("shape_factor", "1", "RMS over mean absolute value", _FACTORS, lambda s: s.moments.shape_factor, node=True),
    Feature(
        "impulse_factor", "1", "Peak over mean absolute value", _FACTORS, lambda s: s.moments.impulse_factor, node=True
    ),
    Feature(
        "clearance_factor",
        "1",
        "Peak over the squared mean of square roots of absolute values",
        _FACTORS,
        lambda s: clearance_factor(s.x, s.moments.peak),
        node=True,
    ),
    Feature(
        "zero_crossing_rate",
        "1",
        "Share of neighbouring pairs of opposite sign",
        _STATISTICS,
        lambda s: zero_crossing_rate(s.x),
        node=True,
    ),
    Feature(
        "spectral_centroid",
        "Hz",
        "Power-weighted mean frequency, DC left out",
        "Lei et al. 2010",
        lambda s: s.centroid_spread[0],
        node=True,
    ),
    Feature(
        "spectral_spread",
        "Hz",
        "Power-weighted deviation around the centroid",
        "Lei et al. 2010",
        lambda s: s.centroid_spread[1],
        node=True,
    ),
    *(_octave(i) for i in range(_N_BANDS)),
    *(_packet(i) for i in range(2**_WAVELET_LEVEL)),
)


@dataclass(frozen=True)
class Profile:
    """An ordered selection of the registry.

    Attributes
    ----------
    name : str
        ``full`` or ``node``.
    features : tuple of Feature
        In order.
    """

    name: str
    features: tuple[Feature, ...] = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def hash(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 over constants, names, units and definitions, in order."""
        text = json.dumps([CONSTANTS, [(f.name, f.unit, f.definition) for f in self.features]], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def index(self, name: str) -> int:
        """Position of a feature.

        Raises
        ------
        ParameterError
            If the profile has no such feature.
        """
        try:
            return self.names.index(name)
        except ValueError:
            raise ParameterError(
                f"profile {self.name} has no feature {name!r}; `raceway features` lists them"
            ) from None


FULL = Profile("full", REGISTRY)
NODE = Profile("node", tuple(feature for feature in REGISTRY if feature.node))


def extract(x: Floats, rate_hz: float, *, profile: Profile) -> NDArray[np.float32]:
    """Compute the features of a profile for a batch of windows.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Samples, time last; n a multiple of 16 and at least 128. Not finite samples are refused before this.
    rate_hz : float
        Sampling rate in Hz, positive.
    profile : Profile
        ``FULL`` or ``NODE``.

    Returns
    -------
    ndarray of float32, shape (..., features)
        In the profile's order.

    Raises
    ------
    ParameterError
        If the rate is not positive or the window has no packet tree or octaves.

    Examples
    --------
    >>> silence = np.zeros((2, 1024), dtype=np.float32)
    >>> extract(silence, 12_800.0, profile=FULL).shape == (2, len(FULL.features))
    True
    """
    if not rate_hz > 0.0:
        raise ParameterError(f"features were asked of a rate of {rate_hz} Hz; a positive one is wanted")
    rows = x.reshape(-1, x.shape[-1])
    out = np.empty((len(rows), len(profile.features)), dtype=np.float32)
    for first in range(0, len(rows), _CHUNK):
        signals = Signals(x=rows[first : first + _CHUNK], rate_hz=rate_hz)
        for i, feature in enumerate(profile.features):
            out[first : first + _CHUNK, i] = feature.compute(signals)
    return out.reshape(*x.shape[:-1], len(profile.features))
