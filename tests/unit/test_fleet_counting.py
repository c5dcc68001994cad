"""What is counted of a fleet, and what a consumer of gateways takes as new."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.fleet.consuming import Publications
from app.fleet.counting import Heard, count_reports
from edge.node.tally import Faults, read_tally
from features.errors import RecordingError


def _heard(node: str, number: int, arrived_ns: int, *, again: bool = False) -> Heard:
    return Heard((node, 1, number), again, arrived_ns)


def test_every_report_is_arrived_lost_or_still_under_way() -> None:
    made = {("a", 1, i): i * 10**9 for i in range(4)} | {("b", 1, 0): 0}
    later = {("a", 1, 4): 4 * 10**9}
    heard = [
        _heard("a", 0, 10**9),
        _heard("a", 2, 2_500_000_000),
        _heard("b", 0, 250_000_000),
        _heard("a", 4, 4 * 10**9),
    ]
    counted = count_reports(made, heard, later=later)
    assert (counted.made, counted.arrived, counted.lost, counted.doubled, counted.unknown) == (5, 3, 2, 0, 0)
    assert counted.delays_s.tolist() == [0.25, 0.5, 1.0]
    assert count_reports(made, heard).unknown == 1


def test_a_publication_that_came_before_is_no_double_and_a_report_under_two_numbers_is() -> None:
    made = {("a", 1, 0): 0, ("a", 1, 1): 0}
    heard = [_heard("a", 0, 5), _heard("a", 0, 7, again=True), _heard("a", 1, 6), _heard("a", 1, 8), _heard("a", 1, 9)]
    counted = count_reports(made, heard)
    assert (counted.doubled, counted.published_again, counted.lost) == (2, 1, 0)
    assert counted.delays_s.tolist() == [5e-9, 6e-9]


def test_publications_are_new_once_for_each_store_however_they_are_ordered(rng: np.random.Generator) -> None:
    serials = rng.permutation(np.repeat(np.arange(500), 2)).tolist()
    for one in (Publications(), Publications()):
        new = [serial for serial in serials if one.is_new({"store": "a", "serial": serial})]
        assert sorted(new) == list(range(500))
        assert one.is_new({"store": "b", "serial": serials[0]})
    assert Publications().is_new({"number": 3})


def test_the_oldest_publications_are_forgotten() -> None:
    publications = Publications()
    assert all(publications.is_new({"store": "a", "serial": serial}) for serial in range(10_000))
    assert not publications.is_new({"store": "a", "serial": 9_000})
    assert publications.is_new({"store": "a", "serial": 0})


def test_a_tally_tells_the_starts_of_a_node_apart(tmp_path: Path) -> None:
    entries = [(0, 0, 5), (1, 0, 6), (2, 1, 7), (0, 0, 8), (1, 3, 9)]
    np.array(entries, dtype="<u4,<u4,<u8").tofile(tmp_path / "tally")
    tally = read_tally(tmp_path / "tally")
    assert tally.made_ns == {(1, 0): 5, (1, 1): 6, (1, 2): 7, (2, 0): 8, (2, 1): 9}
    assert tally.given_up == 3
    assert read_tally(tmp_path / "none").made_ns == {}
    (tmp_path / "cut").write_bytes(bytes(17))
    with pytest.raises(RecordingError, match="ends within an entry of 16 bytes"):
        read_tally(tmp_path / "cut")


@pytest.mark.parametrize(("seconds", "drops"), [(0.0, 0), (2.9, 0), (3.1, 1), (6.4, 1), (6.6, 2), (35.0, 10)])
def test_drops_are_counted_as_the_port_of_the_host_makes_them(seconds: float, drops: int) -> None:
    assert Faults(up_ms=3000, down_ms=500).drops_within(seconds) == drops
    t = np.arange(0.0, seconds, 0.05)
    down = (1000.0 * t).round().astype(int) % 3500 >= 3000
    assert np.count_nonzero(np.diff(down.astype(int)) == 1) == drops
    assert Faults().drops_within(seconds) == 0
