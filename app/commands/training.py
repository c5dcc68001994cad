"""Subcommands that train."""

from __future__ import annotations

import time

import click

from app.commands.context import progress_bar, quiet_tensorflow, settings_of
from app.commands.trained import TrainGroup, train_list, train_page, train_system

__all__ = ["train"]


@click.group(cls=TrainGroup, subcommand_metavar="SYSTEM DATASET [OPTIONS] | COMMAND [OPTIONS]")
def train() -> None:
    """Train any system on a public data set, or now what the learner else trains when it is needed.

    `raceway train SYSTEM DATASET` trains a system and keeps it in a folder; `raceway train system --help` has its
    options, `raceway train list` the systems. All of this needs the extra `train`.
    """


for command in (train_system, train_list, train_page):
    train.add_command(command)


@train.command("baselines")
@click.pass_context
def train_baselines(ctx: click.Context) -> None:
    """Train every point that has its healthy windows and waits for its baseline."""
    quiet_tensorflow()
    from app.learner import learn_point, waiting_points
    from app.store import open_store

    settings = settings_of(ctx)
    engine = open_store(settings.database, migrate=True)
    waiting = waiting_points(engine)
    with progress_bar("Learning", len(waiting)) as show:
        for i, row in enumerate(waiting):
            learned = learn_point(engine, settings, row, now_ns=time.time_ns())
            show(i + 1)
            if learned.state == "failed":
                raise click.ClickException(f"{row.id}: {learned.failure}")
    click.echo(f"{len(waiting)} baselines learned")


@train.command("diagnosis")
@click.option("--windows", "n", type=click.IntRange(1000), help="Simulated windows to learn from.  [default: 40000]")
@click.option("--epochs", type=click.IntRange(1), help="How often each is seen.  [default: 20]")
@click.option("--draft", is_flag=True, help="Let a network learned on a part serve until the final one is there.")
@click.pass_context
def train_diagnosis(ctx: click.Context, /, n: int | None, epochs: int | None, draft: bool) -> None:
    """Train the network that names the kind of a bearing fault, on simulated machines, and let it serve."""
    quiet_tensorflow()
    from app.learner import DIAGNOSIS_DRAFT, DIAGNOSIS_EPOCHS, DIAGNOSIS_WINDOWS, train_diagnosis
    from app.store import open_store

    settings = settings_of(ctx)
    engine = open_store(settings.database, migrate=True)
    n, epochs = n or DIAGNOSIS_WINDOWS, epochs or DIAGNOSIS_EPOCHS
    with progress_bar("Simulating", n) as on_window, progress_bar("Learning  ", epochs) as on_epoch:
        bundle = train_diagnosis(
            engine,
            settings,
            now_ns=time.time_ns(),
            n=n,
            epochs=epochs,
            draft=min(DIAGNOSIS_DRAFT, n) if draft else 0,
            on_window=on_window,
            on_epoch=on_epoch,
        )
    click.echo(f"bundle {bundle} serves")
