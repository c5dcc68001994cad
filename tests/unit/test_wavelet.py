"""Packet energies against PyWavelets' own packet tree."""

from __future__ import annotations

import numpy as np
import pytest
import pywt

from features.errors import ParameterError
from features.wavelet import packet_energies


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
