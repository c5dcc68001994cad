"""Subcommands that retrain, list what was retrained, and take it back."""

from __future__ import annotations

import getpass
import json
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from app.commands.context import progress_bar, quiet_tensorflow, settings_of, stop_event

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from app.retraining.promotion import Promotion
    from app.retraining.records import Options, Task
    from app.settings import Settings

__all__ = ["retrain"]


class _Busy(click.ClickException):
    """Another retraining runs: nothing is wrong, but not now."""

    exit_code = os.EX_TEMPFAIL


_user = click.option("--user", default=getpass.getuser, show_default="who is logged in", help="Who does it.")


@click.group(invoke_without_command=True)
@click.option("--point", "points", multiple=True, help="Only this one (site/asset/point); may be repeated.")
@click.option("--force", is_flag=True, help="Learn a challenger where nothing drifted, too, and after an undo.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; nothing is learned or written.")
@click.option("--asked", is_flag=True, help="Only what was broken off, and what somebody asked for in the console.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def retrain(
    ctx: click.Context, /, points: tuple[str, ...], force: bool, dry_run: bool, asked: bool, as_json: bool
) -> None:
    """Retrain the models of points that drifted: learn challengers, promote or refuse them, write a report.

    For cron, a systemd timer or a Kubernetes CronJob (files in `deploy/`); `raceway up` does it by itself. One at a
    time; a run that was broken off is gone on with first, then what was asked for in the console is done. Exit code 1
    says that a model failed, 2 that it cannot be done (settings, store), 75 that another retraining runs.
    `docs/RETRAINING.md` says what is learned from what, and what is refused. Needs the extra `train`.
    """
    if ctx.invoked_subcommand is not None:
        return
    from app.retraining.records import Options

    settings = settings_of(ctx)
    if asked and (points or force or dry_run):
        raise click.UsageError("--asked takes what was asked for; it goes with none of --point, --force and --dry-run")
    options = None if asked else Options(points, force)
    if options is not None and dry_run:
        shown = _foreseen(settings, options)
    else:
        shown = _retrained(settings, options, quiet=as_json)
    if as_json:
        click.echo(json.dumps(shown, indent=1))
    else:
        _say(shown)
    if any(model["outcome"] == "failed" for model in shown["models"]):
        ctx.exit(1)


def _foreseen(settings: Settings, options: Options) -> dict[str, Any]:
    from app.retraining.job import foreseen
    from app.store import open_store

    tasks = foreseen(open_store(settings.database, migrate=True), settings, options=options, now_ns=time.time_ns())
    return {"run": None, "report": None, "models": _models(tasks)}


def _retrained(settings: Settings, options: Options | None, *, quiet: bool) -> dict[str, Any]:
    quiet_tensorflow()
    from app.retraining.job import retrain as run_job
    from app.retraining.job import retrain_asked
    from app.retraining.lock import BusyError
    from app.retraining.records import Run, tasks_of
    from app.retraining.report import report_path
    from app.store import open_store, reading

    engine = open_store(settings.database, migrate=True)

    def job(progress: Callable[[int, int], None] | None = None) -> Run | None:
        if options is None:
            return retrain_asked(engine, settings, clock_ns=time.time_ns, progress=progress)
        return run_job(engine, settings, options=options, clock_ns=time.time_ns, progress=progress)

    try:
        if quiet:
            run = job()
        else:
            with progress_bar("Retraining", 100) as show:
                run = job(lambda done, total: show(100 * done // total))
    except BusyError as error:
        raise _Busy(str(error)) from error
    if run is None:
        return {"run": None, "report": None, "models": []}
    with reading(engine) as connection:
        tasks = tasks_of(connection, run.id)
    report = report_path(settings.reports, run.id)
    return {"run": run.id, "report": str(report), "models": _models(tasks)}


def _models(tasks: Sequence[Task]) -> list[dict[str, Any]]:
    return [
        {
            "role": task.role,
            "point": task.point_id or None,
            "outcome": task.outcome or "to be challenged",
            "reasons": list(task.findings.get("reasons", [])),
            "champion": task.champion,
            "challenger": task.challenger,
            "drift": task.findings.get("drift") or None,
        }
        for task in tasks
    ]


def _say(shown: dict[str, Any]) -> None:
    for model in shown["models"]:
        click.echo(f"{model['point'] or model['role']:50} {model['outcome']:16} {'; '.join(model['reasons'])}")
    if not shown["models"]:
        click.echo("no point is watched yet; there is nothing to retrain" if shown["run"] else "nothing was asked for")
    if shown["report"]:
        click.echo(f"Report: {shown['report']}")


@retrain.command("list")
@click.option("--most", default=20, show_default=True, type=click.IntRange(1), help="How many runs.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def retrain_list(ctx: click.Context, /, most: int, as_json: bool) -> None:
    """List the latest runs with what became of their models, newest first."""
    from app.retraining.records import runs, tasks_of
    from app.store import open_store, reading

    settings = settings_of(ctx)
    with reading(open_store(settings.database, migrate=True)) as connection:
        found = [(run, _models(tasks_of(connection, run.id))) for run in runs(connection, most=most)]
    if as_json:
        entries = [{"run": run.id, "state": run.state, "started_ns": run.started_ns, "models": m} for run, m in found]
        click.echo(json.dumps(entries, indent=1))
        return
    for run, models in found:
        counts = {name: sum(m["outcome"] == name for m in models) for name in sorted({m["outcome"] for m in models})}
        said = ", ".join(f"{n} {name}" for name, n in counts.items()) or "no model"
        started = datetime.fromtimestamp(run.started_ns / 1e9, tz=UTC)
        click.echo(f"{run.id}  {started:%Y-%m-%d %H:%M:%SZ}  {run.state:8} {said}")
    if not found:
        click.echo("nothing was retrained yet")


@retrain.command("undo")
@click.option("--point", help="Only this one's last promotion.")
@click.option("--run", "run_id", help="All promotions of this run.  [default: the latest that promoted]")
@click.option("--why", default="by hand", show_default=True, help="The reason.")
@_user
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def retrain_undo(
    ctx: click.Context, /, point: str | None, run_id: str | None, why: str, user: str, as_json: bool
) -> None:
    """Let the former models serve again: all that the latest retraining promoted, or none of them.

    A model that was taken back is not retrained by itself; `raceway retrain --point ... --force` does it.
    """
    from app.access.roles import User
    from app.retraining.promotion import undo
    from app.store import open_store, writing

    settings = settings_of(ctx)
    with writing(open_store(settings.database, migrate=True)) as connection:
        chosen = _standing(connection, point, run_id)
        undo(
            connection,
            User(user, "admin"),
            chosen,
            there=lambda bundle: (settings.bundles / bundle).is_dir(),
            why=why,
            now_ns=time.time_ns(),
        )
    if as_json:
        entries = [{"point": one.point_id or None, "role": one.role, "bundle": one.former} for one in chosen]
        click.echo(json.dumps(entries, indent=1))
        return
    for one in chosen:
        click.echo(f"{one.model}: {one.former} serves again")


@retrain.command("schedule")
@click.pass_context
def retrain_schedule(ctx: click.Context) -> None:
    """Retrain at the times of the setting `retrain_schedule`, until Ctrl-C; `raceway up` runs this."""
    from app.retraining.schedule import run_schedule

    run_schedule(settings_of(ctx), stopped=stop_event())


def _standing(connection: Connection, point: str | None, run_id: str | None) -> list[Promotion]:
    """Promotions that are to be taken back."""
    from app.retraining.promotion import promotions_of
    from app.retraining.records import run_named
    from features.errors import ParameterError

    if run_id is not None:
        run_named(connection, run_id)
    standing = [one for one in promotions_of(connection, run_id=run_id, point_id=point) if one.undone_ns is None]
    if not standing:
        raise ParameterError("no promotion is there to be undone; `raceway retrain list` shows what was done")
    if point is not None:
        return standing[:1]
    return [one for one in standing if one.run_id == standing[0].run_id]
