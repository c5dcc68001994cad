"""Requests straight into an ASGI application, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

__all__ = ["Answer", "ask", "asked", "stream"]


@dataclass(frozen=True)
class Answer:
    """What came back; names of headers in small letters, `set-cookie` among them."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def cookie(self) -> str:
        """The value of the cookie that was set."""
        return self.headers["set-cookie"].partition("=")[2].partition(";")[0]


def _scope(kind: str, path: str, cookie: str, headers: Mapping[str, str], client: str) -> dict[str, Any]:
    path, _, query = path.partition("?")
    given = {"host": "127.0.0.1:8501", "accept": "text/html", "cookie": f"raceway_session={cookie}"} | dict(headers)
    return {
        "type": kind,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "client": (client, 5000),
        "server": ("127.0.0.1", 8501),
        "scheme": given.get("x-test-scheme", "http"),
        "root_path": "",
        "http_version": "1.1",
    }


async def asked(
    app: Any,
    path: str,
    *,
    form: Mapping[str, str] | None = None,
    body: bytes | None = None,
    cookie: str = "",
    headers: Mapping[str, str] | None = None,
    client: str = "127.0.0.1",
) -> Answer:
    """Get a path, or post a form or something else to it."""
    posted = urlencode(form or {}).encode() if body is None else body
    method = "GET" if form is None and body is None else "POST"
    scope = _scope("http", path, cookie, headers or {}, client) | {"method": method}
    sent: list[Any] = []
    waiting = [{"type": "http.request", "body": posted, "more_body": False}]

    async def receive() -> Any:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    found = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    answered = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(sent[0]["status"], found, answered.decode())


def ask(app: Any, path: str, **given: Any) -> Answer:
    """Do as `asked` does, alone."""
    return asyncio.run(asked(app, path, **given))


def stream(
    app: Any, messages: Sequence[Any], *, cookie: str = "", headers: Mapping[str, str] | None = None
) -> list[Any]:
    """Open the stream that pages are drawn through, send messages (or call functions in between); what came back."""
    sent: list[Any] = []
    waiting = [{"type": "websocket.connect"}, *messages]

    async def receive() -> Any:
        while waiting and callable(waiting[0]):
            await asyncio.to_thread(waiting.pop(0))
        return waiting.pop(0) if waiting else {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(_scope("websocket", "/_stcore/stream", cookie, headers or {}, "127.0.0.1"), receive, send))
    return sent
