"""Rows of an earlier file of figures beside rows measured now; refuses files of other data and unreadable ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from features.errors import ArtifactError

__all__ = ["Earlier", "beside_option", "read_earlier"]

Row = dict[str, Any]


@dataclass(frozen=True)
class Earlier:
    """Figures that the same command wrote before.

    Attributes
    ----------
    figures : mapping
        With ``rows`` and ``run``.
    same : tuple of str
        Keys in which later figures must equal these.
    """

    figures: Mapping[str, Any]
    same: tuple[str, ...]

    def joined(self, now: Mapping[str, Any], *, key: tuple[str, ...], order: Sequence[str]) -> list[Row]:
        """Rows of now, and earlier ones where there is none, in the order of systems.

        Parameters
        ----------
        now : mapping
            Figures with ``rows``.
        key : tuple of str
            What tells rows apart.
        order : sequence of str
            Names of the systems that exist; earlier rows of others are left out.

        Returns
        -------
        list of dict
            Earlier ones with the ``run`` that measured them.

        Raises
        ------
        ArtifactError
            If the earlier figures are of something else than those of now.
        """
        for name in self.same:
            if now[name] != self.figures[name]:
                raise ArtifactError(f"the earlier figures have another {name} than these; measure all systems again")
        known = {tuple(row[part] for part in key) for row in now["rows"]}
        kept = [
            row | {"run": row.get("run", self.figures["run"])}
            for row in self.figures["rows"]
            if tuple(row[part] for part in key) not in known and row["system"] in order
        ]
        return sorted([*now["rows"], *kept], key=lambda row: order.index(row["system"]))


def beside_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--beside FILE``, which may be repeated, as a tuple of paths."""
    return click.option(
        "--beside",
        multiple=True,
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="Earlier figures; rows not measured now, nor in a file named before, are taken from them.",
    )(function)


def read_earlier(
    paths: Sequence[Path], *, command: str, same: tuple[str, ...], keys: tuple[str, ...] = ()
) -> list[Earlier]:
    """Read what `command` wrote before, ahead of an hour of measuring.

    Parameters
    ----------
    paths : sequence of Path
    command : str
        For the refusal.
    same : tuple of str
        Keys in which later figures must equal these.
    keys : tuple of str
        Further keys that are wanted.

    Raises
    ------
    ArtifactError
        If a file cannot be read or is not of this command.
    """
    return [_read(path, command, same, keys) for path in paths]


def _read(path: Path, command: str, same: tuple[str, ...], keys: tuple[str, ...]) -> Earlier:
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
        return Earlier({key: figures[key] for key in ("rows", "run", *same, *keys)}, same)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} cannot be read ({error!r}); give a file that `{command}` wrote") from error
