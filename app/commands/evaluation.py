"""Subcommands that measure the models on public data."""

from __future__ import annotations

from typing import Any

import click

from app.commands.cmapss import evaluate_cmapss, evaluate_cmapss_int8
from app.commands.context import data_root, progress_bar, quiet_tensorflow, settings_of, share_bar
from app.commands.cwru import evaluate_cwru
from app.commands.femto import evaluate_degradation, evaluate_femto
from app.commands.figures import SEED, measured

__all__ = ["evaluate"]


@click.group()
def evaluate() -> None:
    """Measure the models on public data (RACEWAY_DATA says where it lies)."""


for command in (evaluate_cwru, evaluate_femto, evaluate_degradation, evaluate_cmapss, evaluate_cmapss_int8):
    evaluate.add_command(command)


@evaluate.command("cwru-anomaly")
@click.option("--seed", default=SEED, show_default=True)
@measured
def evaluate_cwru_anomaly(ctx: click.Context, /, *, seed: int) -> dict[str, Any]:
    """Autoencoder learned on healthy CWRU records of loads 0-2, tested on load 3 and on every fault."""
    settings_of(ctx)
    quiet_tensorflow()
    from edge.convert import to_tflite
    from models.evaluation import cwru_anomaly

    with share_bar("Evaluating") as progress:
        return cwru_anomaly(data_root() / "cwru", convert=to_tflite, seed=seed, progress=progress)


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
    with share_bar("Evaluating") as progress:
        return cwru_kind(data_root() / "cwru", diagnoser, progress=progress)


@evaluate.command("cwru-envelope")
@measured
def evaluate_cwru_envelope(ctx: click.Context, /) -> dict[str, Any]:
    """Fault kinds of the CWRU records from their envelope spectra alone, without any training."""
    settings_of(ctx)
    from models.envelope_rule import cwru_envelope

    with share_bar("Evaluating") as progress:
        return cwru_envelope(data_root() / "cwru", progress=progress)


@evaluate.command("cwru-unknown")
@click.option("--seeds", "n_seeds", default=3, show_default=True, type=click.IntRange(1), help="How often it learns.")
@measured
def evaluate_cwru_unknown(ctx: click.Context, /, *, n_seeds: int) -> dict[str, Any]:
    """How far probabilities of our network hold on CWRU, what it leaves unknown, and its int8 form."""
    settings_of(ctx)
    quiet_tensorflow()
    from edge.convert import to_tflite_int8
    from models.bearing.unknown import cwru_unknown

    with share_bar("Evaluating") as progress:
        return cwru_unknown(
            data_root() / "cwru",
            quantise=to_tflite_int8,
            seeds=[SEED + i for i in range(n_seeds)],
            progress=progress,
        )


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
        with share_bar(f"Leaving out, {folder}") as progress:
            figures["left_out"] += left_out(
                data_root() / folder,
                convert=to_tflite,
                seed=seed,
                progress=progress,
            )
    return figures


@evaluate.command("gearbox")
@click.option("--seeds", "n_seeds", default=3, show_default=True, type=click.IntRange(1), help="How often each learns.")
@measured
def evaluate_gearbox(ctx: click.Context, /, *, n_seeds: int) -> dict[str, Any]:
    """A broken gear tooth on loads that were not learned from, from inputs that need no sampling rate."""
    settings_of(ctx)
    from models.gear_state import gearbox_states

    with share_bar("Comparing") as progress:
        return gearbox_states(
            data_root() / "gearbox_spectraquest",
            seeds=[SEED + i for i in range(n_seeds)],
            progress=progress,
        )
