"""Logging in and out, and what is refused without a session: pages, files and every message of a browser."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from asgi import Answer, ask, asked, stream
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from streamlit.auth_util import set_cookie_with_chunks
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

from app.access.accounts import add, remove, set_role
from app.access.audit import trail
from app.access.opening import demand_closed, is_loopback
from app.access.passwords import Account, AccountError, matches
from app.access.roles import Role, User
from app.console.gate import Gate
from app.console.routes import UNGUARDED, routes
from app.schema import sessions
from app.settings import Settings
from app.store import reading, writing

_ROOT = User("root", "admin")
_PASSWORD = "correct horse"
_SECRET = "of this test alone"
_KIM: dict[str, Any] = {"sub": "kim", "email": "kim@plant", "iat": 1}


pytestmark = pytest.mark.usefixtures("quick_hashes")


@pytest.fixture
def engine(store: sa.Engine) -> sa.Engine:
    return store


@pytest.fixture
def entered(engine: sa.Engine, settings: Settings) -> sa.Engine:
    with writing(engine) as connection:
        for name, role in (("ada", "admin"), ("kim", "operator")):
            add(connection, settings.users, _ROOT, name, role, _PASSWORD, now_ns=1)  # type: ignore[arg-type]
    return engine


@pytest.fixture
def console(engine: sa.Engine, settings: Settings) -> Starlette:
    """Our routes and gate, before pages and a stream that stand for Streamlit's."""

    async def page(request: Any) -> PlainTextResponse:
        return PlainTextResponse(f"page {request.url.path}")

    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text)

    gate = Middleware(Gate, engine=lambda: engine, settings=settings, unguarded=UNGUARDED)
    own = [Route("/{path:path}", page), WebSocketRoute("/_stcore/stream", echo)]
    return Starlette(routes=[*routes(lambda: engine, settings), *own], middleware=[gate])


def _log_in(console: Starlette, name: str = "kim", password: str = _PASSWORD, **given: Any) -> Answer:
    back = given.pop("back", "/")
    return ask(console, "/login", form={"name": name, "password": password, "next": back}, **given)


def _deeds(engine: sa.Engine) -> list[tuple[str, str, str]]:
    with reading(engine) as connection:
        return [(deed.who, deed.action, deed.target) for deed in trail(connection, most=3)]


def test_without_a_session_nothing_is_served(entered: sa.Engine, console: Starlette) -> None:
    assert entered is not None
    asked = ask(console, "/machine?point=a%2Fb")
    assert (asked.status, asked.headers["location"]) == (303, "/login?next=/machine%3Fpoint%3Da%252Fb")
    for path in ("/_stcore/host-config", "/media/one.png", "/component/plot/index.html", "/static/index.js"):
        assert ask(console, path, headers={"accept": "*/*"}).status == 401
    assert ask(console, "/", cookie="guessed").status == 303
    assert stream(console, [{"type": "websocket.receive", "text": "a"}]) == [{"type": "websocket.close", "code": 1008}]
    assert ask(console, "/_stcore/health").status == 200


def test_who_logs_in_gets_a_session_and_goes_where_they_wanted(entered: sa.Engine, console: Starlette) -> None:
    assert 'name="next" value="/alarms"' in ask(console, "/login?next=/alarms").text
    reply = _log_in(console, back="/alarms")
    assert (reply.status, reply.headers["location"]) == (303, "/alarms")
    kept = reply.headers["set-cookie"].lower()
    assert "httponly" in kept
    assert "samesite=lax" in kept
    assert "secure" not in kept
    assert "secure" in _log_in(console, headers={"x-test-scheme": "https"}).headers["set-cookie"].lower()
    document = ask(console, "/alarms", cookie=reply.cookie).text
    assert "<title>Raceway</title>" in document
    assert document.index("BACKEND_BASE_URL") < document.index("<script type=")
    assert _deeds(entered)[0] == ("kim", "log in", "127.0.0.1")


def test_the_token_itself_is_not_stored(entered: sa.Engine, console: Starlette, settings: Settings) -> None:
    token = _log_in(console).cookie
    entered.dispose()
    kept = b"".join(path.read_bytes() for path in settings.data_dir.rglob("*") if path.is_file())
    assert token.encode() not in kept
    assert _PASSWORD.encode() not in kept


def test_a_session_ends_by_logging_out(entered: sa.Engine, console: Starlette) -> None:
    token = _log_in(console).cookie
    assert "<button" in ask(console, "/logout", cookie=token).text
    assert ask(console, "/", cookie=token).status == 200
    left = ask(console, "/logout", cookie=token, headers={"sec-fetch-site": "same-origin"})
    assert (left.status, left.headers["location"]) == (303, "/login")
    assert ask(console, "/", cookie=token).status == 303
    assert _deeds(entered)[0] == ("kim", "log out", "127.0.0.1")


@pytest.fixture
def vouched(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> str:
    """An identity provider is configured; the cookie of somebody whom it has logged in."""
    secrets = Path(".streamlit", "secrets.toml")
    secrets.parent.mkdir()
    secrets.write_text("[auth]\n")
    assert secrets.resolve().is_relative_to(settings.data_dir.parent)
    monkeypatch.setattr("app.console.provider.get_cookie_secret", lambda: _SECRET)
    return f"_streamlit_user={create_signed_value(_SECRET, '_streamlit_user', '{}').decode()}"


@pytest.fixture
def roled(vouched: str, settings: Settings) -> dict[str, Role]:
    """Roles of those whom the provider knows."""
    assert vouched
    settings.oidc_roles.update({_KIM["email"]: "engineer", "ada": "viewer"})
    return settings.oidc_roles


def _signed(claims: dict[str, Any]) -> str:
    """Cookies of a browser that the provider has logged in with these claims."""
    kept: dict[str, str] = {}
    set_cookie_with_chunks(
        lambda name, value: kept.update({name: create_signed_value(_SECRET, name, value).decode()}),
        lambda name, value: create_signed_value(_SECRET, name, value),
        "_streamlit_user",
        claims,
        cookie_attr_size=80,
    )
    return "; ".join(f"{name}={value}" for name, value in kept.items())


def _noted(engine: sa.Engine) -> list[tuple[str, ...]]:
    """Deeds in the order of time."""
    with reading(engine) as connection:
        return [(one.who, one.role, one.action, one.target, one.why) for one in trail(connection)][::-1]


def test_with_single_sign_on_nothing_is_served_without_a_log_in(console: Starlette, vouched: str) -> None:
    forged = create_signed_value("guessed", "_streamlit_user", "{}").decode()
    for cookie in ("", "raceway_session=guessed", "_streamlit_user=x", f"_streamlit_user={forged}"):
        asked = ask(console, "/alarms", headers={"cookie": cookie})
        assert (asked.status, asked.headers["location"]) == (303, "/login?next=/alarms")
        assert ask(console, "/media/one.png", headers={"cookie": cookie, "accept": "*/*"}).status == 401
        sent = stream(console, [{"type": "websocket.receive", "text": "a"}], headers={"cookie": cookie})
        assert sent == [{"type": "websocket.close", "code": 1008}]
    assert ask(console, "/media/one.png", headers={"cookie": vouched}).text == "page /media/one.png"
    assert [one["type"] for one in stream(console, [], headers={"cookie": vouched})] == ["websocket.accept"]
    for path in ("/auth/login", "/auth/logout", "/oauth2callback"):
        assert ask(console, path).text == f"page {path}"


def test_the_form_offers_single_sign_on_where_there_is_one(
    entered: sa.Engine, console: Starlette, settings: Settings, monkeypatch: pytest.MonkeyPatch, request: Any
) -> None:
    assert entered is not None
    assert "single sign-on" not in ask(console, "/login").text
    assert ask(console, "/login/provider").headers["location"] == "/login"
    request.getfixturevalue("vouched")
    monkeypatch.setattr("app.console.provider.generate_login_redirect_url", lambda provider: f"/auth/login?{provider}")
    for page in (ask(console, "/login"), _log_in(console, password="wrong horse")):
        assert ('href="/login/provider?next=/"' in page.text, 'name="password"' in page.text) == (True, True)
    assert ask(console, "/login/provider").headers["location"] == "/auth/login?default"
    settings.users.unlink()
    assert 'name="password"' not in ask(console, "/login").text


def test_single_sign_on_ends_where_the_reader_wanted_to_be(
    console: Starlette, vouched: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.console.provider.generate_login_redirect_url", lambda provider: f"/auth/login?{provider}")
    wanted = "/machine?point=a%2Fb"
    asked = ask(console, wanted)
    (way,) = re.findall('href="(/login/provider[^"]*)"', ask(console, asked.headers["location"]).text)
    kept = ask(console, way).headers["set-cookie"].split(";")[0]
    # The provider sends every browser back to the first page.
    back = ask(console, "/", headers={"cookie": f"{vouched}; {kept}"})
    assert (back.status, back.headers["location"]) == (303, wanted)
    assert back.headers["set-cookie"].startswith('raceway_next="";')
    # Other pages are what was asked for, and other places are none.
    assert ask(console, "/alarms", headers={"cookie": f"{vouched}; {kept}"}).status == 200
    evil = f"{vouched}; raceway_next=//evil.example"
    assert ask(console, "/", headers={"cookie": evil}).status == 200


@pytest.mark.parametrize("both", [False, True])
def test_a_session_that_ends_beside_single_sign_on_takes_its_pages_along(
    both: bool, entered: sa.Engine, console: Starlette, settings: Settings, vouched: str
) -> None:
    cookie = f"raceway_session={_log_in(console).cookie}" + (f"; {vouched}" if both else "")
    said = {"type": "websocket.receive", "text": "a"}

    def changed() -> None:
        with writing(entered) as connection:
            set_role(connection, settings.users, _ROOT, "kim", "viewer", now_ns=2)

    sent = stream(console, [said, changed, said], headers={"cookie": cookie})
    assert [one["type"] for one in sent] == ["websocket.accept", "websocket.send", "websocket.close"]
    # Opened anew, the page asks the script, which knows whom the provider has logged in.
    assert ask(console, "/", headers={"cookie": cookie}).status == (200 if both else 303)


def test_logging_out_ends_both_log_ins(entered: sa.Engine, console: Starlette, vouched: str) -> None:
    assert entered is not None
    token = _log_in(console).cookie
    cookie = f"raceway_session={token}; {vouched}"
    left = ask(console, "/logout", headers={"cookie": cookie, "sec-fetch-site": "same-origin"})
    assert (left.status, left.headers["location"]) == (303, "/auth/logout")
    assert ask(console, "/", cookie=token).status == 303
    # The form may be followed by the provider's own page.
    assert "form-action" not in ask(console, "/logout").headers["content-security-policy"]
    assert "form-action 'self'" in ask(console, "/login").headers["content-security-policy"]


@pytest.mark.usefixtures("roled")
def test_a_log_in_by_single_sign_on_is_noted_once(engine: sa.Engine, console: Starlette) -> None:
    for _ in range(2):
        stream(console, [], headers={"cookie": _signed(_KIM)})
    noted = ("kim@plant", "engineer", "log in", "127.0.0.1", "single sign-on")
    assert _noted(engine) == [noted]
    # The same pages of the next log-in, from which a browser comes with what was issued then.
    stream(console, [], headers={"cookie": _signed(_KIM | {"iat": 2})})
    assert _noted(engine) == [noted, noted]
    stream(console, [], headers={"cookie": _signed(_KIM | {"email": "toni@plant"})})
    assert _noted(engine)[-1] == ("toni@plant", "", "log-in refused", "127.0.0.1", "single sign-on")


def test_a_role_that_is_given_later_is_a_log_in_then(
    engine: sa.Engine, console: Starlette, roled: dict[str, Role]
) -> None:
    role = roled.pop(_KIM["email"])
    stream(console, [], headers={"cookie": _signed(_KIM)})
    roled[_KIM["email"]] = role
    stream(console, [], headers={"cookie": _signed(_KIM)})
    assert [deed[2] for deed in _noted(engine)] == ["log-in refused", "log in"]


@pytest.mark.usefixtures("roled")
def test_claims_too_long_for_one_cookie_are_read_whole(engine: sa.Engine, console: Starlette) -> None:
    cookie = _signed({"groups": [hashlib.sha256(bytes([i])).hexdigest() for i in range(150)]} | _KIM)
    assert cookie.count("_streamlit_user_") >= 2
    stream(console, [], headers={"cookie": cookie})
    assert [deed[:2] for deed in _noted(engine)] == [("kim@plant", "engineer")]


@pytest.mark.usefixtures("roled")
def test_logging_out_of_single_sign_on_is_noted(engine: sa.Engine, console: Starlette) -> None:
    asked = {"cookie": _signed(_KIM), "sec-fetch-site": "same-origin"}
    assert ask(console, "/logout", headers=asked).headers["location"] == "/auth/logout"
    assert _noted(engine) == [("kim@plant", "engineer", "log out", "127.0.0.1", "single sign-on")]
    # A cookie that nobody signed names nobody.
    forged = create_signed_value("guessed", "_streamlit_user", json.dumps(_KIM)).decode()
    ask(console, "/logout", headers={"cookie": f"_streamlit_user={forged}", "sec-fetch-site": "same-origin"})
    assert len(_noted(engine)) == 1


@pytest.mark.usefixtures("roled")
def test_secrets_that_cannot_be_read_keep_nobody_from_logging_out(console: Starlette) -> None:
    Path(".streamlit", "secrets.toml").write_text("[auth")
    asked = {"cookie": _signed(_KIM), "sec-fetch-site": "same-origin"}
    assert ask(console, "/logout", headers=asked).headers["location"] == "/auth/logout"


@pytest.mark.usefixtures("roled")
def test_where_a_session_says_who_it_is_the_provider_notes_nobody(entered: sa.Engine, console: Starlette) -> None:
    cookie = f"raceway_session={_log_in(console).cookie}; {_signed(_KIM)}"
    before = _noted(entered)
    stream(console, [], headers={"cookie": cookie})
    assert _noted(entered) == before
    ask(console, "/logout", headers={"cookie": cookie, "sec-fetch-site": "same-origin"})
    assert _noted(entered)[len(before) :] == [("kim", "operator", "log out", "127.0.0.1", "")]


@pytest.mark.usefixtures("roled")
def test_what_marks_a_sign_on_opens_no_session(entered: sa.Engine, console: Starlette) -> None:
    """Whoever logs in there knows their own claims, and may go by the name of somebody with a password here."""
    claims = _KIM | {"email": "ada"}
    stream(console, [], headers={"cookie": _signed(claims)})
    with reading(entered) as connection:
        (mark,) = connection.execute(sa.select(sessions.c.token_hash).where(sessions.c.name == "ada")).scalars()
    for token in (mark, json.dumps([True, claims], sort_keys=True), json.dumps(claims)):
        assert ask(console, "/", headers={"cookie": f"raceway_session={quote(token)}"}).status == 303


@pytest.mark.parametrize("change", ["role", "removal", "time"])
def test_a_session_ends_with_what_it_rests_on(
    change: str, entered: sa.Engine, console: Starlette, settings: Settings
) -> None:
    token = _log_in(console).cookie
    said = {"type": "websocket.receive", "text": "a"}

    def changed() -> None:
        with writing(entered) as connection:
            if change == "role":
                set_role(connection, settings.users, _ROOT, "kim", "viewer", now_ns=2)
            elif change == "removal":
                remove(connection, settings.users, _ROOT, "kim", now_ns=2)
            else:
                connection.execute(sa.text("UPDATE sessions SET ends_ns = 1"))

    sent = stream(console, [said, changed, said], cookie=token)
    kinds = [message["type"] for message in sent]
    assert kinds == ["websocket.accept", "websocket.send", "websocket.close"]
    assert ask(console, "/", cookie=token).status == 303


def test_a_wrong_password_is_refused_without_saying_what_was_wrong(entered: sa.Engine, console: Starlette) -> None:
    for name in ("kim", "nobody"):
        reply = _log_in(console, name, "wrong horse")
        assert (reply.status, "set-cookie" in reply.headers) == (401, False)
        assert "Name or password is wrong." in reply.text
        assert "wrong horse" not in reply.text
    assert [deed[:2] for deed in _deeds(entered)[:2]] == [("unknown", "log-in refused"), ("kim", "log-in refused")]


def test_guessing_is_slowed_down_even_for_the_right_one(entered: sa.Engine, console: Starlette) -> None:
    assert entered is not None
    for _ in range(3):
        assert _log_in(console, password="wrong horse").status == 401
    reply = _log_in(console)
    assert (reply.status, int(reply.headers["retry-after"])) == (429, 1)
    assert _log_in(console, client="10.0.0.8").status == 303


def test_guesses_sent_at_once_are_slowed_down_too(
    entered: sa.Engine, console: Starlette, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert entered is not None
    hashed: list[str] = []
    pair = threading.Barrier(2)

    def counted(account: Account | None, password: str) -> bool:
        hashed.append(password)
        # Time for another to come in beside it; that none does is seen once.
        with contextlib.suppress(threading.BrokenBarrierError):
            pair.wait(0.2)
        return matches(account, password)

    async def guessed() -> list[int]:
        forms = [{"name": "kim", "password": f"guess {i}"} for i in range(40)]
        return [
            answer.status for answer in await asyncio.gather(*(asked(console, "/login", form=one) for one in forms))
        ]

    monkeypatch.setattr("app.console.login.matches", counted)
    assert sorted(asyncio.run(guessed())) == [401] * 3 + [429] * 37
    assert len(hashed) == 3


def test_log_ins_that_wait_hold_nobody_up(
    entered: sa.Engine, console: Starlette, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert entered is not None
    token = _log_in(console).cookie
    began, answered = threading.Event(), threading.Event()

    def held(account: Account | None, password: str) -> bool:
        began.set()
        assert answered.wait(30)
        return matches(account, password)

    async def crowded() -> int:
        # More than there are threads for all that is judged.
        forms = [{"name": f"name{i}", "password": "wrong horse"} for i in range(60)]
        crowd = asyncio.gather(*(asked(console, "/login", form=one) for one in forms))
        try:
            await asyncio.to_thread(began.wait, 30)
            return (await asyncio.wait_for(asked(console, "/", cookie=token), 10)).status
        finally:
            answered.set()
            await crowd

    monkeypatch.setattr("app.console.login.matches", held)
    assert asyncio.run(crowded()) == 200


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
)
def test_forms_of_other_sites_are_refused(headers: dict[str, str], entered: sa.Engine, console: Starlette) -> None:
    assert entered is not None
    assert _log_in(console, headers=headers).status == 403
    assert _log_in(console, headers={"origin": "http://127.0.0.1:8501"}).status == 303
    token = _log_in(console).cookie
    assert ask(console, "/logout", form={}, cookie=token, headers=headers).status == 403
    assert ask(console, "/", cookie=token).status == 200


def test_what_is_typed_is_shown_as_text_only(entered: sa.Engine, console: Starlette) -> None:
    assert entered is not None
    reply = _log_in(console, '"><script>', "wrong horse", back='/"><script>')
    assert "<script>" not in reply.text
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert _log_in(console, back="//evil.example").headers["location"] == "/"


def test_an_endless_form_is_not_read(entered: sa.Engine, console: Starlette) -> None:
    assert entered is not None
    assert _log_in(console, "kim", "x" * 10_000).status == 401


def test_while_nobody_is_entered_the_console_is_its_own_machines(console: Starlette) -> None:
    assert ask(console, "/media/one.png").text == "page /media/one.png"
    assert ask(console, "/", headers={"host": "localhost:8501"}).status == 200
    for origin in ("http://127.0.0.1:8501", "http://[::1]:8501", "http://localhost"):
        own = {"origin": origin, "referer": f"{origin}/machine?point=a"}
        assert ask(console, "/", headers=own).status == 200
        assert stream(console, [], headers=own)[0]["type"] == "websocket.accept"


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example:8501"},
        {"host": "[::"},
        {"x-forwarded-for": "10.0.0.7"},
        {"forwarded": "for=10.0.0.7"},
        # Through a proxy that gives `Host` as our own and adds nothing.
        {"origin": "http://plant:80"},
        {"origin": "http://10.0.0.7"},
        {"origin": "null"},
        {"origin": "http://[::"},
        {"referer": "http://plant/machine?point=a"},
        {"referer": "http://localhost.evil.example/"},
    ],
)
def test_while_nobody_is_entered_others_are_refused(headers: dict[str, str], console: Starlette) -> None:
    assert ask(console, "/", headers=headers).status == 403
    assert stream(console, [], headers=headers)[0]["type"] == "websocket.close"


def test_a_damaged_password_file_lets_nobody_in(entered: sa.Engine, console: Starlette, settings: Settings) -> None:
    assert entered is not None
    token = _log_in(console).cookie
    settings.users.write_text("{")
    assert ask(console, "/", cookie=token).status == 503
    assert _log_in(console).status == 503


def test_a_network_is_not_served_while_nobody_is_entered(settings: Settings, engine: sa.Engine) -> None:
    wide = settings.model_copy(update={"console_host": "0.0.0.0"})
    with pytest.raises(AccountError, match=r"open to whoever reaches 0\.0\.0\.0: enter somebody first"):
        demand_closed(wide)
    demand_closed(settings)
    with writing(engine) as connection:
        add(connection, settings.users, _ROOT, "ada", "admin", _PASSWORD, now_ns=1)
    demand_closed(wide)


@pytest.mark.parametrize(
    ("host", "own"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("plant", False)]
)
def test_addresses_of_this_machine_alone_are_known(host: str, own: bool) -> None:
    assert is_loopback(host) is own
