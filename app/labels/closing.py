"""Closing work orders over HTTP: what a request of a maintenance system is answered; refuses one without the token."""

from __future__ import annotations

import hmac
import json
from typing import Any

from sqlalchemy import Engine

from app.access.roles import User
from app.labels.workorders import Closed, NoOrderError, close
from app.logs import log
from app.settings import Settings
from app.store import writing
from features.errors import ParameterError

__all__ = ["MOST_BODY", "answer_closing"]

# Longer requests are refused; a server need not read further.
MOST_BODY = 1 << 16
_LONGEST_NOTE = 2000


def answer_closing(
    engine: Engine, settings: Settings, *, authorization: str | None, body: bytes, now_ns: int
) -> tuple[int, dict[str, Any]]:
    """Close the order that a request names.

    Parameters
    ----------
    engine : Engine
    settings : Settings
    authorization : str or None
        The header of that name: ``Bearer`` and the setting ``workorder_token``.
    body : bytes
        JSON: ``key``, ``code`` and, where there is more to say, ``note``.
    now_ns : int

    Returns
    -------
    status : int
        200, also where the order was closed before; 400, 401, 404 or 413.
    answer : dict
        To be sent as JSON: ``state`` and ``said``, or ``error``.
    """
    if not _allowed(settings.workorder_token, authorization):
        log("warning", "closing of a work order refused: no token, or another one")
        return 401, {"error": "a bearer token is wanted: the setting workorder_token"}
    if len(body) > MOST_BODY:
        return 413, {"error": f"the request has more than {MOST_BODY} bytes"}
    try:
        key, code, why = _asked(body)
        with writing(engine) as connection:
            closed = close(
                connection,
                User("work orders", "operator"),
                key,
                code=code,
                closures=settings.closures(),
                now_ns=now_ns,
                why=why,
            )
    except NoOrderError as error:
        return 404, {"error": str(error)}
    except ParameterError as error:
        return 400, {"error": str(error)}
    return 200, _answer(closed)


def _allowed(token: str, authorization: str | None) -> bool:
    """Whether a header shows the token; takes as long whichever letter differs."""
    shown = (authorization or "").removeprefix("Bearer ").encode()
    return bool(token) and hmac.compare_digest(shown, token.encode())


def _asked(body: bytes) -> tuple[str, str, str]:
    try:
        asked = json.loads(body)
    except ValueError as error:
        raise ParameterError("the request is no JSON") from error
    if not isinstance(asked, dict):
        raise ParameterError("the request is no JSON object")
    values = [asked.get("key"), asked.get("code"), asked.get("note", "")]
    if not all(isinstance(value, str) for value in values):
        raise ParameterError("the request wants key and code as text, and note, where it has one")
    key, code, why = (str(value) for value in values)
    return key, code, why[:_LONGEST_NOTE]


def _answer(closed: Closed) -> dict[str, Any]:
    order = closed.order
    labels = [label.kind for label in closed.labels]
    return {"state": order.state, "key": order.key, "code": order.closure, "labels": labels, "said": closed.words}
