"""The command `raceway`; loads nothing heavy before a subcommand needs it."""

from __future__ import annotations

import sys
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import click

__all__ = ["main"]

# Subcommand: module and the line that `raceway --help` shows, so that help imports none of them.
_COMMANDS = {
    "up": ("service", "Start everything: broker, ingest, learner, console and a simulated plant."),
    "ingest": ("service", "Take vibration in from the broker, judge it, store it."),
    "learn": ("service", "Train baselines as points have collected their healthy start."),
    "gateway": ("gateway", "Bridge nodes on serial lines, TCP or Unix sockets to MQTT."),
    "fleet": ("fleet", "List nodes; roll models out to them by stages, halt, roll back."),
    "console": ("service", "Start the operators' console in the browser."),
    "simulate": ("sources", "Publish the vibration of a simulated plant."),
    "demo": ("demo", "Let a simulated plant live through months in minutes."),
    "replay": ("sources", "Publish recordings (.mat, .wav, .csv, .npz) as if they were live."),
    "alarms": ("alarms", "Work through alarms: list, acknowledge, shelve; read the journal."),
    "assets": ("assets", "Enter machines and measuring points as YAML; say what machines say otherwise."),
    "labels": ("labels", "Confirm, reject or rename verdicts, mark repairs; export labelled windows."),
    "workorders": ("workorders", "Ask a maintenance system for work; what closes it becomes a label."),
    "forecast": ("forecasts", "Say when growing indicators reach their limits."),
    "points": ("sources", "List measuring points; let one learn anew."),
    "train": ("training", "Train any system on a data set, baselines, or the fault-kind network."),
    "retrain": ("retraining", "Retrain models that drifted; promote, refuse or undo."),
    "evaluate": ("evaluation", "Measure the models on public data."),
    "bench": ("benches", "Measure speed, as ratios within one run."),
    "diagnose": ("diagnosis", "Give a verdict on a single recording."),
    "results": ("inspect", "Render the measured figures as a page."),
    "features": ("inspect", "List the features, or compute those of a recording."),
    "data": ("data", "List the public data sets; import what their publishers distribute."),
    "edge": ("edge", "Prune, quantise, check, export, compile and run networks for Cortex-M4 nodes."),
    "users": ("users", "Enter those who may log in to the console, with their roles."),
    "metrics": ("metrics", "Show or serve Raceway's own health for Prometheus."),
    "backup": ("backups", "Write database and bundles into one file."),
    "restore": ("backups", "Put a backup into an empty data folder."),
    "node": ("node", "Make keys for nodes, and sign what they run."),
    "settings": ("inspect", "List the settings with their values."),
    "doctor": ("inspect", "Say what is installed, reachable and missing."),
}


class _Refused(click.ClickException):
    """A refusal, as one sentence and exit code 2."""

    exit_code = 2


class _Raceway(click.Group):
    """A group that imports a subcommand when it is called, and turns refusals into one sentence and exit code 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"app.commands.{_COMMANDS[cmd_name][0]}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        from features.errors import RacewayError

        try:
            return super().invoke(ctx)
        except RacewayError as error:
            raise _Refused(str(error)) from error


@click.group(cls=_Raceway, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of database, bundles and logs.")
@click.option("--broker", "broker_url", help="mqtt://host:port or mqtts://host:port; default: the embedded broker.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Least severe event shown.")
@click.version_option(package_name="raceway", prog_name="raceway")
@click.pass_context
def _raceway(ctx: click.Context, /, **flags: Any) -> None:
    """Raceway: predictive maintenance for rotating machines.

    Start with `raceway up`: it brings a console to life on http://127.0.0.1:8501 with a simulated plant, one machine of
    which soon degrades. `raceway COMMAND --help` explains each command; `raceway doctor` says what is missing.

    Every setting is also an environment variable (RACEWAY_DATA_DIR ...) or a key of raceway.toml; see
    `raceway settings`. Exit codes: 0 done, 1 failed, 2 refused (wrong input or settings), 75 not now, 130 interrupted.
    """
    ctx.obj = flags


def main() -> None:
    """Run the command line."""
    try:
        _raceway(prog_name="raceway")
    except metadata.PackageNotFoundError:
        click.echo("raceway is not installed here; run `make up` or `pip install -e .`", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
