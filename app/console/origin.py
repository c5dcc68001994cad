"""Where a request comes from, and where its reader wants to be once they are logged in."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

__all__ = ["address_of", "held", "hold", "is_from_here", "let_go", "way_back"]

_HELD = "raceway_next"
# As long as somebody may take to log in elsewhere.
_HELD_S = 600


def address_of(request: HTTPConnection) -> str:
    """Give the address of the browser, or of the proxy that does not name it."""
    return request.client.host if request.client else "unknown"


def is_from_here(request: HTTPConnection) -> bool:
    """Say whether a form was sent by our own page; what is no browser says neither and has no cookies to be abused."""
    origin = request.headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc == request.headers.get("host")
    return request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


def way_back(path: str) -> str:
    """Give where to go after logging in: a path of ours, whatever somebody wrote into the address.

    Examples
    --------
    >>> way_back("/machine?point=a"), way_back("//evil.example"), way_back("https://evil.example")
    ('/machine?point=a', '/', '/')
    """
    own = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if own and not path.startswith(("/login", "/logout")) else "/"


def hold(reply: Response, back: str) -> None:
    """Let a browser keep where it goes after a log-in elsewhere, from which it always comes back to `/`."""
    reply.set_cookie(_HELD, quote(back, safe="/"), max_age=_HELD_S, httponly=True, samesite="lax")


def held(request: HTTPConnection) -> str:
    """Give where a browser goes after a log-in elsewhere, `/` where it keeps nothing."""
    return way_back(unquote(request.cookies.get(_HELD, "/")))


def let_go(reply: Response) -> None:
    """Let a browser forget it."""
    reply.delete_cookie(_HELD, httponly=True, samesite="lax")
