"""Posting JSON to a web address of somebody else's; what goes wrong is a `DeliveryError` without any secret in it."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from features.errors import RacewayError

__all__ = ["DeliveryError", "host_of", "post"]

_PATIENCE_S = 20.0
_MOST_ANSWER = 1 << 16


class DeliveryError(RacewayError):
    """Somebody could not be told; they are tried again."""


class _StayHere(urllib.request.HTTPRedirectHandler):
    """Follows nowhere: what was posted would be asked for there, and not posted."""

    def redirect_request(self, *_: Any) -> None:
        return None


def host_of(url: str) -> str:
    """The host of an address: its path may hold a secret.

    Examples
    --------
    >>> host_of("https://user:word@example.org/hooks/secret")
    'example.org'
    """
    return str(urlsplit(url).hostname)


def post(url: str, entries: Mapping[str, Any], *, key: str) -> bytes:
    """Post a map as JSON, with the key as `Idempotency-Key`.

    Returns
    -------
    bytes
        The head of the answer, up to 64 KiB.

    Raises
    ------
    DeliveryError
        If the answer is another than 2xx, or none, or none of HTTP.
    """
    head = {"Content-Type": "application/json", "Idempotency-Key": key}
    request = urllib.request.Request(url, data=json.dumps(entries).encode(), headers=head, method="POST")  # noqa: S310
    try:
        with urllib.request.build_opener(_StayHere).open(request, timeout=_PATIENCE_S) as answer:
            return bytes(answer.read(_MOST_ANSWER))
    except urllib.error.HTTPError as error:
        raise DeliveryError(f"webhook {host_of(url)} answered {error.code}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise DeliveryError(f"webhook {host_of(url)} cannot be reached ({type(reason).__name__})") from error
