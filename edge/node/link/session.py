"""Reliable messages over a line that loses, doubles, corrupts, cuts and delays bytes, twin of `rw_link.c`.

Every message arrives once, in order, as long as neither end restarts; to a peer that has restarted, what it has not
acknowledged is sent again. No input or output, and time is an argument. Unlike the node's, this end holds several
messages that have arrived and are not taken; none is acknowledged before it is taken.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, fields

from edge.node.link import cbor, frames
from edge.node.link.frames import ACK, BODY_BYTES, FIRST_KIND, FRAME_BYTES, LAST_KIND, NAME_BYTES, SYNC, Frame
from features.errors import ParameterError, ProtocolError

__all__ = ["Counts", "Link", "LinkConfig", "Message"]

_RETIRED_MS = 30_000
_MOST_WINDOW = 32
_HALF = 2**31
_NAME, _KNOWN, _COUNT, _ECHO = 1, 2, 3, 4  # keys of the body of SYNC


@dataclass(frozen=True, slots=True)
class Message:
    """A kind and a body, as sent or as arrived."""

    kind: int
    body: bytes


@dataclass(frozen=True)
class LinkConfig:
    """What an end of a link is to be.

    Attributes
    ----------
    session : int
        Of this start of this end: 1 to 2**32 - 1, and not one of its last ones.
    name : str
        Who this end is: 1 to 32 bytes.
    window : int
        Most messages under way, 1 to 32.
    resend_ms, longest_ms : int
        First and longest wait for an acknowledgement.
    idle_ms : int
        After which something is sent though nothing is to be said.
    most_arrived : int
        Messages that are held without being taken; what comes beyond is dropped, and the peer sends it again.

    Raises
    ------
    ParameterError
        If a value is outside of that.
    """

    session: int
    name: str
    window: int = 8
    resend_ms: int = 500
    longest_ms: int = 8000
    idle_ms: int = 2000
    most_arrived: int = 32

    def __post_init__(self) -> None:
        ranges = {
            "session": (1, 2**32 - 1),
            "window": (1, _MOST_WINDOW),
            "resend_ms": (1, self.longest_ms),
            "longest_ms": (1, 2**30),
            "idle_ms": (self.resend_ms, 2**30),
            "most_arrived": (1, 2**16),
        }
        for field, (least, most) in ranges.items():
            if not least <= getattr(self, field) <= most:
                raise ParameterError(f"{field} of a link is {getattr(self, field)}; {least} to {most} is wanted")
        if not 1 <= len(self.name.encode()) <= NAME_BYTES:
            raise ParameterError(f"a link's name is {self.name!r}; 1 to {NAME_BYTES} bytes are wanted")


@dataclass
class Counts:
    """What went wrong, and how often a session was taken up; the same as `struct rw_link_counts`."""

    damaged: int = 0
    repeated: int = 0
    early: int = 0
    foreign: int = 0
    resent: int = 0
    sessions: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Counts)))


class Link:
    """One end of a link.

    Parameters
    ----------
    config : LinkConfig
    now_ms : int
        Milliseconds of a clock that never goes back.

    Examples
    --------
    >>> a = Link(LinkConfig(session=7, name="gateway"), now_ms=0)
    >>> b = Link(LinkConfig(session=9, name="node"), now_ms=0)
    >>> b.send(5, cbor.encode({1: 2}))
    >>> for now_ms in range(6):
    ...     a.feed(b.output(now_ms), now_ms)
    ...     b.feed(a.output(now_ms), now_ms)
    >>> a.arrived(), a.peer_name
    ((Message(kind=5, body=b'\\xa1\\x01\\x02'),), 'node')
    """

    def __init__(self, config: LinkConfig, *, now_ms: int) -> None:
        self.config = config
        self.counts = Counts()
        self.peer_name = ""
        self._peer = 0
        self._retired, self._retired_ms = 0, 0
        self._heard_ms: int | None = None
        self._said_ms = now_ms
        self._owes_ack = False
        self._sync_to: int | None = 0
        self._sync_echo = 0
        self._sync_wait_ms = config.resend_ms
        self._queue: deque[Message] = deque()
        self._acknowledged = 0
        self._sent = 0
        self._most = 0
        self._probing = False
        self._since_ms: int | None = None
        self._wait_ms = config.resend_ms
        self._taken = 0
        self._arrived: deque[tuple[int, Message]] = deque()
        self._collected = bytearray()

    # -- what the owner calls -------------------------------------------------------------------------------------

    @property
    def pending(self) -> int:
        """Messages that are not acknowledged yet."""
        return len(self._queue)

    @property
    def peer_session(self) -> int:
        """Session of the peer, 0 before the first."""
        return self._peer

    def send(self, kind: int, body: bytes) -> None:
        """Queue a message.

        Parameters
        ----------
        kind : int
            2 to 255.
        body : bytes
            An encoded map of at most 1,000 bytes.

        Raises
        ------
        ParameterError
            If it is none.
        """
        if not FIRST_KIND <= kind <= LAST_KIND or len(body) > BODY_BYTES or not isinstance(_opened(body), dict):
            raise ParameterError(
                f"a message of kind {kind} with {len(body)} bytes was given; "
                f"kind {FIRST_KIND} to {LAST_KIND} and a map of at most {BODY_BYTES} bytes are wanted"
            )
        self._queue.append(Message(kind, body))

    def feed(self, data: bytes, now_ms: int) -> None:
        """Take bytes from the line."""
        *ended, rest = data.split(b"\0")
        for piece in ended:
            self._collect(piece)
            self._end_frame(now_ms)
        self._collect(rest)

    def arrived(self) -> tuple[Message, ...]:
        """Messages that have arrived and are not taken, in order."""
        return tuple(message for _, message in self._arrived)

    def take(self, n: int) -> None:
        """Let the peer know that the first `n` of them need not be kept any longer on its side."""
        for _ in range(n):
            session, _ = self._arrived.popleft()
            # What an earlier session brought was not counted in this one.
            if session == self.counts.sessions:
                self._taken += 1
                self._owes_ack = True

    def output(self, now_ms: int) -> bytes:
        """The next frame that is owed now, for the line; empty where none is."""
        self._pass_time(now_ms)
        if self._sync_to is not None:
            return self._say_sync(now_ms)
        if self._may_send():
            return self._say_message(now_ms)
        if self._owes_ack:
            return self._say(Frame(ACK, self.config.session, self._peer, 0, self._taken, b"\xa0"), now_ms)
        return b""

    def due_ms(self, now_ms: int) -> int:
        """Milliseconds until `output` has something to say."""
        if self._sync_to is not None or self._owes_ack or self._may_send():
            return 0
        quiet = self._said_ms + (self.config.idle_ms if self._peer else self._sync_wait_ms)
        wait = quiet if self._since_ms is None else min(quiet, self._since_ms + self._wait_ms)
        return max(0, wait - now_ms)

    def up(self, within_ms: int, now_ms: int) -> bool:
        """Whether a session is taken up and the peer was heard in the last `within_ms`."""
        return self._heard_ms is not None and now_ms - self._heard_ms <= within_ms

    def unacknowledged(self) -> tuple[Message, ...]:
        """What is queued: for another link to the same peer, when this one's line is gone."""
        return tuple(self._queue)

    def drop_unsent(self) -> int:
        """Forget what is queued and was never sent in this session; gives how many."""
        dropped = len(self._queue) - self._most
        for _ in range(dropped):
            self._queue.pop()
        return dropped

    # -- receiving ------------------------------------------------------------------------------------------------

    def _collect(self, piece: bytes) -> None:
        # One byte more than the longest frame is kept: it says that the frame is too long.
        self._collected += piece[: FRAME_BYTES + 2 - len(self._collected)]

    def _end_frame(self, now_ms: int) -> None:
        encoded = bytes(self._collected)
        self._collected.clear()
        if not encoded:
            return
        try:
            if len(encoded) > FRAME_BYTES + 1:
                raise ProtocolError("malformed", "a frame is too long")
            self._hear(frames.decode(encoded), now_ms)
        except ProtocolError:
            self.counts.damaged += 1

    def _hear(self, frame: Frame, now_ms: int) -> None:
        late = frame.session == self._retired and now_ms - self._retired_ms < _RETIRED_MS
        mine = frame.peer == self.config.session
        if late or frame.session == self.config.session:
            self.counts.foreign += 1
        elif mine and frame.kind == SYNC:
            self._hear_sync(frame, now_ms)
        elif not mine or frame.session != self._peer:
            self.counts.foreign += 1
            self._sync_to, self._sync_echo = frame.session, 0
        else:
            self._heard_ms = now_ms
            self._hear_acknowledged(frame.acknowledged, now_ms)
            if frame.kind >= FIRST_KIND:
                self._hear_message(frame)

    def _hear_sync(self, frame: Frame, now_ms: int) -> None:
        match cbor.decode(frame.body):
            case {1: str(name), 2: bool(known), 3: int(count), 4: int(echo), **rest} if (
                not rest and 1 <= len(name.encode()) <= NAME_BYTES and 0 <= min(count, echo) <= max(count, echo) < 2**32
            ):
                pass
            case _:
                raise ProtocolError("malformed", "a frame that opens a session does not say whose")
        if frame.session != self._peer and echo != self.counts.sessions:
            # From before the last change of peers: a start that has ended, or one that has to say it anew.
            self.counts.foreign += 1
            self._sync_to, self._sync_echo = frame.session, count
            return
        if frame.session != self._peer:
            self._take_up(frame.session, now_ms)
        self.peer_name = name
        self._heard_ms = now_ms
        if not known:
            self._sync_to, self._sync_echo = self._peer, count

    def _take_up(self, session: int, now_ms: int) -> None:
        self._retired, self._retired_ms = self._peer, now_ms
        self._peer = session
        self.counts.sessions += 1
        self._acknowledged = self._sent = self._most = self._taken = 0
        self._probing = self._owes_ack = False
        self._since_ms = None
        self._wait_ms = self.config.resend_ms

    def _hear_acknowledged(self, acknowledged: int, now_ms: int) -> None:
        n = (acknowledged - self._acknowledged) % 2**32
        if n == 0 or n > self._most:
            return
        for _ in range(n):
            self._queue.popleft()
        self._acknowledged = acknowledged
        self._most -= n
        self._sent = max(0, self._sent - n)
        self._probing = False
        self._since_ms = now_ms if self._sent else None
        self._wait_ms = self.config.resend_ms

    def _hear_message(self, frame: Frame) -> None:
        held = sum(session == self.counts.sessions for session, _ in self._arrived)
        ahead = (frame.sequence - self._taken - held) % 2**32
        if ahead == 1 and len(self._arrived) < self.config.most_arrived:
            self._arrived.append((self.counts.sessions, Message(frame.kind, frame.body)))
            return
        if ahead == 0 or ahead >= _HALF:
            self.counts.repeated += 1
        else:
            self.counts.early += 1
        self._owes_ack = True

    # -- sending --------------------------------------------------------------------------------------------------

    def _say(self, frame: Frame, now_ms: int) -> bytes:
        self._said_ms = now_ms
        if frame.kind != SYNC:
            self._owes_ack = False
        return frames.encode(frame)

    def _say_sync(self, now_ms: int) -> bytes:
        to = self._sync_to or 0
        known = to != 0 and to == self._peer
        body = cbor.encode(
            {_NAME: self.config.name, _KNOWN: known, _COUNT: self.counts.sessions, _ECHO: self._sync_echo}
        )
        self._sync_to, self._sync_echo = None, 0
        return self._say(Frame(SYNC, self.config.session, to, 0, self._taken, body), now_ms)

    def _say_message(self, now_ms: int) -> bytes:
        message = self._queue[self._sent]
        self._sent += 1
        self._most = max(self._most, self._sent)
        self._since_ms = now_ms
        sequence = (self._acknowledged + self._sent) % 2**32
        return self._say(
            Frame(message.kind, self.config.session, self._peer, sequence, self._taken, message.body), now_ms
        )

    def _may_send(self) -> bool:
        window = 1 if self._probing else self.config.window
        return self._peer != 0 and self._sent < min(len(self._queue), window)

    def _pass_time(self, now_ms: int) -> None:
        if self._since_ms is not None and now_ms - self._since_ms >= self._wait_ms:
            self.counts.resent += 1
            self._since_ms = None
            self._probing = True
            self._sent = 0
            self._wait_ms = min(2 * self._wait_ms, self.config.longest_ms)
        if not self._peer and self._sync_to is None and now_ms - self._said_ms >= self._sync_wait_ms:
            self._sync_to = 0
            self._sync_wait_ms = min(2 * self._sync_wait_ms, self.config.longest_ms)
        if self._peer and now_ms - self._said_ms >= self.config.idle_ms:
            self._owes_ack = True


def _opened(body: bytes) -> cbor.Value:
    try:
        return cbor.decode(body)
    except ProtocolError as error:
        raise ParameterError(f"the body of a message is not in the form ({error})") from error
