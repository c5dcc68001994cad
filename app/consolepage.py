"""The page that shows the console: each of its pages with a picture, what is read there, and how long it takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.console.addresses import address
from app.console.pages import PAGES
from app.results_cwru import run_lines
from features.errors import ArtifactError

__all__ = ["READ", "console_page"]

# What is aimed at, in milliseconds.
_FIRST_MS, _ANSWER_MS = 2000, 1000
# What somebody opens each page for.
READ = {
    "overview": "What needs attention first and why, health by area, and every measuring point with its trend. The "
    "machine on top is the one to go to.",
    "machine": "One measuring point: its verdict and what it rests on, its zone of ISO 20816, and views of trend, "
    "forecast, spectrum, envelope with the bearing's lines, orders, waterfall, waveform and a comparison with "
    "another day. What was found there is said here too.",
    "alarms": "The work list: what waits to be acknowledged, what is hidden and until when, how many alarms people are "
    "asked to answer, and the journal of every step.",
    "maintenance": "What falls due at which machine, with the interval in which it is expected and on what that rests; "
    "a calendar and a table to take away.",
    "models": "Who serves, what drifted, which challenger was refused and why, with both sides of the gate; a "
    "retraining is asked for, undone or overruled here.",
    "nodes": "The nodes at the machines: reached or not, what they run and what it costs them, their log; and models "
    "on their way to them, stage by stage.",
    "assets": "Machines and measuring points as people entered them, with bearing, speed and mounting, and where a "
    "sensor says otherwise of itself.",
    "data": "Whether data flow: rates, gaps and silence of each point, and messages that were set aside, with reasons.",
    "settings": "One's own units and account, who may log in, and every setting with its value.",
    "audit": "Who did what, when and why.",
}


def console_page(results: Path) -> str:
    """Render the page.

    Parameters
    ----------
    results : Path
        File that `raceway bench console` wrote; without it the page has no figures.

    Returns
    -------
    str
        Markdown. Pictures are in `console/` beside it.

    Raises
    ------
    ArtifactError
        If the file cannot be read.
    """
    figures = _figures(results)
    rows = {row["page"]: row for row in figures.get("pages", ())}
    parts = [_HEAD.strip(), *(_part(listed.page, listed.title, rows.get(listed.page)) for listed in PAGES)]
    if figures:
        parts.append(_measured(figures))
    return "\n\n".join(parts) + "\n"


_HEAD = """
# The console

Rendered by `raceway bench page` from `docs/results/console.json`; the pictures are of the same run. They show a made-up
history of three months (`raceway demo history`), which says nothing of how well Raceway judges. Try it:

    raceway demo history --data-dir demo-history
    raceway --data-dir demo-history console

Beside each page stands how long it takes until its title and main content are drawn, and until an input is answered, in
Chromium on the machine that serves it.
"""


def _part(page: str, title: str, row: Mapping[str, Any] | None) -> str:
    lines = [f"## {title}", "", READ[page], ""]
    if row is not None:
        lines += [_timed(page, row), ""]
    return "\n".join([*lines, f"![{title}](console/{page}.png)"])


def _timed(page: str, row: Mapping[str, Any]) -> str:
    said = f"`{address(page)}`: {row['first_ms'] / 1e3:.2f} s"  # type: ignore[arg-type]  # from the list of pages
    if row["interact_ms"] is not None:
        said += f"; {row['interaction']}: {row['interact_ms'] / 1e3:.2f} s"
    return f"{said}."


def _measured(figures: Mapping[str, Any]) -> str:
    return (
        f"## How it was measured\n\n{figures['windows']:,} windows of {figures['points']} points over "
        f"{figures['days']} days, {figures['browser']}, medians of {figures['pages'][0]['n']} openings each; "
        f"{figures['load']:g} processes wanted a core when it began. `docs/RESULTS.md` has the worst values too. "
        f"{run_lines(figures['pages'], figures['run'])}\n\n"
        f"Aimed at are {_FIRST_MS / 1e3:g} s to the first paint and {_ANSWER_MS / 1e3:g} s to an answer. "
        f"{_above(figures)}"
    )


def _above(figures: Mapping[str, Any]) -> str:
    """Say which medians are above what is aimed at."""
    aims = (("first_ms", _FIRST_MS, "first paint"), ("interact_ms", _ANSWER_MS, "answer"))
    above = [
        f"{row['page']} ({words} {row[key] / 1e3:.2f} s)"
        for row in figures["pages"]
        for key, most, words in aims
        if row[key] is not None and row[key] >= most
    ]
    return f"Above it: {', '.join(above)}." if above else "No median is above it."


def _figures(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        {row["page"]: (row["first_ms"], row["interact_ms"], row["interaction"]) for row in figures["pages"]}
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"{path} cannot be shown ({error!r}); measure again with `raceway bench console`"
        ) from error
    return figures
