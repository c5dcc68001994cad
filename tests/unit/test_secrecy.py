"""Passwords, tokens and secret addresses reach no log, no error, no list of settings and no list of processes."""

from __future__ import annotations

import io
import logging
import threading
from pathlib import Path

import pytest
from asgi import ask
from click.testing import CliRunner
from starlette.applications import Starlette

from app.alarms.tending import run_tending
from app.cli import _raceway
from app.console.launch import console_command
from app.console.routes import routes
from app.ingest import run_ingest
from app.logs import configure_logs
from app.mqtt import broker_of
from app.secrecy import shown_url
from app.settings import Settings, load_settings
from app.store import StoreError, open_store
from app.supervisor import _services
from features.errors import ParameterError

_SECRET = "s3cr3t-w0rd"
_ENVIRONMENT = {
    "BROKER_URL": "mqtt://127.0.0.1:1",
    "BROKER_USER": "raceway",
    "BROKER_PASSWORD": _SECRET,
    "SMTP_URL": f"smtp://raceway:{_SECRET}@127.0.0.1:1",
    "SMTP_USER": "raceway",
    "SMTP_PASSWORD": _SECRET,
    "NOTIFY_MAIL_TO": "ops@example.org",
    "NOTIFY_WEBHOOK": f"http://127.0.0.1:1/{_SECRET}?token={_SECRET}",
    "WORKORDER_WEBHOOK": f"http://raceway:{_SECRET}@127.0.0.1:1/{_SECRET}",
    "WORKORDER_TOKEN": _SECRET,
    "LOG_LEVEL": "debug",
}

pytestmark = pytest.mark.usefixtures("quick_hashes")


class _Once(threading.Event):
    """Set by the first wait: a service does one round and ends."""

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is None:
            return super().wait()
        before = self.is_set()
        self.set()
        return before


@pytest.fixture
def secretive(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings full of secrets, from the environment."""
    for name, value in _ENVIRONMENT.items():
        monkeypatch.setenv(f"RACEWAY_{name}", value)
    return load_settings(data_dir=settings.data_dir)


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> io.StringIO:
    """All that anything logs, ours and others', from debug on."""
    caplog.set_level(logging.DEBUG)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    configure_logs(level="debug", stream=stream)
    return stream


def _files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("command", ["settings", "doctor"])
def test_commands_that_look_show_no_secret(command: str, secretive: Settings) -> None:
    shown = CliRunner().invoke(_raceway, ["--data-dir", str(secretive.data_dir), command])
    assert len(shown.output.splitlines()) > 10
    assert _SECRET not in shown.output


def test_settings_say_where_they_come_from(secretive: Settings) -> None:
    Path("raceway.toml").write_text('session_h = 8\nlog_level = "info"\n')
    output = CliRunner().invoke(_raceway, ["--data-dir", str(secretive.data_dir), "settings"]).output
    lines = dict(line.split("=", 1) for line in output.splitlines())
    assert lines["RACEWAY_SMTP_URL"] == "smtp://raceway:***@127.0.0.1:1  # environment"
    assert lines["RACEWAY_NOTIFY_WEBHOOK"] == "http://127.0.0.1:1/***  # environment"
    assert lines["RACEWAY_SMTP_PASSWORD"] == "***  # environment"
    assert lines["RACEWAY_SESSION_H"] == "8.0  # file"
    assert lines["RACEWAY_LOG_LEVEL"] == "debug  # environment"
    assert lines["RACEWAY_DATA_DIR"].endswith("  # flag")
    assert lines["RACEWAY_CONSOLE_PORT"] == "8501"


def test_a_child_knows_where_its_parents_settings_came_from(
    secretive: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in secretive.environment().items():
        monkeypatch.setenv(name, value)
    found = {one.name: one.origin for one in load_settings().shown()}
    assert (found["data_dir"], found["smtp_user"], found["console_port"]) == ("flag", "environment", "default")


def test_services_log_no_secret(secretive: Settings, heard: io.StringIO) -> None:
    run_ingest(secretive, stopped=_Once())
    run_tending(secretive, stopped=_Once())
    said = heard.getvalue()
    assert "broker not reached" in said
    assert "alarms tended" in said
    assert _SECRET not in said
    assert _SECRET not in repr(secretive)
    assert _SECRET not in repr(broker_of(secretive))
    assert _SECRET.encode() not in _files(secretive.data_dir)


def test_logging_in_leaves_no_password_behind(secretive: Settings, heard: io.StringIO) -> None:
    data = ["--data-dir", str(secretive.data_dir)]
    entered = CliRunner().invoke(_raceway, [*data, "users", "add", "ada", "--role", "admin"], input=f"{_SECRET}\n")
    assert (entered.exit_code, _SECRET in entered.output) == (0, False)
    desk = Starlette(routes=routes(lambda: open_store(secretive.database, migrate=True), secretive))
    for name, password in (("ada", f"{_SECRET}!"), (_SECRET, "ada"), ("ada", _SECRET)):
        reply = ask(desk, "/login", form={"name": name, "password": password})
        assert password not in reply.text
    assert reply.status == 303
    assert _SECRET not in heard.getvalue()
    assert _SECRET.encode() not in _files(secretive.data_dir)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://raceway:{_SECRET}@127.0.0.1:1/plant",
        f"postgresql+nodriver://raceway:{_SECRET}@127.0.0.1:1/plant",
        f"postgresql://raceway:{_SECRET}@127.0.0.1:port/plant",
        f"raceway:{_SECRET}@127.0.0.1/plant",
    ],
)
def test_a_database_that_cannot_be_used_is_said_without_its_password(url: str) -> None:
    with pytest.raises(StoreError, match="cannot be used") as refused:
        open_store(url)
    assert _SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("broker_url", f"http://raceway:{_SECRET}@broker"),
        ("smtp_url", f"http://raceway:{_SECRET}@mail"),
        ("notify_webhook", f"ftp://example.org/{_SECRET}"),
        ("workorder_webhook", f"ftp://example.org/{_SECRET}"),
        ("broker_url", f"raceway:{_SECRET}@broker"),
    ],
)
def test_a_refused_setting_is_said_without_its_secret(name: str, url: str, settings: Settings) -> None:
    with pytest.raises(ParameterError, match=name) as refused:
        load_settings(data_dir=settings.data_dir, **{name: url})
    assert _SECRET not in str(refused.value)


def test_no_command_line_holds_a_secret(secretive: Settings) -> None:
    services = _services(secretive, machines=6, untaught=True)
    assert len(services) >= 7
    for command in [*(service.command for service in services), console_command(secretive)]:
        assert _SECRET not in " ".join(command)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mqtt://host:1883", "mqtt://host:1883"),
        ("postgresql://u:p@ss@w@host/db", "postgresql://u:***@host/db"),
        ("sqlite:///plant.db", "sqlite:///plant.db"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://raceway:a/{_SECRET}@db:5432/plant",
        f"postgresql://raceway:a?{_SECRET}@db/plant",
        f"postgresql://raceway:a@{_SECRET}@db/plant",
        f"https://{_SECRET}/more@db/plant",
    ],
)
def test_what_a_password_may_hold_does_not_show_it(url: str) -> None:
    assert _SECRET not in shown_url(url)
    assert shown_url(url).endswith(("@db:5432/plant", "@db/plant"))


def test_of_a_web_hook_that_is_no_address_nothing_is_shown() -> None:
    assert shown_url(f"hooks.example.org/services/{_SECRET}", hook=True) == "***"
    assert shown_url(f"https://user:{_SECRET}@hooks.example.org/{_SECRET}?{_SECRET}", hook=True) == (
        "https://hooks.example.org/***"
    )
    assert shown_url(f"sqlite:////data/a@b/raceway.db?{_SECRET}") == "sqlite:////data/a@b/raceway.db?***"
