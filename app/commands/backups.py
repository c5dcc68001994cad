"""Subcommands that put a whole Raceway into one file, and back."""

from __future__ import annotations

import getpass
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.commands.context import progress_bar, settings_of

if TYPE_CHECKING:
    from app.settings import Settings

__all__ = ["backup", "restore"]


@click.command()
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_context
def backup(ctx: click.Context, /, target: Path) -> None:
    """Write database, bundles, candidates and reports into TARGET (.tar.zst) while the services go on.

    The audit says when and who.
    """
    from app.backup import back_up

    settings = settings_of(ctx)
    with progress_bar("Backing up", 100) as show:
        contents = back_up(settings, target, progress=lambda done, of: show(100 * done // of))
    _note(settings, "back up", "backup", target, now_ns=contents.made_ns)
    click.echo(f"{len(contents.files)} files in {target}, {target.stat().st_size:,} bytes")


def _note(settings: Settings, action: str, target: str, file: Path, *, now_ns: int) -> None:
    """Say in the store that it was backed up or put back; one of an older form is so all the same."""
    from sqlalchemy.exc import SQLAlchemyError

    from app.access.audit import note
    from app.access.roles import User
    from app.store import StoreError, open_store, writing

    try:
        with writing(open_store(settings.database)) as connection:
            user = User(getpass.getuser(), "admin")
            note(connection, user, action, target=target, why=file.name, now_ns=now_ns)
    except (StoreError, SQLAlchemyError) as error:
        click.echo(f"the audit does not say so: {error}", err=True)


@click.command()
@click.argument("source", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_context
def restore(ctx: click.Context, /, source: Path) -> None:
    """Put the backup SOURCE into a data folder that holds no database yet.

    The audit says when and who.
    """
    from app.backup import restore as put_back

    settings = settings_of(ctx)
    with progress_bar("Restoring", 100) as show:
        contents = put_back(settings, source, progress=lambda done, of: show(100 * done // of))
    _note(settings, "restore", "store", source, now_ns=time.time_ns())
    made = datetime.fromtimestamp(contents.made_ns / 1e9, tz=UTC)
    click.echo(f"{len(contents.files)} files of {made:%Y-%m-%d %H:%M:%SZ} are in {settings.data_dir}")
