"""The subcommand that compares what names bearing faults, in several processes and, if wanted, beside earlier rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from app.commands.beside import beside_option, read_earlier
from app.commands.context import data_root, settings_of, share_bar
from app.commands.figures import SEED, measured

__all__ = ["evaluate_cwru"]


@click.command("cwru")
@click.option(
    "--protocol", "protocols", multiple=True, help="size, noise, load, random; again for more.  [honest ones]"
)
@click.option("--system", "named", multiple=True, help="Such as ours, or random forest; again for more.  [all]")
@click.option("--seeds", "n_seeds", default=3, show_default=True, type=click.IntRange(1), help="How often each learns.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes, one thread each.")
@beside_option
@measured
def evaluate_cwru(
    ctx: click.Context,
    /,
    *,
    protocols: tuple[str, ...],
    named: tuple[str, ...],
    n_seeds: int,
    jobs: int,
    beside: tuple[Path, ...],
) -> dict[str, Any]:
    """Systems that name bearing faults, published and ours, on CWRU; splits that leak are measured if named."""
    settings_of(ctx)
    from app.workers import workers
    from models.bearing.comparison import beside_forest, cwru_comparison
    from models.bearing.protocols import HONEST
    from models.bearing.systems import systems

    before = read_earlier(beside, command="raceway evaluate cwru", same=("contract", "records"), keys=("protocols",))
    with share_bar("Comparing") as progress, workers(jobs) as executor:
        figures = cwru_comparison(
            data_root() / "cwru",
            protocols=protocols or HONEST,
            named=named,
            seeds=[SEED + i for i in range(n_seeds)],
            executor=executor,
            progress=progress,
        )
    described = {system.name: {"source": system.source, "published": system.published} for system in systems()}
    for earlier in before:
        # What a system is comes from the registry; only what it reached is kept.
        rows = earlier.joined(figures, key=("system", "protocol"), order=list(described))
        figures["rows"] = beside_forest([row | described[row["system"]] for row in rows])
        figures["protocols"] = earlier.figures["protocols"] | figures["protocols"]
    return figures
