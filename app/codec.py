"""The payloads of the wire, to and from bytes; any input that is no payload raises `ProtocolError` and nothing else."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from typing import Any

import cbor2
import numpy as np
from numpy.typing import NDArray

from app.payload import integer, number, opened, short
from app.wire import VERSION, About, Block, PointId
from features.bearing import Bearing
from features.errors import ParameterError, ProtocolError
from features.window import UNITS

__all__ = ["decode_about", "decode_block", "encode_about", "encode_block", "encode_json"]

_TYPES: dict[str, np.dtype[Any]] = {"i2": np.dtype("<i2"), "i4": np.dtype("<i4"), "f4": np.dtype("<f4")}
_MOST_CHANNELS = 64
# Beyond any accelerometer, and small enough that fourth powers of float32 samples stay finite.
_LARGEST_VALUE = 1e6


def encode_block(block: Block) -> bytes:
    """Encode a block as the CBOR map of the protocol."""
    samples = block.samples
    entries: dict[str, Any] = {
        "v": VERSION,
        "seq": block.sequence,
        "start": block.start_ns,
        "rate": block.rate_hz,
        "unit": block.unit,
        "channels": list(block.channels),
        "type": samples.dtype.str[1:],
        "scale": block.scale,
        "data": np.ascontiguousarray(samples.T, dtype=_TYPES[samples.dtype.str[1:]]).tobytes(),
    }
    if block.shaft_hz is not None:
        entries["rpm"] = block.shaft_hz * 60.0
    if block.load is not None:
        entries["load"] = block.load
    if block.temperature_c is not None:
        entries["temp_c"] = block.temperature_c
    return cbor2.dumps(entries)


def decode_block(payload: bytes, *, point: PointId) -> Block:
    """Decode a waveform payload, CBOR or JSON.

    Parameters
    ----------
    payload : bytes
    point : PointId
        From the topic.

    Returns
    -------
    Block

    Raises
    ------
    ProtocolError
        With the reason under which it is counted.
    """
    entries = opened(payload)
    channels = _channels(entries)
    samples = _samples(entries, len(channels))
    unit = entries.get("unit")
    if unit not in UNITS:
        raise ProtocolError("unit", f"unit {short(unit)}; one of {', '.join(UNITS)} is wanted")
    rpm = number(entries, "rpm", low=0.0, high=1e6, optional=True)
    scale = _scale(entries)
    largest = max(abs(float(samples.max())), abs(float(samples.min()))) * scale
    if largest > _LARGEST_VALUE:
        raise ProtocolError("range", f"samples reach {largest:g} {unit}; up to {_LARGEST_VALUE:g} is wanted")
    return Block(
        point=point,
        sequence=integer(entries, "seq", low=0),
        start_ns=integer(entries, "start", low=0),
        rate_hz=_rate(entries),
        unit=str(unit),
        channels=channels,
        samples=samples,
        scale=scale,
        shaft_hz=rpm / 60.0 if rpm else None,
        load=number(entries, "load", low=-1e6, high=1e6, optional=True),
        temperature_c=number(entries, "temp_c", low=-273.15, high=5000.0, optional=True),
    )


def encode_about(about: About) -> bytes:
    """Encode a point's description as JSON."""
    entries: dict[str, Any] = {"v": VERSION, "name": about.name}
    if about.bearing is not None:
        bearing = about.bearing
        entries["bearing"] = {
            "name": bearing.name,
            "balls": bearing.balls,
            "ball_mm": bearing.ball_mm,
            "pitch_mm": bearing.pitch_mm,
            "contact_deg": bearing.contact_deg,
        }
    if about.shaft_hz is not None:
        entries["rpm"] = about.shaft_hz * 60.0
    if about.iso_group is not None:
        entries["iso_group"] = about.iso_group
    return encode_json(entries)


def decode_about(payload: bytes, *, point: PointId) -> About:
    """Decode a point's description, CBOR or JSON.

    Raises
    ------
    ProtocolError
    """
    entries = opened(payload)
    name = entries.get("name", str(point))
    if not isinstance(name, str) or not 1 <= len(name) <= 200 or not name.isprintable():
        raise ProtocolError("name", f"name {short(name)}; 1 to 200 printable letters are wanted")
    rpm = number(entries, "rpm", low=0.0, high=1e6, optional=True)
    given = entries.get("bearing")
    bearing = None if given is None else _bearing(given)
    group = entries.get("iso_group")
    if group is not None and not isinstance(group, str):
        raise ProtocolError("name", f"iso_group is {short(group)}; a name such as group-2-rigid is wanted")
    return About(point, name, bearing, rpm / 60.0 if rpm else None, group)


def encode_json(entries: Mapping[str, Any]) -> bytes:
    """Encode a map as compact UTF-8 JSON without NaN."""
    return json.dumps(entries, separators=(",", ":"), allow_nan=False).encode()


def _channels(entries: Mapping[str, Any]) -> tuple[str, ...]:
    channels = entries.get("channels")
    if not isinstance(channels, list) or not 1 <= len(channels) <= _MOST_CHANNELS:
        raise ProtocolError("malformed", f"channels {short(channels)}; a list of 1 to {_MOST_CHANNELS} names is wanted")
    for name in channels:
        if not isinstance(name, str) or not 1 <= len(name) <= 64 or not name.isprintable():
            raise ProtocolError("name", f"channel name {short(name)}; 1 to 64 printable letters are wanted")
    if len(set(channels)) != len(channels):
        raise ProtocolError("name", f"channel names {short(channels)} repeat; each must be its own")
    return tuple(channels)


def _samples(
    entries: Mapping[str, Any], n_channels: int
) -> NDArray[np.int16] | NDArray[np.int32] | NDArray[np.float32]:
    kind = entries.get("type")
    dtype = _TYPES.get(kind) if isinstance(kind, str) else None
    if dtype is None:
        raise ProtocolError("type", f"sample type {short(kind)}; one of {', '.join(_TYPES)} is wanted")
    if "samples" in entries:
        return _listed(entries["samples"], dtype, n_channels)
    data = entries.get("data")
    if isinstance(data, str):
        try:
            data = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ProtocolError("malformed", f"data is no base64 ({short(error)})") from error
    if not isinstance(data, bytes):
        raise ProtocolError("malformed", f"data is a {type(data).__name__}; bytes are wanted")
    frame = dtype.itemsize * n_channels
    if len(data) < 2 * frame or len(data) % frame:
        raise ProtocolError("length", f"{len(data)} bytes are no two or more frames of {frame} bytes")
    stated = entries.get("n")
    if stated is not None and stated != len(data) // frame:
        raise ProtocolError("length", f"{len(data) // frame} samples in each channel where {short(stated)} are stated")
    return _finite(np.frombuffer(data, dtype=dtype).reshape(-1, n_channels).T)


def _listed(rows: Any, dtype: np.dtype[Any], n_channels: int) -> NDArray[Any]:
    """Samples written as numbers, one list for each channel (one flat list for a single channel)."""
    if n_channels == 1 and isinstance(rows, list) and rows and not isinstance(rows[0], list):
        rows = [rows]
    if not isinstance(rows, list) or len(rows) != n_channels or not all(isinstance(row, list) for row in rows):
        raise ProtocolError("length", f"samples are no {n_channels} lists of numbers")
    if len({len(row) for row in rows}) != 1 or len(rows[0]) < 2:
        raise ProtocolError("length", "the channels' samples differ in number or are fewer than two")
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for row in rows for value in row):
        raise ProtocolError("malformed", "samples hold something that is no number")
    try:
        values = np.array(rows, dtype=np.float64)
    except (OverflowError, ValueError) as error:
        raise ProtocolError("range", f"samples do not fit ({short(error)})") from error
    _finite(values)
    if dtype.kind == "i":
        limits = np.iinfo(dtype)
        if (values != np.rint(values)).any() or values.min() < limits.min or values.max() > limits.max:
            raise ProtocolError("range", f"samples do not fit the type {dtype.str[1:]}")
    elif np.abs(values).max() > np.finfo(np.float32).max:
        raise ProtocolError("range", "samples do not fit the type f4")
    return values.astype(dtype)


def _finite(samples: NDArray[Any]) -> NDArray[Any]:
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        raise ProtocolError("not_finite", f"{np.count_nonzero(~np.isfinite(samples))} samples are NaN or infinite")
    return samples


def _rate(entries: Mapping[str, Any]) -> float:
    try:
        rate = number(entries, "rate", low=0.0, high=math.inf)
    except ProtocolError as error:
        raise ProtocolError("rate", str(error)) from error
    if not rate:
        raise ProtocolError("rate", "sampling rate of zero; a positive one is wanted")
    return float(rate)


def _scale(entries: Mapping[str, Any]) -> float:
    scale = number(entries, "scale", low=0.0, high=1e6)
    if not scale or scale < 1e-30:
        raise ProtocolError("range", f"scale {scale}; 1e-30 to 1e6 is wanted")
    return float(scale)


def _bearing(given: Any) -> Bearing:
    if not isinstance(given, dict):
        raise ProtocolError("malformed", f"bearing is {short(given)}; a map is wanted")
    name = given.get("name", "unnamed")
    if not isinstance(name, str) or not 1 <= len(name) <= 64 or not name.isprintable():
        raise ProtocolError("name", f"bearing name {short(name)}; 1 to 64 printable letters are wanted")
    try:
        return Bearing(
            name,
            balls=integer(given, "balls", low=3),
            ball_mm=number(given, "ball_mm", low=0.0, high=1e4),
            pitch_mm=number(given, "pitch_mm", low=0.0, high=1e5),
            contact_deg=number(given, "contact_deg", low=0.0, high=89.9, optional=True) or 0.0,
        )
    except ParameterError as error:
        raise ProtocolError("range", str(error)) from error
