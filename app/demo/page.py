"""The report of a scripted day as one HTML file without scripts: figures, a line of life for each machine, crashes."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.demo.limits import RULES
from app.demo.report import findings, words
from app.palette import BLUE, GREEN, GREY, ORANGE, PURPLE, RED

__all__ = ["render_page", "write_page"]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 0.8rem 0; } th, td { padding: 0.2rem 0.8rem; text-align: left; }
th { border-bottom: 2px solid #999; } td { border-bottom: 1px solid #ddd; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; } svg { max-width: 100%; height: auto; } .bad { color: #D55E00; font-weight: bold; }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_WIDTH, _LABELS, _LINE = 1080, 220, 16
_HEAD = ("", "*found", "*missed", "*open", "*median lead, d", "*worst lead, d", "*false a machine-month", "*alarms")


def write_page(path: Path, figures: Mapping[str, Any]) -> None:
    """Write the page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(figures), encoding="utf-8")


def render_page(figures: Mapping[str, Any]) -> str:
    """Render the page of a run.

    Parameters
    ----------
    figures : mapping
        From `app.demo.report.figures_of`.

    Returns
    -------
    str
        HTML that loads nothing and runs nothing.
    """
    lost = findings(figures)
    kinds = ["kind", "*faults", "*Raceway", *(f"*{rule.name}" for rule in RULES)]
    parts = [
        f"<h1>{figures['machines']} machines, {figures['days']} days</h1>",
        *(f'<p class="bad">{html.escape(line)}</p>' for line in lost),
        "<h2>Raceway and limits</h2>",
        _table(_HEAD, [_row(row) for row in figures["systems"]]),
        "<p>`open`: faults that were still growing at the end, without an alarm so far.</p>".replace("`", ""),
        "<h2>Faults found, by kind</h2>",
        _table(kinds, [_kind(row) for row in figures["kinds"]]),
        "<h2>What befell each machine</h2>",
        f'<div class="wide">{_lives(figures)}</div>',
        "<h2>All of it in words</h2>",
        f"<pre>{html.escape(chr(10).join(words(figures)))}</pre>",
        "<h2>How to read it</h2>",
        f"<ul>{''.join(f'<li>{html.escape(caveat)}</li>' for caveat in figures['caveats'])}</ul>",
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>A scripted day</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n<body>\n'
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _row(row: Mapping[str, Any]) -> tuple[str, ...]:
    leads = ("" if row[key] is None else f"{row[key]:.1f}" for key in ("median_lead_d", "worst_lead_d"))
    counts = (str(row[key]) for key in ("found", "missed", "open"))
    return row["system"], *counts, *leads, f"{row['false_a_month']:.3f}", str(row["alarms"])


def _kind(row: Mapping[str, Any]) -> tuple[str, ...]:
    return row["kind"], *(str(row[key]) for key in ("faults", "raceway", *(rule.key for rule in RULES)))


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; columns whose name begins with a star are figures."""
    classes = [' class="n"' if name.startswith("*") else "" for name in names]
    head = "".join(f"<th{c}>{html.escape(n.lstrip('*'))}</th>" for n, c in zip(names, classes, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{c}>{html.escape(x)}</td>" for x, c in zip(row, classes, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _lives(figures: Mapping[str, Any]) -> str:
    """A line for each machine: its faults as bars that grow, alarms of ours and of the limits as marks, crashes."""
    hours, lived = 24.0 * float(figures["days"]), figures["lived"]
    height = _LINE * len(lived) + 70

    def x(hour: float) -> float:
        return _LABELS + (_WIDTH - _LABELS - 20) * min(hour, hours) / hours

    lines = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img" font-size="11" '
        'font-family="system-ui, sans-serif" aria-label="Faults, alarms and repairs of each machine over the run">',
        _legend(),
    ]
    for i, machine in enumerate(lived):
        lines += _life(machine, x, y=44 + _LINE * i, figures=figures)
    for crash in figures["crashes"]:
        lines.append(_rule(x(crash["hour"]), 36, height - 24, RED, f"{crash['what']} killed, {crash['where']}"))
    for day in range(0, figures["days"] + 1, max(figures["days"] // 9, 1)):
        lines.append(
            f'<text x="{x(24.0 * day):.1f}" y="{height - 8}" text-anchor="middle" fill="{GREY}">{day} d</text>'
        )
    return "\n".join([*lines, "</svg>"])


def _life(machine: Mapping[str, Any], x: Callable[[float], float], *, y: int, figures: Mapping[str, Any]) -> list[str]:
    middle = y + _LINE // 2 - 2
    lines = [
        f'<text x="{_LABELS - 8}" y="{y + 9}" text-anchor="end">{html.escape(machine["name"])}</text>',
        f'<line x1="{_LABELS}" x2="{_WIDTH - 20}" y1="{middle}" y2="{middle}" stroke="#ddd"/>',
    ]
    for fault in machine["faults"]:
        begin, failure = x(fault["onset_h"]), x(fault["failure_h"])
        title = f"{fault['kind']}, day {fault['onset_h'] / 24:.0f} to {fault['failure_h'] / 24:.0f}"
        lines.append(
            f'<polygon points="{begin:.1f},{middle} {failure:.1f},{middle - 6} {failure:.1f},{middle + 6}" '
            f'fill="{ORANGE}" opacity="0.45"><title>{html.escape(title)}</title></polygon>'
        )
        if fault["end_h"] is not None and not fault["failed"]:
            lines.append(_rule(x(fault["end_h"]), middle - 6, middle + 6, GREEN, "mended"))
    for change in machine["changes"]:
        lines.append(_mark(x(change["at_h"]), middle, GREY, change["what"], "◆"))
    lines += [_mark(x(hour), middle, BLUE, "alarm of Raceway", "▲") for hour in machine["alarms_h"]]
    lines += [_mark(x(hour), middle, PURPLE, "baseline + 25 %", "▽") for hour in machine["limits_h"]["baseline"]]
    for one in figures["retraining"]["decided"]:
        if one["point"] == machine["point"] and one["outcome"] in ("promoted", "refused"):
            hour = (one["at_ns"] - figures["begin_ns"]) / 3.6e12
            sign, colour = ("★", GREEN) if one["outcome"] == "promoted" else ("□", RED)
            lines.append(_mark(x(hour), middle, colour, f"{one['outcome']}: {'; '.join(one['reasons'])}", sign))
    return lines


def _legend() -> str:
    parts = (
        (ORANGE, "▶ fault up to its failure"),
        (GREEN, "| mended"),
        (BLUE, "▲ alarm of Raceway"),
        (PURPLE, "▽ alarm by baseline + 25 %"),
        (GREY, "◆ change that is no fault"),
        (GREEN, "★ challenger promoted"),
        (RED, "□ refused"),
        (RED, "| crash"),
    )
    places = (-100, 45, 105, 230, 405, 560, 705, 780)
    return "".join(
        f'<text x="{_LABELS + place}" y="16" fill="{colour}">{html.escape(text)}</text>'
        for place, (colour, text) in zip(places, parts, strict=True)
    )


def _mark(x: float, y: int, colour: str, title: str, sign: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y + 4}" text-anchor="middle" fill="{colour}">{sign}'
        f"<title>{html.escape(title)}</title></text>"
    )


def _rule(x: float, top: int, bottom: int, colour: str, title: str) -> str:
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}" stroke="{colour}" stroke-width="2">'
        f"<title>{html.escape(title)}</title></line>"
    )
