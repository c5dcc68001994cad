"""Fault kinds in words for people."""

from __future__ import annotations

__all__ = ["KINDS", "kind_text"]

KINDS = {
    "normal": "no bearing fault",
    "inner": "inner race",
    "outer": "outer race",
    "ball": "rolling element",
    "other": "other than bearing",
}


def kind_text(kind: str | None) -> str:
    """A fault kind as a diagnosis.

    Examples
    --------
    >>> kind_text("outer")
    'outer race fault of the bearing'
    """
    if kind is None:
        return "kind unknown (bearing or speed not known, or no diagnosis network serves)"
    if kind == "other":
        return "abnormal, but no bearing fault pattern: check balance, alignment, gears, looseness"
    return f"{KINDS.get(kind, kind)} fault of the bearing"
