"""Pages as a real browser shows them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1400,2200",
)
_PATIENCE_S = 60


@contextmanager
def opened_chrome() -> Iterator[webdriver.Chrome]:
    """Start a browser, and end it; the test is skipped where there is none."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("chromium and chromedriver are not installed; `make packages` installs them as root")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in _FLAGS:
        options.add_argument(flag)
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


def screenshot(address: str, path: Path, *, until: str) -> str:
    """Load a page, wait until it shows a text, save its picture, and give all text that it shows."""
    with opened_chrome() as chrome:
        chrome.get(address)
        body = WebDriverWait(chrome, _PATIENCE_S)
        body.until(lambda page: until in page.find_element(By.TAG_NAME, "body").text)
        if "point=" in address:
            _wait_for_charts(chrome)
        path.parent.mkdir(parents=True, exist_ok=True)
        chrome.save_screenshot(str(path))
        return "\n".join([chrome.find_element(By.TAG_NAME, "body").text, *_in_charts(chrome)])


def _in_charts(chrome: webdriver.Chrome) -> list[str]:
    """All that stands in the charts, those outside of the window too."""
    charts = chrome.find_elements(By.CSS_SELECTOR, ".raceway-chart")
    return [str(chart.get_attribute("textContent")) for chart in charts]


def _wait_for_charts(chrome: webdriver.Chrome) -> None:
    """Wait until trend, envelope spectrum, spectrum and waveform of the machine page are drawn."""
    drawn = ".raceway-chart:has(.scatterlayer .js-line)"
    WebDriverWait(chrome, _PATIENCE_S).until(lambda page: len(page.find_elements(By.CSS_SELECTOR, drawn)) >= 4)
