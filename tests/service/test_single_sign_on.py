"""Logging in by an identity provider, in a real browser: roles come from claims, whoever has none sees nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import oidc_provider_mock
import pytest
from chromium import opened_chrome
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from app.access.audit import trail
from app.bench_console import served_console
from app.broker import free_port
from app.settings import load_settings
from app.store import open_store, reading

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]

_PATIENCE_S = 120
_PEOPLE = [
    oidc_provider_mock.User(sub="kim", claims={"email": "kim@plant", "groups": ["/plant/vibration", "/plant/canteen"]}),
    oidc_provider_mock.User(sub="toni", claims={"email": "toni@plant", "groups": ["/plant/canteen"]}),
]
_SECRETS = """[auth]
redirect_uri = "{console}/oauth2callback"
cookie_secret = "of this test alone"
client_id = "raceway"
client_secret = "s3cr3t-w0rd"
server_metadata_url = "http://localhost:{port}/.well-known/openid-configuration"
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def console(home: Path) -> Iterator[str]:
    """A console whose people the provider knows."""
    roles = {"/plant/vibration": "engineer", "/plant/operators": "operator"}
    settings = load_settings(data_dir=home / "plant", console_port=free_port(), oidc_claim="groups", oidc_roles=roles)
    open_store(settings.database, migrate=True).dispose()
    base = f"http://{settings.console_host}:{settings.console_port}"
    with (
        pytest.MonkeyPatch.context() as environment,
        oidc_provider_mock.run_server_in_thread(user_claims=_PEOPLE) as provider,
    ):
        # The secrets are looked for in the home folder, as a user's are; the provider speaks HTTP on this machine.
        environment.setenv("HOME", str(home))
        environment.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
        secrets = home / ".streamlit" / "secrets.toml"
        secrets.parent.mkdir()
        secrets.write_text(_SECRETS.format(console=base, port=provider.server_port))
        with served_console(settings) as served:
            assert served == base
            yield base


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    with opened_chrome() as chrome:
        yield chrome


@pytest.fixture
def chrome(console: str, browser: webdriver.Chrome) -> webdriver.Chrome:
    """The browser, of somebody whom the console has not seen yet."""
    browser.get(f"{console}/_stcore/health")
    browser.delete_all_cookies()
    return browser


def _text(chrome: webdriver.Chrome, *, until: str) -> str:
    """All that the page says once it says something."""

    def said(page: webdriver.Chrome) -> str | None:
        text = str(page.execute_script("return document.body ? document.body.innerText : ''"))  # type: ignore[no-untyped-call]
        return text if until in text else None

    return str(WebDriverWait(chrome, _PATIENCE_S).until(said, until))


def _press(chrome: webdriver.Chrome, label: str) -> None:
    """Press a button or follow a link, which may be drawn anew while we look at it."""

    def pressed(page: webdriver.Chrome) -> bool:
        script = "const b = [...document.querySelectorAll('button, a')].find(b => b.innerText.includes(arguments[0]))"
        return bool(page.execute_script(f"{script}; if (b) b.click(); return Boolean(b)", label))  # type: ignore[no-untyped-call]

    WebDriverWait(chrome, _PATIENCE_S).until(pressed, label)


def _log_in(chrome: webdriver.Chrome, page: str, sub: str) -> None:
    chrome.get(page)
    assert "Overview" not in _text(chrome, until="Log in by single sign-on")
    _press(chrome, "Log in by single sign-on")
    WebDriverWait(chrome, _PATIENCE_S).until(lambda page: urlsplit(page.current_url).hostname == "localhost")
    chrome.find_element(By.CSS_SELECTOR, f"button[value='{sub}']").click()


def _noted(home: Path) -> list[tuple[str, str, str, str]]:
    """Deeds in the order of time."""
    with reading(open_store(load_settings(data_dir=home / "plant").database)) as connection:
        return [(deed.who, deed.role, deed.action, deed.why) for deed in trail(connection)][::-1]


def test_the_role_comes_from_the_claims_and_ends_with_logging_out(
    console: str, home: Path, chrome: webdriver.Chrome
) -> None:
    _log_in(chrome, f"{console}/models?view=one", "kim")
    text = _text(chrome, until="kim@plant · engineer")
    assert "Audit" in text
    assert chrome.current_url == f"{console}/models?view=one"
    chrome.get(f"{console}/settings")
    assert "kim@plant · engineer" in _text(chrome, until="Settings")
    _press(chrome, "Log out")
    WebDriverWait(chrome, _PATIENCE_S).until(lambda page: "kim@plant" not in page.page_source)
    chrome.get(console)
    assert "kim@plant" not in _text(chrome, until="Log in by single sign-on")
    steps = ("log in", "log out")
    assert _noted(home) == [("kim@plant", "engineer", step, "single sign-on") for step in steps]


def test_whoever_has_no_role_sees_nothing_but_that(console: str, home: Path, chrome: webdriver.Chrome) -> None:
    _log_in(chrome, console, "toni")
    text = _text(chrome, until="toni@plant has no role here")
    assert not {"Overview", "Alarms", "Audit"} & set(text.split())
    chrome.get(f"{console}/audit")
    assert "Audit" not in _text(chrome, until="toni@plant has no role here").split()
    assert _noted(home)[-1] == ("toni@plant", "", "log-in refused", "single sign-on")
