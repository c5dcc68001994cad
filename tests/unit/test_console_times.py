"""Times stand in the reader's zone, in words and on axes."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from streamlit.runtime.context import ContextProxy

from app.console.words import clock, local_times, zone_name

_SUMMER = datetime(2026, 7, 1, 22, 30, 15, 123_000, UTC)


def _reader_in(monkeypatch: pytest.MonkeyPatch, zone: str | None) -> None:
    monkeypatch.setattr(ContextProxy, "timezone", zone)


def _ns(time: datetime) -> int:
    return round(time.timestamp() * 1000) * 1_000_000


@pytest.mark.parametrize(
    ("zone", "shown", "name"),
    [
        ("Europe/Berlin", "2026-07-02 00:30:15.123 CEST", "Europe/Berlin"),
        ("Asia/Kolkata", "2026-07-02 04:00:15.123 IST", "Asia/Kolkata"),
        ("UTC", "2026-07-01 22:30:15.123 UTC", "UTC"),
        (None, "2026-07-01 22:30:15.123 UTC", "UTC"),
        ("Mars/Base", "2026-07-01 22:30:15.123 UTC", "UTC"),
        ("../../etc/passwd", "2026-07-01 22:30:15.123 UTC", "UTC"),
    ],
)
def test_a_time_names_its_zone(zone: str | None, shown: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _reader_in(monkeypatch, zone)
    assert clock(_ns(_SUMMER)) == shown
    assert zone_name() == name


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "America/New_York", "Asia/Kathmandu"])
def test_axes_show_what_the_clock_says_over_changes_of_the_clocks(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _reader_in(monkeypatch, zone)
    times = np.arange(_ns(datetime(2026, 1, 1, tzinfo=UTC)), _ns(datetime(2027, 1, 1, tzinfo=UTC)), 10_007 * 10**9)
    shown = local_times(times.reshape(1, -1))[0]
    for i in range(0, times.size, 37):
        wanted = datetime.fromtimestamp(times[i] / 1e9, ZoneInfo(zone)).replace(tzinfo=None)
        assert shown[i] == np.datetime64(wanted, "ms")
