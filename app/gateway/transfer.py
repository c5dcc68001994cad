"""What is said to a node to bring an image into its spare slot and on trial; no input, no output and no clock here.

The node's slots decide (`docs/UPDATES.md`): each session begins with a question, and what was said before is never
relied on. Nothing is refused here: a node that refuses ends the transfer, with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from edge.node.link import messages
from edge.node.link.messages import CODES
from edge.node.link.session import Message
from edge.node.package import image_id

__all__ = ["CHUNK_BYTES", "DISPLACED", "Outcome", "Transfer"]

# Less than a message holds, and whole units of every flash that is known.
CHUNK_BYTES = 896
# After so many pieces the node is asked how far it is, for people to see.
_ASK_EVERY = 16
# enum rw_update_status
_CONFIGURATION, _FLASH, _BUSY, _NOT_BEGUN, _OFFSET, _TOO_LARGE, _TRUNCATED, _INCOMPLETE = range(1, 9)
# What says of a message that it came at the wrong time, and nothing of the image.
_PASSING = frozenset((0, _NOT_BEGUN, _OFFSET, _INCOMPLETE))
_ENDS_BEGIN = frozenset((_CONFIGURATION, _FLASH, _TOO_LARGE, _TRUNCATED))
# Not the node's: another image was begun there by somebody else.
DISPLACED = -1

_Phase = Literal["asking", "clearing", "beginning", "sending", "trying"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a transfer ended.

    Attributes
    ----------
    version : int
        Of the image that is on trial; 0 where it is not.
    reason : int
        0 where it is; else the node's code for why it is not, or `DISPLACED`.
    """

    version: int = 0
    reason: int = 0


class Transfer:
    """The way of one image to one node, up to its trial.

    Parameters
    ----------
    image : bytes
    begun : bool
        Whether the node had begun to take it before; what it says of a refusal is of this image then.

    Examples
    --------
    >>> transfer = Transfer(bytes(1000))
    >>> transfer.next(), transfer.next()
    (Message(kind=10, body=b'\\xa0'), None)
    >>> nothing = {"slot": 0, "image": b"", "offset": 0, "size": 0, "reason": 0, "version": 1, "candidate": 0}
    >>> transfer.heard(nothing)
    >>> messages.decode(transfer.next())[0]
    'update_begin'
    >>> transfer.heard(nothing | {"slot": 1, "image": transfer.image_id, "offset": 896, "size": 1000})
    >>> kind, piece = messages.decode(transfer.next())
    >>> kind, piece["offset"], len(piece["data"])
    ('update_chunk', 896, 104)
    """

    def __init__(self, image: bytes, *, begun: bool = False) -> None:
        self.image = image
        self.image_id = image_id(image)
        self.begun = begun
        self.outcome: Outcome | None = None
        self._offset = 0
        self._pieces = 0
        self._phase: _Phase = "asking"
        self._owed: Message | None = None
        self.met()

    def met(self) -> None:
        """A session was taken up: what was under way before may have arrived or not."""
        self._enter("asking", messages.encode("update_query", {}))

    def next(self) -> Message | None:
        """Give what is to be sent next; None where the node's answer is waited for."""
        if self.outcome is not None:
            return None
        owed, self._owed = self._owed, None
        if owed is None and self._phase == "sending" and self._offset < len(self.image):
            return self._piece()
        return owed

    def heard(self, status: Mapping[str, Any]) -> Outcome | None:
        """Take an `update_status`; gives how the transfer has ended once it has.

        Parameters
        ----------
        status : mapping of str to value
            Its entries, codes as numbers and bytes as bytes.

        Returns
        -------
        Outcome or None
        """
        if self.outcome is not None:
            return self.outcome
        slot, reason = CODES["slot"].get(status["slot"], ""), int(status["reason"])
        ours = status["image"] == self.image_id
        if ours and slot in ("trial", "confirmed"):
            # A node that does not say it as a candidate any more has confirmed it.
            self.outcome = Outcome(version=status["candidate"] or status["version"])
        elif self._phase == "asking":
            self._answered(slot, reason, ours=ours)
        elif self._phase == "clearing":
            if slot != "trial":
                self._begin()
        elif self._phase == "beginning":
            self._began(slot, reason, ours=ours, offset=status["offset"])
        else:
            self._went_on(slot, reason, ours=ours)
        return self.outcome

    # -- phases ---------------------------------------------------------------------------------------------------

    def _answered(self, slot: str, reason: int, *, ours: bool) -> None:
        if ours and slot == "staged":
            self._try()
        elif slot == "trial":
            self._clear()
        elif self.begun and slot == "empty" and reason not in _PASSING:
            self.outcome = Outcome(reason=reason)
        else:
            self._begin()

    def _began(self, slot: str, reason: int, *, ours: bool, offset: int) -> None:
        if reason == _BUSY:
            self._clear()
        elif reason in _ENDS_BEGIN:
            self.outcome = Outcome(reason=reason)
        elif reason == 0 and ours and slot in ("receiving", "staged"):
            self.begun = True
            if slot == "staged":
                self._try()
            else:
                self._enter("sending", None)
                self._offset = offset

    def _went_on(self, slot: str, reason: int, *, ours: bool) -> None:
        """What the node says while pieces are under way, or the trial is."""
        if not ours and slot != "empty":
            self.outcome = Outcome(reason=DISPLACED)
        elif reason not in _PASSING:
            self.outcome = Outcome(reason=reason)
        elif self._phase == "sending" and slot == "staged" and reason == 0:
            self._try()
        elif slot == "empty" or reason != 0:
            self._begin()

    def _clear(self) -> None:
        """Another image is on trial, which nobody has confirmed: the newer one takes its place."""
        self.begun = False
        self._enter("clearing", messages.encode("update_abort", {}))

    def _begin(self) -> None:
        begin = messages.encode("update_begin", {"size": len(self.image), "image": self.image_id})
        self._enter("beginning", begin)

    def _try(self) -> None:
        self._enter("trying", messages.encode("update_try", {}))

    def _enter(self, phase: _Phase, owed: Message | None) -> None:
        self._phase, self._owed = phase, owed

    def _piece(self) -> Message:
        data = self.image[self._offset : self._offset + CHUNK_BYTES]
        message = messages.encode("update_chunk", {"offset": self._offset, "data": data})
        self._offset += len(data)
        self._pieces += 1
        if self._pieces % _ASK_EVERY == 0 and self._offset < len(self.image):
            self._owed = messages.encode("update_query", {})
        return message
