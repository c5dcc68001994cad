"""What gateways and nodes say, from bytes: reports, events and states; what is not of their form is refused."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.fleet.words import update_reason
from app.payload import LARGEST_INTEGER, integer, number, opened, short, text, truth
from app.wire import PointId
from edge.node.link.messages import CODES
from features.errors import ProtocolError

__all__ = ["Event", "GatewayState", "NodeState", "Report", "Reported", "Said", "decode_said"]

_UINT32 = 2**32 - 1
_LONGEST = 16_384
_LONGEST_NAME = 32
_MOST_FEATURES = 128
# Beyond any score or feature, and within float32.
_LARGEST_VALUE = 3.0e38


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Reported:
    """What a node reported, said or stored.

    Attributes
    ----------
    boot, number : int
        Name it within its node.
    time_ns : int or None
        Of the first sample, by the node's clock; None where it has none or one that no clock can mean.
    arrived_ns : int
        When the gateway stored it, by the gateway's clock.
    state : str
        What the node is doing: ``commissioning``, ``watching``, ``alarm``, ``fault``, or the number of a newer state.
    alarm : bool
        Whether its alarm stands.
    model : int
        Version of the model that judged, 0 for none.
    score, threshold, diagnosis, probability, shaft_hz
        None where they are not known.
    lost : int
        Samples lost since the start.
    contract : str or None
        Hash of the feature contract.
    features : ndarray of float32, shape (features,)
        In the order of the contract; NaN where the node could not compute one.
    """

    boot: int
    number: int
    time_ns: int | None
    arrived_ns: int
    state: str
    alarm: bool
    model: int
    score: float | None
    threshold: float | None
    diagnosis: str | None
    probability: float | None
    shaft_hz: float | None
    lost: int
    contract: str | None
    features: NDArray[np.float32]

    @property
    def ratio(self) -> float | None:
        """Score over threshold, where both are known."""
        return None if self.score is None or not self.threshold else self.score / self.threshold


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Report(Reported):
    """Features and verdict of a node, as it says them.

    Attributes
    ----------
    node : str
    uptime_ms : int
    digest : bytes
        Of all that the node said: equal for a redelivery, whichever gateway it came through.
    """

    node: str
    uptime_ms: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Event:
    """What a node said beside reports and bursts, or what became of a command to it.

    Attributes
    ----------
    node, kind : str
    time_ns : int
        By the gateway's clock.
    entries : str
        The rest, as JSON.
    known : dict
        What changes of the node by it, by the names of `app.fleet.nodes.Node`.
    digest : bytes
    """

    node: str
    kind: str
    time_ns: int
    entries: str
    known: Mapping[str, Any]
    digest: bytes


@dataclass(frozen=True, slots=True)
class NodeState:
    """Whether a gateway reaches a node, since when, and what the node last said of itself."""

    node: str
    gateway: str
    online: bool
    since_ns: int | None
    known: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GatewayState:
    """Whether a gateway is there; None of its will, which has no time, in `since_ns`."""

    gateway: str
    online: bool
    since_ns: int | None


Said = Report | Event | NodeState | GatewayState


def decode_said(leaf: str, payload: bytes, *, point: PointId) -> Said:
    """Decode what was published under ``report``, ``event`` or ``state``.

    Parameters
    ----------
    leaf : str
        One of the three.
    payload : bytes
        JSON or CBOR of up to 16 KiB.
    point : PointId
        From the topic.

    Returns
    -------
    Report, Event, NodeState or GatewayState

    Raises
    ------
    ProtocolError
        With the reason under which it is counted.

    Examples
    --------
    >>> point = PointId("plant", "gw", "gateway")
    >>> decode_said("state", b'{"v":1,"state":"offline","since_ns":null}', point=point)
    GatewayState(gateway='plant/gw/gateway', online=False, since_ns=None)
    """
    if len(payload) > _LONGEST:
        raise ProtocolError("oversized", f"payload of {len(payload)} bytes; {_LONGEST} are admitted of a {leaf}")
    entries = opened(payload)
    if leaf == "report":
        return _report(entries)
    return _event(entries, payload) if leaf == "event" else _state(entries, point)


def _report(entries: Mapping[str, Any]) -> Report:
    said: dict[str, Any] = {name: integer(entries, name, high=_UINT32) for name in ("boot", "number", "model", "lost")}
    said |= {name: _real(entries, name) for name in ("score", "threshold")}
    diagnosis = None if entries.get("diagnosis") is None else _word(entries, "diagnosis")
    features = _features(entries)
    said |= {
        "node": _name(entries),
        "uptime_ms": integer(entries, "uptime_ms"),
        "time_ns": _time(entries, "time_ns"),
        "state": _word(entries, "state"),
        "alarm": truth(entries, "alarm"),
        "diagnosis": diagnosis,
        "probability": number(entries, "probability", low=0.0, high=1.0, optional=True),
        "shaft_hz": number(entries, "shaft_hz", low=0.0, high=1e5, optional=True) or None,
    }
    canonical = json.dumps([sorted(said.items()), features.tobytes().hex()]).encode()
    arrived_ns, contract = integer(entries, "arrived_ns"), _hash(entries, "feature_hash")
    return Report(**said, arrived_ns=arrived_ns, contract=contract, features=features, digest=_digest(canonical))


def _event(entries: dict[str, Any], payload: bytes) -> Event:
    kind, node, time_ns = text(entries, "kind", most=24), _name(entries), integer(entries, "time_ns")
    known: dict[str, Any] = {}
    if kind == "hello":
        known = _hello(entries)
    elif kind == "update_status":
        known = _update(entries)
    rest = {key: value for key, value in entries.items() if key not in ("v", "node", "kind", "time_ns")}
    try:
        kept = json.dumps(rest, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ProtocolError("malformed", f"entries of {kind} cannot be kept as JSON ({short(error)})") from error
    return Event(node, kind, time_ns, kept, known, _digest(payload))


def _state(entries: Mapping[str, Any], point: PointId) -> NodeState | GatewayState:
    state = entries.get("state")
    if state not in ("online", "offline"):
        raise ProtocolError("malformed", f"state is {short(state)}; online or offline is wanted")
    since_ns = None if entries.get("since_ns") is None else integer(entries, "since_ns")
    if "node" not in entries:
        if point.point != "gateway":
            raise ProtocolError("malformed", f"a state of {point} names no node; only a gateway's own does not")
        return GatewayState(str(point), state == "online", since_ns)
    gateway = text(entries, "gateway", most=200)
    return NodeState(_name(entries), gateway, state == "online", since_ns, _hello(entries))


def _hello(entries: Mapping[str, Any]) -> dict[str, Any]:
    """What a node said of itself, as far as it is there."""
    readers: dict[str, Any] = {
        "firmware": lambda: text(entries, "firmware", most=32),
        "contract": lambda: _hash(entries, "contract"),
        "rate_hz": lambda: number(entries, "rate_hz", low=0.0, high=1e9),
        "reset": lambda: _word(entries, "reset"),
        "slot": lambda: _word(entries, "slot"),
        "model": lambda: integer(entries, "model", high=_UINT32),
        "boot": lambda: integer(entries, "boot", high=_UINT32),
        "window": lambda: integer(entries, "window", high=65_535),
        "period_ms": lambda: integer(entries, "period_ms", high=_UINT32),
    }
    return {name: read() for name, read in readers.items() if entries.get(name) not in (None, "")}


def _update(entries: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "slot": _word(entries, "slot"),
        "update_image": _hash(entries, "image") or None,
        "update_offset": integer(entries, "offset", high=_UINT32),
        "update_size": integer(entries, "size", high=_UINT32),
        "update_reason": update_reason(integer(entries, "reason", high=255)),
        "model": integer(entries, "version", high=_UINT32),
        "candidate": integer(entries, "candidate", high=_UINT32),
    }


def _name(entries: Mapping[str, Any]) -> str:
    return text(entries, "node", most=_LONGEST_NAME)


def _word(entries: Mapping[str, Any], key: str) -> str:
    """A word of the link's codes; the number of a newer one is kept as it is."""
    value = entries.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255:
        return str(value)
    if value not in CODES[key].values():
        raise ProtocolError("malformed", f"{key} is {short(value)}; one of {', '.join(CODES[key].values())} is wanted")
    return str(value)


def _hash(entries: Mapping[str, Any], key: str) -> str | None:
    value = entries.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch("(?:[0-9a-f]{2}){0,16}", value):
        raise ProtocolError("malformed", f"{key} is {short(value)}; up to 16 bytes in hexadecimal are wanted")
    return value


def _real(entries: Mapping[str, Any], key: str) -> float | None:
    value = number(entries, key, low=-_LARGEST_VALUE, high=_LARGEST_VALUE, optional=True)
    return None if value is None else float(value)


def _time(entries: Mapping[str, Any], key: str) -> int | None:
    """A time by a node's clock, which may be anything; one that the store cannot hold is none."""
    value = entries.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise ProtocolError("malformed", f"{key} is {short(value)}; an integer or null is wanted")
    return value if 0 <= value <= LARGEST_INTEGER else None


def _features(entries: Mapping[str, Any]) -> NDArray[np.float32]:
    values = entries.get("features")
    if not isinstance(values, list) or len(values) > _MOST_FEATURES:
        raise ProtocolError("malformed", f"features {short(values)}; a list of up to {_MOST_FEATURES} is wanted")
    read = [_real({"a feature": value}, "a feature") for value in values]
    return np.array([np.nan if value is None else value for value in read], dtype=np.float32)


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()
