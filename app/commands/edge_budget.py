"""The subcommand that builds a whole node and tells what it costs."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.commands.context import data_root, quiet_tensorflow
from app.commands.figures import SEED, run_of

if TYPE_CHECKING:
    from edge.node.limits import NodeLimits
    from edge.node.measuring import NodeCost

__all__ = ["budget"]


@click.command()
@click.option(
    "--health", type=click.Path(path_type=Path), help="Network over features (.tflite, int8).  [default: own]"
)
@click.option("--kinds", type=click.Path(path_type=Path), help="Network over samples (.tflite, int8).  [default: own]")
@click.option("--budget", "limits", type=click.Path(path_type=Path), help="Limits.  [default: edge/budget.toml]")
@click.option("--seed", default=SEED, show_default=True, help="Of the weights of networks that are not given.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def budget(
    ctx: click.Context,
    /,
    *,
    health: Path | None,
    kinds: Path | None,
    limits: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Build the default node for an emulated Cortex-M4, run CWRU windows through it, and tell what it costs.

    2,048 samples at 12 kHz: front end, health, fault kinds, link. Exit code 2 if it exceeds [node] of the budget.
    """
    quiet_tensorflow()
    from app.edge_report import read_model
    from edge.budget import BUDGET_FILE
    from edge.emulator.toolchain import find_toolchain
    from edge.node.default import default_networks, default_windows
    from edge.node.factory import write_factory
    from edge.node.limits import check_node, read_node_limits
    from edge.node.measuring import NodeSetup, measure_node

    began_s = time.monotonic()
    allowed, toolchain, setup = read_node_limits(limits or BUDGET_FILE), find_toolchain(), NodeSetup()
    given = [None if path is None else read_model(path) for path in (health, kinds)]
    windows = default_windows(data_root() / "cwru", setup)
    if None in given:
        given = [a or b for a, b in zip(given, default_networks(windows, setup, seed=seed), strict=True)]
    with tempfile.TemporaryDirectory(prefix="raceway-budget-") as name:
        folder = Path(name)
        networks = write_factory(folder / "networks", health=given[0] or b"", kinds=given[1])
        cost = measure_node(setup, networks, windows, folder / "node", toolchain=toolchain)
    if as_json:
        click.echo(json.dumps(_figures(cost) | {"run": run_of(ctx.command_path, time.monotonic() - began_s)}, indent=1))
    else:
        click.echo(_table(cost, allowed))
    check_node(cost, allowed)


def _figures(cost: NodeCost) -> dict[str, object]:
    parts = {
        part: {
            "flash_bytes": cost.flash[part],
            "ram_bytes": cost.ram[part],
            "instructions": cost.instructions[part],
            "cycles": cost.cycles[part],
        }
        for part in cost.flash
    }
    counted = {"windows": cost.windows, "windows_in_alarm": cost.windows_in_alarm}
    return cost.totals | {"cycles_of_a_healthy_window": cost.cycles_watching, "parts": parts, **counted}


def _table(cost: NodeCost, limits: NodeLimits) -> str:
    head = f"{'part':<12}{'flash bytes':>14}{'RAM bytes':>14}{'instructions':>14}{'cycles':>14}"
    columns = (cost.flash, cost.ram, cost.instructions, cost.cycles)
    rows = [(part, *(column[part] for column in columns)) for part in cost.flash]
    rows.append(("all", *(sum(column.values()) for column in columns)))
    lines = [head, *(f"{name:<12}" + "".join(f"{number:>14,}" for number in numbers) for name, *numbers in rows)]
    ram = sum(cost.ram.values()) + cost.stack_bytes
    return "\n".join(
        [
            *lines,
            "",
            f"Of {cost.windows} windows, {cost.windows_in_alarm} beyond the threshold, the one that takes most cycles.",
            f"A window within it takes {cost.cycles_watching:,} cycles at most.",
            f"Flash {sum(cost.flash.values()):,} of {limits.flash_bytes:,} bytes.",
            f"RAM {ram:,} of {limits.ram_bytes:,} bytes, {cost.stack_bytes:,} of them stack.",
            f"Idle at 80 MHz {cost.idle_fraction:.1%}, {limits.idle_fraction:.1%} wanted.",
        ]
    )
