"""What arrives, sorted: admissible blocks, descriptions, duplicates, and what is set aside with its reason."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import Connection

from app.codec import decode_about, decode_block
from app.fleet.hearing import Spoken
from app.fleet.sayings import decode_said
from app.store import PointRow, Quarantined, stored_near
from app.wire import PASSED_OVER, SAID, About, Block, Limits, parse_topic
from features.errors import ProtocolError

__all__ = ["Arrival", "Described", "Intake", "Received", "Spoke", "shape_conflict", "sort_arrivals", "without_doubles"]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as the broker handed it over; `topic` is None where it was not UTF-8."""

    topic: str | None
    payload: bytes
    arrived_ns: int

    def refused(self, reason: str, detail: str) -> Quarantined:
        """Set the message aside."""
        topic = self.topic if self.topic is not None else "(not UTF-8)"
        return Quarantined(self.arrived_ns, topic, reason, detail, self.payload)


@dataclass(frozen=True, eq=False, slots=True)
class Received:
    """A decoded block with the message it came in, and what the store needs of its samples."""

    block: Block
    arrival: Arrival
    digest: bytes
    waveform: bytes


@dataclass(frozen=True, slots=True)
class Described:
    """A point's description with the message it came in."""

    about: About
    arrival: Arrival


@dataclass(frozen=True, slots=True)
class Spoke:
    """What a node or gateway said with the message it came in."""

    spoken: Spoken
    arrival: Arrival


@dataclass
class Intake:
    """Messages of one batch, sorted."""

    received: dict[str, list[Received]] = field(default_factory=lambda: defaultdict(list))
    described: list[Described] = field(default_factory=list)
    spoke: list[Spoke] = field(default_factory=list)
    refused: list[Quarantined] = field(default_factory=list)

    def parts(self) -> Iterator[tuple[Arrival | None, Intake]]:
        """Give every admissible message alone, then what is already set aside, with None, as one part."""
        for one in self.described:
            yield one.arrival, Intake(described=[one])
        for said in self.spoke:
            yield said.arrival, Intake(spoke=[said])
        for key, received in self.received.items():
            for block in received:
                yield block.arrival, Intake(received={key: [block]})
        yield None, Intake(refused=self.refused)


def sort_arrivals(arrivals: Iterable[Arrival], *, limits: Limits, compress: Callable[[bytes], bytes]) -> Intake:
    """Decode messages; what is not admissible is set aside with its reason, never raised.

    Parameters
    ----------
    arrivals : iterable of Arrival
        In order of arrival.
    limits : Limits
    compress : callable
        Of a waveform, for the store.
    """
    intake = Intake()
    for arrival in arrivals:
        try:
            _sort(arrival, intake, limits, compress)
        except ProtocolError as error:
            intake.refused.append(arrival.refused(error.reason, str(error)))
        except Exception as error:  # noqa: BLE001  a payload that finds a fault of ours must not stop the others
            intake.refused.append(arrival.refused("internal", f"{type(error).__name__}: {error}"))
    return intake


def _sort(arrival: Arrival, intake: Intake, limits: Limits, compress: Callable[[bytes], bytes]) -> None:
    if arrival.topic is None:
        raise ProtocolError("name", "the topic is no UTF-8")
    point, leaf = parse_topic(arrival.topic)
    if leaf in PASSED_OVER:
        # Our own results come back where the broker cannot leave them out; what is for gateways passes ingest too.
        return
    if len(arrival.payload) > limits.max_payload:
        raise ProtocolError("oversized", f"payload of {len(arrival.payload)} bytes; {limits.max_payload} are admitted")
    if leaf == "about":
        intake.described.append(Described(decode_about(arrival.payload, point=point), arrival))
    elif leaf == "waveform":
        block = decode_block(arrival.payload, point=point)
        limits.check(block, now_ns=arrival.arrived_ns)
        # As on the wire, interleaved; the digest tells a redelivery from another block under the same key.
        data = np.ascontiguousarray(block.samples.T).tobytes()
        digest = hashlib.blake2b(data, digest_size=16).digest()
        intake.received[str(point)].append(Received(block, arrival, digest, compress(data)))
    elif leaf in SAID:
        said = decode_said(leaf, arrival.payload, point=point)
        intake.spoke.append(Spoke(Spoken(str(point), said, arrival.arrived_ns), arrival))
    else:
        raise ProtocolError("topic", f"topic ends in {leaf[:80]!r}; waveform, about, report or event is wanted")


@dataclass(frozen=True, slots=True)
class _Known:
    sequence: int
    start_ns: int
    end_ns: int


def without_doubles(
    connection: Connection, point_id: str, received: Sequence[Received]
) -> tuple[list[Received], int, list[Quarantined]]:
    """Part new blocks from redeliveries and from a second stream under the same identity.

    A block is a redelivery if sequence, start and samples are those of a stored one. It is another stream's if the key
    is taken by other samples, or if more than half of it lies inside a stored block whose sequence is not lower: the
    stream that came first wins.

    Parameters
    ----------
    connection : Connection
    point_id : str
    received : sequence of Received
        In order of arrival.

    Returns
    -------
    new : list of Received
    duplicates : int
    refused : list of Quarantined
    """
    rows = stored_near(
        connection,
        point_id,
        first_ns=min(r.block.start_ns for r in received),
        last_ns=max(r.block.end_ns for r in received),
        sequences=[r.block.sequence for r in received],
    )
    known = [_Known(row.sequence, row.start_ns, row.end_ns) for row in rows]
    by_key = {(row.sequence, row.start_ns): bytes(row.digest) for row in rows}
    new: list[Received] = []
    refused: list[Quarantined] = []
    duplicates = 0
    for one in received:
        block = one.block
        same = by_key.get((block.sequence, block.start_ns))
        if same == one.digest:
            duplicates += 1
        elif same is not None:
            refused.append(one.arrival.refused("conflict", f"block {block.sequence} is stored with other samples"))
        elif taken := _overlapped(block, known):
            detail = f"block {block.sequence} lies in the time of stored block {taken.sequence}"
            refused.append(one.arrival.refused("conflict", detail))
        else:
            new.append(one)
            known.append(_Known(block.sequence, block.start_ns, block.end_ns))
            by_key[block.sequence, block.start_ns] = one.digest
    return new, duplicates, refused


def _overlapped(block: Block, known: Sequence[_Known]) -> _Known | None:
    start_ns, end_ns = block.start_ns, block.end_ns
    for other in known:
        # A sensor whose clock steps back goes on counting: only a count that does not go on is another stream.
        if other.sequence < block.sequence:
            continue
        shared = min(end_ns, other.end_ns) - max(start_ns, other.start_ns)
        if 2 * shared > min(end_ns - start_ns, other.end_ns - other.start_ns):
            return other
    return None


def shape_conflict(block: Block, row: PointRow) -> str | None:
    """Say in what a block differs from how its point has always measured, or None."""
    if row.rate_hz is None:
        return None
    if block.rate_hz != row.rate_hz:
        return f"rate of {block.rate_hz:g} Hz where the point has {row.rate_hz:g} Hz"
    if block.unit != row.unit:
        return f"unit {block.unit} where the point has {row.unit}"
    if block.channels != row.channels:
        return f"channels {', '.join(block.channels)} where the point has {', '.join(row.channels)}"
    return None
