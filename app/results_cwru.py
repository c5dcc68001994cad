"""The table of systems compared on CWRU, honest and leaky splits apart; refuses a file that lacks a figure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from features.errors import ArtifactError

__all__ = ["COMMAND", "FILE", "render_cwru", "run_line", "run_lines"]

COMMAND = "raceway evaluate cwru"
FILE = "cwru.json"
_TITLE = "Systems that name bearing faults, compared on CWRU"
_FLATTERED = (
    "All that `ours` and `ours, network` learn comes from the training side, but their form was chosen after these "
    "folds had been seen, which flatters them; the published systems run as published, with what their papers leave "
    "open, and what had to be changed for them to learn here, said in the code."
)
_PUBLISHED = (
    "What the papers report, each on its own data and split; most dealt windows of the same bearings at random, so "
    "that only the leaky columns above compare with it."
)
_UNMEASURED = "not measured"

Row = Mapping[str, Any]


def render_cwru(folder: Path) -> str:
    """Render the section.

    Parameters
    ----------
    folder : Path
        Where `raceway evaluate cwru` wrote ``cwru.json``.

    Returns
    -------
    str
        Markdown: balanced accuracy by system, a column for each split; each fold of the honest ones; what the papers
        report; the runs that measured.

    Raises
    ------
    ArtifactError
        If the file is no JSON or lacks a figure.
    """
    path = folder / FILE
    head = f"## {_TITLE}\n\n`{COMMAND}`."
    if not path.exists():
        return f"{head}\n\nNot measured yet.\n"
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
        rows = figures["rows"]
        parts = [f"{head} {figures['note']} {_FLATTERED}", _protocols(figures["protocols"], rows), _systems(rows)]
        parts += [_verdict(rows, protocol) for protocol in _in_order(rows, leaky=False)]
        parts += [_folds(rows, protocol) for protocol in _in_order(rows, leaky=False)]
        parts += [_papers(rows), run_lines(rows, figures["run"])]
        return "\n\n".join([*(part for part in parts if part)]) + "\n"
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{path} cannot be shown ({error!r}); measure again with `{COMMAND}`") from error


def _in_order(rows: Sequence[Row], *, leaky: bool) -> list[str]:
    return list(dict.fromkeys(row["protocol"] for row in rows if row["leaky"] == leaky))


def _names(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["system"] for row in rows))


def _protocols(what: Mapping[str, str], rows: Sequence[Row]) -> str:
    leaky = set(_in_order(rows, leaky=True))
    return "\n".join(f"- `{name}` ({'leaky' if name in leaky else 'honest'}): {text}." for name, text in what.items())


def _systems(rows: Sequence[Row]) -> str:
    """One line for each system: honest columns, then leaky ones."""
    columns = [(name, leaky) for leaky in (False, True) for name in _in_order(rows, leaky=leaky)]
    cells = {(row["system"], row["protocol"]): _mean(row) for row in rows}
    titles = ["system", "window", *(f"`{name}`, {'leaky' if leaky else 'honest'}" for name, leaky in columns)]
    windows = {row["system"]: row["window_samples"] for row in rows}
    lines = [
        [system, f"{windows[system]:,d}", *(cells.get((system, name), _UNMEASURED) for name, _ in columns)]
        for system in _names(rows)
    ]
    return _table(titles, lines)


def _folds(rows: Sequence[Row], protocol: str) -> str:
    chosen = [row for row in rows if row["protocol"] == protocol]
    titles = [f"`{protocol}`, by fold", *(fold["name"] for fold in chosen[0]["folds"])]
    lines = [[row["system"], *(f"{fold['balanced_accuracy']:.1%}" for fold in row["folds"])] for row in chosen]
    return _table(titles, lines)


def _verdict(rows: Sequence[Row], protocol: str) -> str:
    """What does not beat the random forest is said not to."""
    judged = [row for row in rows if row["protocol"] == protocol and row["beats_forest"] is not None]
    lost = [row["system"] for row in judged if not row["beats_forest"]]
    won = [row["system"] for row in judged if row["beats_forest"]]
    sentences = []
    if won:
        sentences.append(f"Above the random forest under `{protocol}`: {'; '.join(won)}.")
    if lost:
        sentences.append(f"Not above it: {'; '.join(lost)}.")
    return " ".join(sentences)


def _mean(row: Row) -> str:
    spread = "" if row["spread"] is None else f" ± {100.0 * row['spread']:.1f}"
    return f"{row['mean']:.1%}{spread}"


def _table(titles: Sequence[str], lines: Iterable[Sequence[str]], *, text: bool = False) -> str:
    rule = ["---", *("---" if text else "---:" for _ in titles[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (titles, rule, *lines))


def _papers(rows: Sequence[Row]) -> str:
    """What each published system is after and what its paper reports."""
    told = {row["system"]: (row["source"], row["published"]) for row in rows if row["source"] or row["published"]}
    if not told:
        return ""
    lines = [[system, *(text.replace("|", "\\|") for text in texts)] for system, texts in told.items()]
    titles = ["system", "paper", "published"]
    return f"{_PUBLISHED}\n\n{_table(titles, lines, text=True)}"


def run_lines(rows: Iterable[Row], last: Mapping[str, Any]) -> str:
    """Say what was measured in which run, the latest one last; one sentence where all was measured in it.

    Parameters
    ----------
    rows : iterable of mapping
        Those of an earlier run have it as ``run`` and name their ``system``.
    last : mapping
        The run that wrote the file.
    """
    by_run: dict[str, list[str]] = {}
    for row in rows:
        by_run.setdefault(run_line(row.get("run", last)), []).append(row.get("system", ""))
    latest = run_line(last)
    earlier = [said for said in by_run if said != latest]
    if not earlier:
        return latest
    said_of = [*earlier, *([latest] if latest in by_run else [])]
    return "\n".join(f"- {', '.join(dict.fromkeys(by_run[said]))}: {said}" for said in said_of)


def run_line(run: Mapping[str, Any]) -> str:
    """Say how long a run took, where, and with which versions."""
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    return f"Measured in {run['duration_s']:.0f} s on {run['cores']} cores of {run['processor']}; {versions}."
