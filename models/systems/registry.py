"""What learns from what: every system by the data set it applies to; refuses pairs that do not exist."""

from __future__ import annotations

import re

from features.errors import ParameterError
from models.systems.cmapss import CmapssSystems
from models.systems.cwru import CwruSystems
from models.systems.femto import FemtoSystems
from models.systems.gearbox import GearboxSystems
from models.systems.trainable import Division, Entry, Family, HoldOut

__all__ = ["FAMILIES", "division_named", "entry_named", "family_named", "part_named", "slug"]

FAMILIES: tuple[Family, ...] = (CwruSystems(), GearboxSystems(), CmapssSystems(), FemtoSystems())


def slug(name: str) -> str:
    """Write a name so that a shell needs no quotes.

    Examples
    --------
    >>> slug("Malhi 2004, k-means")
    'malhi-2004-k-means'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def family_named(data_set: str) -> Family:
    """Look up the systems of a data set.

    Raises
    ------
    ParameterError
        If none learns from a data set of this name.
    """
    for family in FAMILIES:
        if family.data_set == data_set:
            return family
    known = ", ".join(family.data_set for family in FAMILIES)
    raise ParameterError(f"no system learns from a data set {data_set!r}; one of {known} is wanted")


def entry_named(family: Family, system: str) -> Entry:
    """Look up a system of a family, by its name or its `slug`.

    Raises
    ------
    ParameterError
        If it has none of this name.

    Examples
    --------
    >>> entry_named(family_named("cwru"), "random-forest").name
    'random forest'
    """
    for entry in family.entries():
        if slug(entry.name) == slug(system):
            return entry
    elsewhere = [f.data_set for f in FAMILIES if slug(system) in {slug(entry.name) for entry in f.entries()}]
    also = f" (it learns from {', '.join(elsewhere)})" if elsewhere else ""
    known = ", ".join(slug(entry.name) for entry in family.entries())
    raise ParameterError(f"no system of {family.data_set} is called {system!r}{also}; one of {known} is wanted")


def part_named(family: Family, part: str | None) -> str:
    """Check the part of a data set; its first one for None, an empty text where it has no parts.

    Raises
    ------
    ParameterError
        If there is none of this name.
    """
    if part is None:
        return family.parts[0] if family.parts else ""
    if part not in family.parts:
        known = f"one of {', '.join(family.parts)} is wanted" if family.parts else "it has none"
        raise ParameterError(f"{part!r} is no part of {family.data_set}; {known}")
    return part


def division_named(family: Family, hold_out: HoldOut) -> Division:
    """Look up how a hold-out divides a data set.

    Raises
    ------
    ParameterError
        If the data set is not divided so, or a fold is named although nothing is held out.
    """
    if hold_out.everything and hold_out.fold is not None:
        raise ParameterError(f"{hold_out.fold!r} was to be held out and everything learned from; leave one of them out")
    for division in family.divisions:
        if division.name == hold_out.division:
            return division
    known = ", ".join(division.name for division in family.divisions)
    raise ParameterError(f"{family.data_set} is not divided by {hold_out.division!r}; one of {known} is wanted")
