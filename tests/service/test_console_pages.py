"""Every page of the console in a real browser, over a few days of a plant: drawn, answering, without an error."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.bench_console import Visit, served_console, visits
from app.broker import free_port
from app.browsing import Browser, opened_browser
from app.console.pages import PAGES, Listed
from app.demo.history import HistoryPlan, write_history
from app.settings import Settings, load_settings

pytestmark = [pytest.mark.service, pytest.mark.timeout(300)]

_ARTIFACTS = Path(__file__).parents[2] / "test-artifacts"
_PHONE = (390, 844)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = load_settings(data_dir=tmp_path_factory.mktemp("history"), console_port=free_port())
    plan = HistoryPlan(machines=7, days=5, end_ns=time.time_ns(), seed=3, nodes=2)
    write_history(settings, plan, progress=lambda _: None)
    return settings


@pytest.fixture(scope="module")
def console(settings: Settings) -> Iterator[str]:
    with served_console(settings) as base:
        yield base


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        pytest.skip("chromium and chromedriver are not installed; `make packages` installs them as root")
    with opened_browser(patience_s=90.0) as browser:
        yield browser


@pytest.fixture(scope="module")
def by_page(settings: Settings) -> dict[str, Visit]:
    return {visit.page: visit for visit in visits(settings)}


@pytest.mark.parametrize("listed", PAGES, ids=lambda listed: listed.page)
def test_a_page_is_drawn_answers_and_fits_a_phone(
    listed: Listed, console: str, browser: Browser, by_page: dict[str, Visit]
) -> None:
    page, title = listed.page, listed.title
    visit = by_page[page]
    browser.visit(console + visit.path, main=visit.main)
    browser.screenshot(_ARTIFACTS / f"console-{page}.png")
    text = browser.text()
    assert title in text
    done = next((one for one in visit.does if browser.has(*one)), None)
    if done is not None:
        assert browser.interact(*done) > 0.0
    browser.resize(*_PHONE)
    try:
        browser.screenshot(_ARTIFACTS / f"console-{page}-phone.png")
        assert browser.overflow() <= 0
    finally:
        browser.resize(1280, 1500)
    assert browser.errors() == []


def test_an_answer_that_comes_within_one_task_of_the_page_is_seen(
    console: str, browser: Browser, by_page: dict[str, Visit]
) -> None:
    visit = by_page["audit"]
    browser.visit(console + visit.path, main=visit.main)
    busy_ms = 1500
    # The whole run's messages wait for the page, which takes them in together: nothing on it ever says "running".
    browser.run(
        "addEventListener('keydown', (event) => event.key === 'Enter' && setTimeout(() => {"
        f" const begun = performance.now(); while (performance.now() - begun < {busy_ms}); }}, 0))"
    )
    assert browser.interact(*visit.does[0]) > busy_ms
