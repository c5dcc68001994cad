"""Refuses, before Streamlit sees it, what comes without a session: pages, files, and every message of a browser.

While nobody is entered the console is open to its own machine alone: requests under another name (a site that has its
name lead here), from pages under another name, or through a proxy that says so are refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal
from urllib.parse import quote, urlsplit

from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access.oidc import oidc_configured
from app.access.opening import COOKIE, is_loopback, is_open, recognised
from app.access.signons import note_sign_on
from app.console.origin import address_of
from app.console.provider import provider_claims, provider_vouches
from app.settings import Settings
from features.errors import RacewayError

__all__ = ["Gate"]

_PROXIED = ("forwarded", "x-forwarded-for", "x-real-ip")
_Verdict = Literal["local", "session", "provider", "log in", "not here", "broken"]
_PASSING = ("local", "session", "provider")
_SAID = {
    "log in": "Log in first.\n",
    "not here": "While nobody is entered, the console is open to its own machine alone, not through proxies, "
    "under other names or by links of other sites; enter somebody with `raceway users add NAME --role admin`.\n",
    "broken": "Nobody can be let in: see the console's log and `raceway doctor`.\n",
}
_STATUS = {"log in": 401, "not here": 403, "broken": 503}


class Gate:
    """ASGI middleware that lets through what has a session.

    Parameters
    ----------
    app : ASGI application
    engine : callable
        Opens the store, or gives the one that is open.
    settings : Settings
    unguarded : frozenset of str
        Paths that answer without a session; they see to themselves.
    """

    def __init__(
        self, app: ASGIApp, *, engine: Callable[[], Engine], settings: Settings, unguarded: frozenset[str]
    ) -> None:
        self._app, self._engine, self._settings, self._unguarded = app, engine, settings, unguarded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on."""
        if scope["type"] not in ("http", "websocket") or scope["path"] in self._unguarded:
            await self._app(scope, receive, send)
            return
        verdict = await run_in_threadpool(self._judged, scope)
        if scope["type"] == "websocket":
            await self._stream(verdict, scope, receive, send)
        elif verdict in _PASSING:
            await self._app(scope, receive, send)
        else:
            await _refusal(verdict, HTTPConnection(scope))(scope, receive, send)

    async def _stream(self, verdict: _Verdict, scope: Scope, receive: Receive, send: Send) -> None:
        async def watched() -> Message:
            message = await receive()
            # Also where another way in is left: what is drawn was granted by the one that has ended.
            if message["type"] == "websocket.receive" and await run_in_threadpool(self._judged, scope) != verdict:
                await send({"type": "websocket.close", "code": 1008, "reason": "logged out"})
                return {"type": "websocket.disconnect", "code": 1008}
            return message

        if verdict == "provider":
            await run_in_threadpool(self._note, HTTPConnection(scope))
        if verdict in _PASSING:
            await self._app(scope, watched, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _judged(self, scope: Scope) -> _Verdict:
        request = HTTPConnection(scope)
        try:
            if is_open(self._settings):
                return "local" if self._is_local(request) else "not here"
            if recognised(self._engine(), self._settings, token=request.cookies.get(COOKIE)) is not None:
                return "session"
            # With which role, if any, the script asks: whoever has none is to be told so.
            return "provider" if oidc_configured() and provider_vouches(request.cookies) else "log in"
        except RacewayError:
            return "broken"

    def _note(self, request: HTTPConnection) -> None:
        claims, address = provider_claims(request.cookies), address_of(request)
        if claims:
            note_sign_on(self._engine(), self._settings, claims, address=address, now_ns=time.time_ns())

    def _is_local(self, request: HTTPConnection) -> bool:
        # A proxy may give our own name as `Host` and add nothing; the browser still says where its page came from.
        pages = [request.headers[name] for name in ("origin", "referer") if name in request.headers]
        asked = [f"//{request.headers.get('host', '')}", *pages]
        return all(map(_names_this_machine, asked)) and not any(name in request.headers for name in _PROXIED)


def _names_this_machine(url: str) -> bool:
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False


def _refusal(verdict: _Verdict, request: HTTPConnection) -> Response:
    if verdict == "log in" and "text/html" in request.headers.get("accept", ""):
        query = request.url.query
        back = quote(request.url.path + (f"?{query}" if query else ""), safe="/")
        return RedirectResponse("/login" if back == "/" else f"/login?next={back}", status_code=303)
    return PlainTextResponse(_SAID[verdict], status_code=_STATUS[verdict], headers={"Cache-Control": "no-store"})
