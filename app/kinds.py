"""Fault kinds in words for people, and what an alarm is called whose diagnosis sees no bearing fault."""

from __future__ import annotations

__all__ = ["KINDS", "OTHER", "alarm_kind", "kind_text"]

KINDS = {
    "normal": "no bearing fault",
    "inner": "inner race",
    "outer": "outer race",
    "ball": "rolling element",
    "other": "other than bearing",
}
OTHER = "other"


def alarm_kind(diagnosis: str | None) -> str | None:
    """Kind of an alarm by its diagnosis: what is abnormal and shows no bearing fault has another one.

    Examples
    --------
    >>> alarm_kind("outer"), alarm_kind("normal"), alarm_kind(None)
    ('outer', 'other', None)
    """
    return OTHER if diagnosis == "normal" else diagnosis


def kind_text(kind: str | None) -> str:
    """A fault kind as a diagnosis.

    Examples
    --------
    >>> kind_text("outer")
    'outer race fault of the bearing'
    """
    if kind is None:
        return "kind unknown (bearing or speed not known, or no diagnosis network serves)"
    if kind == OTHER:
        return "abnormal, but no bearing fault pattern: check balance, alignment, gears, looseness"
    return f"{KINDS.get(kind, kind)} fault of the bearing"
