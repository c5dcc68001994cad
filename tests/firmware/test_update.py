"""The node's update over a simulated flash: transfers, refusals with their reasons, trials, starts."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

import pytest
from c_programs import FIRMWARE
from update_driving import (
    CONFIRMED,
    CONTRACT,
    EMPTY,
    KEY,
    MEMORY_BYTES,
    NO_SLOT,
    OPERATORS,
    OTHER_KEY,
    REASON,
    RECEIVING,
    STAGED,
    TRIAL,
    Flash,
    Node,
    driver,
    image,
    place,
)

OK = REASON["OK"]

_SLOTS_AT, _RECORDS_AT = (256, 1280), (2304, 2560)  # in the simulated flash of 1,024 bytes a slot


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return driver(tmp_path_factory)


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :]


def test_a_model_is_taken_tried_and_kept(program: Path) -> None:
    node = Node(program).start().begin(image(5)).write(image(5)).finish().switch().confirm().start()
    (_, booted), [begun], written, [finished], [switched], [confirmed], (opened, again) = node.run()
    assert opened == (OK,)
    assert booted[0] == REASON["NO_MODEL"]
    assert place(booted).running == NO_SLOT
    assert begun == (OK, 0)
    assert [status for status, _ in written] == [OK] * len(written)
    assert written[-1][1] == len(image(5))
    assert finished == (OK,)
    assert (switched[0], place(switched).version, place(switched).phase, place(switched).boots) == (OK, 5, TRIAL, 1)
    assert (confirmed[0], place(confirmed).phase, place(confirmed).highest) == (OK, CONFIRMED, 5)
    assert (again[0], place(again).version, place(again).running) == (OK, 5, place(switched).running)


def test_updates_go_from_slot_to_slot(program: Path) -> None:
    node = Node(program).start()
    for version in (1, 2, 7):
        node.install(image(version)).start()
    booted = [place(boot) for _, boot in node.run()[2::2]]
    assert [(at.running, at.version) for at in booted] == [(0, 1), (1, 2), (0, 7)]


_REFUSED_AT_THE_HEAD = {
    "SIGNATURE": [
        ("a manifest that was touched", flipped(image(2), 12)),
        ("a signature that was touched", flipped(image(2), int.from_bytes(image(2)[:4], "little") + 20)),
        ("another key", image(2, key=OTHER_KEY)),
    ],
    "VERSION": [("replayed", image(1)), ("older", image(0))],
    "CONTRACT": [("another contract", image(2, contract=CONTRACT[:-1] + b"\xff"))],
    "OPERATOR": [("an operator too many", image(2, operators=(*OPERATORS, 5)))],
    "MEMORY": [("a byte of memory too much", image(2, memory_bytes=MEMORY_BYTES + 1))],
    "MANIFEST": [
        ("no manifest", bytes(4) + image(2)[4:]),
        ("a manifest beyond all measure", b"\xff\xff\xff\xff" + image(2)[4:]),
    ],
    "TRUNCATED": [
        ("a manifest longer than the image", b"\x00\x10\x00\x00" + image(2)[4:]),
        ("an end that is missing", image(2)[:-1]),
        ("bytes behind the end", image(2) + b"\0"),
    ],
}


@pytest.mark.parametrize(
    ("reason", "content"),
    [(reason, content) for reason, cases in _REFUSED_AT_THE_HEAD.items() for _, content in cases],
    ids=[f"{reason}: {name}" for reason, cases in _REFUSED_AT_THE_HEAD.items() for name, _ in cases],
)
def test_an_image_is_refused_once_its_head_is_there(program: Path, reason: str, content: bytes) -> None:
    """Long before its last byte; the model before runs on, and a good image is taken afterwards."""
    node = Node(program).start().install(image(1)).begin(content).write(content, piece=8).start().install(image(3))
    _, _, [begun], written, (_, booted), last = node.run()
    statuses = [status for status, _ in written]
    n_head = statuses.index(REASON[reason])
    assert begun == (OK, 0)
    assert n_head <= (len(image(2)) - 230) // 8
    assert statuses == [OK] * n_head + [REASON[reason]] + [REASON["NOT_BEGUN"]] * (len(statuses) - n_head - 1)
    assert (place(booted).version, place(booted).phase, place(booted).reason) == (1, EMPTY, REASON[reason])
    assert place(last[-1]).highest == 3


@pytest.mark.parametrize("at", [-1, -100, -230])
def test_a_model_that_was_touched_is_refused_at_the_end(program: Path, at: int) -> None:
    content = flipped(image(2), len(image(2)) + at)
    node = Node(program).start().install(image(1)).begin(content).write(content).finish().switch().start()
    *_, [finished], [switched], (_, booted) = node.run()
    assert finished == (REASON["DIGEST"],)
    assert switched[0] == REASON["NOT_BEGUN"]
    assert (place(booted).version, place(booted).phase, place(booted).reason) == (1, EMPTY, REASON["DIGEST"])


def test_sizes_that_no_slot_holds_are_refused_before_anything_is_erased(program: Path) -> None:
    node = Node(program).start().install(image(1)).begin(image(2)).write(image(2), end=200)
    node.begin(image(3), n=1025).begin(image(3), n=68).begin(image(3), n=0).begin(image(2))
    *_, [large], [small], [nothing], [again] = node.run()
    assert large == (REASON["TOO_LARGE"], 0)
    assert small == nothing == (REASON["TRUNCATED"], 0)
    assert again == (OK, 200)


def test_a_slot_is_filled_to_its_last_byte(program: Path) -> None:
    content = image(1, model_bytes=230 + 1024 - len(image(1)))
    content = image(1, model_bytes=230 + 1024 - len(image(1)) - (len(content) - 1024))
    assert len(content) == 1024
    *_, (_, booted) = Node(program).start().install(content).start().run()
    assert (booted[0], place(booted).version) == (OK, 1)


def test_pieces_must_follow_each_other(program: Path) -> None:
    content = image(1)
    node = Node(program).start().write(content, end=8).begin(content).write(content, end=100)
    node.write(content, end=100).write(content, start=101, end=150).finish()
    node.write(content, start=100, piece=len(content)).write(content + b"\0", start=len(content)).finish()
    _, [before], _, [first], [twice], [gap], [early], [rest], [behind], [done] = node.run()
    assert before == (REASON["NOT_BEGUN"], 0)
    assert (first, twice, gap) == ((OK, 100), (REASON["OFFSET"], 100), (REASON["OFFSET"], 100))
    assert early == (REASON["INCOMPLETE"],)
    assert rest == (OK, len(content))
    assert behind == (REASON["TOO_LARGE"], len(content))
    assert done == (OK,)


@pytest.mark.parametrize("unit", [1, 8, 64])
def test_pieces_of_any_size_into_units_of_any_size(program: Path, unit: int) -> None:
    for version, piece in enumerate((1, 3, 7, 8, 9, 63, 64, 65, 1000), start=1):
        content = image(version)
        node = Node(program, Flash(unit=unit)).start().begin(content).write(content, piece=piece).finish().switch()
        assert place(node.run()[-1][0]).version == version


def test_a_transfer_goes_on_where_power_left_it(program: Path) -> None:
    """With units that may be written again, at the last one; else at its sector."""
    content = image(1, model_bytes=700)
    for flash, offset in ((Flash(), 512), (Flash(rewritable=True), 592), (Flash(rewritable=True, unit=64), 512)):
        node = Node(program, flash).start().begin(content).write(content, end=603).start().begin(content)
        node.write(content, start=offset, piece=37).finish().switch()
        *_, [begun], written, _, [switched] = node.run()
        assert begun == (OK, offset)
        assert {status for status, _ in written} == {OK}
        assert (switched[0], place(switched).version) == (OK, 1)


def test_a_transfer_that_ended_is_not_sent_again(program: Path) -> None:
    content = image(1)
    node = Node(program).start().begin(content).write(content).begin(content).finish().begin(content).finish()
    *_, [whole], [first], [staged], [second] = node.run()
    assert whole == staged == (OK, len(content))
    assert first == second == (OK,)


def test_another_image_begins_from_nothing(program: Path) -> None:
    node = Node(program).start().begin(image(1)).write(image(1), end=200).begin(image(2)).write(image(2)).finish()
    *_, [second], _, [finished], [third] = node.begin(image(3)).run()
    assert second == third == (OK, 0)
    assert finished == (OK,)


def test_an_image_that_is_to_be_erased_no_longer_counts(program: Path) -> None:
    """A record is one erasure and eight units; the flash fails at the erasure behind it."""
    node = Node(program).start().begin(image(1)).write(image(1), end=200).fail_flash(9).begin(image(2)).start()
    *_, [begun], (_, booted) = node.run()
    assert begun == (REASON["FLASH"], 0)
    assert place(booted).phase == EMPTY


def test_a_start_goes_on_with_a_staged_image(program: Path) -> None:
    node = Node(program).start().begin(image(1)).write(image(1)).finish().start().confirm()
    *_, (_, booted), [confirmed] = node.run()
    assert (booted[0], place(booted).version, place(booted).phase, place(booted).boots) == (OK, 1, TRIAL, 1)
    assert place(confirmed).phase == CONFIRMED


@pytest.mark.parametrize("trial_boots", [1, 3])
def test_a_model_that_is_not_confirmed_is_given_up(program: Path, trial_boots: int) -> None:
    """The switch is its first start."""
    node = Node(program, trial_boots=trial_boots).start().install(image(1))
    node.begin(image(2)).write(image(2)).finish().switch()
    for _ in range(trial_boots):
        node.start()
    *before, [again] = node.begin(image(2)).run()
    *trials, last = [place(boot) for _, boot in before[-trial_boots:]]
    assert [(at.version, at.boots) for at in trials] == [(2, boots) for boots in range(2, trial_boots + 1)]
    assert (last.version, last.phase, last.reason) == (1, EMPTY, REASON["UNCONFIRMED"])
    assert again == (OK, 0)


def test_a_trial_is_not_disturbed(program: Path) -> None:
    node = Node(program).start().install(image(1)).begin(image(2)).write(image(2)).finish().switch()
    node.begin(image(3)).write(image(3), end=50).finish().switch().confirm().confirm().switch()
    *_, [busy], [written], [finished], [switched], [confirmed], [twice], [nothing] = node.run()
    assert place(switched).running == 1  # a call out of its turn changes nothing of what runs
    assert busy == (REASON["BUSY"], 0)
    assert written[0] == finished[0] == switched[0] == twice[0] == nothing[0] == REASON["NOT_BEGUN"]
    assert (confirmed[0], place(confirmed).highest) == (OK, 2)


def test_a_model_that_does_not_give_its_golden_output_never_runs(program: Path) -> None:
    wrong = image(2, golden_output=b"\x01\x02\x03")
    node = Node(program).start().install(image(1)).begin(wrong).write(wrong).finish().switch().confirm().start()
    *_, [switched], [confirmed], (_, booted) = node.run()
    assert (switched[0], place(switched).version) == (REASON["GOLDEN"], 1)
    assert confirmed[0] == REASON["NOT_BEGUN"]
    assert (place(booted).version, place(booted).reason) == (1, REASON["GOLDEN"])


@pytest.mark.parametrize("upto", range(4))
def test_an_update_is_given_up_at_any_moment(program: Path, upto: int) -> None:
    node = Node(program).start().install(image(1)).begin(image(2))
    for step in (lambda: node.write(image(2)), node.finish, node.switch)[:upto]:
        step()
    *_, [given_up], (_, booted), last = node.give_up(REASON["ABORTED"]).start().install(image(2)).run()
    assert given_up[0] == booted[0] == OK
    assert place(given_up) == place(booted)
    assert (place(booted).version, place(booted).phase, place(booted).reason) == (1, EMPTY, REASON["ABORTED"])
    assert place(last[-1]).highest == 2


def test_where_there_is_nothing_to_give_up_nothing_is(program: Path) -> None:
    fresh, [nothing] = Node(program).start().give_up(REASON["ABORTED"]).run()
    assert nothing[0] == REASON["NOT_BEGUN"]
    *_, [kept] = Node(program).start().install(image(1)).give_up(REASON["ABORTED"]).run()
    assert (kept[0], place(kept).phase) == (REASON["NOT_BEGUN"], CONFIRMED)
    assert place(fresh[1]).running == NO_SLOT


def test_a_version_that_was_never_confirmed_bars_no_other(program: Path) -> None:
    node = Node(program).start().install(image(1)).begin(image(9)).write(image(9)).finish().switch()
    *_, last, (_, booted) = node.give_up(REASON["UNHEALTHY"]).install(image(2)).start().run()
    assert last[-1][0] == OK
    assert (place(booted).version, place(booted).highest) == (2, 2)


def test_a_key_can_be_replaced_by_a_second_one(program: Path) -> None:
    """A firmware that holds both takes images of either."""
    node = Node(program, keys=(KEY, OTHER_KEY)).start().install(image(1)).install(image(2, key=OTHER_KEY)).start()
    *_, (_, booted) = node.run()
    assert place(booted).version == 2


def test_a_node_without_a_record_takes_what_a_factory_wrote(program: Path) -> None:
    node = Node(program).put(_SLOTS_AT[0], image(4)).put(_SLOTS_AT[1], image(3)).start().start()
    *_, (_, adopted), (_, again), _, written = node.begin(image(4)).write(image(4)).run()
    assert (adopted[0], place(adopted).version, place(adopted).highest) == (OK, 4, 4)
    assert (again[0], place(again).version) == (OK, 4)
    assert REASON["VERSION"] in [status for status, _ in written]
    damaged = flipped(image(4), len(image(4)) - 1)
    *_, (_, other) = Node(program).put(_SLOTS_AT[0], damaged).put(_SLOTS_AT[1], image(3)).start().run()
    assert (place(other).version, place(other).running) == (3, 1)


def test_a_confirmed_model_that_rots_does_not_run_and_is_replaced(program: Path) -> None:
    node = Node(program).start().install(image(1)).put(_SLOTS_AT[0] + len(image(1)) - 3, b"\x55").start()
    *_, (_, rotten), _, (_, booted) = node.install(image(2)).start().run()
    assert rotten[0] == REASON["DIGEST"]
    assert (place(rotten).running, place(rotten).version, place(rotten).highest) == (NO_SLOT, 0, 1)
    assert (booted[0], place(booted).version) == (OK, 2)


@pytest.mark.parametrize("record", [0, 1])
def test_of_two_records_the_whole_one_counts(program: Path, record: int) -> None:
    node = Node(program).start().install(image(1)).install(image(2)).put(_RECORDS_AT[record] + 30, b"\x99\x98").start()
    *_, (_, booted) = node.run()
    assert booted[0] == OK
    assert place(booted).version == 2
    assert place(booted).phase in (TRIAL, CONFIRMED)


def test_records_that_no_node_writes_count_for_nothing(program: Path) -> None:
    """Nothing but zeros; a magic number without a checksum."""
    node = Node(program).put(_RECORDS_AT[0], bytes(64)).put(_RECORDS_AT[1], b"RWS1" + bytes(60)).start()
    *_, (_, booted) = node.run()
    assert booted[0] == REASON["NO_MODEL"]


@pytest.mark.parametrize(("sequence", "place_at", "counts"), [(4, 0, True), (5, 1, True), (4, 1, False), (5, 0, False)])
def test_a_record_counts_in_its_own_place_only(program: Path, sequence: int, place_at: int, *, counts: bool) -> None:
    """So that the next one is never written over it."""
    head = b"RWS1" + struct.pack("<3I", sequence, 99, 0) + bytes(16) + bytes([0, CONFIRMED, 0, OK]) + bytes(24)
    record = head + struct.pack("<I", zlib.crc32(head))
    node = Node(program).put(_SLOTS_AT[0], image(4)).put(_RECORDS_AT[place_at], record).start()
    *_, (_, booted) = node.run()
    assert (booted[0], place(booted).version, place(booted).highest) == (OK, 4, 99 if counts else 4)


@pytest.mark.parametrize("step", range(0, 96, 5))
def test_flash_that_fails_is_reported_and_tried_again(program: Path, step: int) -> None:
    """Whatever step of the second update fails, the first model runs on or the second does; a third is taken."""
    node = Node(program).start().install(image(1)).fail_flash(step).install(image(2)).start()
    *_, failed, (_, booted), third, (_, last) = node.install(image(3)).start().run()
    assert REASON["FLASH"] in [answer[0] for answer in failed]
    assert (booted[0], place(booted).version) in ((OK, 1), (OK, 2))
    assert {answer[0] for answer in third} <= {OK, REASON["BUSY"], REASON["NOT_BEGUN"]}
    assert (last[0], place(last).version) in ((OK, 3), (OK, 2))


@pytest.mark.parametrize(
    "changed",
    [
        {"unit": 24},
        {"unit": 128},
        {"sector": 32, "slot_bytes": 64},
        {"sector": 256, "slot_bytes": 900},
        {"sector": 2048},
    ],
)
def test_a_geometry_that_cannot_be_is_refused(program: Path, changed: dict[str, int]) -> None:
    flash = Flash(**changed)  # type: ignore[arg-type]
    assert Node(program, flash).open().run() == [[(REASON["CONFIGURATION"],)]]


def test_settings_that_cannot_be_are_refused(program: Path) -> None:
    for node in (Node(program, trial_boots=0), Node(program, keys=())):
        assert node.open().run() == [[(REASON["CONFIGURATION"],)]]


def test_phases_are_numbered_as_the_header_says() -> None:
    text = (FIRMWARE / "update" / "rw_records.h").read_text()
    found = {name: int(code) for name, code in re.findall(r"RW_PHASE_(\w+) = (\d)", text)}
    assert found == {
        "EMPTY": EMPTY,
        "RECEIVING": RECEIVING,
        "STAGED": STAGED,
        "TRIAL": TRIAL,
        "CONFIRMED": CONFIRMED,
    }
