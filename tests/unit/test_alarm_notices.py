"""People are told of every new alarm once, whatever fails in between, and not of what chatters."""

from __future__ import annotations

import http.server
import json
import smtplib
import socket
import socketserver
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

import app.alarms.tending as tending
from app.alarms.channels import Mail, WebHook, channels_of
from app.alarms.notices import Notice, tell
from app.alarms.posting import DeliveryError
from app.alarms.register import HEALTH, NO_DATA, follow, tags, take
from app.alarms.tending import tend
from app.assets.model import Machine, Point
from app.assets.register import enter
from app.schema import counters, points
from app.settings import Settings, load_settings
from app.store import PointRow, reading, save_point, writing
from features.errors import ParameterError

_S = 1_000_000_000
_QUIET = 600 * _S


class _Recorder:
    """A channel that keeps what it is given, or fails as often as it is told to."""

    name = "recorder"

    def __init__(self, failures: int = 0) -> None:
        self.failures, self.sent, self.keys = failures, list[Notice](), list[str]()

    def send(self, notices: Sequence[Notice], *, key: str) -> int:
        self.keys.append(key)
        if self.failures:
            self.failures -= 1
            raise DeliveryError("nobody answers")
        self.sent += notices
        return 0


@pytest.fixture
def engine(store: sa.Engine) -> sa.Engine:
    with writing(store) as connection:
        for i in range(120):
            save_point(connection, PointRow(f"a/m{i // 2:02d}/p{i % 2}", f"machine {i // 2}"), new=True)
    return store


def _set(engine: sa.Engine, point: str, *, active: bool, at_s: int) -> None:
    with writing(engine) as connection:
        follow(connection, point, HEALTH, active=active, now_ns=at_s * _S)


def _tell(engine: sa.Engine, channel: Any, at_s: int) -> int:
    return tell(engine, channel, now_ns=at_s * _S, quiet_ns=_QUIET)


def test_a_new_alarm_is_told_once_and_not_what_was_before_the_channel(engine: sa.Engine) -> None:
    channel = _Recorder()
    _set(engine, "a/m00/p0", active=True, at_s=1)
    assert _tell(engine, channel, 2) == 0
    _set(engine, "a/m01/p0", active=True, at_s=3)
    assert [_tell(engine, channel, at) for at in (4, 5)] == [1, 0]
    (notice,) = channel.sent
    assert (notice.point_id, notice.name, notice.tag, notice.priority) == ("a/m01/p0", "machine 1", HEALTH, "high")
    with writing(engine) as connection:
        take(connection, "a/m01/p0", HEALTH, "acknowledge", now_ns=6 * _S, who="anna")
    _set(engine, "a/m01/p0", active=False, at_s=7)
    assert _tell(engine, channel, 8) == 0


def test_what_chatters_is_told_once_in_the_quiet_time(engine: sa.Engine) -> None:
    channel = _Recorder()
    _tell(engine, channel, 0)
    for at in range(1, 400, 20):
        _set(engine, "a/m00/p0", active=True, at_s=at)
        _set(engine, "a/m00/p0", active=False, at_s=at + 10)
        _tell(engine, channel, at + 11)
    assert len(channel.sent) == 1
    _set(engine, "a/m00/p0", active=True, at_s=2000)
    assert _tell(engine, channel, 2001) == 1


def test_an_alarm_that_was_stamped_ahead_silences_no_later_one(engine: sa.Engine) -> None:
    channel = _Recorder()
    _tell(engine, channel, 0)
    _set(engine, "a/m00/p0", active=True, at_s=9000)
    _set(engine, "a/m00/p0", active=False, at_s=9010)
    assert _tell(engine, channel, 10) == 1
    # The clock is right again.
    _set(engine, "a/m00/p0", active=True, at_s=20)
    _set(engine, "a/m00/p0", active=False, at_s=30)
    assert _tell(engine, channel, 31) == 1
    _set(engine, "a/m00/p0", active=True, at_s=40)
    assert _tell(engine, channel, 41) == 0


def test_a_channel_that_fails_is_asked_again_later_and_later_and_loses_nothing(engine: sa.Engine) -> None:
    channel = _Recorder(failures=3)
    _tell(engine, channel, 0)
    _set(engine, "a/m00/p0", active=True, at_s=1)
    tried = []
    for at in range(2, 400):
        before = len(channel.keys)
        _tell(engine, channel, at)
        tried += [at] if len(channel.keys) > before else []
    assert tried == [2, 32, 92, 212]
    # The same key each time: whoever had taken it leaves the second out.
    assert len(set(channel.keys)) == 1
    assert [notice.point_id for notice in channel.sent] == ["a/m00/p0"]


_DAY_S = 24 * 3600


def _given_up(engine: sa.Engine) -> int:
    return _counted(engine, "notices given up")


def _counted(engine: sa.Engine, name: str) -> int:
    with reading(engine) as connection:
        return connection.execute(sa.select(counters.c.value).where(counters.c.name == name)).scalar() or 0


def _fail_for_a_day(engine: sa.Engine, channel: _Recorder, begin_s: int) -> int:
    """Ask a channel that fails until it has failed for a day; the second in which it would be asked next."""
    channel.failures = 1_000
    # Half a minute, doubling up to an hour: thirty pauses are a day and 210 s.
    at_s = begin_s
    for attempt in range(30):
        assert _tell(engine, channel, at_s) == 0
        assert _given_up(engine) == 0
        at_s += min(30 << attempt, 3600)
    assert len(channel.keys) == 30
    return at_s


def test_what_cannot_be_told_for_a_day_is_given_up_and_counted(engine: sa.Engine) -> None:
    channel = _Recorder()
    _tell(engine, channel, 0)
    _set(engine, "a/m00/p0", active=True, at_s=1)
    _set(engine, "a/m00/p1", active=True, at_s=2)
    at_s = _fail_for_a_day(engine, channel, 10)
    assert _DAY_S < at_s - 10 < _DAY_S + 3600
    _set(engine, "a/m01/p0", active=True, at_s=at_s)
    assert _tell(engine, channel, at_s) == 0
    assert _given_up(engine) == 2
    channel.failures = 0
    assert _tell(engine, channel, at_s + 3600) == 1
    assert [notice.point_id for notice in channel.sent] == ["a/m01/p0"]


def test_an_alarm_of_a_sensor_whose_clock_lags_is_not_given_up_for_one_failure(engine: sa.Engine) -> None:
    channel = _Recorder(failures=1)
    _tell(engine, channel, 0)
    now_s = 31 * _DAY_S
    _set(engine, "a/m00/p0", active=True, at_s=1)
    _set(engine, "a/m01/p0", active=True, at_s=now_s)
    assert [_tell(engine, channel, now_s + at) for at in (1, 31)] == [0, 2]
    assert _given_up(engine) == 0


def test_what_is_younger_is_not_given_up_with_what_lags_behind_it(engine: sa.Engine) -> None:
    channel = _Recorder()
    _tell(engine, channel, 0)
    begin_s = 31 * _DAY_S
    _set(engine, "a/m00/p0", active=True, at_s=1)
    at_s = _fail_for_a_day(engine, channel, begin_s)
    _set(engine, "a/m01/p0", active=True, at_s=at_s - 10)
    # Raised last, by a clock that is a month late.
    _set(engine, "a/m02/p0", active=True, at_s=2)
    assert _tell(engine, channel, at_s) == 0
    assert _given_up(engine) == 1
    channel.failures = 0
    assert _tell(engine, channel, at_s + 3600) == 2
    assert [notice.point_id for notice in channel.sent] == ["a/m01/p0", "a/m02/p0"]


def test_a_flood_is_told_together_once_in_ten_minutes(engine: sa.Engine) -> None:
    channel = _Recorder()
    _tell(engine, channel, 0)
    told = []
    for i in range(120):
        _set(engine, f"a/m{i // 2:02d}/p{i % 2}", active=True, at_s=10 * i + 1)
        told.append(_tell(engine, channel, 10 * i + 2))
    # Ten are no flood; from the eleventh on all wait for each other.
    assert [(10 * i + 2, n) for i, n in enumerate(told) if n] == [(10 * i + 2, 1) for i in range(11)] + [(702, 60)]
    assert [_tell(engine, channel, at) for at in (1301, 1302, 1303)] == [0, 49, 0]
    assert len({notice.point_id for notice in channel.sent}) == len(channel.sent) == 120


def test_an_urgent_alarm_waits_for_no_flood(engine: sa.Engine) -> None:
    channel = _Recorder()
    _tell(engine, channel, 0)
    for i in range(12):
        _set(engine, f"a/m{i:02d}/p0", active=True, at_s=1)
    _set(engine, "a/m30/p0", active=True, at_s=2)
    assert _tell(engine, channel, 2) == 13
    _set(engine, "a/m31/p0", active=True, at_s=3)
    assert _tell(engine, channel, 4) == 0
    with writing(engine) as connection:
        follow(connection, "a/m32/p0", "severity high", active=True, now_ns=5 * _S)
    assert _tell(engine, channel, 6) == 2


def test_a_crash_after_the_telling_tells_again_under_the_same_key(engine: sa.Engine) -> None:
    channel = _Recorder()
    _tell(engine, channel, 0)
    _set(engine, "a/m00/p0", active=True, at_s=1)

    class _Crash(_Recorder):
        def send(self, notices: Sequence[Notice], *, key: str) -> int:
            channel.send(notices, key=key)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _tell(engine, _Crash(), 2)
    assert _tell(engine, channel, 3) == 1
    assert len(set(channel.keys)) == 1


class _Hook(http.server.BaseHTTPRequestHandler):
    answers = (200,)
    bodies: list[Any]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.headers["Idempotency-Key"], body))  # type: ignore[attr-defined]
        self.send_response(self.server.answer)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        del format, args


class _Mailbox(socketserver.StreamRequestHandler):
    """As much of SMTP as takes a mail."""

    def handle(self) -> None:
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            verb, refused = line.split()[0].upper(), line in self.server.refused  # type: ignore[attr-defined]
            self.server.heard.append(verb)  # type: ignore[attr-defined]
            if verb == "QUIT":
                self._say("221 bye")
                return
            if refused or (verb == "RCPT" and self.server.answer != 250):  # type: ignore[attr-defined]
                self._say("550 not here")
            elif verb == "DATA":
                self._say("354 go on")
                text = b""
                while not text.endswith(b"\r\n.\r\n"):
                    text += self.rfile.readline()
                self.server.seen.append(text.decode())  # type: ignore[attr-defined]
                self._say("250 taken")
            else:
                self._say("250 fine")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


def _served(server: Any, answer: int) -> Iterator[Any]:
    server.seen, server.heard, server.refused, server.answer = [], [], (), answer
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def hook() -> Iterator[Any]:
    yield from _served(http.server.HTTPServer(("127.0.0.1", 0), _Hook), 200)


@pytest.fixture
def mailbox() -> Iterator[Any]:
    yield from _served(socketserver.TCPServer(("127.0.0.1", 0), _Mailbox), 250)


_NOTICES = [
    Notice(7, "a/m1/p0", "pump", HEALTH, "urgent", 0, ""),
    Notice(8, "a/m2/p0", "fan", NO_DATA, "low", _S, "nothing came for 3600 s"),
    Notice(9, "a/m1/p1", "pump, far end", HEALTH, "high", 0, ""),
]


def test_the_web_hook_is_posted_the_alarms_with_a_key(hook: Any) -> None:
    channel = WebHook(f"http://127.0.0.1:{hook.server_port}/secret-path")
    channel.send(_NOTICES, key="7-9")
    ((key, body),) = hook.seen
    assert (key, body["key"]) == ("7-9", "7-9")
    assert [one["point_id"] for one in body["alarms"]] == ["a/m1/p0", "a/m2/p0", "a/m1/p1"]
    hook.answer = 503
    with pytest.raises(DeliveryError, match="answered 503") as refused:
        channel.send(_NOTICES, key="7-9")
    assert "secret-path" not in str(refused.value) + repr(channel) + channel.name


def test_nobody_at_the_address_is_a_failure_without_its_secrets() -> None:
    with pytest.raises(DeliveryError, match=r"127\.0\.0\.1 cannot be reached") as refused:
        WebHook("http://127.0.0.1:9/secret-path").send(_NOTICES, key="k")
    assert "secret" not in str(refused.value)
    mail = Mail("smtp://127.0.0.1:9", "r@here", ("a@b",), "user", "secret")
    with pytest.raises(DeliveryError, match="does not take mail") as refused:
        mail.send(_NOTICES, key="k")
    assert "secret" not in str(refused.value) + repr(mail)


@pytest.fixture
def babbler() -> Iterator[Any]:
    """Says what it is told to whoever comes, whatever they say."""

    class _Babbler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1 << 16)
            self.request.sendall(self.server.answer)  # type: ignore[attr-defined]

    yield from _served(socketserver.TCPServer(("127.0.0.1", 0), _Babbler), 0)


@pytest.mark.parametrize(
    ("answer", "path", "kind"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "secret", "BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "secret", "IncompleteRead"),
        (b"", "secret path", "InvalidURL"),
    ],
)
def test_an_answer_that_is_none_of_http_is_a_failure(babbler: Any, answer: bytes, path: str, kind: str) -> None:
    babbler.answer = answer
    with pytest.raises(DeliveryError, match=kind) as refused:
        WebHook(f"http://127.0.0.1:{babbler.server_address[1]}/{path}").send(_NOTICES, key="k")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("port", "password", "name", "kind"),
    [
        (None, "sécret", "pump", "UnicodeEncodeError"),
        (99_999, "", "pump", "ValueError"),
        (None, "", "pump\nBcc: x@y", "ValueError"),
    ],
)
def test_a_mail_that_cannot_be_written_is_a_failure(
    mailbox: Any, monkeypatch: pytest.MonkeyPatch, port: int | None, password: str, name: str, kind: str
) -> None:
    # A server that would take a password, so that there is one to write.
    monkeypatch.setattr(smtplib.SMTP, "has_extn", lambda _, what: what == "auth")
    monkeypatch.setattr(smtplib.SMTP, "ehlo", _greeted_with_log_in)
    mail = Mail(f"smtp://127.0.0.1:{port or mailbox.server_address[1]}", "r@here", ("a@b",), password and "u", password)
    with pytest.raises(DeliveryError, match=rf"does not take mail \({kind}\)") as refused:
        mail.send([replace(_NOTICES[0], name=name)], key="k")
    assert "cret" not in str(refused.value)


def _greeted_with_log_in(client: smtplib.SMTP, name: str = "") -> tuple[int, bytes]:
    del name
    client.ehlo_resp, client.esmtp_features = b"", {"auth": " PLAIN"}
    return 250, b""


def test_what_fails_in_one_turn_keeps_nothing_else_from_its_own(
    engine: sa.Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    del engine
    stopped, turns, said = threading.Event(), list[str](), list[dict[str, Any]]()

    def failing(of: str) -> Any:
        def fail(*_: Any, **__: Any) -> None:
            turns.append(of)
            if of == "orders":
                stopped.set()
            raise RuntimeError("http://127.0.0.1/secret")

        return fail

    channels = [_Recorder(), _Recorder()]
    for channel, name in zip(channels, ("one", "two"), strict=True):
        channel.name = name
    monkeypatch.setattr(tending, "_EVERY_S", 0.01)
    monkeypatch.setattr(tending, "channels_of", lambda _: channels)
    monkeypatch.setattr(tending, "log", lambda level, _, **fields: said.append({"level": level} | fields))
    for name in ("renew", "tend", "tell"):
        monkeypatch.setattr(tending, name, failing(name))
    monkeypatch.setattr(tending, "send_orders", failing("orders"))
    monkeypatch.setattr(tending.Broadcast, "tell", failing("broker"))
    tending.run_tending(settings.model_copy(update={"workorder_webhook": "http://127.0.0.1:9/x"}), stopped=stopped)
    assert turns == ["renew", "tend", "tell", "tell", "broker", "orders"]
    errors = [one for one in said if one["level"] == "error"]
    assert [one["turn"] for one in errors] == ["forecasts", "conditions", "one", "two", "broker", "work orders"]
    assert all(one["error"] == "RuntimeError" for one in errors)
    assert "secret" not in str(said)


def test_no_password_travels_in_the_clear(mailbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    port, connect = mailbox.server_address[1], socket.create_connection
    monkeypatch.setattr(socket, "create_connection", lambda _, *how: connect(("127.0.0.1", port), *how))
    with pytest.raises(DeliveryError, match=r"mail\.example offers no TLS; the password is not sent in the clear"):
        Mail("smtp://mail.example", "r@here", ("a@b",), "user", "secret").send(_NOTICES, key="k")
    assert mailbox.heard == ["EHLO", "QUIT"]
    Mail("smtp://mail.example", "r@here", ("a@b",)).send(_NOTICES, key="k")
    assert len(mailbox.seen) == 1


def test_the_mail_groups_alarms_by_machine(mailbox: Any) -> None:
    port = mailbox.server_address[1]
    Mail(f"smtp://127.0.0.1:{port}", "raceway@plant", ("anna@plant", "otto@plant")).send(_NOTICES, key="7-9")
    (text,) = mailbox.seen
    lines = text.splitlines()
    assert "Subject: Raceway alarm (urgent): pump, health and 2 more" in lines
    assert "Message-ID: <alarms-7-9@plant>" in lines
    assert "To: anna@plant, otto@plant" in lines
    at = lines.index("a/m1")
    assert lines[at + 1] == "  1970-01-01 00:00:00Z  urgent  pump, health"
    assert lines[at + 2] == "  1970-01-01 00:00:00Z  high    pump, far end, health"
    assert lines[lines.index("a/m2") + 1] == "  1970-01-01 00:00:01Z  low     fan, no data: nothing came for 3600 s"


def test_a_mail_of_a_flood_says_of_each_machine_how_many_more(mailbox: Any) -> None:
    many = [Notice(i, f"a/m{i % 2}/p{i}", f"pump {i}", HEALTH, "high", 0, "") for i in range(60)]
    many.append(Notice(60, "a/m1/p60", "pump 60", "severity high", "urgent", 0, ""))
    Mail(f"smtp://127.0.0.1:{mailbox.server_address[1]}", "raceway@plant", ("anna@plant",)).send(many, key="0-60")
    lines = mailbox.seen[0].splitlines()
    assert "Subject: Raceway alarm (urgent): pump 60, severity high and 60 more" in lines
    assert lines[lines.index("a/m0") + 6] == "  and 25 more"
    assert lines[lines.index("a/m1") + 1].endswith("urgent  pump 60, severity high")
    assert lines[lines.index("a/m1") + 6] == "  and 26 more"


def test_a_mail_server_that_refuses_is_a_failure(mailbox: Any) -> None:
    mailbox.answer = 550
    with pytest.raises(DeliveryError, match="does not take mail"):
        Mail(f"smtp://127.0.0.1:{mailbox.server_address[1]}", "r@here", ("a@b",)).send(_NOTICES, key="k")


def test_one_recipient_who_is_refused_holds_nobody_up(engine: sa.Engine, mailbox: Any) -> None:
    mailbox.refused = ("rcpt TO:<left@plant>",)
    mail = Mail(f"smtp://127.0.0.1:{mailbox.server_address[1]}", "r@plant", ("anna@plant", "left@plant"))
    _tell(engine, mail, 0)
    _set(engine, "a/m00/p0", active=True, at_s=1)
    assert [_tell(engine, mail, at) for at in (2, 32, 92)] == [1, 0, 0]
    assert len(mailbox.seen) == 1
    assert _counted(engine, "recipients refused") == 1


def test_channels_are_those_of_the_settings() -> None:
    assert channels_of(load_settings()) == []
    settings = load_settings(notify_webhook="https://plant.example/x", notify_mail_to=" a@b, c@d ")
    assert [channel.name for channel in channels_of(settings)] == ["webhook plant.example", "mail a@b, c@d"]
    for wrong in ({"notify_webhook": "ftp://x"}, {"smtp_url": "mail.example"}):
        with pytest.raises(ParameterError, match="is no"):
            load_settings(**wrong)


def test_a_point_that_falls_silent_is_noticed_and_its_return_too(engine: sa.Engine) -> None:
    channel = _Recorder()
    with writing(engine) as connection:
        connection.execute(points.update().where(points.c.id == "a/m00/p0").values(seen_ns=100 * _S))

    def at(now_s: int) -> dict[tuple[str, str], str]:
        tend(engine, [channel], now_ns=now_s * _S, stale_ns=60 * _S, quiet_ns=_QUIET)
        with reading(engine) as connection:
            return {(one.point_id, one.tag): one.alarm.state for one in tags(connection)}

    assert at(160) == {}
    assert at(161) == {("a/m00/p0", NO_DATA): "unacknowledged"}
    assert [(notice.tag, notice.priority, notice.why) for notice in channel.sent] == [
        (NO_DATA, "medium", "nothing came for 61 s")
    ]
    with writing(engine) as connection:
        connection.execute(points.update().where(points.c.id == "a/m00/p0").values(seen_ns=170 * _S))
    assert at(171) == {("a/m00/p0", NO_DATA): "returned"}


def test_silence_ends_where_none_is_told_any_more_and_nothing_is_written_without_a_change(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writing(engine) as connection:
        connection.execute(points.update().where(points.c.id == "a/m00/p0").values(seen_ns=100 * _S))

    def at(now_s: int, *, stale_s: int) -> list[str]:
        tend(engine, [], now_ns=now_s * _S, stale_ns=stale_s * _S, quiet_ns=_QUIET)
        with reading(engine) as connection:
            return [one.alarm.state for one in tags(connection)]

    assert at(161, stale_s=60) == ["unacknowledged"]
    with monkeypatch.context() as patch:
        patch.setattr(tending, "writing", lambda _: pytest.fail("ingest was kept waiting"))
        assert at(162, stale_s=60) == ["unacknowledged"]
    assert at(163, stale_s=0) == ["returned"]


def test_a_point_may_be_silent_for_as_long_as_was_entered_for_it(engine: sa.Engine) -> None:
    given = {"p0": Point(alarming={"stale_after_s": 600}), "p1": Point(alarming={"stale_after_s": 0})}
    with writing(engine) as connection:
        enter(connection, [Machine("a", "hall", "m00", points=given)])
        connection.execute(points.update().where(points.c.id.like("a/m00/%")).values(seen_ns=100 * _S))

    def silent(now_s: int, stale_s: int) -> list[str]:
        tend(engine, [], now_ns=now_s * _S, stale_ns=stale_s * _S, quiet_ns=_QUIET)
        with reading(engine) as connection:
            return [one.point_id for one in tags(connection)]

    assert silent(700, 60) == []
    # Of this point alone: the settings say that no other is told.
    assert silent(701, 0) == ["a/m00/p0"]


def test_a_shelf_ends_in_time_and_what_lasts_is_told_again(engine: sa.Engine) -> None:
    channel = _Recorder()
    _tell(engine, channel, 0)
    _set(engine, "a/m00/p0", active=True, at_s=1)
    _tell(engine, channel, 2)
    with writing(engine) as connection:
        take(connection, "a/m00/p0", HEALTH, "shelve", now_ns=3 * _S, who="anna", why="works", until_ns=3600 * _S)
    tend(engine, [channel], now_ns=3599 * _S, stale_ns=0, quiet_ns=_QUIET)
    assert len(channel.sent) == 1
    tend(engine, [channel], now_ns=3600 * _S, stale_ns=0, quiet_ns=_QUIET)
    assert [notice.why for notice in channel.sent] == ["", "its time is over"]
