"""Zones against the printed boundaries of the standards, and tables of the user's own."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from features.errors import ParameterError
from features.iso20816 import LIMITS, Limits, limits_named, load_limits, severity


@pytest.mark.parametrize(
    ("name", "velocity", "displacement"),
    [
        ("group-1-rigid", (2.3, 4.5, 7.1), (29, 57, 90)),
        ("group-1-flexible", (3.5, 7.1, 11.0), (45, 90, 140)),
        ("group-2-rigid", (1.4, 2.8, 4.5), (22, 45, 71)),
        ("group-2-flexible", (2.3, 4.5, 7.1), (37, 71, 113)),
        ("class-I", (0.71, 1.8, 4.5), None),
        ("class-II", (1.12, 2.8, 7.1), None),
        ("class-III", (1.8, 4.5, 11.2), None),
        ("class-IV", (2.8, 7.1, 18.0), None),
    ],
)
def test_the_table_holds_the_printed_boundaries(
    name: str, velocity: tuple[float, ...], displacement: tuple[float, ...] | None
) -> None:
    limits = limits_named(name)
    assert limits.velocity_mm_s == velocity
    assert limits.displacement_um == displacement
    assert ("ISO 10816-1:1995" if name.startswith("class") else "ISO 20816-3:2022") in limits.citation


def test_the_table_holds_nothing_else() -> None:
    assert len(LIMITS) == 8


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
def test_a_value_on_a_boundary_belongs_to_the_better_zone(limits: Limits) -> None:
    for boundary, better, worse in zip(limits.velocity_mm_s, "ABC", "BCD", strict=True):
        on = severity(limits, velocity_mm_s=boundary)
        assert (on.zone, on.value, on.limits, on.citation) == (better, boundary, limits.velocity_mm_s, limits.citation)
        assert severity(limits, velocity_mm_s=boundary * (1 + 1e-9)).zone == worse
    assert severity(limits, velocity_mm_s=0.0).zone == "A"


@pytest.mark.parametrize(
    ("velocity", "displacement", "zone", "quantity", "unit"),
    [
        (1.0, 10.0, "A", "velocity", "mm/s"),
        (1.0, 30.0, "B", "displacement", "um"),
        (1.0, 72.0, "D", "displacement", "um"),
        (3.0, 30.0, "C", "velocity", "mm/s"),
        (3.0, 50.0, "C", "velocity", "mm/s"),
    ],
)
def test_the_worse_of_velocity_and_displacement_decides(
    velocity: float, displacement: float, zone: str, quantity: str, unit: str
) -> None:
    judged = severity(limits_named("group-2-rigid"), velocity_mm_s=velocity, displacement_um=displacement)
    assert (judged.zone, judged.quantity, judged.unit) == (zone, quantity, unit)
    assert judged.value == (velocity if quantity == "velocity" else displacement)


def test_a_severity_cannot_be_changed() -> None:
    judged = severity(limits_named("class-I"), velocity_mm_s=1.0)
    with pytest.raises(FrozenInstanceError):
        judged.zone = "A"  # type: ignore[misc]


def test_values_that_are_none_and_displacement_without_limits_are_refused() -> None:
    for value in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ParameterError, match=f"a velocity of {value} mm/s"):
            severity(limits_named("class-I"), velocity_mm_s=value)
    with pytest.raises(ParameterError, match="'class-I', which has limits of velocity only"):
        severity(limits_named("class-I"), velocity_mm_s=1.0, displacement_um=5.0)
    with pytest.raises(ParameterError, match="no limits named 'group-9'; known are class-I"):
        limits_named("group-9")


def test_a_table_of_ones_own_lies_over_the_built_in_one(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    path.write_text(
        '[my-pump]\nvelocity_mm_s = [1, 2.5, 4]\ndisplacement_um = [10, 20, 30]\ncitation = "Maker, manual 7, p. 3"\n'
        '[class-I]\nvelocity_mm_s = [0.5, 1.0, 2.0]\ncitation = "Plant rule 12"\n'
    )
    table = load_limits(path)
    assert limits_named("my-pump", table).displacement_um == (10.0, 20.0, 30.0)
    assert severity(limits_named("class-I", table), velocity_mm_s=0.6).citation == "Plant rule 12"
    assert limits_named("group-1-rigid", table) is LIMITS["group-1-rigid"]
    assert limits_named("class-I").velocity_mm_s == (0.71, 1.8, 4.5)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('[x]\nvelocity_mm_s = [1, 3, 2]\ncitation = "c"', "three positive ascending numbers"),
        ('[x]\nvelocity_mm_s = [0, 1, 2]\ncitation = "c"', "three positive ascending numbers"),
        ('[x]\nvelocity_mm_s = [1, 2, inf]\ncitation = "c"', "three positive ascending numbers"),
        ('[x]\nvelocity_mm_s = [1, nan, 3]\ncitation = "c"', "three positive ascending numbers"),
        ('[x]\nvelocity_mm_s = [1, 2]\ncitation = "c"', "three numbers are wanted"),
        ('[x]\nvelocity_mm_s = [true, 2, 3]\ncitation = "c"', "three numbers are wanted"),
        ('[x]\nvelocity_mm_s = 4\ncitation = "c"', "three numbers are wanted"),
        ('[x]\nvelocity_mm_s = [1, 2, 3]\ndisplacement_um = [3, 2, 1]\ncitation = "c"', "displacement_um"),
        ("[x]\nvelocity_mm_s = [1, 2, 3]", "'x' cite nothing"),
        ('[x]\nvelocity_mm_s = [1, 2, 3]\ncitation = " "', "'x' cite nothing"),
        ("[x]\nvelocity_mm_s = [1, 2, 3]\ncitation = 5", "citation = 5; text is wanted"),
        ('[x]\ncitation = "c"', "'x' lack velocity_mm_s"),
        ('[x]\nvelocity = [1, 2, 3]\ncitation = "c"', "unknown key 'velocity'"),
        ("x = 5", "a table such as"),
        ("", "holds no limits"),
        ("[x", "are no TOML"),
    ],
)
def test_tables_that_cannot_be_trusted_are_refused_by_file_and_entry(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "limits.toml"
    path.write_text(text)
    with pytest.raises(ParameterError, match=match) as caught:
        load_limits(path)
    assert str(path) in str(caught.value)


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"cannot be read from .*none\.toml: No such file"):
        load_limits(tmp_path / "none.toml")
