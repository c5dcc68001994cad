"""What rows of measured edge models say beside the peer and the aims; a row that lacks a figure is a `KeyError`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

__all__ = [
    "SHAPES",
    "Aim",
    "best_row",
    "change",
    "dense_aims",
    "dense_row",
    "integral_aim",
    "is_error",
    "keeps_metric",
    "key_of",
    "metric_text",
    "models_of",
    "over_seeds",
    "pruned_aims",
    "rows_of",
    "worst_metric",
]

Row = Mapping[str, Any]

SHAPES = ("1x4", "2x4", "4x4")
# What a pruned model may lose against the dense one in floats: half a point of a share, 2 % of an error.
_POINTS, _ERROR_SHARE = 0.005, 0.02
_ROUNDING = 1e-9
_DENSE_INSTRUCTIONS = {"M1": 420_000}
_BEYOND_BYTES = 6 * 1024
# By model: what is counted, how many times less than the peer's it is to be, and the share of bytes saved.
_PRUNED = {"M1": ("instructions", 5.0, 0.88), "M2": ("cycles", 3.54, 0.8), "M3": ("cycles", 3.54, 0.8)}


@dataclass(frozen=True)
class Aim:
    """Something that was aimed at: of what, the aim and what was reached in words, and whether it is met."""

    model: str
    what: str
    wanted: str
    reached: str
    met: bool


def models_of(rows: Sequence[Row]) -> list[str]:
    """Names of the models, M1 first, each once: the first word of a row's ``model``."""
    return sorted({key_of(row) for row in rows})


def rows_of(rows: Sequence[Row], model: str) -> list[Row]:
    """Rows of one model, in their order."""
    return [row for row in rows if key_of(row) == model]


def key_of(row: Row) -> str:
    """The short name of a row's model."""
    return str(row["model"]).split()[0]


def dense_row(rows: Sequence[Row]) -> Row | None:
    """The row of the model as it was trained, without a weight taken out."""
    return next((row for row in rows if row["shape"] == "dense"), None)


def is_error(row: Row) -> bool:
    """Whether its metric is an error, of which less is better."""
    return "RMSE" in str(row["metric_name"]).upper()


def change(row: Row) -> float:
    """How much worse a row is than its dense model in floats: a share of the error, or of 1.

    Examples
    --------
    >>> round(change({"metric_name": "AUC", "metric": 0.93, "metric_dense_float": 0.94}), 3)
    0.01
    >>> round(change({"metric_name": "RMSE", "metric": 20.4, "metric_dense_float": 20.0}), 3)
    0.02
    """
    metric, dense = float(row["metric"]), float(row["metric_dense_float"])
    return metric / dense - 1.0 if is_error(row) else dense - metric


def worst_metric(row: Row) -> float:
    """The metric at which a model has lost as much as it may."""
    dense = float(row["metric_dense_float"])
    return dense * (1.0 + _ERROR_SHARE) if is_error(row) else dense - _POINTS


def keeps_metric(row: Row) -> bool:
    """Whether a row loses no more than it may."""
    return change(row) <= (_ERROR_SHARE if is_error(row) else _POINTS) + _ROUNDING


def best_row(rows: Sequence[Row]) -> tuple[Row, bool] | None:
    """The row that stands for a pruned model, and whether it was chosen before its test figures were known.

    Parameters
    ----------
    rows : sequence of mapping
        Of one model.

    Returns
    -------
    (mapping, bool) or None
        The row marked ``chosen``, else the one that costs least of those that keep the metric. None where no row is
        pruned, or none keeps it.
    """
    pruned = [row for row in rows if row["shape"] != "dense" and row["sparsity"] > 0.0]
    chosen = [row for row in pruned if row.get("chosen")]
    if chosen:
        return chosen[0], True
    counted = _PRUNED.get(key_of(rows[0]), ("cycles",))[0] if rows else "cycles"
    kept = [row for row in pruned if keeps_metric(row)]
    return (min(kept, key=lambda row: float(row[counted])), False) if kept else None


def over_seeds(row: Row) -> Row:
    """The row with the means of its metric, and of the dense networks', over all seeds that it was made from.

    Examples
    --------
    >>> again = [{"metric": 0.92, "metric_dense_float": 0.95}]
    >>> row = over_seeds({"metric": 0.94, "metric_dense_float": 0.93, "repeats": again})
    >>> round(row["metric"], 3), round(row["metric_dense_float"], 3)
    (0.93, 0.94)
    """
    made = [row, *row.get("repeats", ())]
    means = {name: sum(float(one[name]) for one in made) / len(made) for name in ("metric", "metric_dense_float")}
    return {**row, **means}


def dense_aims(row: Row, peer: Row) -> list[Aim]:
    """What a dense model was to reach beside the peer."""
    model = key_of(row)
    counted, most, words = "cycles", int(peer["cycles"]) - 1, f"fewer than {peer['cycles']:,}"
    if model in _DENSE_INSTRUCTIONS:
        counted, most = "instructions", _DENSE_INSTRUCTIONS[model]
        words = f"at most {most:,}"
    beyond = row["flash_bytes"] - row["model_bytes"]
    return [
        Aim(model, counted, words, f"{row[counted]:,}", row[counted] <= most),
        Aim(model, "flash beyond the model", f"at most {_BEYOND_BYTES:,} B", f"{beyond:,} B", beyond <= _BEYOND_BYTES),
        Aim(
            model,
            "RAM",
            f"at most {peer['arena_bytes']:,} B",
            f"{row['ram_bytes']:,} B",
            row["ram_bytes"] <= peer["arena_bytes"],
        ),
    ]


def pruned_aims(row: Row, peer: Row) -> list[Aim]:
    """What a pruned model was to reach beside the peer; its metric is the mean over seeds where it has several."""
    model = key_of(row)
    if model not in _PRUNED:
        return []
    counted, times, share = _PRUNED[model]
    fewer = peer[counted] / row[counted]
    saved = 1.0 - row["model_bytes"] / peer["model_bytes"]
    return [
        Aim(model, counted, f"{times:g} times fewer", f"{fewer:.2f} times fewer", fewer >= times),
        Aim(model, "model bytes", f"{share:.0%} fewer", f"{saved:.1%} fewer", saved >= share),
        _metric_aim(row),
    ]


def integral_aim(row: Row) -> Aim:
    """That a network with pruned weights and activations keeps its metric."""
    aim = _metric_aim(row)
    return replace(aim, what=f"{aim.what}, both prunings")


def _metric_aim(row: Row) -> Aim:
    mean, seeds = over_seeds(row), len(row.get("repeats", ())) + 1
    reached = metric_text(mean) + (f" in the mean of {seeds} seeds" if seeds > 1 else "")
    return Aim(key_of(row), str(row["metric_name"]), f"at worst {_limit(mean)}", reached, keeps_metric(mean))


def metric_text(row: Row) -> str:
    """A row's metric as it is read: a share in percent, an error as a number."""
    return "" if row["metric"] is None else _metric(row, float(row["metric"]))


def _limit(row: Row) -> str:
    return _metric(row, worst_metric(row))


def _metric(row: Row, value: float) -> str:
    return f"{value:.2f}" if is_error(row) else f"{value:.2%}"
