"""How long the console's pages take in a browser, over months of a plant's history: first paint and an interaction."""

from __future__ import annotations

import os
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import sqlalchemy as sa

from app.broker import free_port
from app.browsing import Browser, Drawn, opened_browser
from app.console.addresses import address
from app.console.launch import console_command
from app.console.pages import PAGES
from app.demo.history import HistoryPlan, write_history
from app.process import spawn, stop
from app.schema import alarms, points, windows
from app.settings import Settings, load_settings
from app.store import open_store, reading
from features.errors import RacewayError

__all__ = ["ConsolePlan", "Visit", "bench_console", "served_console", "visits"]

_DATA = '[data-testid="stDataFrame"] canvas, [data-testid="stTable"] td'
_CHARTS = ".raceway-chart .main-svg"
_FIELDS = '[data-testid="stForm"], [data-testid="stTextInput"] input, [data-testid="stSelectbox"] input'
_PATIENCE_S = 90.0
# Turns that are not counted: they warm the server and the browser, which keeps compiled scripts from the second on.
_WARMING = 2


@dataclass(frozen=True)
class Visit:
    """How a page is opened and used.

    Attributes
    ----------
    page : str
    main : str
        CSS selector of what the page is opened for.
    does : tuple of (str, str)
        What a reader may do there, as `Browser.interact` has it; the first that the page has is done.
    query : mapping of str to str
    """

    page: str
    main: str
    does: tuple[tuple[str, str], ...]
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Address below the console's."""
        return address(self.page, **self.query)  # type: ignore[arg-type]  # one of its pages, from its list


# What a page that is not named here is opened for, and what is done there.
_FIND = ("type", "pump")
_DEFAULT: tuple[str, tuple[tuple[str, str], ...]] = (f"{_DATA}, {_FIELDS}", (_FIND,))
_PAGES: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "overview": (_DATA, (_FIND,)),
    "machine": (_CHARTS, (("click", "Trend"),)),
    "alarms": (_DATA, (("click", "Shelved"),)),
    "maintenance": (f"{_CHARTS}, {_DATA}", (("choose", "demo-works"),)),
    "models": (_DATA, (("click", "Drifted"),)),
    "nodes": (_DATA, (("click", "Roll-outs"),)),
    "assets": (_DATA, (_FIND,)),
    "data": (_DATA, (_FIND,)),
    "settings": (_DATA, (("click", "What each role may do"),)),
    "audit": (_DATA, (("type", "kim"),)),
}


@dataclass(frozen=True)
class ConsolePlan:
    """What is measured.

    Attributes
    ----------
    repeats : int
    machines, days : int
        Of the history.
    seed : int
    pages : tuple of str
        Only these; empty for all.
    pictures : Path or None
        Folder for a picture of each page.
    """

    repeats: int
    machines: int
    days: int
    seed: int
    pages: tuple[str, ...] = ()
    pictures: Path | None = None


def visits(settings: Settings) -> list[Visit]:
    """Say how each page of the console is opened on what is stored; the machine page on the one that needs it most."""
    point = _worst(settings)
    found = []
    for listed in PAGES:
        main, does = _PAGES.get(listed.page, _DEFAULT)
        query = {"point": point} if listed.page == "machine" else {}
        found.append(Visit(listed.page, main, does, query))
    return found


def _worst(settings: Settings) -> str:
    """The point whose alarm was raised last and stands, else any."""
    with reading(open_store(settings.database)) as connection:
        standing = sa.select(alarms.c.point_id).where(alarms.c.cleared_ns.is_(None)).order_by(alarms.c.raised_ns.desc())
        found = connection.execute(standing.limit(1)).scalar()
        return str(found or connection.execute(sa.select(points.c.id).limit(1)).scalar_one())


def bench_console(plan: ConsolePlan, *, history: Path | None, progress: Callable[[float], None]) -> dict[str, Any]:
    """Measure every page.

    Parameters
    ----------
    plan : ConsolePlan
    history : Path, optional
        Data folder that holds a history already; without it one is written into a temporary folder.
    progress : callable
        Told the share done.

    Returns
    -------
    dict
        ``pages``: of each page medians and worst values of `first_ms` (start of the navigation to title and main
        content drawn), `whole_ms` (to all of it), `interact_ms` (input to the answer drawn; None where there is
        nothing to do), and `errors` of the browser's console. Server and browser are warm: each page was opened
        twice before. ``load``: processes that wanted a core when it began, others' work included.

    Raises
    ------
    RacewayError
        If a browser is missing, or a page hangs.
    """
    with tempfile.TemporaryDirectory(prefix="raceway-bench-") as folder:
        settings = load_settings(
            data_dir=history or Path(folder),
            console_port=free_port(),
            retrain_schedule="",
            # A history has a window an hour, and ended when it was written.
            stale_after_s=3.0 * 3600.0,
        )
        if history is None:
            wanted = HistoryPlan(plan.machines, plan.days, time.time_ns(), plan.seed)
            write_history(settings, wanted, progress=lambda share: progress(0.3 * share))
        load = os.getloadavg()[0]
        with served_console(settings) as base, opened_browser(patience_s=_PATIENCE_S) as browser:
            chosen = [visit for visit in visits(settings) if not plan.pages or visit.page in plan.pages]
            rows = _measured(browser, base, chosen, plan, progress=lambda share: progress(0.3 + 0.7 * share))
            version = browser.version()
        with reading(open_store(settings.database)) as connection:
            stored = connection.execute(sa.select(sa.func.count()).select_from(windows)).scalar_one()
            n_points = connection.execute(sa.select(sa.func.count()).select_from(points)).scalar_one()
    return {
        "pages": rows,
        "windows": stored,
        "points": n_points,
        "days": plan.days,
        "browser": version,
        "load": round(load, 1),
    }


def _measured(
    browser: Browser,
    base: str,
    chosen: Sequence[Visit],
    plan: ConsolePlan,
    *,
    progress: Callable[[float], None],
) -> list[dict[str, Any]]:
    drawn: dict[str, list[Drawn]] = {visit.page: [] for visit in chosen}
    answered: dict[str, list[float]] = {visit.page: [] for visit in chosen}
    errors: dict[str, list[str]] = {visit.page: [] for visit in chosen}
    words: dict[str, str] = {}
    for turn in range(plan.repeats + _WARMING):
        for i, visit in enumerate(chosen):
            opened = browser.visit(base + visit.path, main=visit.main)
            if turn == 0 and plan.pictures is not None:
                browser.screenshot(plan.pictures / f"{visit.page}.png")
            done = next((one for one in visit.does if browser.has(*one)), None)
            took = None if done is None else browser.interact(*done)
            errors[visit.page] += browser.errors()
            words[visit.page] = "" if done is None else " ".join(done)
            if turn >= _WARMING:
                drawn[visit.page].append(opened)
                answered[visit.page] += [] if took is None else [took]
            progress((turn * len(chosen) + i + 1) / ((plan.repeats + _WARMING) * len(chosen)))
    return [
        {"page": name, **_figures(drawn[name], answered[name]), "interaction": words[name], "errors": errors[name]}
        for name in drawn
    ]


def _figures(drawn: Sequence[Drawn], answered: Sequence[float]) -> dict[str, Any]:
    return {
        "first_ms": round(median(one.first_ms for one in drawn)),
        "first_worst_ms": round(max(one.first_ms for one in drawn)),
        "whole_ms": round(median(one.whole_ms for one in drawn)),
        "interact_ms": round(median(answered)) if answered else None,
        "interact_worst_ms": round(max(answered)) if answered else None,
        "n": len(drawn),
    }


@contextmanager
def served_console(settings: Settings) -> Iterator[str]:
    """Serve the console as `raceway console` does; gives its address once it answers.

    Raises
    ------
    RacewayError
        If it does not.
    """
    log = settings.data_dir / "logs" / "console.log"
    process = spawn(console_command(settings), environment=settings.environment(), log=log)
    base = f"http://{settings.console_host}:{settings.console_port}"
    try:
        deadline, pause = time.monotonic() + _PATIENCE_S, threading.Event()
        while not _answers(f"{base}/_stcore/health"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RacewayError(f"the console did not start: {log.read_text(errors='replace')[-500:]}")
            pause.wait(0.1)
        yield base
    finally:
        stop([process])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:  # noqa: S310  # our own, on loopback
            return bool(reply.status == 200)
    except OSError:
        return False
