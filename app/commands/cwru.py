"""The subcommand that compares what names bearing faults, in several processes and, if wanted, beside earlier rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from app.commands.context import data_root, progress_bar, settings_of
from app.commands.figures import SEED, measured
from features.errors import ArtifactError

__all__ = ["evaluate_cwru"]


@click.command("cwru")
@click.option(
    "--protocol", "protocols", multiple=True, help="size, noise, load, random; again for more.  [honest ones]"
)
@click.option("--system", "named", multiple=True, help="Such as ours, or random forest; again for more.  [all]")
@click.option("--seeds", "n_seeds", default=3, show_default=True, type=click.IntRange(1), help="How often each learns.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes, one thread each.")
@click.option(
    "--beside",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Earlier figures; rows of systems that are not measured now are taken from them.",
)
@measured
def evaluate_cwru(
    ctx: click.Context,
    /,
    *,
    protocols: tuple[str, ...],
    named: tuple[str, ...],
    n_seeds: int,
    jobs: int,
    beside: Path | None,
) -> dict[str, Any]:
    """Systems that name bearing faults, published and ours, on CWRU; splits that leak are measured if named."""
    settings_of(ctx)
    from app.workers import workers
    from models.bearing.comparison import beside_forest, cwru_comparison
    from models.bearing.protocols import HONEST

    # Read first: an hour of measuring is not to end at a file that cannot be read.
    earlier = None if beside is None else _read(beside)
    with progress_bar("Comparing", 100) as show, workers(jobs) as executor:
        figures = cwru_comparison(
            data_root() / "cwru",
            protocols=protocols or HONEST,
            named=named,
            seeds=[SEED + i for i in range(n_seeds)],
            executor=executor,
            progress=lambda done, total: show(100 * done // total),
        )
    if earlier is not None:
        figures["rows"] = beside_forest(_joined(figures, earlier))
        figures["protocols"] = earlier["protocols"] | figures["protocols"]
    return figures


def _read(path: Path) -> dict[str, Any]:
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
        return {key: figures[key] for key in ("rows", "protocols", "contract", "records", "run")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({error!r}); give a file that `raceway evaluate cwru` wrote"
        ) from error


def _joined(figures: dict[str, Any], earlier: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of now, and earlier ones where there is none and the system still exists, in the order of the registry."""
    from models.bearing.systems import systems

    for key in ("contract", "records"):
        if figures[key] != earlier[key]:
            raise ArtifactError(f"the earlier figures have another {key} than these; measure all systems again")
    order = [system.name for system in systems()]
    measured_now = {(row["system"], row["protocol"]) for row in figures["rows"]}
    kept = [
        row | {"run": row.get("run", earlier["run"])}
        for row in earlier["rows"]
        if (row["system"], row["protocol"]) not in measured_now and row["system"] in order
    ]
    return sorted([*figures["rows"], *kept], key=lambda row: order.index(row["system"]))
