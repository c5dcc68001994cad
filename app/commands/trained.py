"""The subcommands that train any system on a public data set it applies to, and list them."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.commands.context import data_root, quiet_tensorflow, settings_of
from app.commands.figures import SEED, run_of, show_figures

if TYPE_CHECKING:
    from app.settings import Settings
    from models.systems.trainable import Division, HoldOut, Progress

__all__ = ["TrainGroup", "train_list", "train_page", "train_system"]


_LAST = "Keeping"


class TrainGroup(click.Group):
    """A group that takes a word which is none of its subcommands for the name of a system."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in self.commands:
            return super().resolve_command(ctx, args)
        return train_system.name, train_system, args


@click.command("system")
@click.argument("system")
@click.argument("data_set", metavar="DATASET")
@click.option("--protocol", help="How a part is held out for the figure; `raceway train list` names them.")
@click.option("--fold", help="What is held out, such as '0.007 in', '40 %', '2 of 5' or Bearing2_1.")
@click.option("--all", "everything", is_flag=True, help="Learn from everything; there is no figure then.")
@click.option("--subset", "part", help="Of cmapss: FD001, FD002, FD003 or FD004.  [default: FD001]")
@click.option("--seed", default=SEED, show_default=True, help="Of everything that is drawn.")
@click.option(
    "--output", "folder", type=click.Path(path_type=Path), help="Folder to keep it in.  [default: in the data folder]"
)
@click.option("--replace", is_flag=True, help="Put it in the place of one that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def train_system(
    ctx: click.Context,
    /,
    *,
    system: str,
    data_set: str,
    protocol: str | None,
    fold: str | None,
    everything: bool,
    part: str | None,
    seed: int,
    folder: Path | None,
    replace: bool,
    as_json: bool,
) -> None:
    """Train SYSTEM on DATASET (cwru, gearbox, cmapss, femto) and keep it in a folder to be loaded and used again.

    By default a part is held out, so that the figure is of what was not learned from: on cwru one fault size, on
    gearbox one load, on cmapss a fifth of the run-to-failure units, on femto one bearing. The figure is of exactly the
    system that is kept. --all learns from everything.
    """
    settings = settings_of(ctx)
    quiet_tensorflow()
    began_s = time.monotonic()
    from models.systems.folder import refuse_taken, save_system
    from models.systems.registry import division_named, entry_named, family_named, part_named
    from models.systems.trainable import HoldOut

    family = family_named(data_set)
    entry, part = entry_named(family, system), part_named(family, part)
    hold_out = HoldOut(protocol or family.divisions[0].name, fold, everything=everything)
    kept = _kept(division_named(family, hold_out), hold_out)
    folder = folder or _place(settings, data_set, part, entry.name, kept, str(seed))
    refuse_taken(folder, replace=replace)
    show = _stages()
    lesson = family.train(data_root(), entry.name, part=part, hold_out=hold_out, seed=seed, progress=show)
    show(_LAST, 0, 1)
    save_system(
        folder,
        lesson,
        data_set=data_set,
        system=entry.name,
        part=part,
        seed=seed,
        convert=_converters(),
        replace=replace,
    )
    show(_LAST, 1, 1)
    figures: dict[str, Any] = {
        "system": entry.name,
        "data_set": f"{data_set} {part}".strip(),
        "seed": seed,
        "classes": list(lesson.classes),
        "split": dict(lesson.split),
        "metrics": dict(lesson.metrics),
        "files": {path.name: path.stat().st_size for path in sorted(folder.iterdir())},
        "folder": str(folder),
        "run": run_of(ctx.command_path, time.monotonic() - began_s),
    }
    if as_json:
        click.echo(json.dumps(figures, indent=1))
    else:
        _show(figures)


@click.command("list")
def train_list() -> None:
    """List every system by the data set it learns from, with its source, and how a part is held out."""
    from models.systems.registry import FAMILIES, slug

    for family in FAMILIES:
        parts = f" ({', '.join(family.parts)})" if family.parts else ""
        click.echo(f"{family.data_set}{parts}: {family.task}")
        for entry in family.entries():
            click.echo(f"  {slug(entry.name):38} {entry.source or 'ours or a baseline'}")
        for division in family.divisions:
            leaky = "LEAKY: " if division.leaky else ""
            click.echo(f"  --protocol {division.name!r} [{division.fold}] {leaky}{division.what}")


@click.command("page")
@click.option("--output", type=click.Path(path_type=Path), help="Write the page to a file instead of showing it.")
def train_page(output: Path | None) -> None:
    """Render the list of systems as a page."""
    from app.modelspage import render_models

    if output is None:
        click.echo(render_models(), nl=False)
    else:
        output.write_text(render_models(), encoding="utf-8")


def _show(figures: dict[str, Any]) -> None:
    """The figures in a few lines; what was learned from stands in the manifest."""
    split = figures["split"]
    lines = {key: figures[key] for key in ("system", "data_set", "seed")}
    if figures["classes"]:
        lines["classes"] = ", ".join(figures["classes"])
    if split["fold"] is None:
        lines["held out"] = "nothing: everything was learned from, so there is no figure"
    else:
        lines["held out"] = f"{split['fold']} ({split['protocol']}: {split['what']})"
    if split["fold"] is not None and split["leaky"]:
        lines["care"] = "one physical part is on both sides, so the figure flatters"
    show_figures(lines | figures["metrics"] | {"folder": figures["folder"], "files": ", ".join(figures["files"])})


def _kept(division: Division, hold_out: HoldOut) -> str:
    return "all" if hold_out.everything else f"{division.name} {hold_out.fold or division.fold}"


def _place(settings: Settings, *words: str) -> Path:
    from models.systems.registry import slug

    return settings.data_dir / "systems" / slug(" ".join(words))


def _converters() -> dict[str, Any]:
    from edge.convert import to_tflite, to_tflite_int8

    return {"model.tflite": lambda model, _: to_tflite(model), "model-int8.tflite": to_tflite_int8}


def _stages() -> Progress:
    """Show on standard error which stage is at what; off a terminal each stage is one line."""
    shown: list[str] = []

    def show(stage: str, done: int, total: int) -> None:
        again = shown[-1:] == [stage]
        shown.append(stage)
        if not sys.stderr.isatty():
            if not again:
                click.echo(stage, err=True)
            return
        counted = f" {done} of {total}" if total > 1 else "" if done == total else " ..."
        start = "\r" if again or len(shown) == 1 else "\n"
        click.echo(f"{start}{stage}{counted:20}", err=True, nl=False)
        if (stage, done) == (_LAST, total):
            click.echo(err=True)

    return show
