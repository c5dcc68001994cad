"""Severity zones A to D of broad-band vibration from a cited, editable table; refuses tables without source."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.errors import ParameterError

__all__ = ["LIMITS", "ZONES", "Limits", "Severity", "limits_named", "load_limits", "severity"]

# A: as newly commissioned. B: fit for unrestricted long-term running. C: fit for a limited time. D: does damage.
ZONES = ("A", "B", "C", "D")

Boundaries = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Limits:
    """Zone boundaries of one kind of machine on one kind of foundation.

    Parameters
    ----------
    name : str
        Such as ``group-1-rigid`` or ``class-I``.
    velocity_mm_s : tuple of three floats
        Boundaries A/B, B/C, C/D of the RMS velocity, positive and ascending.
    citation : str
        Standard, edition and clause or table that they stand in.
    displacement_um : tuple of three floats or None
        The same of the RMS displacement, where the standard gives it.
    description : str
        Which machines it is for.

    Raises
    ------
    ParameterError
        If boundaries are not three, positive and ascending, or the citation is empty.
    """

    name: str
    velocity_mm_s: Boundaries
    citation: str
    displacement_um: Boundaries | None = None
    description: str = ""

    def __post_init__(self) -> None:
        _check_boundaries(self.name, "velocity_mm_s", self.velocity_mm_s)
        if self.displacement_um is not None:
            _check_boundaries(self.name, "displacement_um", self.displacement_um)
        if not self.citation.strip():
            raise ParameterError(f"limits {self.name!r} cite nothing; name the standard and table they come from")


@dataclass(frozen=True, slots=True)
class Severity:
    """The zone of a machine and what put it there.

    Attributes
    ----------
    zone : str
        ``A``, ``B``, ``C`` or ``D``.
    quantity : str
        ``velocity`` or ``displacement``: the one that decided.
    value : float
        Its RMS in `unit`.
    unit : str
        ``mm/s`` or ``um``.
    limits : tuple of three floats
        Boundaries A/B, B/C, C/D in `unit`.
    name, citation : str
        Of the entry in the table.
    """

    zone: str
    quantity: str
    value: float
    unit: str
    limits: Boundaries
    name: str
    citation: str


def severity(limits: Limits, *, velocity_mm_s: float, displacement_um: float | None = None) -> Severity:
    """Judge a broad-band RMS by the zones of a machine.

    Parameters
    ----------
    limits : Limits
        Of the machine, such as ``limits_named("group-2-rigid")``.
    velocity_mm_s : float
        RMS velocity in mm/s from 10 (below 600 r/min: 2) to 1000 Hz, on the bearing housing.
    displacement_um : float or None
        RMS displacement in micrometres in the same band, where it is to be judged too; it matters on slow machines.

    Returns
    -------
    Severity
        The worse zone of both; velocity is named where they agree. A value on a boundary belongs to the better zone:
        the boundary is the largest value that the better zone admits.

    Raises
    ------
    ParameterError
        If a value is negative or not finite, or displacement is given and the entry has no limits of it.

    Examples
    --------
    >>> severity(limits_named("group-2-rigid"), velocity_mm_s=2.8).zone
    'B'
    >>> slow = severity(limits_named("group-2-rigid"), velocity_mm_s=1.0, displacement_um=60.0)
    >>> slow.zone, slow.quantity, slow.limits
    ('C', 'displacement', (22.0, 45.0, 71.0))
    """
    by_velocity = _judged(limits, "velocity", velocity_mm_s, "mm/s", limits.velocity_mm_s)
    if displacement_um is None:
        return by_velocity
    if limits.displacement_um is None:
        raise ParameterError(
            f"displacement was given for {limits.name!r}, which has limits of velocity only ({limits.citation})"
        )
    by_displacement = _judged(limits, "displacement", displacement_um, "um", limits.displacement_um)
    return by_displacement if by_displacement.zone > by_velocity.zone else by_velocity


def load_limits(path: Path) -> dict[str, Limits]:
    """Read a table of one's own and lay it over the built-in one.

    Parameters
    ----------
    path : Path
        TOML of the form of ``features/iso20816.toml``: one table for each kind of machine, with ``velocity_mm_s`` and
        ``citation``, optionally ``displacement_um`` and ``description``.

    Returns
    -------
    dict of str to Limits
        The built-in entries and the user's; where names agree the user's holds.

    Raises
    ------
    ParameterError
        If the file cannot be read, is no TOML or holds an entry that is not admissible; the message names file and
        entry.
    """
    return LIMITS | _read(path)


def limits_named(name: str, table: Mapping[str, Limits] | None = None) -> Limits:
    """Look limits up by name, in the built-in table or in one from `load_limits`.

    Raises
    ------
    ParameterError
        If the table has no such entry.

    Examples
    --------
    >>> limits_named("class-I").velocity_mm_s
    (0.71, 1.8, 4.5)
    """
    known = LIMITS if table is None else table
    try:
        return known[name]
    except KeyError:
        raise ParameterError(f"no limits named {name!r}; known are {', '.join(sorted(known))}") from None


def _judged(limits: Limits, quantity: str, value: float, unit: str, boundaries: Boundaries) -> Severity:
    if not (math.isfinite(value) and value >= 0.0):
        raise ParameterError(f"a {quantity} of {value} {unit} was to be judged; a finite RMS of 0 or more is wanted")
    zone = ZONES[sum(value > boundary for boundary in boundaries)]
    return Severity(zone, quantity, float(value), unit, boundaries, limits.name, limits.citation)


def _check_boundaries(name: str, key: str, boundaries: Boundaries) -> None:
    ascending = all(low < high for low, high in zip((0.0, *boundaries), boundaries, strict=False))
    if len(boundaries) != len(ZONES) - 1 or not ascending or not all(map(math.isfinite, boundaries)):
        raise ParameterError(
            f"limits {name!r} have {key} = {list(boundaries)}; three positive ascending numbers are wanted"
        )


def _read(path: Path) -> dict[str, Limits]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        entries = {name: _limits(name, entry) for name, entry in tables.items()}
    except OSError as error:
        raise ParameterError(f"limits cannot be read from {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ParameterError(f"limits in {path} are no TOML: {error}") from error
    except ParameterError as error:
        raise ParameterError(f"{path}: {error}") from error
    if not entries:
        raise ParameterError(f"{path} holds no limits; one table such as [my-pump] for each kind of machine is wanted")
    return entries


def _limits(name: str, entry: Any) -> Limits:
    if not isinstance(entry, dict):
        raise ParameterError(f"{name!r} is {entry!r}; a table such as [{name}] is wanted")
    unknown = sorted(set(entry) - {"velocity_mm_s", "displacement_um", "citation", "description"})
    if unknown:
        raise ParameterError(f"limits {name!r} have an unknown key {unknown[0]!r}")
    if "velocity_mm_s" not in entry:
        raise ParameterError(f"limits {name!r} lack velocity_mm_s")
    for key in ("citation", "description"):
        if not isinstance(entry.get(key, ""), str):
            raise ParameterError(f"limits {name!r} have {key} = {entry[key]!r}; text is wanted")
    given = {key: _numbers(name, key, entry[key]) for key in ("velocity_mm_s", "displacement_um") if key in entry}
    return Limits(
        name=name,
        velocity_mm_s=given["velocity_mm_s"],
        citation=entry.get("citation", ""),
        displacement_um=given.get("displacement_um"),
        description=entry.get("description", ""),
    )


def _numbers(name: str, key: str, given: Any) -> Boundaries:
    # A TOML boolean is an int to Python.
    if not isinstance(given, list) or len(given) != len(ZONES) - 1 or not all(type(x) in (int, float) for x in given):
        raise ParameterError(f"limits {name!r} have {key} = {given!r}; three numbers are wanted (A/B, B/C, C/D)")
    return (float(given[0]), float(given[1]), float(given[2]))


LIMITS = _read(Path(__file__).with_name("iso20816.toml"))
