"""Work is asked for once, sent until it is taken, closed once; its code becomes a label; no secret reaches a log."""

from __future__ import annotations

import http.server
import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import asgi
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from starlette.applications import Starlette
from starlette.middleware import Middleware

import app.alarms.tending as tending
from app.access.audit import trail
from app.access.roles import ForbiddenError, User
from app.alarms.posting import DeliveryError
from app.cli import _raceway
from app.console.gate import Gate
from app.console.routes import UNGUARDED, routes
from app.console.workorders import CLOSING
from app.labels.closing import MOST_BODY, answer_closing
from app.labels.closures import Closure, built_in_closures, load_closures
from app.labels.records import labels_of
from app.labels.workorders import Closed, OrderHook, WorkOrder, ask, close, orders, send_orders
from app.schema import alarms
from app.settings import Settings, load_settings
from app.store import PointRow, point_rows, reading, save_point, writing
from features.errors import ParameterError

_POINT, _KIM, _S = "plant/pump/drive", User("kim", "operator"), 1_000_000_000
_TOKEN = "open-sesame-73"


class _Recorder:
    """Takes orders, or fails as often as it is told to."""

    name = "recorder"

    def __init__(self, *, failures: int = 0, answer: bytes = b'{"number": 4711}') -> None:
        self.failures, self.answer, self.keys, self.bodies = failures, answer, list[str](), list[Mapping[str, Any]]()

    def send(self, entries: Mapping[str, Any], *, key: str) -> bytes:
        self.keys.append(key)
        if self.failures:
            self.failures -= 1
            raise DeliveryError("nobody answers")
        self.bodies.append(entries)
        return self.answer


@pytest.fixture
def engine(store: sa.Engine) -> sa.Engine:
    with writing(store) as connection:
        save_point(connection, PointRow(_POINT, "pump", state="watching", bundle="b"), new=True)
        raised = {"point_id": _POINT, "raised_ns": 4 * _S, "window_start_ns": 3 * _S, "ratio": 1.5, "kind": "outer"}
        connection.execute(alarms.insert().values(**raised))
    return store


def _ask(engine: sa.Engine, *, at_s: int = 10, alarm_id: int | None = 1, user: User = _KIM) -> WorkOrder:
    with writing(engine) as connection:
        return ask(connection, user, _POINT, alarm_id=alarm_id, why="it roars", now_ns=at_s * _S)


def _close(engine: sa.Engine, key: str, code: str, *, at_s: int = 50, user: User = _KIM) -> Closed:
    with writing(engine) as connection:
        return close(connection, user, key, code=code, closures=built_in_closures(), now_ns=at_s * _S)


def _order(engine: sa.Engine) -> WorkOrder:
    with reading(engine) as connection:
        (order,) = orders(connection)
    return order


def test_asking_twice_is_one_order_until_it_is_closed(engine: sa.Engine) -> None:
    first = _ask(engine)
    assert _ask(engine, at_s=20) == first == _order(engine)
    other = _ask(engine, alarm_id=None)
    assert other.key != first.key
    _close(engine, first.key, "cancelled")
    again = _ask(engine, at_s=60)
    assert again.key not in (first.key, other.key)
    with reading(engine) as connection:
        assert [order.key for order in orders(connection, only_open=True)] == [again.key, other.key]
        assert [deed.action for deed in trail(connection)].count("ask for work") == 3


def test_nobody_asks_for_what_is_not_there_or_they_may_not(engine: sa.Engine) -> None:
    with pytest.raises(ParameterError, match="plant/pump/drive has no alarm 9"):
        _ask(engine, alarm_id=9)
    with pytest.raises(ForbiddenError, match="lee is viewer and may not work alarms"):
        _ask(engine, user=User("lee", "viewer"))


def test_an_order_is_sent_once_with_its_key_and_takes_the_number(engine: sa.Engine) -> None:
    asked, receiver = _ask(engine), _Recorder()
    assert send_orders(engine, receiver, now_ns=10 * _S) == 1
    assert send_orders(engine, receiver, now_ns=11 * _S) == 0
    assert receiver.keys == [asked.key]
    (body,) = receiver.bodies
    assert (body["point"], body["asked_by"], body["why"]) == (_POINT, "kim", "it roars")
    assert body["alarm"]["fault"] == "outer race fault of the bearing"
    order = _order(engine)
    assert (order.state, order.number, order.failure) == ("sent", "4711", None)


def test_a_system_that_is_away_is_asked_again_after_growing_pauses(engine: sa.Engine) -> None:
    asked, receiver = _ask(engine, at_s=0), _Recorder(failures=3)
    tried = []
    for second in range(0, 300, 10):
        before = len(receiver.keys)
        send_orders(engine, receiver, now_ns=second * _S)
        tried += [second] * (len(receiver.keys) - before)
    assert tried == [0, 30, 90, 210]
    assert set(receiver.keys) == {asked.key}
    assert (_order(engine).state, _order(engine).attempts) == ("sent", 3)


def test_whoever_tends_alarms_sends_orders_where_somebody_takes_them(
    engine: sa.Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tending, "_EVERY_S", 0.01)
    stopped, sent = threading.Event(), list[Any]()

    def send(engine: sa.Engine, receiver: OrderHook, *, now_ns: int) -> int:
        sent.append(receiver)
        stopped.set()
        return send_orders(engine, _Recorder(), now_ns=now_ns)

    asked = _ask(engine)
    monkeypatch.setattr(tending, "send_orders", send)
    webhook = settings.model_copy(update={"workorder_webhook": "http://127.0.0.1:9/x"})
    tending.run_tending(webhook, stopped=stopped)
    assert sent == [OrderHook("http://127.0.0.1:9/x")]
    assert (_order(engine).key, _order(engine).state) == (asked.key, "sent")


@pytest.mark.parametrize("answer", [b"", b"thanks", b'["number"]', b'{"number": {}}', b'{"number": true}', b"\xff"])
def test_an_answer_without_a_number_is_taken_too(engine: sa.Engine, answer: bytes) -> None:
    _ask(engine)
    assert send_orders(engine, _Recorder(answer=answer), now_ns=10 * _S) == 1
    assert (_order(engine).state, _order(engine).number) == ("sent", None)


def test_an_order_closed_while_it_is_sent_stays_closed(engine: sa.Engine) -> None:
    asked = _ask(engine)

    class _Closing(_Recorder):
        def send(self, entries: Mapping[str, Any], *, key: str) -> bytes:
            _close(engine, key, "no-fault")
            return super().send(entries, key=key)

    assert send_orders(engine, _Closing(), now_ns=10 * _S) == 1
    assert (_order(engine).key, _order(engine).state) == (asked.key, "closed")


@pytest.mark.parametrize(
    ("code", "kinds", "fault", "state"),
    [
        ("confirmed", ["confirm"], "outer", "watching"),
        ("bearing-outer", ["confirm", "repair"], "outer", "learning"),
        ("bearing-inner", ["rename", "repair"], "inner", "learning"),
        ("no-fault", ["reject"], "normal", "watching"),
        ("cancelled", ["note"], None, "watching"),
        ("paint-job", ["note"], None, "watching"),
    ],
)
def test_a_code_becomes_labels_of_the_alarm(engine: sa.Engine, code: str, kinds: Any, fault: Any, state: str) -> None:
    asked = _ask(engine)
    closed = _close(engine, asked.key, code)
    assert [label.kind for label in closed.labels] == kinds
    first = closed.labels[0]
    assert (first.fault, first.alarm_id, first.origin, first.why) == (
        fault,
        1,
        f"work order {asked.key}",
        f"closed with {code}",
    )
    assert ("is in no table of closure codes" in closed.words) == (code == "paint-job")
    assert (closed.order.state, closed.order.closure, closed.order.closed_ns) == ("closed", code, 50 * _S)
    with reading(engine) as connection:
        assert point_rows(connection)[0].state == state
    # Closing again, even with another code, changes nothing.
    again = _close(engine, asked.key, "repaired", at_s=70)
    assert (again.order, again.labels) == (closed.order, ())
    assert again.words == f"it was closed already, with the code {code}"
    with reading(engine) as connection:
        assert len(labels_of(connection)) == len(kinds)


def test_an_order_about_no_alarm_has_nothing_to_confirm(engine: sa.Engine) -> None:
    closed = _close(engine, _ask(engine, alarm_id=None).key, "repaired")
    assert [label.kind for label in closed.labels] == ["note", "repair"]
    assert closed.words == "the code repaired was taken as note and repair; the order is about no alarm"


def test_what_cannot_be_closed_is_refused(engine: sa.Engine) -> None:
    with pytest.raises(ParameterError, match="there is no work order 'abc'"):
        _close(engine, "abc", "confirmed")
    with pytest.raises(ParameterError, match="closure code '' is none"):
        _close(engine, _ask(engine).key, "")
    with pytest.raises(ForbiddenError, match="lee is viewer and may not label"):
        _close(engine, _order(engine).key, "confirmed", user=User("lee", "viewer"))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("x = 1", "closure code 'x' is no table"),
        ("[x]\nlabel = 'praise'", "closure code 'x' has the label 'praise'"),
        ("[x]\nlabel = 'reject'\nkind = 'inner'", "has the kind 'inner'"),
        ("[x]\nlabel = 'confirm'\nrepair = 1", "has the repair 1"),
        ("[x]\nlabel = 'confirm'\ncolour = 1", "is no table of label, kind and repair alone"),
        ("[x", "cannot be read"),
        (f"[{'x' * 65}]\nlabel = 'note'", "has 65 letters"),
    ],
)
def test_a_table_of_another_form_is_refused_with_the_settings(tmp_path: Path, table: str, said: str) -> None:
    (tmp_path / "codes.toml").write_text(table)
    with pytest.raises(ParameterError, match=said):
        load_settings(workorder_codes=tmp_path / "codes.toml")


def test_a_plants_own_table_takes_the_place_of_the_built_in_one(tmp_path: Path) -> None:
    (tmp_path / "codes.toml").write_text("[Z1]\nlabel = 'reject'\n")
    assert load_closures(tmp_path / "codes.toml") == {"Z1": Closure("reject")}


def _answered(engine: sa.Engine, settings: Settings, body: Any, token: str | None = f"Bearer {_TOKEN}") -> Any:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return answer_closing(engine, settings, authorization=token, body=sent, now_ns=50 * _S)


def test_a_maintenance_system_closes_with_the_token_only(
    engine: sa.Engine, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    asked, allowed = _ask(engine), settings.model_copy(update={"workorder_token": _TOKEN})
    body = {"key": asked.key, "code": "no-fault", "note": "all well"}
    for token in (None, "", "Bearer ", f"Bearer {_TOKEN}x", "Bearer other", "Basic x", "Bearer \u00e4"):
        assert _answered(engine, allowed, body, token)[0] == 401
    # Without a token in the settings nobody closes, whatever they show.
    assert _answered(engine, settings, body, "Bearer ")[0] == 401
    assert _order(engine).state == "waiting"
    status, answer = _answered(engine, allowed, body)
    assert (status, answer["state"], answer["labels"]) == (200, "closed", ["reject"])
    assert (_answered(engine, allowed, body)[0], _answered(engine, allowed, body)[1]["labels"]) == (200, [])
    with reading(engine) as connection:
        (label,) = labels_of(connection)
    assert (label.who, label.why) == ("work orders", "closed with no-fault: all well")
    shown = "".join(capfd.readouterr())
    assert _TOKEN not in shown + repr(allowed)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"no json", 400),
        (b"[]", 400),
        ({"key": "abc"}, 400),
        ({"key": 1, "code": "x"}, 400),
        ({"key": "abc", "code": "x"}, 404),
        (b" " * (MOST_BODY + 1), 413),
    ],
)
def test_requests_that_make_no_sense_are_answered_so(engine: sa.Engine, settings: Settings, body, status) -> None:  # type: ignore[no-untyped-def]
    allowed = settings.model_copy(update={"workorder_token": _TOKEN})
    found, answer = _answered(engine, allowed, body)
    assert found == status
    assert answer["error"]


def test_the_console_takes_closings_with_a_token_in_place_of_a_session(engine: sa.Engine, settings: Settings) -> None:
    asked, allowed = _ask(engine), settings.model_copy(update={"workorder_token": _TOKEN})
    shut = allowed.model_copy(update={"console_host": "0.0.0.0"})
    gate = Middleware(Gate, engine=lambda: engine, settings=shut, unguarded=UNGUARDED)
    console = Starlette(routes=[*routes(lambda: engine, shut)], middleware=[gate])
    body = json.dumps({"key": asked.key, "code": "no-fault"}).encode()
    assert asgi.ask(console, "/workorders/open", body=body).status != 200
    assert asgi.ask(console, CLOSING, body=body).status == 401
    assert asgi.ask(console, CLOSING, body=body, headers={"authorization": "Bearer other"}).status == 401
    shown = {"authorization": f"Bearer {_TOKEN}"}
    assert asgi.ask(console, CLOSING, body=b" " * (MOST_BODY + 9), headers=shown).status == 413
    answer = asgi.ask(console, CLOSING, body=body, headers=shown)
    assert (answer.status, json.loads(answer.text)["labels"]) == (200, ["reject"])
    assert answer.headers["cache-control"] == "no-store"
    assert asgi.ask(console, CLOSING, headers=shown).status == 405
    assert _order(engine).state == "closed"


@pytest.fixture
def hook() -> Iterator[tuple[str, list[Any]]]:
    """A web hook that answers with a number, and once with a way elsewhere; its address and what it was sent."""
    sent: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append((self.headers["Idempotency-Key"], self.rfile.read(int(self.headers["Content-Length"]))))
            if self.path.endswith("moved"):
                self.send_response(302)
                self.send_header("Location", "/")
                self.end_headers()
                return
            self.send_response(201)
            self.end_headers()
            self.wfile.write(b'{"number": "WO-7"}')

        def log_message(self, *_: Any) -> None:
            pass

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", sent
        server.shutdown()


def test_orders_are_posted_and_their_address_is_kept_secret(
    engine: sa.Engine, hook: tuple[str, list[Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    url, sent = hook
    asked = _ask(engine)
    elsewhere = OrderHook(f"{url}/secret-path/moved")
    assert send_orders(engine, elsewhere, now_ns=10 * _S) == 0
    assert _order(engine).failure == "webhook 127.0.0.1 answered 302"
    assert send_orders(engine, OrderHook(f"{url}/secret-path"), now_ns=100 * _S) == 1
    assert _order(engine).number == "WO-7"
    assert [key for key, _ in sent] == [asked.key, asked.key]
    assert json.loads(sent[1][1])["key"] == asked.key
    assert "secret-path" not in "".join(capfd.readouterr()) + repr(elsewhere)


def test_work_on_the_command_line(engine: sa.Engine, settings: Settings) -> None:
    def run(*arguments: str, **environment: str) -> str:
        called = CliRunner().invoke(
            _raceway, ["--data-dir", str(settings.data_dir), *arguments], env=environment, catch_exceptions=False
        )
        return called.output

    assert run("workorders", "list") == "no work was asked for\n"
    asked = run("workorders", "ask", _POINT, "--alarm", "last", "--why", "it roars", "--user", "kim")
    key = _order(engine).key
    assert asked == f"{key} waiting; nobody is told: the setting workorder_webhook is empty\n"
    assert f"{_POINT:40} waiting" in run("workorders", "list", "--open")
    assert json.loads(run("workorders", "list", "--json"))[0]["alarm_id"] == 1
    assert run("workorders", "close", key, "--code", "no-fault") == (
        f"{key} closed: the code no-fault was taken as reject\n"
    )
    assert "closed with no-fault" in run("workorders", "list", "--point", _POINT)
    assert "bearing-inner        confirm as inner, repair" in run("workorders", "codes")
    secrets = {"RACEWAY_WORKORDER_TOKEN": _TOKEN, "RACEWAY_WORKORDER_WEBHOOK": "http://h/secret-path"}
    shown = run("settings", **secrets)
    assert "RACEWAY_WORKORDER_TOKEN=***" in shown
    assert "secret-path" not in shown
