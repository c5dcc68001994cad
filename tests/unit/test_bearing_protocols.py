"""No record, and in honest protocols no damaged bearing, is on both sides of a fold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from features.errors import ParameterError
from models.bearing.protocols import HONEST, PROTOCOLS, SNR_DB, Fold, bearing_of, eligible, protocol_named
from models.datasets import cwru
from models.datasets.cwru import Record


def _record(kind: str, size: float | None, load: int, oclock: int | None = None) -> Record:
    name = f"{kind}{size}-{oclock}_L{load}.npz"
    return Record(Path(name), 1, kind, size, oclock, load, 1797.0, 12_000.0)


def _pack() -> list[Record]:
    faults = [
        _record(kind, size, load, 6 if kind == "outer" else None)
        for kind in ("inner", "outer", "ball")
        for size in (0.007, 0.014, 0.021)
        for load in range(4)
    ]
    return [*faults, *(_record("normal", None, load) for load in range(4))]


@pytest.mark.parametrize("name", HONEST)
def test_honest_folds_share_neither_record_nor_damaged_bearing(name: str) -> None:
    records = {record.name: record for record in _pack()}
    folds = protocol_named(name).folds(_pack())
    assert not protocol_named(name).leaky
    for fold in folds:
        assert not set(fold.train) & set(fold.test)
        sides = [{bearing_of(records[n]) for n in side} - {"normal"} for side in (fold.train, fold.test)]
        assert not sides[0] & sides[1]
        kinds = [{records[n].kind for n in side} for side in (fold.train, fold.test)]
        assert kinds[0] == kinds[1] == set(cwru.KINDS)


@pytest.mark.parametrize("name", [name for name, protocol in PROTOCOLS.items() if protocol.leaky])
def test_leaky_protocols_have_a_bearing_on_both_sides_and_must_be_named(name: str) -> None:
    assert name not in HONEST
    records = {record.name: record for record in _pack()}
    for fold in protocol_named(name).folds(_pack()):
        sides = [{bearing_of(records[n]) for n in side} - {"normal"} for side in (fold.train, fold.test)]
        assert sides[0] & sides[1]


def test_sizes_are_left_out_one_at_a_time_and_health_is_split_by_load() -> None:
    records = {record.name: record for record in _pack()}
    folds = protocol_named("size").folds(_pack())
    assert [fold.name for fold in folds] == ["0.007 in", "0.014 in", "0.021 in"]
    for fold in folds:
        assert {records[n].diameter_in for n in fold.test} - {None} == {float(fold.name.removesuffix(" in"))}
        assert {records[n].load_hp for n in fold.test if records[n].kind == "normal"} == {2, 3}
        assert {records[n].load_hp for n in fold.train if records[n].kind == "normal"} == {0, 1}


def test_noise_is_added_to_the_folds_of_unseen_sizes() -> None:
    plain, noisy = protocol_named("size").folds(_pack()), protocol_named("noise").folds(_pack())
    assert [(f.train, f.test) for f in noisy] == [(f.train, f.test) for f in plain for _ in SNR_DB]
    assert [f.snr_db for f in noisy] == [*SNR_DB] * 3
    assert all(f.snr_db is None for f in plain)


def test_noise_is_added_to_the_test_windows_dealt_at_random() -> None:
    (plain,), noisy = protocol_named("random").folds(_pack()), protocol_named("random-noise").folds(_pack())
    assert [(f.train, f.test, f.dealt) for f in noisy] == [(plain.train, plain.test, True) for _ in SNR_DB]
    assert [f.snr_db for f in noisy] == [*SNR_DB]
    assert noisy[0].name == "windows at random, -4 dB"


def test_loads_are_tested_one_at_a_time() -> None:
    records = {record.name: record for record in _pack()}
    for load, fold in enumerate(protocol_named("load").folds(_pack())):
        assert {records[n].load_hp for n in fold.test} == {load}
        assert load not in {records[n].load_hp for n in fold.train}


def test_other_positions_and_the_other_makers_bearing_are_left_out() -> None:
    strays = [_record("outer", 0.007, 0, 3), _record("ball", 0.028, 0)]
    assert eligible([*_pack(), *strays]) == tuple(_pack())


def test_the_pack_has_nine_damaged_bearings_with_four_records_each(data_dir: Path) -> None:
    kept = eligible(cwru.records(data_dir / "cwru", rate_hz=12_000.0))
    assert len(kept) == 40
    assert len({bearing_of(record) for record in kept}) == 10


def test_a_record_on_both_sides_is_refused() -> None:
    with pytest.raises(ParameterError, match="has b on both sides"):
        Fold("f", ("a", "b"), ("b", "c"))
    assert Fold("f", ("a", "b"), ("a", "b"), dealt=True).dealt


def test_an_empty_side_is_refused() -> None:
    with pytest.raises(ParameterError, match="1 training and 0 test"):
        Fold("f", ("a",), ())


def test_a_leak_that_is_not_called_one_is_refused() -> None:
    leaky = protocol_named("load")
    with pytest.raises(ParameterError, match="call the protocol leaky"):
        replace(leaky, leaky=False).folds(_pack())


def test_an_unknown_protocol_is_refused_with_those_there_are() -> None:
    with pytest.raises(ParameterError, match="one of random, load, size, noise, random-noise"):
        protocol_named("loads")
