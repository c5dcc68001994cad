"""The subcommand that measures networks on an emulated node."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.commands.context import data_root, progress_bar, quiet_tensorflow, settings_of
from app.commands.figures import SEED, measured
from features.errors import ArtifactError

if TYPE_CHECKING:
    from edge.bench import Row
    from edge.curve import Measured, Repeat, Repeats
    from models.node_tasks.task import Task

__all__ = ["bench"]

_TASKS = ("M1", "M2", "M3")
_LISTS = ("rows", "deployed", "integral")


@click.command()
@click.option("--model", "models", multiple=True, type=click.Choice(_TASKS), help="Which networks.  [default: all]")
@click.option("--shape", "shapes", multiple=True, help="Blocks: 1x4, 2x4, 4x4.  [default: all]")
@click.option("--sparsity", "sparsities", multiple=True, type=click.FloatRange(0.0, 0.98), help="Share of zeros.")
@click.option("--seed", default=SEED, show_default=True)
@click.option("--seeds", default=None, type=click.IntRange(1), help="From how many a network is to hold.  [default: 3]")
@click.option("--integral/--no-integral", default=True, help="Whether activations are pruned too.")
@click.option("--deployed/--no-deployed", default=True, help="Whether the service's own networks are measured too.")
@click.option(
    "--beside",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Earlier figures; what is not measured now is taken from them.",
)
@measured
def bench(
    ctx: click.Context,
    /,
    *,
    models: Sequence[str],
    shapes: Sequence[str],
    sparsities: Sequence[float],
    seed: int,
    seeds: int | None,
    integral: bool,
    deployed: bool,
    beside: Sequence[Path],
) -> dict[str, Any]:
    """Train, prune, compile and run networks on an emulated Cortex-M4: what they cost and what they are still worth.

    Each point of the curve is trained on its own, and those that may stand for a network once more from other seeds;
    with all networks this takes about an hour on two cores.
    """
    settings_of(ctx)
    earlier = [_read(path) for path in beside]
    quiet_tensorflow()
    from edge.curve import SEEDS
    from edge.peer import read_peer

    wanted = [seed + i for i in range(seeds or SEEDS)]
    figures: dict[str, Any] = {"seeds": wanted, "rows": [], "deployed": [], "integral": [], "tasks": {}}
    for name in models or (() if beside else _TASKS):
        part = _measure(name, shapes, sparsities, seeds=wanted, integral=integral)
        for key in ("rows", "integral"):
            figures[key] += part[key]
        figures["tasks"][name] = part["task"]
    if deployed:
        figures["deployed"] = _deployed(seed)
    for part in earlier:
        _join(figures, part)
    _mark_chosen(figures["rows"], repeats=len(wanted) - 1)
    for key in _LISTS:
        figures[key].sort(key=lambda row: (str(row["model"]), row["variant"] != "dense", str(row["variant"])))
    peer = read_peer()
    return figures | {"peer": {name: asdict(cost) for name, cost in peer.models.items()}}


def _measure(
    name: str, shapes: Sequence[str], sparsities: Sequence[float], *, seeds: Sequence[int], integral: bool
) -> dict[str, Any]:
    from edge.curve import EXTRA, RECIPES, SHAPES, SPARSITIES, Repeats, chosen, measure_point, points
    from models.node_tasks.task import train
    from models.node_tasks.tasks import task as read_task

    task, recipe, seed = read_task(name, data_root()), RECIPES[name], seeds[0]
    with progress_bar(f"{name}, learning", task.epochs) as show:
        dense = train(task, seed=seed, progress=lambda done, _: show(done))
    extra = () if shapes or sparsities else EXTRA[name]
    wanted = points(shapes or SHAPES, sparsities or SPARSITIES, extra=extra)
    measured_points = []
    with progress_bar(f"{name}, points  ", len(wanted)) as show:
        for i, point in enumerate(wanted):
            one = measure_point(task, dense, point, recipe=recipe, seed=seed, progress=_silent)
            measured_points.append(one)
            show(i + 1)
    others = Repeats(task, recipe)
    with progress_bar(f"{name}, seeds   ", 1) as show:
        picked, made = chosen(measured_points, task, repeat=others, seeds=seeds[1:])
        show(1)
    return {
        "rows": [_as_json(one.row, made.get(one.point)) for one in measured_points],
        "task": {"data": task.data, "metric": task.metric, "recipe": asdict(recipe)},
        "integral": [_integral(task, picked, others, seeds=seeds)] if integral and picked else [],
    }


def _as_json(row: Row, repeats: Sequence[Repeat] | None) -> dict[str, Any]:
    return row.as_json() | ({} if repeats is None else {"repeats": [asdict(one) for one in repeats]})


def _deployed(seed: int) -> list[dict[str, Any]]:
    from edge.convert import to_tflite
    from models.node_tasks.deployed import learned_baseline, learned_kinds

    with progress_bar("Deployed   ", 2) as show:
        rows = [_deployed_row(*learned_baseline(data_root() / "cwru", convert=to_tflite, seed=seed), seed=seed)]
        show(1)
        rows.append(_deployed_row(*learned_kinds(convert=to_tflite, seed=seed), seed=seed))
        show(2)
    return rows


def _deployed_row(task: Task, model: Any, *, seed: int) -> dict[str, Any]:
    """A network of the service is held to the budget of a node, where a curve may pass it."""
    from edge.bench import Variant, measure
    from edge.curve import dense_of, quantised

    variant, reached = Variant("dense", 0.0), dense_of(task, model)
    name = task.name.replace(" ", "_")
    row = measure(
        quantised(model, task, dense_per_channel=True),
        task,
        name=task.name,
        variant=variant,
        dense=reached,
        seed=seed,
        budget=name,
    )
    return row.as_json() | {"data": task.data}


def _integral(task: Task, picked: Measured, repeats: Repeats, *, seeds: Sequence[int]) -> dict[str, Any]:
    from edge.curve import prune_both

    with progress_bar(f"{task.name}, activations", 1) as show:
        figures = prune_both(task, picked, repeats=repeats, seeds=seeds, progress=_silent)
        show(1)
    return figures


def _silent(text: str) -> None:
    del text


def _read(path: Path) -> dict[str, Any]:
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
        return {key: figures[key] for key in (*_LISTS, "tasks", "run")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} holds no figures of this command ({error!r}); measure them again") from error


def _join(figures: dict[str, Any], earlier: dict[str, Any]) -> None:
    """Take what the figures lack, with the run that measured it."""
    for key in _LISTS:
        present = {_key(row) for row in figures[key]}
        figures[key] += [{"run": earlier["run"]} | row for row in earlier[key] if _key(row) not in present]
    figures["tasks"] = earlier["tasks"] | figures["tasks"]


def _key(row: dict[str, Any]) -> tuple[str, ...]:
    """What tells rows apart; of both prunings there is one row a model."""
    return (row["model"],) if "computation_saved" in row else (row["model"], row["variant"])


def _mark_chosen(rows: list[dict[str, Any]], *, repeats: int) -> None:
    """Mark of each model the cheapest pruned row that keeps the metric on the validation part, over all seeds."""
    for row in rows:
        row.pop("chosen", None)
    for model in {row["model"] for row in rows}:
        kept = [row for row in rows if row["model"] == model and row["shape"] != "dense" and _holds(row, repeats)]
        if kept:
            min(kept, key=lambda row: int(row["cycles"]))["chosen"] = True


def _holds(row: dict[str, Any], repeats: int) -> bool:
    """Whether a row was made from as many seeds as are wanted and keeps the metric from the first and over all."""
    from edge.curve import holds

    better = row["metric_name"] != "RMSE"
    validated = [(one["validation"], one["validation_dense_float"]) for one in (row, *row.get("repeats", []))]
    return (
        len(validated) > repeats
        and holds(validated[:1], larger_is_better=better)
        and holds(validated, larger_is_better=better)
    )
