"""Fault orders against the figures that CWRU and the FEMTO publisher print."""

from __future__ import annotations

import pytest

from features.bearing import BEARINGS, Bearing, bearing_named
from features.errors import ParameterError


@pytest.mark.parametrize(
    ("name", "bpfo", "bpfi", "ftf", "defect"),
    [
        ("6205-2RS", 3.5848, 5.4152, 0.39828, 4.7135),
        ("6203-2RS", 3.0530, 4.9469, 0.3817, 3.9874),
        ("PRONOSTIA", 5.611, 7.389, 0.432, 2 * 3.589),
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
