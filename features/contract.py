"""The one ordered list of features, its profiles and their hashes; refuses what is not in the list."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError
from features.signals import CONSTANTS, N_BANDS, ORDERS, ROLL_OFF_SHARE, WAVELET, WAVELET_LEVEL, Signals
from features.statistics import zero_crossing_rate
from features.sums import dot

__all__ = ["BASELINE", "FULL", "NODE", "REGISTRY", "WATCHED", "Feature", "Laws", "Profile"]

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Laws:
    """What must hold of a feature; tests are made from it.

    Attributes
    ----------
    growth : int
        Power of a gain on the samples that the value follows: 1 for levels, 0 for shapes.
    offset : str
        What a constant on all samples does: ``ignored``, ``added``, or ``counted`` (it changes the value otherwise).
    reversible : bool
        Whether time run backwards, about the middle of the window or about its first sample, gives the same value.
    cyclic : bool
        Whether moving a sixteenth of the window, a multiple of 16 samples, from its end to its beginning changes
        nothing.
    tolerance : float
        Largest difference that float32 samples make, relative to the value itself or to 1 % of its usual size if that
        is more.
    """

    growth: int = 0
    offset: Literal["ignored", "added", "counted"] = "ignored"
    reversible: bool = True
    cyclic: bool = True
    tolerance: float = 1e-4


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
    laws : Laws
        What must hold of it.
    node : bool
        Whether a Cortex-M4 front end computes it too.
    needs : tuple of str
        What must be known beside the samples: ``speed``, ``bearing``.
    """

    name: str
    unit: str
    definition: str
    source: str
    compute: Callable[[Signals], Floats] = field(repr=False)
    laws: Laws = Laws()
    node: bool = False
    needs: tuple[str, ...] = ()


_RANDALL = "Randall, Vibration-based Condition Monitoring (2011), ch. 3"
_FACTORS = "Li and Pickering, Wear 21 (1993); Lei et al., Mech. Syst. Signal Process. 24 (2010)"
_LEI = "Lei et al., Mech. Syst. Signal Process. 24 (2010)"
_FLATNESS = "Gray and Markel, IEEE Trans. Acoust. Speech Signal Process. 22 (1974)"
_VELOCITY = "ISO 20816-3:2022 (broad band); Harris, Proc. IEEE 66 (1978) (window)"
_ORDERS = "Randall (2011), ch. 2; ISO 13373-2:2016 (orders of unbalance, misalignment, looseness)"
_ENVELOPE = "Randall, Antoni and Chobsaard, Mech. Syst. Signal Process. 15 (2001)"
_KURTOSIS = "Antoni, Mech. Syst. Signal Process. 20 (2006)"
_FAULTS = "Randall and Antoni, Mech. Syst. Signal Process. 25 (2011)"
_PACKETS = (
    "Coifman and Wickerhauser, IEEE Trans. Inf. Theory 38 (1992); Ding and He, IEEE Trans. Instrum. Meas. 66 (2017)"
)

_LEVEL = Laws(growth=1)
_BIASED_LEVEL = Laws(growth=1, offset="counted")
_BIASED_SHAPE = Laws(offset="counted")


def _statistics() -> tuple[Feature, ...]:
    added = Laws(growth=1, offset="added")
    high = Laws(tolerance=1e-3)
    rows: tuple[tuple[str, str, str, str, Callable[[Signals], Floats], Laws], ...] = (
        ("mean", "x", "Arithmetic mean", _RANDALL, lambda s: s.moments.mean, added),
        ("std", "x", "Population standard deviation", _RANDALL, lambda s: s.moments.std, _LEVEL),
        ("rms", "x", "Root mean square", _RANDALL, lambda s: s.moments.rms, _BIASED_LEVEL),
        ("peak", "x", "Largest absolute value", _RANDALL, lambda s: s.moments.peak, _BIASED_LEVEL),
        ("minimum", "x", "Smallest value", _RANDALL, lambda s: s.moments.minimum, added),
        ("maximum", "x", "Largest value", _RANDALL, lambda s: s.moments.maximum, added),
        ("peak_to_peak", "x", "Largest minus smallest", _RANDALL, lambda s: s.moments.peak_to_peak, _LEVEL),
        ("mean_abs", "x", "Mean absolute value", _RANDALL, lambda s: s.moments.mean_abs, _BIASED_LEVEL),
        (
            "root_amplitude",
            "x",
            "Squared mean of the square roots of the absolute values",
            _FACTORS,
            lambda s: s.moments.root_amplitude,
            _BIASED_LEVEL,
        ),
        ("skewness", "1", "Third standardised moment", _RANDALL, lambda s: s.moments.skewness, Laws()),
        (
            "kurtosis",
            "1",
            "Fourth standardised moment (Pearson: 3 for a Gaussian)",
            _RANDALL,
            lambda s: s.moments.kurtosis,
            Laws(),
        ),
        ("hyperskewness", "1", "Fifth standardised moment", _LEI, lambda s: s.moments.hyperskewness, high),
        (
            "hyperflatness",
            "1",
            "Sixth standardised moment (15 for a Gaussian)",
            _LEI,
            lambda s: s.moments.hyperflatness,
            high,
        ),
        ("crest_factor", "1", "Peak over RMS", _FACTORS, lambda s: s.moments.crest_factor, _BIASED_SHAPE),
        (
            "shape_factor",
            "1",
            "RMS over mean absolute value",
            _FACTORS,
            lambda s: s.moments.shape_factor,
            _BIASED_SHAPE,
        ),
        (
            "impulse_factor",
            "1",
            "Peak over mean absolute value",
            _FACTORS,
            lambda s: s.moments.impulse_factor,
            _BIASED_SHAPE,
        ),
        (
            "clearance_factor",
            "1",
            "Peak over root amplitude",
            _FACTORS,
            lambda s: s.moments.clearance_factor,
            _BIASED_SHAPE,
        ),
        (
            "zero_crossing_rate",
            "1",
            "Share of neighbouring pairs of opposite sign, zero counted as positive",
            _RANDALL,
            lambda s: zero_crossing_rate(s.x),
            # The pair of the last and the first sample is none.
            Laws(offset="counted", cyclic=False),
        ),
    )
    return tuple(Feature(*row, node=True) for row in rows)


def _spectral() -> tuple[Feature, ...]:
    share = f"{100.0 * ROLL_OFF_SHARE:.0f} %"
    rows: tuple[tuple[str, str, str, str, Callable[[Signals], Floats], bool], ...] = (
        (
            "spectral_centroid",
            "Hz",
            "Power-weighted mean frequency, DC left out",
            _LEI,
            lambda s: s.centroid_spread[0],
            True,
        ),
        (
            "spectral_spread",
            "Hz",
            "Power-weighted standard deviation around the centroid",
            _LEI,
            lambda s: s.centroid_spread[1],
            True,
        ),
        (
            "rms_frequency",
            "Hz",
            "Root of the power-weighted mean squared frequency",
            _LEI,
            lambda s: np.hypot(*s.centroid_spread),
            True,
        ),
        (
            "roll_off",
            "Hz",
            f"First bin up to which {share} of the power above DC lies",
            "Tzanetakis and Cook, IEEE Trans. Speech Audio Process. 10 (2002)",
            lambda s: s.roll_off_hz,
            False,
        ),
        (
            "spectral_flatness",
            "1",
            "Geometric over arithmetic mean of the power of the bins above DC, each at least -100 dB of the mean",
            _FLATNESS,
            lambda s: s.flatness_entropy[0],
            False,
        ),
        (
            "spectral_entropy",
            "1",
            "Shannon entropy of the bins' shares of the power above DC over its largest value",
            "Shannon 1948; Pan et al., J. Vib. Acoust. 131 (2009)",
            lambda s: s.flatness_entropy[1],
            False,
        ),
        ("dominant_frequency", "Hz", "Frequency of the largest bin above DC", _RANDALL, lambda s: s.dominant[0], True),
        (
            "dominant_share",
            "1",
            "Mean square of the largest bin above DC over the variance",
            _RANDALL,
            lambda s: s.dominant[1],
            True,
        ),
    )
    return tuple(
        Feature(name, unit, f"{definition}; spectrum without window", source, compute, node=node)
        for name, unit, definition, source, compute, node in rows
    )


def _octave(index: int) -> Feature:
    low, high = N_BANDS - index, N_BANDS - index - 1
    lower = "above DC" if index == 0 else f"from Nyquist / {2**low}"
    return Feature(
        f"octave_rms_{index + 1}",
        "x",
        f"RMS {lower} to Nyquist / {2**high}, from the one-sided spectrum without window",
        "Parseval",
        lambda s: s.octaves[..., index],
        _LEVEL,
        node=True,
    )


def _velocity() -> tuple[Feature, ...]:
    reach = "to 1 kHz, from the third bin and to Nyquist at most; Hann window, divided by angular frequency"
    # A window moved round in a circle has its jump elsewhere under the window.
    moved = Laws(growth=1, cyclic=False)
    return (
        Feature(
            "velocity_rms",
            "mm/s",
            f"RMS velocity from 10 Hz {reach}",
            _VELOCITY,
            lambda s: s.integrated_rms(10.0, twice=False),
            moved,
            node=True,
        ),
        Feature(
            "velocity_rms_slow",
            "mm/s",
            f"RMS velocity from 2 Hz {reach}: for machines below 600 r/min",
            _VELOCITY,
            lambda s: s.integrated_rms(2.0, twice=False),
            moved,
        ),
        Feature(
            "displacement_rms",
            "um",
            f"RMS displacement from 2 Hz {reach}, twice",
            _VELOCITY,
            lambda s: s.integrated_rms(2.0, twice=True),
            moved,
        ),
    )


def _order(index: int) -> Feature:
    order = float(ORDERS[index])
    name, least = ("half", 8) if order < 1.0 else (f"{order:g}", 4)
    return Feature(
        f"order_{name}",
        "x",
        f"Peak amplitude at {order:g} x shaft speed: three bins of the Hann spectrum around the largest within one bin "
        f"or 1 %; 0 in windows of fewer than {least} revolutions",
        _ORDERS,
        lambda s: s.order_amplitudes[..., index],
        Laws(growth=1, cyclic=False),
        node=True,
        needs=("speed",),
    )


def _shaft() -> tuple[Feature, ...]:
    synchronous = Feature(
        "synchronous_rms",
        "x",
        "RMS of the whole orders 1 to 10; 0 in windows of fewer than 4 revolutions",
        _ORDERS,
        lambda s: np.sqrt(0.5 * (s.order_amplitudes[..., 1:] ** 2).sum(axis=-1)),
        Laws(growth=1, cyclic=False),
        needs=("speed",),
    )
    return (*(_order(i) for i in range(5)), synchronous)


def _envelope() -> tuple[Feature, ...]:
    above = "of the squared envelope of the band above a tenth of Nyquist"
    lines = f"lines {above}, over its mean, up to a quarter of Nyquist"
    return (
        Feature(
            "envelope_rms",
            "x",
            f"Root of the mean {above}",
            _ENVELOPE,
            lambda s: np.sqrt(s.envelope[0]),
            _LEVEL,
            node=True,
        ),
        Feature(
            "envelope_crest",
            "1",
            f"Root of largest over mean {above}; 1 for silence",
            _ENVELOPE,
            lambda s: np.sqrt(s.envelope[1].max(axis=-1)),
            node=True,
        ),
        Feature(
            "envelope_kurtosis",
            "1",
            f"Mean square over squared mean {above}, less 2 (spectral kurtosis of the band: 0 for Gaussian noise, -1 "
            "for a steady tone and for silence)",
            _KURTOSIS,
            lambda s: dot(s.envelope[1], s.envelope[1]) / s.envelope[1].shape[-1] - 2.0,
            Laws(tolerance=1e-3),
            node=True,
        ),
        Feature(
            "envelope_line",
            "1",
            f"Largest of the {lines}",
            _ENVELOPE,
            lambda s: s.largest_envelope_line[0],
            node=True,
        ),
        Feature(
            "envelope_line_frequency",
            "Hz",
            f"Frequency of the largest of the {lines}",
            _ENVELOPE,
            lambda s: s.largest_envelope_line[1],
            node=True,
        ),
        Feature(
            "envelope_entropy",
            "1",
            f"Shannon entropy of the shares of the power of the {lines}, over its largest value",
            "Antoni, Mech. Syst. Signal Process. 74 (2016)",
            lambda s: s.envelope_entropy,
        ),
    )


def _fault(index: int) -> Feature:
    name, line = (("bpfo", "BPFO"), ("bpfi", "BPFI"), ("bsf", "twice the BSF"), ("ftf", "the FTF"))[index]
    return Feature(
        f"{name}_contrast",
        "1",
        f"Mean over three harmonics of {line} of the largest line of the squared envelope within one bin or 2 %, over "
        "the median line; 0 in windows of fewer than three periods",
        _FAULTS,
        lambda s: s.fault_contrasts[..., index],
        Laws(tolerance=1e-3),
        node=True,
        needs=("speed", "bearing"),
    )


def _packets() -> tuple[Feature, ...]:
    nodes = 2**WAVELET_LEVEL
    tree = f"undecimated {WAVELET} packet tree of level {WAVELET_LEVEL}, periodic, samples less their mean"

    def share(index: int) -> Feature:
        return Feature(
            f"packet_share_{index:02d}",
            "1",
            f"Energy of packet {index} of {nodes} by ascending frequency over the sum; {tree}",
            _PACKETS,
            lambda s: s.packet_shares[..., index],
            node=True,
        )

    entropy = Feature(
        "packet_entropy",
        "1",
        f"Shannon entropy of the packets' shares of energy over its largest value; {tree}",
        "Rosso et al., J. Neurosci. Methods 105 (2001)",
        lambda s: s.packet_entropy,
    )
    return (*(share(i) for i in range(nodes)), entropy)


REGISTRY: tuple[Feature, ...] = (
    *_statistics(),
    *_spectral(),
    *(_octave(i) for i in range(N_BANDS)),
    *_velocity(),
    *_shaft(),
    *_envelope(),
    *(_fault(i) for i in range(4)),
    *_packets(),
)


@dataclass(frozen=True)
class Profile:
    """An ordered selection of the registry.

    Attributes
    ----------
    name : str
        Such as ``full`` or ``node``.
    features : tuple of Feature
        In order.
    """

    name: str
    features: tuple[Feature, ...] = field(repr=False)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def needs(self) -> frozenset[str]:
        """What must be known beside the samples, of ``speed`` and ``bearing``."""
        return frozenset(need for feature in self.features for need in feature.needs)

    @cached_property
    def hash(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 over constants, names, units and definitions, in order."""
        text = json.dumps([CONSTANTS, [(f.name, f.unit, f.definition) for f in self.features]], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def knowing(self, *known: str) -> Profile:
        """Select what can be computed where only these of ``speed`` and ``bearing`` are known.

        Examples
        --------
        >>> sorted(FULL.knowing("speed").needs), len(FULL.features) - len(FULL.knowing("speed").features)
        (['speed'], 4)
        """
        kept = tuple(feature for feature in self.features if set(feature.needs) <= set(known))
        return Profile("+".join([self.name, *sorted(known)]) if known else f"{self.name}-unaided", kept)

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
                f"profile {self.name} has no feature {name!r}; `raceway features list` shows them"
            ) from None


FULL = Profile("full", REGISTRY)
NODE = Profile("node", tuple(feature for feature in REGISTRY if feature.node))
# What every point has, whether its speed and bearing are known or not.
BASELINE = FULL.knowing()
# The place of a largest line jumps from one peak to another of like height; one such jump among healthy windows would
# set the threshold of a point.
_JUMPING = {"dominant_frequency", "envelope_line_frequency"}
# What a point's health is learned from.
WATCHED = Profile("watched", tuple(feature for feature in BASELINE.features if feature.name not in _JUMPING))
