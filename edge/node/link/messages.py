"""What the messages between node and host hold: one table, which the C header and the page are made of.

Bodies are read and written by the names of the table; what does not fit it is refused. A key that is unknown is passed
over, so that a newer node can say more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from edge.node.link import cbor
from edge.node.link.frames import BODY_BYTES
from edge.node.link.session import Message
from features.errors import ParameterError, ProtocolError

__all__ = ["CODES", "KINDS", "Field", "Kind", "decode", "encode", "kind_named", "render_header", "render_table"]

Type = Literal["uint", "int", "float", "bool", "text", "bytes"]
_PYTHON: dict[Type, type] = {"uint": int, "int": int, "float": float, "bool": bool, "text": str, "bytes": bytes}


@dataclass(frozen=True)
class Field:
    """An entry of a body.

    Attributes
    ----------
    key : int
        On the line.
    name : str
        In Python and, in capitals, in C.
    type : str
        ``uint``, ``int`` (of 64 bits), ``float`` (float32), ``bool``, ``text`` or ``bytes``.
    meaning : str
        With its unit.
    optional : bool
        Whether it may be left out.
    most : int
        Largest number, or most bytes.
    """

    key: int
    name: str
    type: Type
    meaning: str
    optional: bool = False
    most: int = 2**64 - 1


@dataclass(frozen=True)
class Kind:
    """A kind of message.

    Attributes
    ----------
    number : int
        On the line.
    name : str
        In Python and, in capitals, in C.
    sender : str
        ``node`` or ``host``.
    meaning : str
        When it is sent.
    fields : tuple of Field
        In ascending order of keys.
    """

    number: int
    name: str
    sender: Literal["node", "host"]
    meaning: str
    fields: tuple[Field, ...]


_U32, _U16, _U8 = 2**32 - 1, 2**16 - 1, 255
_MODEL_STATE = "state of the slot, see `slot` below"
_HASH = 8
_IMAGE = 16

# Numbers that stand for words, by the field that holds them.
CODES: dict[str, dict[int, str]] = {
    "reset": {0: "power", 1: "pin", 2: "watchdog", 3: "requested", 4: "fault", 5: "brown-out"},
    "unit": {0: "g", 1: "m/s2", 2: "mm/s"},
    "state": {0: "commissioning", 1: "watching", 2: "alarm", 3: "fault"},
    "diagnosis": {0: "normal", 1: "inner", 2: "outer", 3: "ball", 4: "other"},
    "slot": {0: "empty", 1: "receiving", 2: "staged", 3: "trial", 4: "confirmed"},
    "level": {0: "debug", 1: "info", 2: "warning", 3: "error"},
}

KINDS: tuple[Kind, ...] = (
    Kind(
        2,
        "hello",
        "node",
        "who the node is: first in each session, and when any of it changes",
        (
            Field(1, "firmware", "text", "version of the firmware", most=32),
            Field(2, "model", "uint", "version of the active model, 0 for none", most=_U32),
            Field(3, "contract", "bytes", "hash of the feature contract", most=_HASH),
            Field(4, "boot", "uint", "starts so far; every report names it", most=_U32),
            Field(5, "reset", "uint", "why it started, see `reset` below", most=_U8),
            Field(6, "slot", "uint", _MODEL_STATE, most=_U8),
            Field(7, "rate_hz", "float", "sampling rate, Hz"),
            Field(8, "window", "uint", "samples of a window", most=_U16),
            Field(9, "period_ms", "uint", "from report to report", most=_U32),
            Field(10, "features", "uint", "number of features in a report", most=_U16),
        ),
    ),
    Kind(
        3,
        "time_request",
        "node",
        "asks for the time",
        (Field(1, "asked_ms", "uint", "the node's clock", most=_U32),),
    ),
    Kind(
        4,
        "time",
        "host",
        "answers; the node takes it where it came back soon enough, and asks again else",
        (
            Field(1, "asked_ms", "uint", "from the request", most=_U32),
            Field(2, "time_ms", "uint", "milliseconds since the epoch, UTC, at the answer"),
        ),
    ),
    Kind(
        5,
        "report",
        "node",
        "features and verdict, each period",
        (
            Field(1, "boot", "uint", "as in `hello`", most=_U32),
            Field(2, "number", "uint", "counts the reports of a start from 0", most=_U32),
            Field(3, "uptime_ms", "uint", "since the start"),
            Field(
                4,
                "time_ms",
                "uint",
                "of the first sample, since the epoch, UTC; where the node has the time",
                optional=True,
            ),
            Field(5, "state", "uint", "what the node is doing, see `state` below", most=_U8),
            Field(6, "alarm", "bool", "whether its alarm stands"),
            Field(7, "model", "uint", "version of the model that judged, 0 for none", most=_U32),
            Field(8, "score", "float", "anomaly score; where a model judged", optional=True),
            Field(9, "threshold", "float", "score from which a window is abnormal", optional=True),
            Field(10, "diagnosis", "uint", "see `diagnosis` below; on alarm", optional=True, most=_U8),
            Field(11, "probability", "float", "of the diagnosis, 0 to 1", optional=True),
            Field(12, "shaft_hz", "float", "shaft speed, Hz; where it is known", optional=True),
            Field(13, "lost", "uint", "samples lost since the start", most=_U32),
            Field(
                14,
                "known",
                "bytes",
                "one bit a feature, lowest first: whether it could be computed",
                optional=True,
                most=16,
            ),
            Field(15, "features", "bytes", "float32, little-endian, in the order of the contract", most=512),
        ),
    ),
    Kind(
        6,
        "waveform",
        "node",
        "a piece of a burst of samples, on alarm or on request; pieces come in order",
        (
            Field(1, "boot", "uint", "as in `hello`", most=_U32),
            Field(2, "burst", "uint", "counts the bursts of a start from 0", most=_U32),
            Field(3, "first", "uint", "place of the first sample in the burst", most=_U32),
            Field(4, "total", "uint", "samples of the burst", most=_U32),
            Field(5, "uptime_ms", "uint", "of the burst's first sample, since the start"),
            Field(
                6, "time_ms", "uint", "of the same, since the epoch, UTC; where the node has the time", optional=True
            ),
            Field(7, "rate_hz", "float", "sampling rate, Hz"),
            Field(8, "unit", "uint", "see `unit` below", most=_U8),
            Field(9, "scale", "float", "sample times scale is in the unit"),
            Field(10, "shaft_hz", "float", "shaft speed, Hz; where it is known", optional=True),
            Field(11, "samples", "bytes", "int16, little-endian", most=900),
        ),
    ),
    Kind(
        7,
        "request_waveform",
        "host",
        "asks for a burst",
        (Field(1, "samples", "uint", "wanted; the node gives at most what it holds", most=_U32),),
    ),
    Kind(
        8,
        "update_begin",
        "host",
        "a model image is to come, or the rest of it; answered by `update_status`",
        (
            Field(1, "size", "uint", "bytes of the image: manifest, signature, model", most=_U32),
            Field(
                2,
                "image",
                "bytes",
                "a name of the image, such as the first bytes of its SHA-512, to resume the same one",
                most=_IMAGE,
            ),
        ),
    ),
    Kind(
        9,
        "update_chunk",
        "host",
        "a piece of the image",
        (
            Field(1, "offset", "uint", "of its first byte in the image", most=_U32),
            Field(2, "data", "bytes", "the piece", most=900),
        ),
    ),
    Kind(10, "update_query", "host", "asks for `update_status`", ()),
    Kind(11, "update_try", "host", "the image that has arrived is to run, on trial; answered by `update_status`", ()),
    Kind(
        12,
        "update_confirm",
        "host",
        "the model on trial is to stay",
        (Field(1, "version", "uint", "of that model", most=_U32),),
    ),
    Kind(13, "update_abort", "host", "what was received is to be forgotten, a model on trial to be left", ()),
    Kind(
        14,
        "update_status",
        "node",
        "where an update stands: on each of the host's messages about it but pieces that fit, and on every change",
        (
            Field(1, "slot", "uint", _MODEL_STATE, most=_U8),
            Field(2, "image", "bytes", "of the image that was begun; empty for none", most=_IMAGE),
            Field(3, "offset", "uint", "bytes received so far: where the next piece begins", most=_U32),
            Field(4, "size", "uint", "bytes of the image", most=_U32),
            Field(5, "reason", "uint", "why the last step was refused, 0 where it was not", most=_U8),
            Field(6, "version", "uint", "of the active model, 0 for none", most=_U32),
            Field(7, "candidate", "uint", "version of the model received or on trial, 0 for none", most=_U32),
        ),
    ),
    Kind(
        15,
        "configure",
        "host",
        "changes what is given; what is left out stays",
        (
            Field(1, "period_ms", "uint", "from report to report", optional=True, most=_U32),
            Field(2, "shaft_hz", "float", "nominal shaft speed, Hz; 0 for unknown", optional=True),
            Field(3, "relearn", "bool", "whether to learn the baseline anew", optional=True),
            Field(
                4,
                "threshold",
                "float",
                "score from which a window is abnormal, in place of the model's own",
                optional=True,
            ),
            Field(5, "reset", "bool", "whether to start anew after this", optional=True),
        ),
    ),
    Kind(
        16,
        "log",
        "node",
        "something that a person should know",
        (
            Field(1, "uptime_ms", "uint", "since the start"),
            Field(2, "level", "uint", "see `level` below", most=_U8),
            Field(3, "text", "text", "in a few words", most=120),
        ),
    ),
)

_BY_NUMBER = {kind.number: kind for kind in KINDS}
_BY_NAME = {kind.name: kind for kind in KINDS}

Entries = Mapping[str, bool | int | float | str | bytes]


def kind_named(name: str) -> Kind:
    """Find a kind.

    Parameters
    ----------
    name : str
        Of the table.

    Returns
    -------
    Kind

    Raises
    ------
    ParameterError
        If there is none of that name.
    """
    if name not in _BY_NAME:
        raise ParameterError(f"{name[:80]!r} is no kind of message; one of {', '.join(_BY_NAME)} is wanted")
    return _BY_NAME[name]


def encode(name: str, entries: Entries) -> Message:
    """Make a message of named entries.

    Parameters
    ----------
    name : str
        Of the kind.
    entries : mapping of str to value
        By the names of the table.

    Returns
    -------
    Message

    Raises
    ------
    ParameterError
        If the kind or an entry is unknown, one is missing, or of another type or size than the table says.

    Examples
    --------
    >>> encode("request_waveform", {"samples": 4096})
    Message(kind=7, body=b'\\xa1\\x01\\x19\\x10\\x00')
    """
    kind = kind_named(name)
    unknown = set(entries) - {field.name for field in kind.fields}
    if unknown:
        raise ParameterError(f"a {name} has no {', '.join(sorted(unknown))}; {', '.join(_names(kind))} are known")
    body: dict[int | str, cbor.Value] = {}
    for field in kind.fields:
        if field.name not in entries and not field.optional:
            raise ParameterError(f"a {name} without {field.name} was given; it is wanted")
        if field.name in entries:
            value = entries[field.name]
            fault = _fault(field, value)
            if fault:
                raise ParameterError(f"{field.name} of a {name} is {fault}")
            body[field.key] = float(value) if field.type == "float" else value
    encoded = cbor.encode(body)
    if len(encoded) > BODY_BYTES:
        raise ParameterError(f"a {name} of {len(encoded)} bytes was given; {BODY_BYTES} are the most")
    return Message(kind.number, encoded)


def decode(message: Message) -> tuple[str, dict[str, bool | int | float | str | bytes]]:
    """Name the kind of a message and its entries.

    Parameters
    ----------
    message : Message
        As it arrived.

    Returns
    -------
    name : str
    entries : dict
        By the names of the table; what the table does not know is left out.

    Raises
    ------
    ProtocolError
        Reason ``kind`` for an unknown kind, ``malformed`` for an entry that is missing or does not fit.

    Examples
    --------
    >>> decode(Message(7, bytes.fromhex("a101191000")))
    ('request_waveform', {'samples': 4096})
    """
    kind = _BY_NUMBER.get(message.kind)
    if kind is None:
        raise ProtocolError("kind", f"a message of kind {message.kind}, which is unknown")
    body = cbor.decode(message.body)
    if not isinstance(body, dict):
        raise ProtocolError("malformed", f"the body of a {kind.name} is no map")
    entries: dict[str, bool | int | float | str | bytes] = {}
    for field in kind.fields:
        value = body.get(field.key)
        if value is None and not field.optional:
            raise ProtocolError("malformed", f"a {kind.name} without {field.name}")
        if value is not None:
            fault = _fault(field, value)
            if fault:
                raise ProtocolError("malformed", f"{field.name} of a {kind.name} is {fault}")
            assert isinstance(value, bool | int | float | str | bytes)
            entries[field.name] = value
    return kind.name, entries


def _names(kind: Kind) -> list[str]:
    return [field.name for field in kind.fields]


def _fault(field: Field, value: object) -> str:
    """What is wrong with a value; empty where nothing is."""
    wanted = _PYTHON[field.type]
    given = float(value) if field.type == "float" and type(value) is int else value
    if not isinstance(given, wanted) or (wanted is int and isinstance(given, bool)):
        return f"a {type(value).__name__}; {field.type} is wanted"
    if isinstance(given, int) and not -(2**63 if field.type == "int" else 0) <= given <= field.most:
        return f"{given}; 0 to {field.most} is wanted"
    size = len(given.encode()) if isinstance(given, str) else len(given) if isinstance(given, bytes) else 0
    return f"of {size} bytes; {field.most} are the most" if size > field.most else ""


def render_header() -> str:
    """Write `rw_messages.h`: kinds, keys and codes as C constants.

    Returns
    -------
    str
    """
    lines = [
        "/* Kinds of messages, keys of their bodies, and numbers that stand for words; see docs/LINK.md.",
        " * Generated from edge/node/link/messages.py, which a test holds this file to. */",
        "#ifndef RW_MESSAGES_H",
        "#define RW_MESSAGES_H",
        "",
        "enum rw_kind {",
        *(f"    RW_KIND_{kind.name.upper()} = {kind.number}, /* from the {kind.sender} */" for kind in KINDS),
        "};",
    ]
    for kind in KINDS:
        if kind.fields:
            keys = [_key_line(kind, field) for field in kind.fields]
            lines += ["", f"enum rw_key_of_{kind.name} {{", *keys, "};"]
    for name, codes in CODES.items():
        entries = [f"    RW_CODE_{name.upper()}_{_identifier(word)} = {code}," for code, word in codes.items()]
        lines += ["", f"enum rw_code_of_{name} {{", *entries, "};"]
    return "\n".join([*lines, "", "#endif", ""])


def _identifier(word: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in word.upper())


def _key_line(kind: Kind, field: Field) -> str:
    optional = ", optional" if field.optional else ""
    return f"    RW_{kind.name.upper()}_{field.name.upper()} = {field.key}, /* {field.type}{optional} */"


def render_table() -> str:
    """Write the tables of the page: every kind with its keys, then the codes.

    Returns
    -------
    str
        Markdown.
    """
    parts = []
    for kind in KINDS:
        parts.append(f"### {kind.number} `{kind.name}`, from the {kind.sender}\n\n{_sentence(kind.meaning)}")
        if kind.fields:
            rows = [f"| {f.key} | `{f.name}` | {_type(f)} | {f.meaning} |" for f in kind.fields]
            parts.append("\n".join(["| key | name | type | meaning |", "| --- | --- | --- | --- |", *rows]))
    rows = [
        f"| `{name}` | {', '.join(f'{code} {word}' for code, word in codes.items())} |" for name, codes in CODES.items()
    ]
    parts.append("\n".join(["### Codes", "", "| of | numbers |", "| --- | --- |", *rows]))
    return "\n\n".join(parts) + "\n"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _type(field: Field) -> str:
    most = f" to {field.most}" if field.type in ("uint", "int") and field.most < 2**64 - 1 else ""
    size = f", up to {field.most} bytes" if field.type in ("text", "bytes") else ""
    return f"{field.type}{most}{size}{', optional' if field.optional else ''}"
