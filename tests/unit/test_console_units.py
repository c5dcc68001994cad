"""Numbers in the units of a reader, against SciPy's constants and sines."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import constants

from app.console.units import Units
from features.errors import ParameterError


def test_units_agree_with_those_of_scipy() -> None:
    units = Units(acceleration="m/s2", velocity="in/s", displacement="mil")
    assert units.factor("g") == pytest.approx(constants.g)
    assert units.factor("mm/s") == pytest.approx(constants.milli / constants.inch)
    assert units.factor("um") == pytest.approx(constants.micro / constants.mil)
    assert Units().factor("m/s2") == pytest.approx(1.0 / constants.g)
    assert [Units().factor(unit) for unit in ("g", "mm/s", "um", "Hz", "1")] == [1.0] * 5


def test_lines_are_peak_rms_or_peak_to_peak_of_their_sine() -> None:
    sine = 0.3 * np.sin(2.0 * np.pi * np.arange(1000) / 100.0)
    measured = {"peak": sine.max(), "RMS": sine.std(), "peak to peak": np.ptp(sine)}
    for name, value in measured.items():
        units = Units(acceleration="m/s2", amplitude=name)
        assert units.lines(np.array([0.3]), "g")[0] == pytest.approx(value * constants.g)
        assert units.lines_unit("g") == f"m/s2, {name}"


def test_a_choice_survives_the_address_and_others_are_refused() -> None:
    units = Units("m/s2", "in/s", "mil", "peak to peak")
    assert Units.of_text(units.as_text()) == units
    with pytest.raises(ParameterError, match="4 with commas"):
        Units.of_text("g,mm/s")
    with pytest.raises(ParameterError, match="velocity in 'km/h'; one of mm/s, in/s"):
        Units.of_text("g,km/h,um,peak")


def test_numbers_keep_their_precision_and_have_their_unit_beside_them() -> None:
    units = Units(acceleration="m/s2")
    assert units.values(np.ones(3, np.float32), "g").dtype == np.float32
    assert units.text(2.0, "g") == "19.6 m/s2"
    assert units.text(3.14159, "1") == "3.14"
    assert units.text(50.0, "Hz") == "50 Hz"
