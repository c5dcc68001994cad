"""The list of analyses on demand: what is too long or too dear for every window; refuses nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.cepstrum import cepstral_prewhitened, power_cepstrum, real_cepstrum
from features.changepoint import CusumConfig, PageHinkleyConfig, cusum, page_hinkley
from features.envelope import band_envelope, band_envelope_spectra, envelope_spectrum
from features.faultlines import fault_lines
from features.gears import (
    QuarticTrend,
    difference_signal,
    fm0,
    fm4,
    mesh_envelope,
    residual_signal,
    sideband_index,
    sideband_level_factor,
    synchronous_average,
)
from features.kurtogram import kurtogram, spectral_kurtosis
from features.measurement import (
    TEETH,
    Measurement,
    averaged,
    band_lines,
    each_series,
    family_evidence,
    guessed_speed,
    largest_lines,
    mesh_sidebands,
    quartic_trend,
    running_levels,
    running_shapes,
    scalogram_map,
    shaft_comb,
    trend_line,
    turned,
    weighted_means,
)
from features.online import Ewma, LinearTrend, RunningMoments, SlidingRms
from features.orders import order_amplitudes, order_spectrum, resample_angle
from features.packets import packet_energies, packet_entropy, packet_image
from features.peaks import harmonics, peaks, sidebands
from features.scalogram import scalogram
from features.spectral import amplitude_spectrum, welch_psd
from features.speed import estimate_shaft_hz
from features.velocity import displacement_peak_to_peak_um, displacement_um, velocity_mm_s
from features.wavelet import denoised

__all__ = ["ANALYSES", "Analysis"]

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Analysis:
    """One entry of the list.

    Attributes
    ----------
    name, unit : str
        Identifier and unit; ``x`` in the unit stands for the unit of the samples, ``1`` for none.
    definition, source : str
        What is computed, and where it comes from.
    function : callable
        What users call.
    apply : callable
        From a `Measurement` to the values of the function under usual settings, shape (...) or (..., k).
    growth : int or None
        Power of a gain on the samples that the values follow; None where they follow none (logarithms, decisions).
    batched : bool
        Whether the function takes a batch; the others take one series.
    """

    name: str
    unit: str
    definition: str
    source: str
    function: Callable[..., Any] = field(repr=False)
    apply: Callable[[Measurement], Floats] = field(repr=False)
    growth: int | None = 0
    batched: bool = True

    @property
    def path(self) -> str:
        """Where the function is found, as in ``features.cepstrum.real_cepstrum``."""
        return f"{self.function.__module__}.{self.function.__qualname__}"


_RANDALL = "Randall, Vibration-based Condition Monitoring (2011)"
_STEWART = "Stewart, ISVR Southampton MHM/R/10/77 (1977)"
_ZAKRAJSEK = "Zakrajsek, Townsend and Decker, NASA TM-105950 (1993)"
_FYFE = "Fyfe and Munck, Mech. Syst. Signal Process. 11 (1997)"
_DING = "Ding and He, IEEE Trans. Instrum. Meas. 66 (2017)"

ANALYSES: tuple[Analysis, ...] = (
    Analysis(
        "amplitude_spectrum",
        "x",
        "One-sided peak-amplitude spectrum, Hann, corrected for its coherent gain: a sine of 1 g on a bin reads 1 g",
        _RANDALL,
        amplitude_spectrum,
        lambda r: amplitude_spectrum(r.x, r.rate_hz)[1],
        growth=1,
    ),
    Analysis(
        "welch_psd",
        "x^2/Hz",
        "One-sided power spectral density, mean over overlapping Hann segments",
        "Welch, IEEE Trans. Audio Electroacoust. 15 (1967)",
        welch_psd,
        lambda r: welch_psd(r.x, r.rate_hz, n_segment=512)[1],
        growth=2,
    ),
    Analysis(
        "spectral_peaks",
        "x",
        "Largest lines of an amplitude spectrum, interpolated in frequency and amplitude",
        "Harris, Proc. IEEE 66 (1978); transform of the Hann window",
        peaks,
        largest_lines,
        growth=1,
    ),
    Analysis(
        "harmonics",
        "x",
        "Interpolated lines at multiples of a fundamental, searched within 1 %",
        _RANDALL,
        harmonics,
        shaft_comb,
        growth=1,
    ),
    Analysis(
        "sidebands",
        "x",
        "Interpolated lines around a carrier, spaced by a modulation",
        _RANDALL,
        sidebands,
        mesh_sidebands,
        growth=1,
    ),
    Analysis(
        "real_cepstrum",
        "1",
        "Inverse transform of the natural logarithm of the amplitude spectrum",
        "Bogert, Healy and Tukey 1963; Randall, Mech. Syst. Signal Process. 97 (2017)",
        real_cepstrum,
        lambda r: real_cepstrum(r.x, r.rate_hz)[1],
        growth=None,
    ),
    Analysis(
        "power_cepstrum",
        "1",
        "Inverse transform of the natural logarithm of the power spectrum",
        "Bogert, Healy and Tukey 1963; Randall, Mech. Syst. Signal Process. 97 (2017)",
        power_cepstrum,
        lambda r: power_cepstrum(r.x, r.rate_hz)[1],
        growth=None,
    ),
    Analysis(
        "cepstral_prewhitened",
        "1",
        "Samples whose spectrum is divided by its modulus: noise and impacts stay, tones go",
        "Borghesani et al., Mech. Syst. Signal Process. 36 (2013)",
        cepstral_prewhitened,
        lambda r: cepstral_prewhitened(r.x),
    ),
    Analysis(
        "velocity",
        "mm/s",
        "Velocity of a band over time, by integration over frequency after detrending and fading",
        "ISO 20816-3:2022 (broad band)",
        velocity_mm_s,
        lambda r: velocity_mm_s(r.x, r.rate_hz, unit=r.unit, low_hz=10.0),
        growth=1,
    ),
    Analysis(
        "displacement",
        "um",
        "Displacement of a band over time, by integrating twice",
        "ISO 20816-3:2022 (broad band)",
        displacement_um,
        lambda r: displacement_um(r.x, r.rate_hz, unit=r.unit, low_hz=10.0),
        growth=1,
    ),
    Analysis(
        "displacement_peak_to_peak",
        "um",
        "Largest minus smallest displacement of a band",
        "ISO 20816-2, ISO 7919",
        displacement_peak_to_peak_um,
        lambda r: displacement_peak_to_peak_um(r.x, r.rate_hz, unit=r.unit, low_hz=10.0),
        growth=1,
    ),
    Analysis(
        "band_envelope",
        "x",
        "Modulus of the analytic signal of a band",
        "Randall and Antoni, Mech. Syst. Signal Process. 25 (2011)",
        band_envelope,
        lambda r: band_envelope(r.x, r.rate_hz, low_hz=0.2 * r.rate_hz, high_hz=0.3 * r.rate_hz),
        growth=1,
    ),
    Analysis(
        "envelope_spectrum",
        "1",
        "Lines of the squared envelope over its mean, the band flattened by its own smoothed magnitude",
        "Randall, Antoni and Chobsaard, Mech. Syst. Signal Process. 15 (2001)",
        envelope_spectrum,
        lambda r: envelope_spectrum(r.x, r.rate_hz)[1],
    ),
    Analysis(
        "band_envelope_spectra",
        "1",
        "The same for neighbouring bands, prewhitened by the modulus of each bin or as they are",
        "Smith and Randall, Mech. Syst. Signal Process. 64-65 (2015)",
        band_envelope_spectra,
        band_lines,
    ),
    Analysis(
        "spectral_kurtosis",
        "1",
        "Fourth moment of each bin over short windows against that of Gaussian noise",
        "Antoni, Mech. Syst. Signal Process. 20 (2006)",
        spectral_kurtosis,
        lambda r: spectral_kurtosis(r.x, r.rate_hz, n_window=64)[1],
    ),
    Analysis(
        "kurtogram",
        "1",
        "Kurtosis of the complex envelope over a grid of bands, to choose one",
        "Antoni, Mech. Syst. Signal Process. 21 (2007)",
        kurtogram,
        lambda r: kurtogram(r.x, r.rate_hz, levels=4).kurtosis,
    ),
    Analysis(
        "fault_lines",
        "dB",
        "Harmonics and sidebands of BPFO, BPFI, 2 x BSF, BSF and FTF with one slip each, over what chance gives",
        "Randall and Antoni, Mech. Syst. Signal Process. 25 (2011); subtraction of chance is ours",
        fault_lines,
        family_evidence,
    ),
    Analysis(
        "angular_resampling",
        "x",
        "Samples evenly spaced in shaft angle, low-passed in orders",
        _FYFE,
        resample_angle,
        lambda r: turned(r).samples,
        growth=1,
    ),
    Analysis(
        "order_spectrum",
        "x",
        "Peak-amplitude spectrum over orders of the shaft",
        _FYFE,
        order_spectrum,
        lambda r: order_spectrum(turned(r))[1],
        growth=1,
    ),
    Analysis(
        "order_amplitudes",
        "x",
        "Fourier sums at any orders, whole or broken",
        _FYFE,
        order_amplitudes,
        lambda r: order_amplitudes(turned(r), np.array([1.0, 2.5, 3.0])),
        growth=1,
    ),
    Analysis(
        "estimated_speed",
        "Hz, 1",
        "Shaft speed guessed from its harmonics, flagged as estimated, with its confidence",
        "Schroeder, J. Acoust. Soc. Am. 43 (1968)",
        estimate_shaft_hz,
        guessed_speed,
        batched=False,
    ),
    Analysis(
        "synchronous_average",
        "x",
        "Mean of all revolutions",
        "McFadden, Mech. Syst. Signal Process. 1 (1987)",
        synchronous_average,
        averaged,
        growth=1,
    ),
    Analysis(
        "residual_signal",
        "x",
        "Average without mean, first and second shaft order and mesh harmonics",
        _ZAKRAJSEK,
        residual_signal,
        lambda r: residual_signal(averaged(r), teeth=TEETH),
        growth=1,
    ),
    Analysis(
        "difference_signal",
        "x",
        "Residual without the first-order sidebands of the mesh",
        _STEWART,
        difference_signal,
        lambda r: difference_signal(averaged(r), teeth=TEETH),
        growth=1,
    ),
    Analysis(
        "mesh_envelope",
        "x",
        "Envelope of the average around the mesh, for NB4",
        "Zakrajsek, Handschuh and Decker, NASA TM-106467 (1994)",
        mesh_envelope,
        lambda r: mesh_envelope(averaged(r), teeth=TEETH, sidebands=4),
        growth=1,
    ),
    Analysis(
        "fm0",
        "1",
        "Peak-to-peak of the average over the sum of its mesh amplitudes",
        _STEWART,
        fm0,
        lambda r: fm0(averaged(r), teeth=TEETH),
    ),
    Analysis(
        "fm4",
        "1",
        "Pearson kurtosis of the difference signal",
        _STEWART,
        fm4,
        lambda r: fm4(averaged(r), teeth=TEETH),
    ),
    Analysis(
        "na4",
        "1",
        "Fourth moment of the residual over the squared mean variance of the run (NB4: of the mesh envelope)",
        _ZAKRAJSEK,
        QuarticTrend,
        quartic_trend,
        batched=False,
    ),
    Analysis(
        "sideband_index",
        "x",
        "Mean amplitude of the first-order sidebands of the mesh",
        "Samuel and Pines, J. Sound Vib. 282 (2005)",
        sideband_index,
        lambda r: sideband_index(averaged(r), teeth=TEETH),
        growth=1,
    ),
    Analysis(
        "sideband_level_factor",
        "1",
        "First-order sidebands of the mesh over the RMS of the average",
        "Samuel and Pines, J. Sound Vib. 282 (2005)",
        sideband_level_factor,
        lambda r: sideband_level_factor(averaged(r), teeth=TEETH),
    ),
    Analysis(
        "packet_energies",
        "x^2",
        "Energies of a wavelet packet tree of any orthogonal wavelet (db8, level 4) by ascending frequency",
        "Coifman and Wickerhauser, IEEE Trans. Inf. Theory 38 (1992)",
        packet_energies,
        lambda r: packet_energies(r.x, wavelet="db8", level=4),
        growth=2,
    ),
    Analysis(
        "packet_entropy",
        "1",
        "Entropy of packet energies (db8, level 4)",
        "Rosso et al., J. Neurosci. Methods 105 (2001)",
        packet_entropy,
        lambda r: packet_entropy(packet_energies(r.x, wavelet="db8", level=4)),
    ),
    Analysis(
        "packet_image",
        "x^2",
        "Energies of a deep packet tree as an image, to level 10",
        _DING,
        packet_image,
        lambda r: packet_image(r.x, wavelet="db8", level=10).reshape(*r.x.shape[:-1], -1),
        growth=2,
    ),
    Analysis(
        "denoised",
        "x",
        "Samples after soft thresholds on the details of a wavelet transform",
        "Donoho and Johnstone, Biometrika 81 (1994)",
        denoised,
        lambda r: denoised(r.x, wavelet="db8", level=4),
        growth=1,
    ),
    Analysis(
        "scalogram",
        "x",
        "Amplitudes over time and frequency, continuous Morlet wavelet",
        "Torrence and Compo, Bull. Am. Meteorol. Soc. 79 (1998)",
        scalogram,
        scalogram_map,
        growth=1,
    ),
    Analysis(
        "running_moments",
        "x",
        "Moments, extremes and means of all values so far, levels",
        "Pebay, Sandia SAND2008-6212",
        RunningMoments,
        running_levels,
        growth=1,
        batched=False,
    ),
    Analysis(
        "running_shapes",
        "1",
        "Third to sixth standardised moment of all values so far",
        "Pebay, Sandia SAND2008-6212",
        RunningMoments.moments,
        running_shapes,
        batched=False,
    ),
    Analysis(
        "sliding_rms",
        "x",
        "RMS of the latest values",
        "Definition",
        SlidingRms,
        lambda r: each_series(r, lambda row: [SlidingRms(500).update(row)]),
        growth=1,
        batched=False,
    ),
    Analysis(
        "ewma",
        "x",
        "Exponentially weighted mean over values at any times",
        "Roberts, Technometrics 1 (1959)",
        Ewma,
        weighted_means,
        growth=1,
        batched=False,
    ),
    Analysis(
        "linear_trend",
        "x/h, x",
        "Slope with its confidence interval, and height of the line",
        "Brown, Durbin and Evans, J. R. Stat. Soc. B 37 (1975)",
        LinearTrend,
        trend_line,
        growth=1,
        batched=False,
    ),
    Analysis(
        "cusum",
        "1",
        "Two-sided tabular CUSUM of standardised values",
        "Page, Biometrika 41 (1954); Montgomery (2009), section 9.1",
        cusum,
        lambda r: cusum(r.x, CusumConfig(target=0.0, sigma=1.0)).up,
        growth=None,
    ),
    Analysis(
        "page_hinkley",
        "x",
        "Two-sided Page-Hinkley sums against a running mean",
        "Hinkley, Biometrika 58 (1971)",
        page_hinkley,
        lambda r: page_hinkley(r.x, PageHinkleyConfig(slack=0.0, limit=1e9, warmup=1)).up,
        growth=1,
    ),
)
