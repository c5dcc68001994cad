"""A node that takes updates, twin of the firmware's slots and of what it says of them, over whole messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.node.link import messages
from edge.node.link.session import Message
from edge.node.manifest import decode_manifest
from edge.node.package import make_image, open_image
from features.errors import ArtifactError

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
CONTRACT = bytes.fromhex("cbaf349d5d436fb2")
EMPTY, RECEIVING, STAGED, TRIAL, CONFIRMED = range(5)
CONFIGURATION, FLASH, BUSY, NOT_BEGUN, OFFSET, TOO_LARGE, TRUNCATED, INCOMPLETE, SIGNATURE = range(1, 10)
DIGEST, VERSION, GOLDEN, UNCONFIRMED, ABORTED = 11, 12, 16, 17, 18
_TRIAL_BOOTS = 3
_UNIT = 8


def model_image(version: int, *, model_bytes: int = 5000, golden: bool = True, key: Ed25519PrivateKey = KEY) -> bytes:
    """A signed image; one without `golden` fails its golden window on the node."""
    return make_image(
        bytes([version % 256]) * (model_bytes - 1) + b"\1",
        version=version,
        contract=CONTRACT,
        operators=[3],
        memory_bytes=512,
        golden_input=b"\1",
        golden_output=b"\1" if golden else b"\2",
        name=f"M{version}",
        metrics={},
        key=key,
    )


@dataclass
class Slots:
    """A node's slots: what is in flash, and what only memory holds between two starts.

    Attributes
    ----------
    version : int
        Of the confirmed model.
    running : int
        Of the model that runs.
    restart : bool
        Whether the node is to start again.
    told : bool
        Whether the last status has gone out.
    """

    version: int = 1
    slot_bytes: int = 65_536
    broken: int = 0
    phase: int = EMPTY
    image: bytes = b""
    size: int = 0
    content: bytes = b""
    boots: int = 0
    kept_reason: int = 0
    reason: int = 0
    begun: bool = False
    running: int = 1
    candidate: int = 0
    restart: bool = False
    told: bool = True
    started: int = 1
    heard: list[str] = field(default_factory=list)

    def start(self) -> None:
        """Start again; what memory held is gone, and of what was received what filled no unit of flash."""
        self.started += 1
        self.begun = self.restart = False
        self.told, self.reason, self.candidate, self.running = True, 0, 0, self.version
        self.content = self.content[: len(self.content) // _UNIT * _UNIT]
        if self.phase == TRIAL and self.boots >= _TRIAL_BOOTS:
            self._empty(UNCONFIRMED)
        elif self.phase in (STAGED, TRIAL):
            self._run_spare()

    def take(self, message: Message) -> None:
        """Take one of the host's messages about updates."""
        kind, entries = messages.decode(message)
        self.heard.append(kind)
        if kind != "update_chunk":
            self.told = False
        if self.broken:
            self.reason, self.told = self.broken, False
        else:
            getattr(self, f"_{kind.removeprefix('update_')}")(entries)

    def status(self) -> Message | None:
        """What is owed to the host, once."""
        if self.told:
            return None
        self.told = True
        entries = {
            "slot": self.phase,
            "image": b"" if self.phase == EMPTY else self.image,
            "offset": len(self.content) if self.begun else 0,
            "size": self.size,
            "reason": self.reason or self.kept_reason,
            "version": self.running,
            "candidate": self.candidate,
        }
        return messages.encode("update_status", entries)

    # -- the messages ---------------------------------------------------------------------------------------------

    def _query(self, entries: dict[str, Any]) -> None:
        del entries

    def _begin(self, entries: dict[str, Any]) -> None:
        known = (self.image, self.size) == (entries["image"], entries["size"])
        if self.phase == TRIAL:
            self.reason = BUSY
        elif entries["size"] > self.slot_bytes:
            self.reason = TOO_LARGE
        else:
            self.reason = 0
            if not known or self.phase not in (RECEIVING, STAGED):
                self.phase, self.image, self.size, self.content = RECEIVING, entries["image"], entries["size"], b""
                self.kept_reason = 0
            self.begun = self.phase == RECEIVING

    def _chunk(self, entries: dict[str, Any]) -> None:
        if not self.begun or self.phase != RECEIVING:
            status = NOT_BEGUN
        elif entries["offset"] != len(self.content):
            status = OFFSET
        elif len(entries["data"]) > self.size - len(self.content):
            status = TOO_LARGE
        else:
            self.content += entries["data"]
            status = self._checked()
        if status == NOT_BEGUN and self.reason:
            return
        whole = status == 0 and self.phase == RECEIVING and len(self.content) == self.size
        self.reason = self._finished() if whole else status
        self.told = status == 0 and not whole

    def _try(self, entries: dict[str, Any]) -> None:
        del entries
        self.reason = self._run_spare() if self.phase == STAGED else NOT_BEGUN
        self.restart = True

    def _confirm(self, entries: dict[str, Any]) -> None:
        if self.phase != TRIAL or entries["version"] != self.candidate:
            self.reason = NOT_BEGUN
            return
        self.version, self.phase, self.reason, self.kept_reason = self.candidate, CONFIRMED, 0, 0

    def _abort(self, entries: dict[str, Any]) -> None:
        del entries
        if self.phase in (EMPTY, CONFIRMED):
            self.reason = NOT_BEGUN
            return
        self.restart = self.phase == TRIAL
        self._empty(ABORTED)
        self.reason, self.running = 0, self.version

    # -- the slot -------------------------------------------------------------------------------------------------

    def _run_spare(self) -> int:
        self.boots = self.boots + 1 if self.phase == TRIAL else 1
        self.phase = TRIAL
        manifest = open_image(self.content, keys=[KEY.public_key()]).manifest
        if manifest.golden_input != manifest.golden_output:
            return self._empty(GOLDEN)
        self.running = self.candidate = manifest.version
        return 0

    def _empty(self, reason: int) -> int:
        self.phase, self.kept_reason, self.begun, self.candidate = EMPTY, reason, False, 0
        self.running = self.version
        return reason

    def _checked(self) -> int:
        """Signature and version, as soon as the head is there."""
        head = 4 + int.from_bytes(self.content[:4], "little")
        if len(self.content) < head + 64:
            return 0
        try:
            KEY.public_key().verify(self.content[head : head + 64], self.content[4:head])
        except InvalidSignature:
            return self._empty(SIGNATURE)
        return 0 if decode_manifest(self.content[4:head]).version > self.version else self._empty(VERSION)

    def _finished(self) -> int:
        try:
            open_image(self.content, keys=[KEY.public_key()])
        except ArtifactError:
            return self._empty(DIGEST)
        self.phase, self.begun, self.kept_reason = STAGED, False, 0
        return 0
