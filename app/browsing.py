"""The console's pages as a real browser shows them: when they can be read, when they have answered, what went wrong.

Drives a headless Chromium through Selenium, which comes with the extra `dev`; refuses where one of the two is missing.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import RacewayError

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

__all__ = ["Browser", "Drawn", "opened_browser"]

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)
# The page itself notes when what happened; asking it more often would only keep it from its work.
_POLL_S = 0.15
_WIDTH, _HEIGHT = 1280, 1500


@dataclass(frozen=True)
class Drawn:
    """A page that was opened.

    Attributes
    ----------
    first_ms : float
        From the start of the navigation until title and main content were drawn.
    whole_ms : float
        Until nothing was being computed or loaded any more.
    """

    first_ms: float
    whole_ms: float


class Browser:
    """One browser with one tab.

    Parameters
    ----------
    chrome : selenium.webdriver.Chrome
    patience_s : float
        After which a page counts as hung.
    """

    def __init__(self, chrome: Chrome, *, patience_s: float = 60.0) -> None:
        self._chrome, self._patience_s = chrome, patience_s
        watcher = (resources.files("app") / "browsing.js").read_text(encoding="utf-8")
        chrome.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": watcher})
        self.resize(_WIDTH, _HEIGHT)

    def resize(self, width: int, height: int) -> None:
        """Let the page have a size in pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def visit(self, address: str, *, main: str) -> Drawn:
        """Open a page and wait until it is whole.

        Parameters
        ----------
        address : str
        main : str
            CSS selector of what has to be drawn, beside the title, before the page is of use.

        Raises
        ------
        RacewayError
            If it does not come to that.
        """
        self._chrome.get(address)
        self._chrome.execute_script("window.racewayWatch.main = arguments[0]", main)
        found = self._wait("return window.racewayWatch.opened()", f"{address} to show {main}")
        return Drawn(float(found["first"]), float(found["whole"]))

    def interact(self, kind: str, label: str) -> float:
        """Do what a reader does, and wait for the answer.

        Parameters
        ----------
        kind : str
            ``click`` on a button, tab or option; ``choose`` an option of the select box that stands at it; ``type`` a
            text into the first text field.
        label : str

        Returns
        -------
        float
            Milliseconds from the input to the page that has answered and computes nothing any more.

        Raises
        ------
        RacewayError
            If there is no such thing, or no answer.
        """
        self._chrome.execute_script("window.racewayWatch.begin()")
        {"click": self._click, "choose": self._choose, "type": self._type}[kind](label)
        return float(self._wait("return window.racewayWatch.answered()", f"an answer to {kind} {label!r}"))

    def has(self, kind: str, label: str) -> bool:
        """Say whether the page has what an interaction wants."""
        what, named = {"click": ("clickable", label), "choose": ("selectbox", ""), "type": ("textfield", "")}[kind]
        script = "return window.racewayWatch.find(arguments[0], arguments[1]) !== null"
        return bool(self._chrome.execute_script(script, what, named))

    def errors(self) -> list[str]:
        """What the browser's console and boxes of exceptions say, since last asked."""
        entries: list[dict[str, Any]] = self._chrome.get_log("browser")  # type: ignore[no-untyped-call]
        logged = [str(entry["message"]) for entry in entries if entry["level"] == "SEVERE"]
        boxes = self._chrome.execute_script("return window.racewayWatch ? window.racewayWatch.exceptions() : []")
        return [*logged, *map(str, boxes)]

    def run(self, script: str) -> None:
        """Run a script in the page."""
        self._chrome.execute_script(script)

    def text(self) -> str:
        """All that the page shows, charts apart."""
        return str(self._chrome.execute_script("return document.body.innerText"))

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        return int(self._chrome.execute_script("return window.racewayWatch.overflow()"))

    def screenshot(self, path: Path) -> None:
        """Keep a picture of the page as a PNG of few colours."""
        from io import BytesIO

        from PIL import Image

        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.open(BytesIO(self._chrome.get_screenshot_as_png())).convert("RGB")
        picture.quantize(colors=64, dither=Image.Dither.NONE).save(path, optimize=True)

    def version(self) -> str:
        """Name and version of the browser."""
        known = self._chrome.capabilities
        return f"{known['browserName']} {known['browserVersion']}"

    def _click(self, label: str) -> None:
        self._press(self._found("clickable", label))

    def _choose(self, label: str) -> None:
        self._press(self._found("selectbox", ""))
        self._wait("return window.racewayWatch.find('option', arguments[0]) !== null", f"option {label!r}", label)
        # What is measured begins with the choice, not with the list that opens for it.
        self._chrome.execute_script("window.racewayWatch.begin()")
        option = self._chrome.execute_script("return window.racewayWatch.find('option', arguments[0])", label)
        self._press(option)

    def _type(self, label: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        field = self._found("textfield", "")
        self._press(field)
        ActionChains(self._chrome, duration=0).send_keys(label).perform()
        self._chrome.execute_script("window.racewayWatch.begin()")
        ActionChains(self._chrome, duration=0).send_keys(Keys.ENTER).perform()

    def _press(self, element: Any) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        self._chrome.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        ActionChains(self._chrome, duration=0).move_to_element(element).click().perform()

    def _found(self, what: str, label: str) -> Any:
        found = self._chrome.execute_script("return window.racewayWatch.find(arguments[0], arguments[1])", what, label)
        if found is None:
            raise RacewayError(f"the page shows no {what} {label!r}")
        return found

    def _wait(self, script: str, what: str, *given: str) -> Any:
        deadline, pause = time.monotonic() + self._patience_s, threading.Event()
        while time.monotonic() < deadline:
            found = self._chrome.execute_script(script, *given)
            if found:
                return found
            pause.wait(_POLL_S)
        raise RacewayError(f"no browser saw {what} within {self._patience_s:g} s: {self.text()[:300]!r}")


@contextmanager
def opened_browser(*, patience_s: float = 60.0) -> Iterator[Browser]:
    """Start a browser, and end it.

    Raises
    ------
    RacewayError
        If Selenium, Chromium or its driver is not installed.
    """
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        raise RacewayError("chromium and chromedriver are not installed; `make packages` installs them as root")
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError:
        raise RacewayError("Selenium is not installed; pip install 'raceway[dev]'") from None
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in _FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield Browser(chrome, patience_s=patience_s)
    finally:
        chrome.quit()
