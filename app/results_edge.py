"""The page of what networks cost on an emulated node, from measured figures; refuses figures that it cannot read."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.edge_plots import plot_name
from app.edge_rows import (
    Aim,
    best_row,
    change,
    dense_aims,
    dense_row,
    integral_aim,
    is_error,
    key_of,
    metric_text,
    models_of,
    pruned_aims,
    rows_of,
)
from app.edge_words import (
    CURVES,
    DENSE,
    DEPLOYED,
    FORMATS,
    INTEGRAL,
    LIMITS,
    METHOD,
    NONE_KEEPS,
    OTHERS,
    PICKED,
    PRUNED,
    SEEDS,
    TITLE,
)
from app.results_cwru import run_line
from edge.peer import read_peer
from features.errors import ArtifactError

__all__ = ["COMMAND", "edge_page", "read_edge_results"]

Row = Mapping[str, Any]

COMMAND = "raceway edge bench"
_COSTS = ("instructions", "cycles", "flash_bytes", "model_bytes", "ram_bytes", "stack_bytes")
_COST_TITLES = ("instructions", "cycles", "flash B", "of it model B", "RAM B", "stack B")


def read_edge_results(path: Path) -> dict[str, Any]:
    """Read what `raceway edge bench` wrote.

    Raises
    ------
    ArtifactError
        If the file cannot be read or is no JSON object.
    """
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}; measure with `{COMMAND}`") from error
    except ValueError as error:
        raise ArtifactError(f"{path} is no JSON: {error}; measure again with `{COMMAND}`") from error
    if not isinstance(results, dict):
        raise ArtifactError(f"{path} holds no figures; measure again with `{COMMAND}`")
    return results


def edge_page(results: Mapping[str, Any]) -> str:
    """Render the page.

    Parameters
    ----------
    results : mapping
        As `raceway edge bench` wrote them: ``rows``, ``deployed``, ``peer``, ``tasks``, ``integral`` and ``run``.

    Returns
    -------
    str
        Markdown.

    Raises
    ------
    ArtifactError
        If a figure is missing or of another type.
    """
    try:
        parts = [
            TITLE,
            METHOD.format(peer=read_peer().source),
            _tasks(results["tasks"]),
            *_dense(results),
            *_pruned(results),
            *_curves(results),
            *_integral(results),
            *_deployed(results),
            FORMATS,
            LIMITS,
            f"`{COMMAND}`. {run_line(_whole_run(results))}",
        ]
    except (ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise ArtifactError(f"the edge figures cannot be shown ({error!r}); measure again with `{COMMAND}`") from error
    return "\n\n".join(part for part in parts if part) + "\n"


def _whole_run(results: Mapping[str, Any]) -> Mapping[str, Any]:
    """The last run, with the time of all runs whose rows are here."""
    last = results.get("run") or results["measured"]
    earlier = [row["run"] for key in ("rows", "deployed", "integral") for row in results[key] if "run" in row]
    apart = [run for i, run in enumerate(earlier) if run not in earlier[:i]]
    return {**last, "duration_s": last["duration_s"] + sum(run["duration_s"] for run in apart)}


def _tasks(tasks: Mapping[str, Row]) -> str:
    lines = [f"- {name}: {task['data']}" for name, task in sorted(tasks.items())]
    return "\n".join(["## What the networks learn", "", *lines])


def _dense(results: Mapping[str, Any]) -> list[str]:
    rows, aims = [], []
    for model, own, peer in _with_peer(results):
        dense = dense_row(own)
        if dense is None:
            raise ValueError(f"no dense row of {model}")
        rows.append([model, "Raceway", *_costs(dense), _named(dense), _in_floats(dense), _equal(dense)])
        theirs = [peer["instructions"], peer["cycles"], peer["flash_bytes"], peer["model_bytes"], peer["arena_bytes"]]
        rows.append([model, "TFLite Micro", *(f"{figure:,}" for figure in theirs), *[""] * 4])
        aims += dense_aims(dense, peer)
    titles = ["model", "runtime", *_COST_TITLES, "metric", "in floats", "equal vectors"]
    return [DENSE, _table(titles, rows, texts=2), _aims(aims)]


def _pruned(results: Mapping[str, Any]) -> list[str]:
    rows, aims, picked, none, others = [], [], [], [], []
    for model, own, peer in _with_peer(results):
        found = best_row(own)
        if found is None:
            none.append(model)
            continue
        row, chosen = found
        fewer = [f"{peer[name] / row[name]:.2f}" for name in ("instructions", "cycles")]
        saved = f"{1.0 - row['model_bytes'] / peer['model_bytes']:.1%}"
        costs = [*_costs(row)[:2], *fewer, f"{row['model_bytes']:,}", saved]
        rows.append([model, row["variant"], *costs, _named(row), _worse(row), _equal(row)])
        aims += pruned_aims(row, peer)
        others += _others(model, own, row, peer)
        picked += [] if chosen else [model]
    titles = ["model", "variant", "instructions", "cycles", "fewer instructions", "fewer cycles", "model B", "saved"]
    table = _table([*titles, "metric", "worse by", "equal vectors"], rows, texts=2)
    said = [
        textwrap.fill(text.format(models=_listed(models)), 120)
        for text, models in ((PICKED, picked), (NONE_KEEPS, none))
        if models
    ]
    return [PRUNED, table, *said, _aims(aims), *others, *_seeds(results["rows"])]


def _seeds(rows: Sequence[Row]) -> list[str]:
    """What the rows that were trained from several seeds reach from each."""
    repeated = [row for row in rows if row.get("repeats")]
    lines = [
        [str(row["model"]), row["variant"], str(seed), _named(one), _in_floats(one), _worse(one), _worse(_unseen(one))]
        for row in repeated
        for seed, one in enumerate([row, *({**row, **again} for again in row["repeats"])], start=1)
    ]
    titles = ["model", "variant", "seed", "metric", "dense in floats", "worse by", "worse by, validation"]
    return [SEEDS, _table(titles, lines, texts=2)] if lines else []


def _in_floats(row: Row) -> str:
    return metric_text({**row, "metric": row["metric_dense_float"]})


def _unseen(row: Row) -> Row:
    """The row with its figures on the validation part."""
    return {**row, "metric": row["validation"], "metric_dense_float": row["validation_dense_float"]}


def _others(model: str, own: Sequence[Row], row: Row, peer: Row) -> list[str]:
    """Where the row that was chosen misses an aim, those that meet all of them."""
    if all(aim.met for aim in pruned_aims(row, peer)):
        return []
    pruned = [one for one in own if one["shape"] != "dense"]
    met = [str(one["variant"]) for one in pruned if all(aim.met for aim in pruned_aims(one, peer))]
    if not met:
        return [f"No row of {model} meets all three."]
    return [textwrap.fill(OTHERS.format(model=model, variants=_listed(met)), 120)]


def _curves(results: Mapping[str, Any]) -> list[str]:
    parts = [CURVES]
    for model in models_of(results["rows"]):
        own = rows_of(results["rows"], model)
        named, peer = str(own[0]["metric_name"]), results["peer"].get(model)
        most = None if peer is None else peer["cycles"]
        what = f"{named} and cycles of {model} against the share of weights that are zero"
        titles = ["variant", *_COST_TITLES, "fewer cycles than TFLite Micro", named, "worse by", "equal vectors"]
        rows = [[row["variant"], *_costs(row), _times(most, row["cycles"]), *_metric(row)] for row in own]
        parts += [f"### {own[0]['model']}", f"![{what}](results/{plot_name(model)})", _table(titles, rows, texts=1)]
        parts.append(_operators(model, own))
    return parts


def _operators(model: str, own: Sequence[Row]) -> str:
    """Folded tables of what each operator costs, of the dense row and the one that stands for the pruned model."""
    best = best_row(own)
    shown = [row for row in (dense_row(own), best[0] if best else None) if row is not None]
    return "\n\n".join(
        f"<details><summary>Operators of {model}, {row['variant']}</summary>\n\n{_operator_table(row)}\n\n</details>"
        for row in shown
    )


def _operator_table(row: Row) -> str:
    lines = [
        [f"{i:02d} {name}", f"{executed:,}", f"{cycles:,}", f"{cycles / row['cycles']:.1%}"]
        for i, (name, executed, cycles) in enumerate(row["operators"])
    ]
    return _table(["operator", "instructions", "cycles", "share"], lines, texts=1)


def _integral(results: Mapping[str, Any]) -> list[str]:
    titles = ["model", "weights saved", "with ReLU's own zeros", "activations active", "computation saved"]
    titles += ["metric", "worse by", "weights alone worse by"]
    titles += [
        "blocks with no activation",
        "times fewer if all of it counted",
        "times fewer cycles than dense",
        "cycles",
    ]
    lines = [_integral_line(row, rows_of(results["rows"], key_of(row))) for row in results["integral"]]
    aims = [integral_aim(row) for row in results["integral"] if row["metric"] is not None]
    return [INTEGRAL, _table(titles, lines, texts=1), _aims(aims), _integral_seeds(results["integral"])]


def _integral_seeds(rows: Sequence[Row]) -> str:
    """What both prunings save and lose from each seed."""
    lines = [
        [key_of(row), str(seed), f"{one['computation_saved']:.1%}", _named(one), _in_floats(one), _worse(one)]
        for row in rows
        if row.get("repeats")
        for seed, one in enumerate([row, *({**row, **again} for again in row["repeats"])], start=1)
    ]
    titles = ["model", "seed", "computation saved", "metric", "dense", "worse by"]
    return _table(titles, lines, texts=1) if lines else ""


def _integral_line(row: Row, own: Sequence[Row]) -> list[str]:
    dense = dense_row(own)
    named = {"metric_name": "" if dense is None else dense["metric_name"], **row}
    names = ("weights_saved", "computation_saved_before", "activations_active", "computation_saved")
    shares = [f"{row[name]:.1%}" for name in names]
    asked = f"{1.0 - row['left_by_group'] / row['left_by_block']:.1%}"
    possible = _times(1.0, 1.0 - row["computation_saved"])
    gained = "" if dense is None else _times(dense["cycles"], row["cycles"])
    cycles = "" if row["cycles"] is None else f"{row['cycles']:,}"
    weights = _worse({**named, "metric": row.get("metric_weights_only")})
    return [key_of(row), *shares, _named(named), _worse(named), weights, asked, possible, gained, cycles]


def _deployed(results: Mapping[str, Any]) -> list[str]:
    if not results["deployed"]:
        return []
    lines = [[row["model"], row["variant"], *_costs(row), _named(row), _equal(row)] for row in results["deployed"]]
    data = "\n".join(f"- {row['model']}: {row['data']}" for row in results["deployed"])
    return [DEPLOYED, data, _table(["model", "variant", *_COST_TITLES, "metric", "equal vectors"], lines, texts=2)]


def _with_peer(results: Mapping[str, Any]) -> Iterable[tuple[str, list[Row], Row]]:
    for model in models_of(results["rows"]):
        if model in results["peer"]:
            yield model, rows_of(results["rows"], model), results["peer"][model]


def _costs(row: Row) -> list[str]:
    return [f"{row[name]:,}" for name in _COSTS]


def _times(most: float | None, cost: float | None) -> str:
    return "" if most is None or cost is None else f"{most / cost:.2f}"


def _metric(row: Row) -> list[str]:
    return [metric_text(row), _worse(row), _equal(row)]


def _named(row: Row) -> str:
    return "" if row["metric"] is None else f"{row['metric_name']} {metric_text(row)}"


def _worse(row: Row) -> str:
    """How much worse than the dense model in floats; below zero it is better."""
    if row["metric"] is None or row["metric_dense_float"] is None:
        return ""
    lost = 100.0 * change(row)
    return f"{lost:+.2f} %" if is_error(row) else f"{lost:+.2f} points"


def _equal(row: Row) -> str:
    return "" if row["bit_equal_vectors"] is None else f"{row['bit_equal_vectors']:,}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _aims(aims: Sequence[Aim]) -> str:
    lines = [[aim.model, aim.what, aim.wanted, aim.reached, "met" if aim.met else "missed"] for aim in aims]
    return _table(["model", "figure", "aim", "reached", ""], lines, texts=2) if lines else ""


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int) -> str:
    """A table whose first columns are texts and whose others are figures."""
    if not rows:
        return "Not measured yet."
    rule = ["---" if i < texts else "---:" for i in range(len(titles))]
    return "\n".join("| " + " | ".join(line) + " |" for line in (titles, rule, *rows))
