"""What travels between sensors and Raceway: identities, blocks and descriptions; refuses what no sensor can mean."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.bearing import Bearing
from features.errors import ProtocolError

__all__ = [
    "LONGEST_NAME",
    "PASSED_OVER",
    "REASONS",
    "ROOT",
    "SAID",
    "VERSION",
    "About",
    "Block",
    "Limits",
    "PointId",
    "parse_topic",
]

ROOT = "raceway/v1"
VERSION = 1
LONGEST_NAME = 64
# Leaves that are not for ingest.
PASSED_OVER = frozenset(("health", "alarm", "alarms", "command", "update"))
# Leaves under which gateways publish what nodes say.
SAID = frozenset(("report", "event", "state"))

# Why a message is set aside; the key is what is counted, the value is what people read.
REASONS = {
    "version": "unknown protocol version",
    "malformed": "neither CBOR nor JSON of the expected form",
    "length": "samples disagree with the stated length or channels",
    "not_finite": "NaN or infinite samples or numbers",
    "rate": "sampling rate of zero or absurd",
    "unit": "unknown unit",
    "type": "unknown sample type",
    "range": "a number outside its admissible range",
    "oversized": "payload larger than admitted",
    "topic": "topic of wrong depth or leaf",
    "name": "name that is no clean UTF-8 of 1 to 64 characters",
    "clock": "time stamp too far from the clock",
    "conflict": "sequence or time already taken by another stream",
    "rate_changed": "sampling rate, unit or channels differ from the point's",
    "internal": "a fault of Raceway's own; report it with the detail",
}


def _clean_name(name: str) -> bool:
    forbidden = set("+#/")
    return 1 <= len(name) <= LONGEST_NAME and name.isprintable() and not forbidden & set(name) and name.strip() == name


@dataclass(frozen=True, order=True, slots=True)
class PointId:
    """Identity of a measuring point.

    Raises
    ------
    ProtocolError
        Reason ``name`` if a part is empty, too long, not printable, or holds ``+``, ``#`` or ``/``.

    Examples
    --------
    >>> str(PointId("plant", "pump-1", "drive-end"))
    'plant/pump-1/drive-end'
    """

    site: str
    asset: str
    point: str

    def __post_init__(self) -> None:
        for part in (self.site, self.asset, self.point):
            if not _clean_name(part):
                raise ProtocolError(
                    "name", f"{part[:80]!r} names no site, asset or point; give 1 to 64 printable letters"
                )

    def __str__(self) -> str:
        return f"{self.site}/{self.asset}/{self.point}"

    @classmethod
    def parse(cls, text: str) -> PointId:
        """Read ``site/asset/point``."""
        parts = text.split("/")
        if len(parts) != 3:
            raise ProtocolError("name", f"{text[:200]!r} is no measuring point; site/asset/point is wanted")
        return cls(*parts)

    def topic(self, leaf: str) -> str:
        """MQTT topic of one leaf of this point."""
        return f"{ROOT}/{self}/{leaf}"


def parse_topic(topic: str) -> tuple[PointId, str]:
    """Split a topic into the point and the leaf.

    Raises
    ------
    ProtocolError
        Reason ``topic`` or ``name``.
    """
    parts = topic.split("/")
    if len(parts) != 6 or "/".join(parts[:2]) != ROOT:
        raise ProtocolError("topic", f"topic {topic[:200]!r} is not {ROOT}/site/asset/point/leaf")
    return PointId(*parts[2:5]), parts[5]


@dataclass(frozen=True, slots=True)
class Limits:
    """What an admissible block stays within.

    Attributes
    ----------
    max_payload : int
        Bytes.
    min_rate_hz, max_rate_hz : float
        Sampling rate in Hz.
    ahead_s, behind_s : float
        How far a time stamp may lie after and before the clock of arrival, in seconds.
    """

    max_payload: int = 1 << 20
    min_rate_hz: float = 10.0
    max_rate_hz: float = 1e6
    ahead_s: float = 86_400.0
    behind_s: float = 31 * 86_400.0

    def check(self, block: Block, *, now_ns: int) -> None:
        """Refuse a block outside the limits.

        Raises
        ------
        ProtocolError
            Reason ``rate`` or ``clock``.
        """
        if not self.min_rate_hz <= block.rate_hz <= self.max_rate_hz:
            wanted = f"{self.min_rate_hz:g} to {self.max_rate_hz:g} Hz"
            raise ProtocolError("rate", f"sampling rate of {block.rate_hz:g} Hz; {wanted} is wanted")
        ahead_s = (block.start_ns - now_ns) / 1e9
        if not -self.behind_s <= ahead_s <= self.ahead_s:
            side = "ahead of" if ahead_s > 0 else "behind"
            raise ProtocolError("clock", f"block stamped {abs(ahead_s):.0f} s {side} the clock; set the sensor's clock")


@dataclass(frozen=True, eq=False, slots=True)
class Block:
    """Samples of one point as they arrived.

    Attributes
    ----------
    point : PointId
    sequence : int
        Counts blocks of a stream up by one.
    start_ns : int
        Time of the first sample, nanoseconds since the epoch, UTC.
    rate_hz : float
    unit : str
    channels : tuple of str
    samples : ndarray of int16, int32 or float32, shape (channels, n)
        Raw codes; times `scale` they are in `unit`.
    scale : float
    shaft_hz, load, temperature_c : float or None
        Shaft speed in Hz, load in percent, temperature in degrees Celsius.
    """

    point: PointId
    sequence: int
    start_ns: int
    rate_hz: float
    unit: str
    channels: tuple[str, ...]
    samples: NDArray[np.int16] | NDArray[np.int32] | NDArray[np.float32]
    scale: float
    shaft_hz: float | None = None
    load: float | None = None
    temperature_c: float | None = None

    @property
    def n_samples(self) -> int:
        """Samples in each channel."""
        return int(self.samples.shape[1])

    @property
    def end_ns(self) -> int:
        """Time just after the last sample."""
        return self.start_ns + round(self.n_samples * 1e9 / self.rate_hz)

    def physical(self) -> NDArray[np.float32]:
        """Samples in `unit`, float32, shape (channels, n)."""
        return np.multiply(self.samples, np.float32(self.scale), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class About:
    """What a point says of itself: a name for people, its bearing, its nominal shaft speed in Hz, its machine group.

    Attributes
    ----------
    point : PointId
    name : str
    bearing : Bearing or None
    shaft_hz : float or None
    iso_group : str or None
        Entry of the table of severity zones that the machine is judged by, such as ``group-2-rigid``. Any clean name:
        which ones are known is up to the table of whoever judges.

    Raises
    ------
    ProtocolError
        Reason ``range`` for a speed that is not positive, ``name`` for a group that is no clean name.
    """

    point: PointId
    name: str
    bearing: Bearing | None = None
    shaft_hz: float | None = None
    iso_group: str | None = None

    def __post_init__(self) -> None:
        if self.iso_group is not None and not _clean_name(self.iso_group):
            raise ProtocolError(
                "name", f"{self.iso_group[:80]!r} names no machine group; give 1 to 64 printable letters"
            )
        if self.shaft_hz is not None and not (math.isfinite(self.shaft_hz) and self.shaft_hz > 0.0):
            raise ProtocolError("range", f"a nominal speed of {self.shaft_hz} Hz; a positive one is wanted")
