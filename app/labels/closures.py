"""What closure codes of a maintenance system say, as a table that a plant replaces; refuses tables of another form."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from app.kinds import KINDS
from features.errors import ParameterError

__all__ = ["Closure", "built_in_closures", "load_closures"]

_LABELS = ("confirm", "reject", "note")
_FAULTS = tuple(kind for kind in KINDS if kind != "normal")
_LONGEST_CODE = 64


@dataclass(frozen=True, slots=True)
class Closure:
    """What a closure code says of the alarm that was asked about.

    Attributes
    ----------
    label : str
        ``confirm``, ``reject`` or ``note``.
    kind : str or None
        The fault that was found; None: the one that was said.
    repair : bool
        Whether the machine is as new.
    """

    label: Literal["confirm", "reject", "note"]
    kind: str | None = None
    repair: bool = False


def built_in_closures() -> dict[str, Closure]:
    """Give the table that holds where a plant has none of its own.

    Examples
    --------
    >>> built_in_closures()["bearing-inner"]
    Closure(label='confirm', kind='inner', repair=True)
    """
    return _closures(tomllib.loads((resources.files("app.labels") / "closures.toml").read_text(encoding="utf-8")))


def load_closures(path: Path) -> dict[str, Closure]:
    """Read a plant's own table; it takes the place of the built-in one.

    Parameters
    ----------
    path : Path
        TOML; one table for each code, with ``label``, ``kind`` and ``repair``.

    Raises
    ------
    ParameterError
        If it cannot be read or is of another form.
    """
    try:
        return _closures(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ParameterError(f"the table of closure codes {path} cannot be read: {error}") from error


def _closures(read: Mapping[str, Any]) -> dict[str, Closure]:
    return {code: _closure(code, entries) for code, entries in read.items()}


def _closure(code: str, entries: object) -> Closure:
    if len(code) > _LONGEST_CODE:
        raise ParameterError(f"closure code {code[:20]!r}... has {len(code)} letters; up to {_LONGEST_CODE} are wanted")
    if not isinstance(entries, dict) or set(entries) - {"label", "kind", "repair"}:
        raise ParameterError(f"closure code {code!r} is no table of label, kind and repair alone")
    label, kind, repair = entries.get("label"), entries.get("kind"), entries.get("repair", False)
    if label not in _LABELS:
        raise ParameterError(f"closure code {code!r} has the label {label!r}; one of {', '.join(_LABELS)} is wanted")
    if kind is not None and (label != "confirm" or kind not in _FAULTS):
        raise ParameterError(
            f"closure code {code!r} has the kind {kind!r}; one of {', '.join(_FAULTS)} is wanted, and only to confirm"
        )
    if not isinstance(repair, bool):
        raise ParameterError(f"closure code {code!r} has the repair {repair!r}; true or false is wanted")
    return Closure(label, kind, repair)
