"""The document that a browser loads first: Streamlit's, told where its server is, with our name on it."""

from __future__ import annotations

import functools
from importlib import resources

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from app.console.addresses import address
from app.console.origin import held, let_go
from app.console.pages import PAGES
from app.console.plot import LIBRARY
from features.errors import RacewayError

__all__ = ["shell_routes"]

# Without the first line a browser that opens `/alarms` looks for the server below that path first, and reports errors.
# By the rest it goes to the form when its session has ended, and comes back to where it was.
_SERVER = """<script>
window.__streamlit = {BACKEND_BASE_URL: window.location.origin + "/"};
window.fetch = (fetch => async (...asked) => {
  const answer = await fetch(...asked);
  if (answer.status === 401 && new URL(answer.url).origin === window.location.origin)
    window.location.assign("/login?next=" + encodeURIComponent(window.location.pathname + window.location.search));
  return answer;
})(window.fetch.bind(window));
</script>"""
_WITH_CHARTS = {address("machine"), address("maintenance")}
_HEADERS = {"Cache-Control": "no-cache", "Content-Security-Policy": "frame-ancestors 'self'"}


def shell_routes() -> list[Route]:
    """Give a route for each page."""
    return [Route(address(listed.page), _page, methods=["GET"]) for listed in PAGES]


async def _page(request: Request) -> Response:
    if request.url.path == "/" and (wanted := held(request)) != "/":
        reply = RedirectResponse(wanted, status_code=303, headers=_HEADERS)
        let_go(reply)
        return reply
    return HTMLResponse(_document(charts=request.url.path in _WITH_CHARTS), headers=_HEADERS)


@functools.cache
def _document(*, charts: bool) -> str:
    text = (resources.files("streamlit") / "static" / "index.html").read_text(encoding="utf-8")
    head, title = "<head>", "<title>Streamlit</title>"
    if head not in text or title not in text:
        raise RacewayError("Streamlit's first document is not of the form that the console knows")
    # The library of the charts is loaded and run while the server draws the page.
    ahead = f'<script async src="{LIBRARY}"></script>' if charts else ""
    return text.replace(head, head + _SERVER + ahead, 1).replace(title, "<title>Raceway</title>", 1)
