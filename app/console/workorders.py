"""The address at which a maintenance system closes work orders; it shows a token of its own, not a session."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.labels.closing import MOST_BODY, answer_closing
from app.settings import Settings

__all__ = ["CLOSING", "workorder_routes"]

CLOSING = "/workorders/close"


def workorder_routes(engine: Callable[[], Engine], settings: Settings) -> list[Route]:
    """Give the route that closes orders.

    Parameters
    ----------
    engine : callable
        Opens the store, or gives the one that is open.
    settings : Settings
    """

    async def closed(request: Request) -> Response:
        body = await _body(request)

        def answer() -> Response:
            shown = request.headers.get("authorization")
            status, said = answer_closing(engine(), settings, authorization=shown, body=body, now_ns=time.time_ns())
            return JSONResponse(said, status_code=status, headers={"Cache-Control": "no-store"})

        return await run_in_threadpool(answer)

    return [Route(CLOSING, closed, methods=["POST"])]


async def _body(request: Request) -> bytes:
    """What was sent, up to a byte more than is admitted."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BODY:
                break
    except ClientDisconnect:
        pass
    return body[: MOST_BODY + 1]
