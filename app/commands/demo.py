"""Subcommands that show Raceway at work on a simulated plant, without waiting for months."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.commands.context import quiet_tensorflow, settings_of
from app.commands.figures import SEED, run_of

if TYPE_CHECKING:
    from app.demo.day import Script
    from app.settings import Settings

__all__ = ["demo"]


@click.group()
def demo() -> None:
    """Let a simulated plant live through months in minutes."""


@demo.command("day")
@click.option("--machines", default=50, show_default=True, type=click.IntRange(6, 500))
@click.option("--days", default=90, show_default=True, type=click.IntRange(20, 365))
@click.option("--interval", "interval_h", default="2", show_default=True, type=click.Choice(["1", "2"]), help="Hours.")
@click.option("--seed", default=SEED, show_default=True, help="Of the plant, its faults and its vibration.")
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1, 16), help="Processes that learn.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Empty folder that keeps it for `raceway console`.")
@click.option("--beside", type=click.Path(exists=True, path_type=Path), help="Figures of another seed to show too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--output", type=click.Path(path_type=Path), help="Write the JSON to a file too.")
@click.pass_context
def demo_day(
    ctx: click.Context,
    /,
    *,
    machines: int,
    days: int,
    interval_h: str,
    seed: int,
    jobs: int,
    data_dir: Path | None,
    beside: Path | None,
    as_json: bool,
    output: Path | None,
) -> None:
    """A plant lives through 90 days: faults grow, people work, models are retrained nightly, processes are killed.

    Everything that serves a real plant does its work: ingest, baselines, alarms, labels, retraining. At the end stands
    what was found, beside alarming by the limits of ISO 20816 on the same machines, and an account of what was lost:
    exit code 1 where anything was. It ends now, so that `raceway --data-dir FOLDER console` shows the plant as it is.
    `docs/DEMO.md` says what is scripted. Needs the extra `train`.
    """
    quiet_tensorflow()
    from app.demo.day import Script
    from app.demo.page import write_page
    from app.demo.report import findings, words
    from app.logs import configure_logs

    if data_dir is not None:
        ctx.find_root().obj = {**(ctx.find_root().obj or {}), "data_dir": data_dir}
    settings = settings_of(ctx)
    # What happens to this plant belongs into its report; on the terminal stand the days.
    configure_logs(level="error")
    script = Script(machines, days, int(interval_h), seed, time.time_ns(), jobs=jobs)
    began_s = time.monotonic()
    figures = _lived_through(settings, script)
    figures["run"] = run_of(ctx.command_path, time.monotonic() - began_s)
    if beside is not None:
        figures["systems"] += _of_other_seeds(beside, seed)
    text = json.dumps(figures, indent=1)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text + "\n", encoding="utf-8")
    page = settings.reports / "demo-day.html"
    write_page(page, figures)
    click.echo(text if as_json else "\n".join([*words(figures), "", f"Report: {page}"]))
    if findings(figures):
        ctx.exit(1)


def _lived_through(settings: Settings, script: Script) -> dict[str, Any]:
    from app.demo.day import Day, settings_for
    from app.demo.report import figures_of

    alarms = 0

    def shown(item: object) -> str:
        del item
        return f"{alarms} alarms"

    with click.progressbar(length=script.hours, label="Living", item_show_func=shown, file=sys.stderr) as bar:

        def show(hours: int, raised: int) -> None:
            nonlocal alarms
            alarms = raised
            bar.update(hours - bar.pos, hours)

        day = Day(settings_for(settings, script), script, show)
        day.run()
    return figures_of(day)


def _of_other_seeds(path: Path, seed: int) -> list[dict[str, Any]]:
    earlier = json.loads(path.read_text(encoding="utf-8"))
    return [{"run": earlier["run"], **row} for row in earlier["systems"] if row["seed"] != seed]


@demo.command("history")
@click.option("--machines", default=50, show_default=True, type=click.IntRange(6, 500))
@click.option("--days", default=90, show_default=True, type=click.IntRange(3, 365))
@click.option("--seed", default=SEED, show_default=True, help="Of the plant and of what befell it.")
@click.option("--data-dir", type=click.Path(path_type=Path), required=True, help="Empty folder to write it to.")
@click.pass_context
def demo_history(ctx: click.Context, /, *, machines: int, days: int, seed: int, data_dir: Path) -> None:
    """Write months of a plant at once, for looking at a full console: `raceway --data-dir FOLDER console`.

    Windows and waveforms are simulated; scores, diagnoses, deeds and retraining are made up to fit them, so that
    nothing of it says how well Raceway judges: `raceway demo day` does that.
    """
    from app.commands.context import share_bar
    from app.demo.history import HistoryPlan, write_history

    ctx.find_root().obj = {**(ctx.find_root().obj or {}), "data_dir": data_dir}
    settings = settings_of(ctx)
    plan = HistoryPlan(machines, days, time.time_ns(), seed)
    with share_bar("Writing") as show:
        rows = write_history(settings, plan, progress=lambda share: show(round(1000 * share), 1000))
    click.echo(f"{rows['windows']:,} windows of {machines} machines, {rows['alarms']} alarms, {rows['labels']} labels")
    click.echo(f"Look at it with: raceway --data-dir {data_dir} console")
