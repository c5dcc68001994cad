"""The report of a retraining as one HTML file without scripts: outcomes, reasons, drift, both models side by side."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.palette import BLUE, GREY, RED
from app.retraining.records import Run, Task
from app.retraining.verdict import OUTCOMES, drift_words, verdict_rows, verdict_words

__all__ = ["render_report", "report_path", "write_report"]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 0.8rem 0; } th, td { padding: 0.2rem 0.8rem; text-align: left; }
th { border-bottom: 2px solid #999; } td { border-bottom: 1px solid #ddd; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
h2 { margin-top: 2.5rem; border-top: 1px solid #ccc; padding-top: 1rem; overflow-wrap: anywhere; }
.sign { font-weight: bold; } .small { color: #666; } svg { max-width: 100%; height: auto; }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_WIDTH, _LABELS, _LINE = 720, 230, 22


def report_path(folder: Path, run_id: str) -> Path:
    """Give where the report of a run lies in the folder of reports.

    Examples
    --------
    >>> report_path(Path("reports"), "20261126T020000000000").name
    'retraining-20261126T020000000000.html'
    """
    return folder / f"retraining-{run_id}.html"


def write_report(path: Path, run: Run, tasks: Sequence[Task]) -> None:
    """Write the report; it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("w", encoding="utf-8") as file:
        file.write(render_report(run, tasks))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def render_report(run: Run, tasks: Sequence[Task]) -> str:
    """Render the report of a run.

    Parameters
    ----------
    run : Run
    tasks : sequence of Task
        All of them with their outcome.

    Returns
    -------
    str
        HTML that loads nothing and runs nothing.
    """
    counts = {outcome: sum(task.outcome == outcome for task in tasks) for outcome in OUTCOMES}
    said = ", ".join(f"{n} {outcome}" for outcome, n in counts.items() if n) or "no model was looked at"
    asked = "all that are watched" if not run.options.points else ", ".join(run.options.points)
    parts = [
        f"<h1>Retraining {_escaped(run.id)}</h1>",
        f"<p>{_time(run.started_ns)} to {_time(run.ended_ns)}. {_escaped(said)}.<br>",
        f"Points: {_escaped(asked)}{'; forced' if run.options.force else ''}.</p>",
        _overview(tasks),
        *(_model(task) for task in tasks),
    ]
    title = f"Retraining {_escaped(run.id)}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n<body>\n'
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _overview(tasks: Sequence[Task]) -> str:
    rows = [(_escaped(_name(task)), _sign(task), _escaped("; ".join(_reasons(task)))) for task in tasks]
    return _table(("model", "outcome", "why"), rows)


def _name(task: Task) -> str:
    return task.point_id or task.role


def _reasons(task: Task) -> list[str]:
    return [str(reason) for reason in task.findings.get("reasons", [])]


def _sign(task: Task) -> str:
    words, colour, sign = OUTCOMES[task.outcome or "failed"]
    return f'<span class="sign" style="color:{colour}">{sign}</span> {words}'


def _model(task: Task) -> str:
    """The part of one model; empty where nothing was measured."""
    drift, chosen, verdict = (task.findings.get(step, {}) for step in ("drift", "select", "gate"))
    if not drift.get("features") and not verdict:
        return ""
    parts = [f"<h2>{_escaped(_name(task))}</h2>", f"<p>{_sign(task)}.</p>"]
    parts += [f"<ul>{''.join(f'<li>{_escaped(reason)}</li>' for reason in _reasons(task))}</ul>"]
    parts += [f'<p class="small">Champion {_escaped(task.champion)}; challenger {_escaped(task.challenger)}.</p>']
    if drift.get("features"):
        parts += _drift(drift)
    if "learned" in chosen:
        parts += [_chosen(chosen)]
    if verdict:
        parts += _verdict(verdict)
    return "\n".join(parts)


def _drift(drift: Mapping[str, Any]) -> list[str]:
    features = drift["features"]
    rows = [
        (
            _escaped(one["name"]),
            f"{one['psi']:.2f}",
            f"{one['psi_by_chance']:.2f}",
            f"{one['ks']:.2f}",
            f"{one['p_value']:.1e}",
            "drifted" if one["drifted"] else "",
        )
        for one in features
    ]
    return [
        "<h3>Drift</h3>",
        f"<p>{drift_words(drift)}</p>",
        _bars(
            [(one["name"], one["psi"], RED if one["drifted"] else BLUE) for one in features],
            title="population stability index",
        ),
        _table(("feature", "*PSI", "*by chance", "*KS", "*p", ""), rows),
    ]


def _chosen(chosen: Mapping[str, Any]) -> str:
    alarmed = sum(len(ids) for ids in chosen["alarmed"].values())
    return (
        f"<p>The challenger learned from {len(chosen['learned'])} healthy windows, {_time(chosen['from_ns'])} to "
        f"{_time(chosen['to_ns'])}. Both were judged on {chosen['frozen']} frozen and {len(chosen['recent'])} recent "
        f"healthy windows and on {alarmed} windows of past alarms, which neither learned from.</p>"
    )


def _verdict(verdict: Mapping[str, Any]) -> list[str]:
    rows = [tuple(map(_escaped, row)) for row in verdict_rows(verdict)]
    bars = [
        (f"{kind}, {who}", verdict[who]["detected"][kind], colour)
        for kind in verdict.get("challenger", {}).get("detected", {})
        for who, colour in (("champion", GREY), ("challenger", BLUE))
    ]
    first = "<p>There was no champion: both columns are of the challenger.</p>" if verdict.get("first") else ""
    return [
        "<h3>Champion and challenger</h3>",
        first,
        f"<p>{verdict_words(verdict)}</p>",
        _table(("", "*champion", "*challenger"), rows),
        _bars(bars, title="share of windows with a fault that is seen", most=1.0),
    ]


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already; columns whose name begins with a star are figures."""
    classes = [' class="n"' if name.startswith("*") else "" for name in names]
    head = "".join(f"<th{c}>{_escaped(name.lstrip('*'))}</th>" for name, c in zip(names, classes, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{c}>{cell}</td>" for cell, c in zip(row, classes, strict=True)) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _bars(bars: Sequence[tuple[str, float, str]], *, title: str, most: float | None = None) -> str:
    """Bars with their names on the left and their figures at the end, as SVG."""
    if not bars:
        return ""
    longest = most or max(1e-9, *(value for _, value, _ in bars))
    room, height = _WIDTH - _LABELS - 60, _LINE * len(bars) + 30
    lines = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img" '
        f'aria-label="{_escaped(title)}" font-size="12" font-family="system-ui, sans-serif">',
        f'<text x="{_LABELS}" y="14" fill="{GREY}">{_escaped(title)}</text>',
    ]
    for i, (name, value, colour) in enumerate(bars):
        y = 24 + _LINE * i
        width = max(room * min(value / longest, 1.0), 1.0)
        lines += [
            f'<text x="{_LABELS - 8}" y="{y + 13}" text-anchor="end">{_escaped(name)}</text>',
            f'<rect x="{_LABELS}" y="{y}" width="{width:.1f}" height="{_LINE - 6}" fill="{colour}"/>',
            f'<text x="{_LABELS + width + 6:.1f}" y="{y + 13}">{value:.2f}</text>',
        ]
    return "\n".join([*lines, "</svg>"])


def _time(ns: int | None) -> str:
    return "" if ns is None else f"{datetime.fromtimestamp(ns / 1e9, tz=UTC):%Y-%m-%d %H:%M:%SZ}"


def _escaped(text: object) -> str:
    return html.escape("none" if text is None else str(text))
