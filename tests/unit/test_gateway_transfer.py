"""An image reaches a node's trial whatever happens on the way, or is refused for the reason that the node gives."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from updating_nodes import (
    ABORTED,
    CONFIGURATION,
    DIGEST,
    FLASH,
    GOLDEN,
    OFFSET,
    SIGNATURE,
    TOO_LARGE,
    TRIAL,
    UNCONFIRMED,
    VERSION,
    Slots,
    model_image,
)

from app.gateway.transfer import CHUNK_BYTES, DISPLACED, Outcome, Transfer
from edge.node.link import messages
from edge.node.link.session import Message

_WINDOW = 8
_IMAGE = model_image(7)


@dataclass
class Talk:
    """A transfer and a node with messages under way, as a link has them: in order, once in a session."""

    transfer: Transfer
    node: Slots
    there: deque[Message] = field(default_factory=deque)
    back: deque[Message] = field(default_factory=deque)
    taken: list[Message] = field(default_factory=list)

    def speak(self) -> None:
        while len(self.there) < _WINDOW and (message := self.transfer.next()) is not None:
            self.there.append(message)

    def deliver(self) -> None:
        if self.there and not self.node.restart:
            self.taken.append(self.there.popleft())
            self.node.take(self.taken[-1])

    def answer(self) -> None:
        status = self.node.status()
        if status is not None:
            self.back.append(status)
        if self.node.restart:
            self.restart()

    def hear(self) -> None:
        if self.back:
            self.transfer.heard(messages.decode(self.back.popleft())[1])

    def restart(self) -> None:
        """The node starts again: what it had taken last may not have been acknowledged, and comes again."""
        self.node.start()
        self.there = deque([*self.taken[-2:], *self.there])
        self.transfer.met()

    def lose_line(self) -> None:
        """Another line to the same start of the node: what was under way is not said again."""
        self.there.clear()
        self.transfer.met()

    def lose_answers(self) -> None:
        """The node starts again before its answers have gone out."""
        self.back.clear()
        self.restart()

    def restart_gateway(self) -> None:
        self.there.clear()
        self.transfer = Transfer(self.transfer.image, begun=self.transfer.begun)

    def settle(self, *, most: int = 2000) -> Outcome:
        for _ in range(most):
            for step in (self.speak, self.deliver, self.answer, self.hear):
                step()
            if self.transfer.outcome is not None:
                return self.transfer.outcome
        return pytest.fail(f"no end: the node heard {self.node.heard[-20:]}")


def _moved(image: bytes = _IMAGE, **node: int) -> tuple[Outcome, Slots]:
    talk = Talk(Transfer(image), Slots(**node))
    return talk.settle(), talk.node


def test_an_image_is_taken_piece_by_piece_and_tried() -> None:
    outcome, node = _moved()
    assert outcome == Outcome(version=7)
    assert (node.phase, node.running, node.version, node.content) == (TRIAL, 7, 1, _IMAGE)
    assert node.heard.count("update_begin") == node.heard.count("update_try") == 1
    assert node.heard.count("update_chunk") == -(-len(_IMAGE) // CHUNK_BYTES)


def test_a_long_image_is_asked_about_for_people_to_see_how_far_it_is() -> None:
    image = model_image(7, model_bytes=40_000)
    outcome, node = _moved(image)
    assert outcome == Outcome(version=7)
    assert node.heard.count("update_query") == 1 + len(image) // CHUNK_BYTES // 16


def test_every_refusal_of_the_node_ends_it_with_its_reason() -> None:
    stranger = Ed25519PrivateKey.from_private_bytes(bytes(32))
    for image, node, reason in (
        (_IMAGE[:-1] + b"\2", {}, DIGEST),
        (model_image(7, key=stranger), {}, SIGNATURE),
        (_IMAGE, {"version": 7}, VERSION),
        (_IMAGE, {"version": 9}, VERSION),
        (_IMAGE, {"slot_bytes": 1000}, TOO_LARGE),
        (model_image(7, golden=False), {}, GOLDEN),
        (_IMAGE, {"broken": CONFIGURATION}, CONFIGURATION),
        (_IMAGE, {"broken": FLASH}, FLASH),
    ):
        outcome, after = _moved(image, **node)
        assert outcome == Outcome(reason=reason)
        assert after.running == after.version == node.get("version", 1)


def test_what_was_refused_before_is_no_refusal_of_the_next_image() -> None:
    talk = Talk(Transfer(model_image(1)), Slots())
    assert talk.settle() == Outcome(reason=VERSION)
    talk = Talk(Transfer(_IMAGE), talk.node)
    assert talk.settle() == Outcome(version=7)


def test_an_image_on_trial_that_nobody_confirmed_gives_way_to_a_newer_one() -> None:
    talk = Talk(Transfer(_IMAGE), Slots())
    talk.settle()
    talk = Talk(Transfer(model_image(8)), talk.node)
    assert talk.settle() == Outcome(version=8)
    assert (talk.node.running, talk.node.phase) == (8, TRIAL)


@pytest.mark.parametrize("answered", [False, True], ids=["unheard", "heard"])
def test_an_image_half_sent_gives_way_to_a_newer_one(answered: bool) -> None:
    talk = Talk(Transfer(_IMAGE), Slots())
    for _ in range(4):
        for step in (talk.speak, talk.deliver, talk.answer, talk.hear):
            step()
    if not answered:
        talk.deliver()
        talk.answer()
    under_way, talk.transfer = talk.there, Transfer(model_image(8))
    talk.there = under_way
    assert talk.settle() == Outcome(version=8)


def test_the_same_image_again_is_found_on_trial_and_nothing_is_sent() -> None:
    talk = Talk(Transfer(_IMAGE), Slots())
    talk.settle()
    heard = len(talk.node.heard)
    talk = Talk(Transfer(_IMAGE), talk.node)
    assert talk.settle() == Outcome(version=7)
    assert talk.node.heard[heard:] == ["update_query"]


def test_a_refusal_that_was_said_while_nobody_listened_is_found_later() -> None:
    talk = Talk(Transfer(model_image(7, golden=False)), Slots())
    while "update_try" not in talk.node.heard:
        for step in (talk.speak, talk.deliver, talk.hear):
            step()
        if "update_try" not in talk.node.heard:
            talk.answer()
    talk.lose_answers()
    talk.restart_gateway()
    assert talk.settle() == Outcome(reason=GOLDEN)
    assert talk.node.heard.count("update_try") == 1


def test_an_abort_by_somebody_else_ends_it() -> None:
    talk = Talk(Transfer(_IMAGE), Slots())
    while "update_chunk" not in talk.node.heard:
        for step in (talk.speak, talk.deliver, talk.answer, talk.hear):
            step()
    talk.there.appendleft(messages.encode("update_abort", {}))
    assert talk.settle().reason == ABORTED


def test_another_image_begun_by_somebody_else_ends_it() -> None:
    talk = Talk(Transfer(_IMAGE), Slots())
    while "update_chunk" not in talk.node.heard:
        for step in (talk.speak, talk.deliver, talk.answer, talk.hear):
            step()
    talk.there.append(messages.encode("update_begin", {"size": 900, "image": bytes(16)}))
    assert talk.settle() == Outcome(reason=DISPLACED)


def _next(transfer: Transfer) -> tuple[str, dict[str, object]]:
    message = transfer.next()
    assert message is not None
    kind, entries = messages.decode(message)
    return kind, dict(entries)


def test_an_answer_to_what_was_said_before_is_not_taken_for_one_to_the_beginning() -> None:
    transfer = Transfer(_IMAGE)
    status = {"slot": 0, "image": b"", "offset": 0, "size": 0, "reason": 0, "version": 1, "candidate": 0}
    assert _next(transfer) == ("update_query", {})
    transfer.heard(status)
    assert _next(transfer)[0] == "update_begin"
    status |= {"slot": 1, "image": transfer.image_id}
    transfer.heard(status | {"reason": OFFSET, "offset": 448})
    assert transfer.next() is None
    transfer.heard(status | {"offset": 896})
    assert _next(transfer)[1]["offset"] == 896
    transfer.heard(status | {"offset": 896, "reason": OFFSET})
    assert _next(transfer)[0] == "update_begin"
    assert transfer.outcome is None


_STEPS = ("speak", "deliver", "answer", "hear")
_FAULTS = ("restart", "lose_line", "lose_answers", "restart_gateway")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(_STEPS * 6 + _FAULTS), max_size=250), st.booleans())
def test_whatever_restarts_and_gets_lost_the_node_ends_with_the_image_whole_or_says_why_not(
    events: list[str], golden: bool
) -> None:
    image = model_image(7, golden=golden)
    talk = Talk(Transfer(image), Slots())
    for event in events:
        if talk.transfer.outcome is None:
            getattr(talk, event)()
    outcome = talk.settle()
    if outcome.reason == 0:
        assert golden
        assert (talk.node.phase, talk.node.running, talk.node.content) == (TRIAL, 7, image)
    else:
        # A node that starts often enough without being confirmed gives the model up by itself.
        assert outcome.reason == (UNCONFIRMED if golden else GOLDEN)
        assert talk.node.running == talk.node.version == 1
