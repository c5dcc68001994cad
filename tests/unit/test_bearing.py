"""Fault orders against the figures that publishers of data sets print, and libraries of the user's own."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from features.bearing import BEARINGS, Bearing, bearing_named, load_bearings
from features.errors import ParameterError


@pytest.mark.parametrize(
    ("name", "bpfo", "bpfi", "ftf", "defect"),
    [
        ("6205-2RS", 3.5848, 5.4152, 0.39828, 4.7135),
        ("6203-2RS", 3.0530, 4.9469, 0.3817, 3.9874),
        ("PRONOSTIA", 5.611, 7.389, 0.432, 2 * 3.589),
        # NASA IMS prints 236.4, 296.9, 14.8 (cage) and 139.9 Hz (spin) at 2000 r/min.
        ("ZA-2115", 236.4 * 0.03, 296.93 * 0.03, 14.775 * 0.03, 2 * 139.92 * 0.03),
        # XJTU-SY prints 107.91, 172.09, 13.49 and 72.33 Hz at 35 Hz.
        ("UER204", 107.91 / 35, 172.09 / 35, 13.49 / 35, 2 * 72.33 / 35),
    ],
)
def test_orders_are_the_published_ones(name: str, bpfo: float, bpfi: float, ftf: float, defect: float) -> None:
    orders = bearing_named(name).orders
    assert orders.bpfo == pytest.approx(bpfo, rel=2e-4)
    assert orders.bpfi == pytest.approx(bpfi, rel=2e-4)
    assert orders.ftf == pytest.approx(ftf, rel=1e-3)
    assert orders.defect == pytest.approx(defect, rel=2e-4)


@pytest.mark.parametrize("bearing", BEARINGS.values(), ids=BEARINGS)
def test_races_share_the_balls(bearing: Bearing) -> None:
    orders = bearing.orders
    assert orders.bpfo + orders.bpfi == pytest.approx(bearing.balls)
    assert orders.bpfo == pytest.approx(bearing.balls * orders.ftf)


@pytest.mark.parametrize(
    ("geometry", "match"),
    [
        ({"balls": 2, "ball_mm": 5.0, "pitch_mm": 30.0}, "2 balls"),
        ({"balls": 8, "ball_mm": 30.0, "pitch_mm": 30.0}, "smaller than the pitch"),
        ({"balls": 8, "ball_mm": 5.0, "pitch_mm": 30.0, "contact_deg": 90.0}, "contact angle"),
    ],
)
def test_impossible_bearings_are_refused(geometry: dict[str, float], match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        Bearing("x", **geometry)  # type: ignore[arg-type]


def test_an_unknown_bearing_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ParameterError, match="6205-2RS"):
        bearing_named("9999")


def test_the_first_three_bearings_are_what_they_were() -> None:
    assert BEARINGS["6205-2RS"] == Bearing("6205-2RS", balls=9, ball_mm=0.3126 * 25.4, pitch_mm=1.537 * 25.4)
    assert BEARINGS["6203-2RS"] == Bearing("6203-2RS", balls=8, ball_mm=0.2656 * 25.4, pitch_mm=1.122 * 25.4)
    assert BEARINGS["PRONOSTIA"] == Bearing("PRONOSTIA", balls=13, ball_mm=3.5, pitch_mm=25.6)


@pytest.mark.parametrize("bearing", BEARINGS.values(), ids=BEARINGS)
def test_each_bearing_names_its_source_and_can_be_assembled(bearing: Bearing) -> None:
    assert bearing.source
    # Neighbouring elements must not overlap on the pitch circle.
    assert math.sin(math.pi / bearing.balls) * bearing.pitch_mm > bearing.ball_mm
    if "catalogue" in bearing.source:
        # Deep-groove bearings are filled with the rings pushed together: balls cover little more than half the circle.
        filled = 2.0 * (bearing.balls - 1) * math.degrees(math.asin(bearing.ball_mm / bearing.pitch_mm))
        assert 165.0 < filled < 197.0


@pytest.mark.parametrize(
    "name", ["6204", "6206", "6207", "6208", "6210", "6304", "6305", "6306", "6307", "6308", "6310"]
)
def test_catalogue_bearings_follow_the_rule_of_thumb(name: str) -> None:
    # 0.4 and 0.6 of the balls: what analysts take where the geometry is unknown.
    bearing = bearing_named(name)
    assert bearing.orders.bpfo == pytest.approx(0.4 * bearing.balls, rel=0.09)
    assert bearing.orders.bpfi == pytest.approx(0.6 * bearing.balls, rel=0.09)
    # The bore code times five is the bore; pitch and ball stand between it and the outside diameter.
    bore = 5 * int(name[2:])
    assert bore < bearing.pitch_mm - bearing.ball_mm


def test_bearings_of_one_geometry_are_equal_whatever_their_source() -> None:
    assert Bearing("a", 8, 7.0, 33.0, source="plate") == Bearing("a", 8, 7.0, 33.0)


def test_a_library_of_ones_own_lies_over_the_built_in_one(tmp_path: Path) -> None:
    path = tmp_path / "bearings.toml"
    path.write_text(
        '[[bearing]]\nname = "NU-210"\nballs = 15\nball_mm = 11\npitch_mm = 70.5\nsource = "maker"\n'
        '[[bearing]]\nname = "6204"\nballs = 8\nball_mm = 7.9\npitch_mm = 34.5\ncontact_deg = 5\n'
    )
    library = load_bearings(path)
    assert bearing_named("NU-210", library) == Bearing("NU-210", 15, 11.0, 70.5)
    assert library["6204"].pitch_mm == 34.5
    assert bearing_named("6205-2RS", library) is BEARINGS["6205-2RS"]
    assert "NU-210" not in BEARINGS
    assert BEARINGS["6204"].pitch_mm == 33.5
    with pytest.raises(ParameterError, match=r"no bearing named '9999'; known are .*NU-210"):
        bearing_named("9999", library)


_GOOD = '[[bearing]]\nname = "x"\nballs = 8\nball_mm = 7\npitch_mm = 33\n'


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "holds nothing"),
        ("[bearing]\nballs = 8", r"only \[\[bearing\]\] is wanted"),
        ("bearing = []", r"only \[\[bearing\]\] is wanted"),
        (_GOOD + "[x]\ny = 1", "holds 'bearing', 'x'"),
        ("bearing = [5]", "a bearing is 5"),
        ("[[bearing]]\nballs = 8", "with a name is wanted"),
        (_GOOD + "angle = 3", "unknown key 'angle'; known are name, balls"),
        ('[[bearing]]\nname = "x"\nballs = 8\nball_mm = 7', "'x' lacks pitch_mm"),
        (_GOOD + "contact_deg = true", "contact_deg = True; float or int is wanted"),
        (_GOOD.replace("= 8", "= 8.5"), r"balls = 8\.5; int is wanted"),
        (_GOOD.replace("= 8", "= 2"), "'x' has 2 balls"),
        (_GOOD.replace("= 33", "= inf"), "smaller than the pitch"),
        (_GOOD + _GOOD, "'x' stands in the library twice"),
        ("[[bearing", "are no TOML"),
    ],
)
def test_libraries_that_cannot_be_trusted_are_refused_by_file(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "bearings.toml"
    path.write_text(text)
    with pytest.raises(ParameterError, match=match) as caught:
        load_bearings(path)
    assert str(path) in str(caught.value)


def test_a_missing_library_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"cannot be read from .*none\.toml"):
        load_bearings(tmp_path / "none.toml")
