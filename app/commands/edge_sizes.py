"""The subcommand that tells what grew between two builds, function by function."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.emulator.sizes import Change

__all__ = ["sizes"]


@click.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option("--ram", is_flag=True, help="Variables in RAM instead of code and constants in flash.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def sizes(before: Path, after: Path, *, ram: bool, as_json: bool) -> None:
    """Tell what each function takes more or less in AFTER than in BEFORE (ELF files for Arm, not stripped)."""
    from edge.emulator.sizes import changes_between, sizes_of

    old, new = (sizes_of(build, ram=ram) for build in (before, after))
    changes = changes_between(old, new)
    if as_json:
        totals = {"before": sum(old.values()), "after": sum(new.values())}
        click.echo(json.dumps(totals | {"changes": [asdict(one) | {"grown": one.grown} for one in changes]}, indent=1))
    else:
        click.echo(_table(changes, old, new))


def _table(changes: list[Change], old: Mapping[str, int], new: Mapping[str, int]) -> str:
    rows = [(one.name, one.before, one.after, one.grown) for one in changes]
    total = sum(old.values()), sum(new.values())
    rows.append(("all symbols", *total, total[1] - total[0]))
    width = max(len(name) for name, *_ in rows)
    lines = [f"{name:{width}}  {a:>10,}  {b:>10,}  {grown:>+10,}" for name, a, b, grown in rows]
    return "\n".join([f"{'symbol':{width}}  {'before':>10}  {'after':>10}  {'change':>10}", *lines])
