"""The manifest of a model image for nodes, twin of `rw_manifest.c`; refuses what is not its one form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from edge.node.link import cbor
from features.errors import ArtifactError, ParameterError, ProtocolError

__all__ = [
    "CONTRACT_BYTES",
    "DIGEST_BYTES",
    "FORMAT",
    "MANIFEST_BYTES",
    "NAME_BYTES",
    "OPERATORS",
    "Manifest",
    "decode_manifest",
    "encode_manifest",
]

FORMAT = 1
MANIFEST_BYTES = 16384  # RW_MANIFEST_BYTES
OPERATORS = 32  # RW_MANIFEST_OPERATORS
NAME_BYTES = 32  # RW_MANIFEST_NAME_BYTES
CONTRACT_BYTES, DIGEST_BYTES = 8, 64

_UINT32 = 1 << 32
_KEYS = tuple(range(1, 12))

_Kind = TypeVar("_Kind")


@dataclass(frozen=True)
class Manifest:
    """What a signature vouches for.

    Attributes
    ----------
    version : int
        Below 2^32; a node takes none that is not above the highest it ever confirmed.
    contract : bytes
        First 8 bytes of the hash of the features that the model wants.
    operators : tuple of int
        Ids of the operators that the model needs, ascending, 32 at most.
    model_bytes : int
        At least 1.
    digest : bytes
        SHA-512 of the model.
    memory_bytes : int
        That the model takes while it runs.
    golden_input, golden_output : bytes
        A window of the model's input and what the model makes of it, both int8.
    name : str
        1 to 32 bytes of UTF-8.
    metrics : mapping of str to float
        For people; kept as float32.

    Raises
    ------
    ParameterError
        If a value is outside these bounds.
    """

    version: int
    contract: bytes
    operators: tuple[int, ...]
    model_bytes: int
    digest: bytes
    memory_bytes: int
    golden_input: bytes
    golden_output: bytes
    name: str
    metrics: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for fault in (self._numbers(), self._operators(), self._bytes()):
            if fault is not None:
                raise ParameterError(f"a manifest's {fault}")

    def _numbers(self) -> str | None:
        for name in ("version", "model_bytes", "memory_bytes"):
            if not 0 <= getattr(self, name) < _UINT32:
                return f"{name} is {getattr(self, name)}; 0 to 2^32 - 1 are wanted"
        return "model has no bytes" if self.model_bytes == 0 else None

    def _operators(self) -> str | None:
        ids = self.operators
        if len(ids) > OPERATORS or list(ids) != sorted(set(ids)) or not all(0 <= i < _UINT32 for i in ids):
            return f"operators are {ids}; at most {OPERATORS} ids below 2^32, ascending, are wanted"
        return None

    def _bytes(self) -> str | None:
        for name, wanted in (("contract", CONTRACT_BYTES), ("digest", DIGEST_BYTES)):
            if len(getattr(self, name)) != wanted:
                return f"{name} has {len(getattr(self, name))} bytes; {wanted} are wanted"
        if not self.golden_input or not self.golden_output:
            return "golden window or its output is empty; a window and what the model makes of it are wanted"
        n = len(self.name.encode())
        return None if 1 <= n <= NAME_BYTES else f"name has {n} bytes; 1 to {NAME_BYTES} are wanted"


def encode_manifest(manifest: Manifest) -> bytes:
    """Write a manifest as the CBOR that is signed.

    Parameters
    ----------
    manifest : Manifest
        Whose metrics are finite.

    Returns
    -------
    bytes

    Raises
    ------
    ParameterError
        If a metric is not finite, or the whole has more than 16,384 bytes.

    Examples
    --------
    >>> made = Manifest(3, bytes(8), (1, 4), 900, bytes(64), 2048, b"\\x01\\xff", b"\\x7f", "M1", {"auc": 0.5})
    >>> decode_manifest(encode_manifest(made)) == made
    True
    """
    values: tuple[cbor.Value, ...] = (
        FORMAT,
        manifest.version,
        manifest.contract,
        manifest.operators,
        manifest.model_bytes,
        manifest.digest,
        manifest.memory_bytes,
        {name: float(value) for name, value in manifest.metrics.items()},
        manifest.golden_input,
        manifest.golden_output,
        manifest.name,
    )
    content = cbor.encode(dict(zip(_KEYS, values, strict=True)))
    if len(content) > MANIFEST_BYTES:
        raise ParameterError(f"the manifest has {len(content)} bytes; a node takes {MANIFEST_BYTES} at most")
    return content


def decode_manifest(content: bytes) -> Manifest:
    """Read a manifest; what a node refuses is refused.

    Parameters
    ----------
    content : bytes
        All of it, and nothing behind it.

    Returns
    -------
    Manifest

    Raises
    ------
    ArtifactError
        If it is not in the one form; the message says where.
    """
    if len(content) > MANIFEST_BYTES:
        raise ArtifactError(f"the manifest has {len(content)} bytes; {MANIFEST_BYTES} at most are wanted")
    try:
        values = cbor.decode(content)
    except ProtocolError as error:
        raise ArtifactError(f"the manifest is damaged: {error}") from error
    if not isinstance(values, Mapping) or tuple(values) != _KEYS:
        raise ArtifactError("the manifest is damaged: a map with the keys 1 to 11 is wanted")
    found = [values[key] for key in _KEYS]
    if type(found[0]) is not int or found[0] != FORMAT:
        raise ArtifactError(f"the manifest is of format {found[0]!r}; this version knows format {FORMAT}")
    return _made(found)


def _made(values: list[cbor.Value]) -> Manifest:
    _, version, contract, operators, model_bytes, digest, memory_bytes, metrics, given, wanted, name = values
    try:
        return Manifest(
            version=_of(int, version),
            contract=_of(bytes, contract),
            operators=tuple(_of(int, item) for item in _of(list, operators)),
            model_bytes=_of(int, model_bytes),
            digest=_of(bytes, digest),
            memory_bytes=_of(int, memory_bytes),
            golden_input=_of(bytes, given),
            golden_output=_of(bytes, wanted),
            name=_of(str, name),
            metrics={_of(str, key): _of(float, value) for key, value in _of(dict, metrics).items()},
        )
    except ParameterError as error:
        raise ArtifactError(f"the manifest is damaged: {error}") from error


def _of(kind: type[_Kind], value: object) -> _Kind:
    if type(value) is not kind:
        raise ArtifactError(f"the manifest is damaged: {value!r} stands where a value of type {kind.__name__} should")
    return value
