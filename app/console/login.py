"""Logging in and out: a plain form that works by keyboard and on a phone; refuses forms of other sites and guessing."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import parse_qs, quote

from anyio import CapacityLimiter, to_thread
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from app.access.audit import note, note_refused
from app.access.oidc import oidc_configured
from app.access.opening import COOKIE
from app.access.passwords import AccountError, accounts_of, matches
from app.access.roles import User
from app.access.sessions import close, open_session, user_of
from app.access.signons import WHY, signed_on
from app.access.throttle import Throttle
from app.console.origin import address_of, hold, is_from_here, way_back
from app.console.provider import PROVIDER_COOKIE, WAY_OUT, provider_claims, way_in
from app.settings import Settings
from app.store import writing
from features.errors import RacewayError

__all__ = ["TO_PROVIDER", "login_routes"]

TO_PROVIDER = "/login/provider"

_MOST_BYTES = 4096
# Each attempt has to see how the one before it ended: many sent at once would all be made before the first has failed.
_AT_ONCE = 1
_NOBODY = "Nobody can log in: see the console's log."
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
# Browsers hold every step that follows a form against `form-action`; after ours may come the provider's own page.
_LEAVING = _HEADERS | {
    "Content-Security-Policy": _HEADERS["Content-Security-Policy"].replace("form-action 'self'; ", "")
}
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Raceway</title>
<style>
:root {{ color-scheme: light dark; font: 1rem/1.5 "Source Sans Pro", system-ui, sans-serif; }}
body {{ margin: 0 auto; max-width: 22rem; padding: 12vh 1rem 2rem; }}
label, input, button, .go {{ display: block; width: 100%; box-sizing: border-box; font: inherit; }}
label {{ margin-top: 1rem; }}
input, button, .go {{ padding: .6rem; min-height: 2.75rem; border: 1px solid #7F7F7F; border-radius: .4rem; }}
button, .go {{ margin-top: 1.5rem; background: #0072B2; border-color: #0072B2; color: #FFF; cursor: pointer; }}
.go {{ text-align: center; text-decoration: none; }}
:focus-visible {{ outline: 3px solid #E69F00; outline-offset: 2px; }}
.refused {{ border-left: .4rem solid #D55E00; padding-left: .8rem; }}
</style>
</head>
<body>
<h1>{title}</h1>
{said}
{form}
</body>
</html>
"""
_LOG_IN = """<form method="post" action="/login">
<input type="hidden" name="next" value="{next}">
<label for="name">Name</label>
<input id="name" name="name" value="{name}" autocomplete="username" autocapitalize="none" spellcheck="false"
 required{first}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required{second}>
<button type="submit">Log in</button>
</form>"""
_BY_PROVIDER = f'<a class="go" href="{TO_PROVIDER}?next={{next}}">Log in by single sign-on</a>'
_LOG_OUT = """<form method="post" action="/logout"><button type="submit" autofocus>Log out</button></form>"""


def login_routes(engine: Callable[[], Engine], settings: Settings) -> list[Route]:
    """Give the routes `/login`, with the way to an identity provider below it, and `/logout`.

    Parameters
    ----------
    engine : callable
        Opens the store, or gives the one that is open.
    settings : Settings
    """
    desk = _Desk(engine, settings)
    return [
        Route("/login", desk.form, methods=["GET"]),
        Route("/login", desk.log_in, methods=["POST"]),
        Route(TO_PROVIDER, desk.to_provider, methods=["GET"]),
        Route("/logout", desk.farewell, methods=["GET"]),
        Route("/logout", desk.log_out, methods=["POST"]),
    ]


@dataclass
class _Desk:
    """Where people log in and out."""

    engine: Callable[[], Engine]
    settings: Settings
    throttle: Throttle = field(default_factory=Throttle)
    # Of their own: those that wait may not hold up the threads in which the gate judges every message.
    turns: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_AT_ONCE))

    async def form(self, request: Request) -> Response:
        return self._form(way_back(request.query_params.get("next", "/")))

    async def to_provider(self, request: Request) -> Response:
        back = way_back(request.query_params.get("next", "/"))
        try:
            reply = RedirectResponse(way_in() if oidc_configured() else "/login", status_code=303, headers=_HEADERS)
        except AccountError:
            return self._form("/", refused=_NOBODY, status=503)
        hold(reply, back)
        return reply

    async def log_in(self, request: Request) -> Response:
        if not is_from_here(request):
            return self._form("/", refused="This form came from another site.", status=403)
        fields = await _fields(request)
        name, back = fields.get("name", "").strip()[:64], way_back(fields.get("next", "/"))
        try:
            judged = functools.partial(self._judged, request, name, fields.get("password", ""), back)
            return await to_thread.run_sync(judged, limiter=self.turns)
        except RacewayError:
            return self._form(back, name=name, refused=_NOBODY, status=503)

    def _judged(self, request: Request, name: str, password: str, back: str) -> Response:
        address, now_s = address_of(request), time.monotonic()
        wait_s = self.throttle.wait_s(name, address, now_s=now_s)
        if wait_s > 0.0:
            words = f"Too many attempts; wait {max(1, round(wait_s))} s."
            return self._form(back, name=name, refused=words, status=429, wait_s=wait_s)
        account = accounts_of(self.settings.users).get(name)
        right = matches(account, password)
        now_ns = time.time_ns()
        if account is None or not right:
            self.throttle.failed(name, address, now_s=now_s)
            with writing(self.engine()) as connection:
                # A name that nobody has may be a password in the wrong field.
                note_refused(connection, name if account else "unknown", target=address, now_ns=now_ns)
            return self._form(back, name=name, refused="Name or password is wrong.", status=401)
        self.throttle.succeeded(name, address)
        with writing(self.engine()) as connection:
            if former := request.cookies.get(COOKIE):
                close(connection, former)
            token = open_session(connection, account.name, now_ns=now_ns, hours=self.settings.session_h)
            note(connection, User(account.name, account.role), "log in", target=address, now_ns=now_ns)
        reply = RedirectResponse(back, status_code=303, headers=_HEADERS)
        self._give(reply, request, token)
        return reply

    def _give(self, reply: Response, request: Request, token: str) -> None:
        reply.set_cookie(
            COOKIE,
            token,
            max_age=round(3600 * self.settings.session_h),
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )

    async def farewell(self, request: Request) -> Response:
        """Ask, unless the console's own page has sent the reader here: other sites could link to this."""
        if request.headers.get("sec-fetch-site") == "same-origin":
            return await self.log_out(request)
        return _answer("Log out", "", _LOG_OUT, headers=_LEAVING)

    async def log_out(self, request: Request) -> Response:
        if not is_from_here(request):
            return _answer(
                "Log out", _refusal("This form came from another site."), _LOG_OUT, status=403, headers=_LEAVING
            )
        await run_in_threadpool(self._closed, request)
        onward = WAY_OUT if PROVIDER_COOKIE in request.cookies else "/login"
        reply = RedirectResponse(onward, status_code=303, headers=_HEADERS)
        reply.delete_cookie(COOKIE, httponly=True, samesite="lax")
        return reply

    def _closed(self, request: Request) -> None:
        token, given = request.cookies.get(COOKIE), self._claims(request)
        if not token and not given:
            return
        now_ns = time.time_ns()
        with writing(self.engine()) as connection:
            user, why = user_of(connection, token, accounts_of(self.settings.users), now_ns=now_ns), ""
            if token:
                close(connection, token)
            if user is None:
                user, why = signed_on(self.settings, given), WHY
            if user is not None:
                note(connection, user, "log out", target=address_of(request), why=why, now_ns=now_ns)

    def _claims(self, request: Request) -> Mapping[str, Any]:
        """What a provider says of who asks; a file of secrets that cannot be read keeps nobody from leaving."""
        try:
            known = PROVIDER_COOKIE in request.cookies and oidc_configured()
        except AccountError:
            known = False
        return provider_claims(request.cookies) if known else {}

    def _form(
        self, back: str, *, name: str = "", refused: str = "", status: int = 200, wait_s: float = 0.0
    ) -> Response:
        focus = {"first": "" if name else " autofocus", "second": " autofocus" if name else ""}
        form = _LOG_IN.format(next=escape(back), name=escape(name), **focus)
        reply = _answer("Log in", _refusal(refused), self._ways(form, back), status=status)
        if wait_s:
            reply.headers["Retry-After"] = str(max(1, round(wait_s)))
        return reply

    def _ways(self, form: str, back: str) -> str:
        """The ways in that there are: to the provider, the form, or both."""
        try:
            if oidc_configured():
                return _BY_PROVIDER.format(next=quote(back, safe="/")) + (
                    form if accounts_of(self.settings.users) else ""
                )
        except AccountError:
            # The gate says so.
            pass
        return form


async def _fields(request: Request) -> dict[str, str]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            return {}
    found = parse_qs(body.decode("utf-8", errors="replace"), keep_blank_values=True, max_num_fields=10)
    return {name: values[0] for name, values in found.items()}


def _refusal(words: str) -> str:
    return f'<p class="refused" role="alert">{escape(words)}</p>' if words else ""


def _answer(title: str, said: str, form: str, *, status: int = 200, headers: Mapping[str, str] = _HEADERS) -> Response:
    return HTMLResponse(_PAGE.format(title=title, said=said, form=form), status_code=status, headers=headers)
