"""The page of measured figures, rendered from the files that measuring commands wrote; refuses files it cannot read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.results_cwru import render_cwru, run_lines
from app.results_sections import SECTIONS, Section
from features.errors import ArtifactError

__all__ = ["render_results"]


def render_results(folder: Path) -> str:
    """Render the page.

    Parameters
    ----------
    folder : Path
        Where the measuring commands wrote their files.

    Returns
    -------
    str
        Markdown.

    Raises
    ------
    ArtifactError
        If a file is no JSON or lacks a figure.
    """
    head = (
        "# Measured\n\nRendered by `raceway results` from the files in `docs/results`, each written by the command "
        "that measured it.\n"
    )
    sections = [shown for section in SECTIONS if (shown := _section(section, folder / section.file))]
    return "\n".join([head, *sections, render_cwru(folder)])


def _section(section: Section, path: Path) -> str | None:
    """One section of the page; None for an optional one that was not measured."""
    lines = [f"## {section.title}\n", f"`{section.command}`. {section.note}\n"]
    if not path.exists():
        return None if section.optional else "\n".join([*lines, "Not measured yet.\n"])
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
        if section.optional and section.table not in figures:
            return None
        shown = _table(section, figures[section.table]) if section.table else _list(section, figures)
        run = run_lines(figures[section.table] if section.table else (), figures["run"])
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} cannot be shown ({error!r}); measure again with `{section.command}`") from error
    return "\n".join([*lines, *shown, "", f"{run}\n"])


def _list(section: Section, figures: Mapping[str, Any]) -> list[str]:
    flat = {**figures, **figures.get("by_kind", {})}
    rows = [f"| {name} | {flat[key]:{form}} |" for key, (name, form) in section.rows.items()]
    return ["| figure | value |", "| --- | ---: |", *rows]


def _table(section: Section, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each row, figures on the right; what is None stays empty. Remarks follow as a list."""
    columns = section.rows.values()
    head = [
        "| " + " | ".join(name for name, _ in columns) + " |",
        "| " + " | ".join("---:" if form else "---" for _, form in columns) + " |",
    ]
    cells = [
        ["" if row[key] is None else f"{row[key]:{form}}" for key, (_, form) in section.rows.items()] for row in rows
    ]
    remarks = [said for row in rows if section.remark and (said := section.remark(row))]
    listed = ["", *(f"- {said}" for said in remarks)] if remarks else []
    return [*head, *("| " + " | ".join(line) + " |" for line in cells), *listed]
