"""Subcommands that train and measure."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from app.commands.beside import beside_option, read_earlier
from app.commands.context import data_root, progress_bar, quiet_tensorflow, settings_of
from app.commands.cwru import evaluate_cwru
from app.commands.femto import evaluate_femto
from app.commands.figures import SEED, measured
from app.commands.trained import TrainGroup, train_list, train_page, train_system

__all__ = ["bench", "evaluate", "train"]


def _percent(show: Callable[[int], None]) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        show(100 * done // total)

    return progress


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


@click.group()
def evaluate() -> None:
    """Measure the models on public data (RACEWAY_DATA says where it lies)."""


@evaluate.command("cwru-anomaly")
@click.option("--seed", default=SEED, show_default=True)
@measured
def evaluate_cwru_anomaly(ctx: click.Context, /, *, seed: int) -> dict[str, Any]:
    """Autoencoder learned on healthy CWRU records of loads 0-2, tested on load 3 and on every fault."""
    settings_of(ctx)
    quiet_tensorflow()
    from edge.convert import to_tflite
    from models.evaluation import cwru_anomaly

    with progress_bar("Evaluating", 100) as show:
        return cwru_anomaly(
            data_root() / "cwru", convert=to_tflite, seed=seed, progress=lambda done, total: show(100 * done // total)
        )


@evaluate.command("cwru-kind")
@measured
def evaluate_cwru_kind(ctx: click.Context, /) -> dict[str, Any]:
    """Fault kinds of the CWRU records as named by the serving network, which learned on simulated machines."""
    from app.store import bundle_of, open_store, reading
    from features.errors import ArtifactError
    from features.faultmap import MAP_HASH
    from models.bundle import load_bundle
    from models.evaluation import cwru_kind
    from models.serving import Diagnoser

    settings = settings_of(ctx)
    with reading(open_store(settings.database, migrate=True)) as connection:
        serving = bundle_of(connection, "diagnosis")
    if serving is None:
        raise ArtifactError("no diagnosis network serves yet; run `raceway train diagnosis`")
    diagnoser = Diagnoser(load_bundle(settings.bundles / serving), contract=MAP_HASH)
    with progress_bar("Evaluating", 100) as show:
        return cwru_kind(data_root() / "cwru", diagnoser, progress=lambda done, total: show(100 * done // total))


@evaluate.command("cwru-envelope")
@measured
def evaluate_cwru_envelope(ctx: click.Context, /) -> dict[str, Any]:
    """Fault kinds of the CWRU records from their envelope spectra alone, without any training."""
    settings_of(ctx)
    from models.envelope_rule import cwru_envelope

    with progress_bar("Evaluating", 100) as show:
        return cwru_envelope(data_root() / "cwru", progress=lambda done, total: show(100 * done // total))


evaluate.add_command(evaluate_cwru)


@evaluate.command("cwru-unknown")
@click.option("--seeds", "n_seeds", default=3, show_default=True, type=click.IntRange(1), help="How often it learns.")
@measured
def evaluate_cwru_unknown(ctx: click.Context, /, *, n_seeds: int) -> dict[str, Any]:
    """How far probabilities of our network hold on CWRU, what it leaves unknown, and its int8 form."""
    settings_of(ctx)
    quiet_tensorflow()
    from edge.convert import to_tflite_int8
    from models.bearing.unknown import cwru_unknown

    with progress_bar("Evaluating", 100) as show:
        return cwru_unknown(
            data_root() / "cwru",
            quantise=to_tflite_int8,
            seeds=[SEED + i for i in range(n_seeds)],
            progress=lambda done, total: show(100 * done // total),
        )


evaluate.add_command(evaluate_femto)


@evaluate.command("false-alarms")
@click.option("--machines", default=20, show_default=True, type=click.IntRange(1), help="Simulated machines.")
@click.option("--windows", default=20_000, show_default=True, type=click.IntRange(1), help="Healthy windows of each.")
@click.option("--seed", default=SEED, show_default=True)
@measured
def evaluate_false_alarms(ctx: click.Context, /, *, machines: int, windows: int, seed: int) -> dict[str, Any]:
    """Healthy windows above thresholds that stand for a stated rate, simulated and on rigs at a load not learned."""
    settings_of(ctx)
    quiet_tensorflow()
    from edge.convert import to_tflite
    from models.false_alarms import simulated_false_alarms
    from models.left_out import cwru_left_out, gearbox_left_out

    with progress_bar("Simulating", machines) as show:
        figures = simulated_false_alarms(
            convert=to_tflite, seed=seed, machines=machines, windows=windows, progress=lambda done, _: show(done)
        )
    rigs = (("gearbox_spectraquest", gearbox_left_out), ("cwru", cwru_left_out))
    figures["left_out"] = []
    for folder, left_out in rigs:
        with progress_bar(f"Leaving out, {folder}", 100) as show:
            figures["left_out"] += left_out(
                data_root() / folder,
                convert=to_tflite,
                seed=seed,
                progress=_percent(show),
            )
    return figures


@evaluate.command("cmapss")
@click.option(
    "--subset",
    "subsets",
    multiple=True,
    type=click.Choice(["FD001", "FD002", "FD003", "FD004"]),
    help="May be repeated.  [default: all]",
)
@click.option(
    "--system",
    "systems",
    multiple=True,
    type=click.Choice(["ridge", "forest", "boosting", "boosting on our means", "babu", "ours"]),
    help="May be repeated.  [default: all]",
)
@click.option(
    "--seeds",
    default=5,
    show_default=True,
    type=click.IntRange(1),
    help="How often each system with chance is learned.",
)
@click.option("--seed", default=SEED, show_default=True, help="Of the first learning.")
@beside_option
@measured
def evaluate_cmapss(
    ctx: click.Context,
    /,
    *,
    subsets: tuple[str, ...],
    systems: tuple[str, ...],
    seeds: int,
    seed: int,
    beside: tuple[Path, ...],
) -> dict[str, Any]:
    """Remaining life of the C-MAPSS test units by Babu's network, ours with its intervals, and three baselines."""
    settings_of(ctx)
    quiet_tensorflow()
    from models.datasets.cmapss import NAMES
    from models.life.evaluation import SYSTEMS, beside_trees, evaluate_cmapss

    before = read_earlier(beside, command="raceway evaluate cmapss", same=("protocol", "seed"))
    with progress_bar("Evaluating", 100) as show:
        figures = evaluate_cmapss(
            data_root() / "cmapss",
            subsets=subsets or NAMES,
            systems=systems or SYSTEMS,
            seeds=seeds,
            seed=seed,
            progress=lambda done, total: show(100 * done // total),
        )
    for earlier in before:
        rows = earlier.joined(figures, key=("subset", "system"), order=SYSTEMS)
        figures["rows"] = beside_trees(sorted(rows, key=lambda row: row["subset"]))
    return figures


@evaluate.command("cmapss-int8")
@click.option("--seeds", "n_seeds", default=5, show_default=True, type=click.IntRange(1), help="How often it learns.")
@measured
def evaluate_cmapss_int8(ctx: click.Context, /, *, n_seeds: int) -> dict[str, Any]:
    """What our network of remaining life loses on C-MAPSS as the int8 form that a node runs, and its size."""
    settings_of(ctx)
    quiet_tensorflow()
    from edge.convert import to_tflite_int8
    from models.datasets.cmapss import NAMES
    from models.life.integer import cmapss_int8

    with progress_bar("Evaluating", 100) as show:
        return cmapss_int8(
            data_root() / "cmapss",
            quantise=to_tflite_int8,
            subsets=NAMES,
            seeds=[SEED + i for i in range(n_seeds)],
            progress=lambda done, total: show(100 * done // total),
        )


@evaluate.command("gearbox")
@click.option("--seeds", "n_seeds", default=3, show_default=True, type=click.IntRange(1), help="How often each learns.")
@measured
def evaluate_gearbox(ctx: click.Context, /, *, n_seeds: int) -> dict[str, Any]:
    """A broken gear tooth on loads that were not learned from, from inputs that need no sampling rate."""
    settings_of(ctx)
    from models.gear_state import gearbox_states

    with progress_bar("Comparing", 100) as show:
        return gearbox_states(
            data_root() / "gearbox_spectraquest",
            seeds=[SEED + i for i in range(n_seeds)],
            progress=lambda done, total: show(100 * done // total),
        )


@click.group()
def bench() -> None:
    """Measure speed, as ratios within one run."""


@bench.command("ingest")
@click.option(
    "--blocks", "n_blocks", default=20_000, show_default=True, type=click.IntRange(1000), help="In each phase."
)
@measured
def bench_ingest(ctx: click.Context, /, *, n_blocks: int) -> dict[str, Any]:
    """Blocks a second through Mosquitto into committed verdicts, beside a subscriber that only acknowledges."""
    settings_of(ctx)
    quiet_tensorflow()
    from app.bench import bench_ingest

    with progress_bar("Measuring", 100) as show:
        return bench_ingest(n_blocks=n_blocks, progress=show)


@bench.command("features")
@measured
def bench_features(ctx: click.Context, /) -> dict[str, Any]:
    """Cost of the feature profiles on one core, over one Fourier transform and over TSFEL in the same run."""
    settings_of(ctx)
    from app.bench_features import bench_features

    with progress_bar("Measuring", 100) as show:
        return bench_features(progress=show)
