"""Subcommands about the public data sets."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from app.commands.context import data_root

__all__ = ["data"]


@click.group()
def data() -> None:
    """List the public data sets; import what their publishers distribute.

    The packs lie in the data folder: RACEWAY_DATA, else ../shared/data.
    """


@data.command("list")
@click.option("--to", "folder", type=click.Path(path_type=Path), help="Data folder.  [default: RACEWAY_DATA]")
def data_list(folder: Path | None) -> None:
    """List each data set: publisher, place, terms, whether it is here and how much of it."""
    from models.datasets.catalogue import DATA_SETS

    root = folder or data_root()
    for data_set in DATA_SETS:
        n = len(data_set.packs_in(root))
        # What is optional (the test bearings of FEMTO) is beyond a complete import.
        count = f"{n} of {data_set.n_packs}" if n <= data_set.n_packs else f"{n}"
        here = f"{count} {data_set.records} in {root / data_set.folder}" if n else f"not in {root}"
        click.echo(f"{data_set.name:8} {data_set.title}")
        for what, text in (
            ("here", here),
            ("from", f"{data_set.publisher}, {data_set.url}"),
            ("terms", data_set.terms),
            ("cite", data_set.citation),
            ("reads", data_set.files),
            ("import", data_set.import_command),
        ):
            click.echo(f"  {what:7}{text}")


@data.command("import")
@click.argument("name", type=click.Choice(["cwru", "cmapss", "femto", "gearbox"]))
@click.argument("source", metavar="SOURCE_DIR", type=click.Path(path_type=Path))
@click.option("--to", "folder", type=click.Path(path_type=Path), help="Data folder.  [default: RACEWAY_DATA]")
@click.option("--partial", is_flag=True, help="Import what is there although files are missing.")
@click.option("--replace", is_flag=True, help="Put the packs in the place of others that are there.")
def data_import(name: str, source: Path, folder: Path | None, partial: bool, replace: bool) -> None:
    """Read what a publisher distributes in SOURCE_DIR (at any depth) and write it as packs into the data folder.

    Nothing is written there before all of it was read; the same import again changes nothing.
    """
    from models.datasets.importing import import_data_set

    root = folder or data_root()
    with click.progressbar(length=1, label="Importing", file=sys.stderr) as bar:

        def show(read: int, total: int) -> None:
            # How many files there are is known only once the source was looked through.
            bar.length = total
            bar.update(read - bar.pos)

        done = import_data_set(name, source, root, partial=partial, replace=replace, progress=show)
    left_out = f", {done.n_left_out} other files left out" if done.n_left_out else ""
    missing = f", {done.n_missing} files missing" if done.n_missing else ""
    state = "" if done.changed else ", unchanged"
    click.echo(f"{done.n_packs} packs in {done.folder}{state}{missing}{left_out}")
