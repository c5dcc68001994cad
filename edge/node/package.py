"""Model images for nodes: a signed manifest and the model; refuses images that a node would refuse.

Length of the manifest (32 bits, least byte first), manifest, its Ed25519 signature, zeros up to a multiple of 8, model.
The node's side of it is `edge/firmware/update/rw_image.c`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from edge.node.manifest import MANIFEST_BYTES, Manifest, decode_manifest, encode_manifest
from features.errors import ArtifactError, ParameterError

__all__ = [
    "ID_BYTES",
    "Image",
    "generate_key",
    "image_id",
    "make_image",
    "open_image",
    "read_manifest",
    "read_private_key",
    "read_public_key",
    "render_key_header",
    "render_public_key",
]

ID_BYTES = 16  # RW_IMAGE_ID_BYTES
_LENGTH_BYTES, _SIGNATURE_BYTES, _ALIGNMENT = 4, 64, 8


@dataclass(frozen=True)
class Image:
    """An image that holds what it says.

    Attributes
    ----------
    manifest : Manifest
        As it was signed.
    model : bytes
        Whose digest is the manifest's.
    """

    manifest: Manifest
    model: bytes


def make_image(
    model: bytes,
    *,
    version: int,
    contract: bytes,
    operators: Sequence[int],
    memory_bytes: int,
    golden_input: bytes,
    golden_output: bytes,
    name: str,
    metrics: dict[str, float],
    key: Ed25519PrivateKey,
) -> bytes:
    """Pack and sign a model.

    Parameters
    ----------
    model : bytes
        As the node runs it from flash.
    version, contract, operators, memory_bytes, golden_input, golden_output, name, metrics
        Of the manifest; operators in any order.
    key : Ed25519PrivateKey
        Whose public half the nodes hold.

    Returns
    -------
    bytes
        The image.

    Raises
    ------
    ParameterError
        If a value is outside what a manifest holds.

    Examples
    --------
    >>> key = read_private_key(generate_key())
    >>> image = make_image(b"model", version=1, contract=bytes(8), operators=[7], memory_bytes=64, golden_input=b"a",
    ...                    golden_output=b"b", name="M1", metrics={"auc": 0.75}, key=key)
    >>> open_image(image, keys=[key.public_key()]).model
    b'model'
    """
    manifest = encode_manifest(
        Manifest(
            version=version,
            contract=contract,
            operators=tuple(sorted(set(operators))),
            model_bytes=len(model),
            digest=hashlib.sha512(model).digest(),
            memory_bytes=memory_bytes,
            golden_input=golden_input,
            golden_output=golden_output,
            name=name,
            metrics=metrics,
        )
    )
    head = len(manifest).to_bytes(_LENGTH_BYTES, "little") + manifest + key.sign(manifest)
    return head.ljust(_model_offset(len(manifest)), b"\0") + model


def open_image(content: bytes, *, keys: Sequence[Ed25519PublicKey]) -> Image:
    """Read an image as a node does: its frame, its signature, its manifest, its model.

    Parameters
    ----------
    content : bytes
        The whole image and nothing behind it.
    keys : sequence of Ed25519PublicKey
        Any of which may have signed.

    Returns
    -------
    Image

    Raises
    ------
    ArtifactError
        If the image is cut short, damaged, or signed by none of the keys.
    """
    n = int.from_bytes(content[:_LENGTH_BYTES], "little")
    offset = _model_offset(n)
    if not 0 < n <= MANIFEST_BYTES or len(content) < offset:
        raise ArtifactError(
            f"{len(content)} bytes that claim a manifest of {n} are no image; it is damaged or cut short"
        )
    manifest, behind = content[_LENGTH_BYTES : _LENGTH_BYTES + n], content[_LENGTH_BYTES + n : offset]
    if not any(_signed(key, behind[:_SIGNATURE_BYTES], manifest) for key in keys):
        raise ArtifactError("none of the keys given has signed the manifest")
    image = Image(decode_manifest(manifest), content[offset:])
    if any(behind[_SIGNATURE_BYTES:]):
        raise ArtifactError("the bytes between signature and model are not zero")
    if len(image.model) != image.manifest.model_bytes:
        raise ArtifactError(f"the model has {len(image.model)} bytes; its manifest says {image.manifest.model_bytes}")
    if hashlib.sha512(image.model).digest() != image.manifest.digest:
        raise ArtifactError("the bytes of the model are not those that were signed")
    return image


def read_manifest(content: bytes) -> Manifest:
    """Read what an image says of itself, whoever signed it: to see whom it may be sent to, and never to run it.

    Parameters
    ----------
    content : bytes
        The image.

    Returns
    -------
    Manifest

    Raises
    ------
    ArtifactError
        If it is cut short or its manifest damaged.
    """
    n = int.from_bytes(content[:_LENGTH_BYTES], "little")
    if not 0 < n <= MANIFEST_BYTES or len(content) < _model_offset(n):
        raise ArtifactError(
            f"{len(content)} bytes that claim a manifest of {n} are no image; it is damaged or cut short"
        )
    manifest = decode_manifest(content[_LENGTH_BYTES : _LENGTH_BYTES + n])
    if len(content) - _model_offset(n) != manifest.model_bytes:
        raise ArtifactError(f"the image holds another number of bytes than the {manifest.model_bytes} of its model")
    return manifest


def image_id(content: bytes) -> bytes:
    """The name under which a transfer of an image is taken up again: 16 bytes of its SHA-512.

    Parameters
    ----------
    content : bytes
        The image.

    Returns
    -------
    bytes
    """
    return hashlib.sha512(content).digest()[:ID_BYTES]


def generate_key() -> bytes:
    """Make a new private key.

    Returns
    -------
    bytes
        PEM (PKCS 8), not encrypted: whoever holds it decides what runs on the nodes.
    """
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def read_private_key(pem: bytes) -> Ed25519PrivateKey:
    """Read a private key for signing.

    Parameters
    ----------
    pem : bytes
        As from `generate_key`, or of another tool.

    Returns
    -------
    Ed25519PrivateKey

    Raises
    ------
    ArtifactError
        If it is no private key of Ed25519, or encrypted.
    """
    try:
        key = load_pem_private_key(pem, password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise ArtifactError(f"no private key can be read: {error}; make one with `raceway node keygen`") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ArtifactError("the private key is not one of Ed25519; make one with `raceway node keygen`")
    return key


def read_public_key(pem: bytes) -> Ed25519PublicKey:
    """Read a public key.

    Parameters
    ----------
    pem : bytes
        SubjectPublicKeyInfo.

    Returns
    -------
    Ed25519PublicKey

    Raises
    ------
    ArtifactError
        If it is no public key of Ed25519.
    """
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ArtifactError(f"no public key can be read: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ArtifactError("the public key is not one of Ed25519")
    return key


def render_public_key(key: Ed25519PublicKey) -> bytes:
    """Write a public key as PEM.

    Parameters
    ----------
    key : Ed25519PublicKey
        Of a private key's `public_key()`.

    Returns
    -------
    bytes
    """
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def render_key_header(keys: Sequence[Ed25519PublicKey]) -> str:
    """Write the C header with the keys whose models a firmware takes.

    Parameters
    ----------
    keys : sequence of Ed25519PublicKey
        One at least; a second one lets the first be replaced.

    Returns
    -------
    str
        Of `rw_update_keys.h`.

    Raises
    ------
    ParameterError
        If there is none.
    """
    if not keys:
        raise ParameterError("a firmware without a key takes no model; one public key at least is wanted")
    rows = []
    for key in keys:
        words = [f"0x{byte:02x}," for byte in key.public_bytes_raw()]
        rows.append("    {" + " ".join(words[:16]) + "\n     " + " ".join(words[16:]).rstrip(",") + "},\n")
    return (
        "/* Public keys whose models this firmware takes; written by `raceway node keygen`. */\n"
        "#ifndef RW_UPDATE_KEYS_H\n#define RW_UPDATE_KEYS_H\n\n#include <stdint.h>\n\n"
        f"#define RW_UPDATE_KEYS {len(keys)}u\n\n"
        f"static const uint8_t rw_update_keys[RW_UPDATE_KEYS][32] = {{\n{''.join(rows)}}};\n\n#endif\n"
    )


def _model_offset(manifest_bytes: int) -> int:
    end = _LENGTH_BYTES + manifest_bytes + _SIGNATURE_BYTES
    return -(-end // _ALIGNMENT) * _ALIGNMENT


def _signed(key: Ed25519PublicKey, signature: bytes, manifest: bytes) -> bool:
    try:
        key.verify(signature, manifest)
    except InvalidSignature:
        return False
    return True
