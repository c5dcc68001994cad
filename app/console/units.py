"""The units that a reader chose, and numbers put in them; refuses units that it cannot put into others."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from features.errors import ParameterError

__all__ = ["Units", "chosen_units", "units_choice"]

Acceleration = Literal["g", "m/s2"]
Velocity = Literal["mm/s", "in/s"]
Displacement = Literal["um", "mil"]
Amplitude = Literal["peak", "RMS", "peak to peak"]

# Standard gravity (3rd General Conference on Weights and Measures, 1901) and the international inch of 25.4 mm (1959).
_GRAVITY_M_S2 = 9.80665
_INCH_MM = 25.4
# Each unit in that of its kind which the store keeps.
_IN_OURS = {"g": 1.0, "m/s2": 1.0 / _GRAVITY_M_S2, "mm/s": 1.0, "in/s": _INCH_MM, "um": 1.0, "mil": _INCH_MM}
_OF_PEAK = {"peak": 1.0, "RMS": float(np.sqrt(0.5)), "peak to peak": 2.0}
_CHOICES = {"acceleration": Acceleration, "velocity": Velocity, "displacement": Displacement, "amplitude": Amplitude}
_LABELS = {"amplitude": "Lines of spectra as"}
_DECIMALS = {"mm/s": 2, "in/s": 3, "um": 1, "mil": 2}
_KEPT = "units of the reader"


@dataclass(frozen=True)
class Units:
    """Units of a reader.

    Attributes
    ----------
    acceleration, velocity, displacement : str
        ``g`` or ``m/s2``, ``mm/s`` or ``in/s``, ``um`` or ``mil``.
    amplitude : str
        How lines of a spectrum are given: ``peak``, ``RMS`` or ``peak to peak`` of the sine that each stands for.

    Examples
    --------
    >>> units = Units(acceleration="m/s2", velocity="in/s")
    >>> units.shown("g"), round(units.factor("g"), 5), units.text(25.4, "mm/s")
    ('m/s2', 9.80665, '1 in/s')
    """

    acceleration: Acceleration = "g"
    velocity: Velocity = "mm/s"
    displacement: Displacement = "um"
    amplitude: Amplitude = "peak"

    def __post_init__(self) -> None:
        for name, kind in _CHOICES.items():
            if getattr(self, name) not in get_args(kind):
                raise ParameterError(f"{name} in {getattr(self, name)!r}; one of {', '.join(get_args(kind))} is wanted")

    def shown(self, unit: str) -> str:
        """The unit that numbers of a unit are shown in; one that has no other is shown as it is."""
        for kind in (self.acceleration, self.velocity, self.displacement):
            if unit in _siblings(kind):
                return kind
        return "" if unit == "1" else unit

    def factor(self, unit: str) -> float:
        """What a number in a unit is multiplied by to be shown."""
        shown = self.shown(unit)
        return _IN_OURS[unit] / _IN_OURS[shown] if unit in _IN_OURS else 1.0

    def values(self, x: NDArray[np.floating], unit: str) -> NDArray[np.floating]:
        """Numbers in a unit as they are shown, in the shape and precision that they have."""
        return np.asarray(x * np.asarray(self.factor(unit), dtype=x.dtype))

    def lines(self, peaks: NDArray[np.floating], unit: str) -> NDArray[np.floating]:
        """Peak amplitudes of lines in a unit as they are shown."""
        return np.asarray(peaks * np.asarray(self.factor(unit) * _OF_PEAK[self.amplitude], dtype=peaks.dtype))

    def lines_unit(self, unit: str) -> str:
        """What stands at an axis of lines, such as ``g, peak``."""
        return ", ".join(word for word in (self.shown(unit), self.amplitude) if word)

    def text(self, value: float, unit: str, *, digits: int = 3) -> str:
        """A number with its unit, to some digits that count."""
        return f"{value * self.factor(unit):.{digits}g} {self.shown(unit)}".rstrip()

    def fixed(self, value: float, unit: str) -> str:
        """A number with its unit, to as many decimals as its unit has in standards.

        Examples
        --------
        >>> Units().fixed(2.8, "mm/s"), Units(velocity="in/s").fixed(2.8, "mm/s")
        ('2.80 mm/s', '0.110 in/s')
        """
        shown = self.shown(unit)
        return f"{value * self.factor(unit):.{_DECIMALS.get(shown, 2)}f} {shown}"

    def as_text(self) -> str:
        """All choices on one line, for an address."""
        return ",".join(str(getattr(self, one.name)) for one in fields(self))

    @classmethod
    def of_text(cls, text: str) -> Units:
        """Choices that `as_text` wrote.

        Raises
        ------
        ParameterError
            If it is no such line.

        Examples
        --------
        >>> Units.of_text(Units(displacement="mil").as_text()).displacement
        'mil'
        """
        words: list[Any] = text.split(",")
        if len(words) != len(fields(cls)):
            raise ParameterError(f"units {text!r}; {len(fields(cls))} with commas between them are wanted")
        return cls(*words)


def chosen_units() -> Units:
    """The units of the reader: as chosen since the browser opened the console, or as the address says, or ours."""
    kept = st.session_state.get(_KEPT) or st.query_params.get("units", "")
    try:
        return Units.of_text(kept) if kept else Units()
    except ParameterError:
        # An address can be written by anyone.
        return Units()


def units_choice() -> Units:
    """Draw the choice of units, keep it for all pages and in the address, and give it."""
    units = chosen_units()
    with st.expander("Units"):
        for name, kind in _CHOICES.items():
            options = list(get_args(kind))
            label = _LABELS.get(name, name.capitalize())
            index = options.index(getattr(units, name))
            units = replace(units, **{name: st.selectbox(label, options, index=index, key=f"unit {name}")})
    if units != chosen_units():
        st.session_state[_KEPT] = st.query_params["units"] = units.as_text()
    return units


def _siblings(unit: str) -> tuple[str, ...]:
    return next(get_args(kind) for kind in _CHOICES.values() if unit in get_args(kind))
