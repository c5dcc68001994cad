"""Packets against PyWavelets' own tree, Parseval and closed forms; from the spectrum as from the samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import pywt
import scipy.fft
import scipy.signal
import scipy.stats

from features.errors import ParameterError
from features.packets import packet_energies, packet_entropy, packet_image, packet_powers
from features.spectral import bin_power
from features.wavelet import denoised


@pytest.mark.parametrize("wavelet", ["db4", "db8", "haar"])
@pytest.mark.parametrize("n", [64, 256, 4096])
def test_energies_agree_with_pywavelets(rng: np.random.Generator, wavelet: str, n: int) -> None:
    x = rng.standard_normal((2, n))
    ours = packet_energies(x, wavelet=wavelet, level=4)
    for row, energies in zip(x, ours, strict=True):
        tree = pywt.WaveletPacket(row, wavelet, mode="periodization", maxlevel=4)
        reference = [np.sum(node.data**2) for node in tree.get_level(4, order="freq")]
        np.testing.assert_allclose(energies, reference, rtol=1e-9)


def test_energies_sum_to_the_signals(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 1024)).astype(np.float32)
    np.testing.assert_allclose(
        packet_energies(x, wavelet="db4", level=4).sum(axis=-1), (x.astype(float) ** 2).sum(axis=-1), rtol=1e-5
    )


def test_a_tone_lands_in_its_packet() -> None:
    x = np.sin(2 * np.pi * 1000 * np.arange(4096) / 12_800)
    # Sixteen packets of 400 Hz each: 1000 Hz lies in the third.
    assert packet_energies(x, wavelet="db8", level=4).argmax() == 2


def test_an_uneven_window_is_refused() -> None:
    with pytest.raises(ParameterError, match="1000 samples has no packet tree of level 4"):
        packet_energies(np.ones(1000), wavelet="db4", level=4)


@pytest.mark.parametrize("wavelet", ["db4", "db8"])
@pytest.mark.parametrize("n", [16, 64, 1024, 2000])
def test_undecimated_powers_are_the_mean_over_all_beginnings(rng: np.random.Generator, wavelet: str, n: int) -> None:
    x = rng.standard_normal((2, 3, n)) + 0.5
    found = packet_powers(bin_power(np.fft.rfft(x), n), n, wavelet=wavelet, level=4)
    begun = [packet_energies(np.roll(x, k, axis=-1), wavelet=wavelet, level=4) for k in range(16)]
    np.testing.assert_allclose(found, np.mean(begun, axis=0) / n, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=-1), (x**2).mean(axis=-1), rtol=1e-9)


def test_undecimated_powers_are_those_of_the_stationary_transform(rng: np.random.Generator) -> None:
    """PyWavelets' undecimated transform, two levels: its approximation and detail are the nodes below and above."""
    x = rng.standard_normal(512)
    ((approximation, detail),) = pywt.swt(x, "db4", level=1, norm=True)
    found = packet_powers(bin_power(np.fft.rfft(x), 512), 512, wavelet="db4", level=1)
    np.testing.assert_allclose(found, [np.mean(approximation**2), np.mean(detail**2)], rtol=1e-9)


def test_spectra_of_other_windows_are_refused() -> None:
    with pytest.raises(ParameterError, match="window of 8 samples has no packets of level 4; give at least 16"):
        packet_powers(np.zeros((1, 5)), 8, wavelet="db4", level=4)
    with pytest.raises(ParameterError, match="spectrum of 500 bins was given as that of 1024"):
        packet_powers(np.zeros((1, 500)), 1024, wavelet="db4", level=4)


def test_entropy_is_shannons_over_its_largest(rng: np.random.Generator) -> None:
    energies = rng.exponential(size=(3, 2, 16))
    ours = packet_entropy(energies)
    for i in np.ndindex(3, 2):
        assert ours[i] == pytest.approx(scipy.stats.entropy(energies[i], base=16))
    np.testing.assert_allclose(packet_entropy(1e6 * energies), ours)


def test_entropy_of_one_packet_all_packets_and_none() -> None:
    energies = np.zeros((3, 16), dtype=np.float32)
    energies[0, 5], energies[1] = 3.0, 2.0
    np.testing.assert_allclose(packet_entropy(energies), [0.0, 1.0, 0.0], atol=1e-12)
    with pytest.raises(ParameterError, match="entropy of 1 node"):
        packet_entropy(np.ones(1))


@pytest.mark.parametrize("wavelet", ["db4", "db8"])
@pytest.mark.parametrize(("level", "shape"), [(1, (1, 2)), (4, (4, 4)), (5, (4, 8))])
def test_images_hold_the_energies_by_frequency(
    rng: np.random.Generator, wavelet: str, level: int, shape: tuple[int, int]
) -> None:
    x = rng.standard_normal((2, 3, 1024))
    image = packet_image(x, wavelet=wavelet, level=level)
    assert image.shape == (2, 3, *shape)
    np.testing.assert_allclose(
        image.reshape(2, 3, -1), packet_energies(x, wavelet=wavelet, level=level), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("n", [1024, 4096])
def test_the_deepest_image_conserves_energy_beyond_the_length_guard(rng: np.random.Generator, n: int) -> None:
    assert pywt.dwt_max_level(n, "db8") < 10
    x = rng.standard_normal((2, n)).astype(np.float32)
    image = packet_image(x, wavelet="db8", level=10)
    assert image.shape == (2, 32, 32)
    np.testing.assert_allclose(image.sum(axis=(-2, -1)), (x.astype(float) ** 2).sum(axis=-1), rtol=1e-4)


def test_a_tone_lights_its_place_in_the_image() -> None:
    # 64 packets of 100 Hz each: 2150 Hz lies in packet 21, row 2, column 5.
    x = np.sin(2 * np.pi * 2150 * np.arange(8192) / 12_800)
    image = packet_image(x, wavelet="db8", level=6)
    assert np.unravel_index(image.argmax(), image.shape) == (2, 5)


def test_images_of_other_levels_and_lengths_are_refused() -> None:
    with pytest.raises(ParameterError, match="level 11 was asked; 1 to 10"):
        packet_image(np.ones(4096), wavelet="db4", level=11)
    with pytest.raises(ParameterError, match="level 0 was asked"):
        packet_image(np.ones(4096), wavelet="db4", level=0)
    with pytest.raises(ParameterError, match="512 samples has no packet image of level 10; give a multiple of 1024"):
        packet_image(np.ones(512), wavelet="db4", level=10)


@pytest.mark.parametrize("call", [packet_energies, packet_image, denoised])
def test_wavelets_that_are_unknown_or_not_orthogonal_are_refused(call: Callable[..., object]) -> None:
    with pytest.raises(ParameterError, match="no wavelet named 'db99'"):
        call(np.ones(64), wavelet="db99", level=2)
    with pytest.raises(ParameterError, match=r"'bior2\.2' is not orthogonal"):
        call(np.ones(64), wavelet="bior2.2", level=2)
