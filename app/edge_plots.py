"""Curves of what pruning costs and gains, as SVG that is the same for the same figures; refuses without matplotlib."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.edge_rows import SHAPES, dense_row, is_error, models_of, rows_of, worst_metric
from app.palette import BLUE, GREEN, GREY, ORANGE, PURPLE
from features.errors import ArtifactError, ParameterError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["edge_plot", "plot_name", "write_edge_plots"]

Row = Mapping[str, Any]

# Colour-blind safe, and told apart by their markers too.
_LINES = {"1x4": (BLUE, "o", "-"), "2x4": (ORANGE, "s", "-"), "4x4": (GREEN, "^", "-"), "mixed": (PURPLE, "D", ":")}
_INCHES = (8.0, 6.6)  # 768 px wide where a page shows it, at SVG's 72 points an inch
_TIMES = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0)
_SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "raceway",
    "svg.fonttype": "none",
    "font.size": 10.0,
    "font.family": ["DejaVu Sans"],
}


def plot_name(model: str) -> str:
    """File name of a model's plot, such as ``edge-m1.svg``."""
    return f"edge-{model.lower()}.svg"


def write_edge_plots(results: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the plot of each model.

    Parameters
    ----------
    results : mapping
        As ``edge.json`` has them.
    folder : Path
        There already.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    ArtifactError
        If a figure is missing.
    ParameterError
        If matplotlib is not installed, or a file cannot be written.
    """
    drawn = {folder / plot_name(model): edge_plot(results, model) for model in models_of(results["rows"])}
    for path, text in drawn.items():
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ParameterError(f"the plot cannot be written to {path}: {error.strerror}") from error
    return list(drawn)


def edge_plot(results: Mapping[str, Any], model: str) -> str:
    """Draw the metric and the cycles of one model against its sparsity, a line for each block shape.

    Parameters
    ----------
    results : mapping
        As ``edge.json`` has them.
    model : str
        M1, M2 or M3.

    Returns
    -------
    str
        SVG, 768 px wide.

    Raises
    ------
    ArtifactError
        If the model has no dense row, or a figure is missing.
    ParameterError
        If matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError:
        raise ParameterError(
            "a plot wants matplotlib, which is not installed; pip install 'raceway[console]'"
        ) from None
    text = io.StringIO()
    with rc_context(_SETTINGS):
        figure = Figure(figsize=_INCHES, layout="constrained", facecolor="white")
        FigureCanvasSVG(figure)
        try:
            _draw(figure, rows_of(results["rows"], model), results["peer"].get(model))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"the figures of {model} cannot be drawn ({error!r}); measure again") from error
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()


def _draw(figure: Figure, rows: Sequence[Row], peer: Row | None) -> None:
    dense = dense_row(rows)
    if dense is None:
        raise ValueError("no dense row")
    upper, lower = figure.subplots(2, 1, sharex=True)
    scale = 1.0 if is_error(dense) else 100.0
    most = float(dense["cycles"] if peer is None else peer["cycles"])
    for shape in (*SHAPES, "mixed"):
        line = sorted((row for row in rows if row["shape"] == shape), key=lambda row: float(row["sparsity"]))
        if shape in SHAPES and line and line[0]["sparsity"] > 0.0:
            line = [dense, *line]
        colour, marker, dashes = _LINES[shape]
        style = {"color": colour, "marker": marker, "linestyle": dashes, "label": _label(shape)}
        if line:
            sparsity = [100.0 * row["sparsity"] for row in line]
            upper.plot(sparsity, [scale * row["metric"] for row in line], **style)
            lower.plot(sparsity, [most / row["cycles"] for row in line], **style)
    above, below = ("bottom", "top") if not is_error(dense) else ("top", "bottom")
    _mark(upper, scale * float(dense["metric_dense_float"]), "dense, floats", "-", above)
    _mark(upper, scale * worst_metric(dense), "most allowed", "--", below)
    _mark(lower, most / float(dense["cycles"]), "dense, ours", "--", "bottom")
    if peer is not None:
        _mark(lower, 1.0, "TFLite Micro", "-", "top")
    _name_axes(upper, lower, dense)
    handles, labels = upper.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(handles) or 1, frameon=False)


def _label(shape: str) -> str:
    return "mixed" if shape == "mixed" else f"blocks of {shape}"


def _name_axes(upper: Axes, lower: Axes, dense: Row) -> None:
    better = "lower is better" if is_error(dense) else "%, higher is better"
    upper.set(ylabel=f"{dense['metric_name']} ({better})")
    upper.set_title(str(dense["model"]), loc="left", fontsize=11)
    lower.set(xlabel="weights that are zero (%)", ylabel="times fewer cycles", xlim=(-2.0, 100.0), yscale="log")
    least, most = lower.get_ylim()
    lower.set_yticks(
        shown := [tick for tick in _TIMES if least <= tick <= most], labels=[f"{tick:g}" for tick in shown]
    )
    lower.minorticks_off()
    for axes in (upper, lower):
        axes.grid(visible=True, color=GREY, alpha=0.2)
        axes.spines[["top", "right"]].set_visible(False)


def _mark(axes: Axes, level: float, words: str, dashes: str, side: str) -> None:
    """A line of reference with its name beside the axes, above or below the line's end."""
    axes.axhline(level, color=GREY, linewidth=1.2, linestyle=dashes, zorder=1.0)
    axes.annotate(words, (1.005, level), xycoords=("axes fraction", "data"), ha="left", va=side, fontsize=9)
