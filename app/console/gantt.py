"""What falls due as bars over time: from the earliest to the latest day, the likely one marked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from app.console.charts import new_figure
from app.console.words import local_times, zone_name
from app.maintenance import Duty
from app.palette import BLUE, GREY, ORANGE

__all__ = ["due_chart"]

_ROW, _AROUND = 26, 150
_NAME = 32


def due_chart(duties: Sequence[Duty], *, now_ns: int, until_ns: int) -> go.Figure:
    """Draw a bar for each, the first on top.

    Parameters
    ----------
    duties : sequence of Duty
    now_ns, until_ns : int
        Edges of the time that is shown; a bar without a known end goes to the right edge.
    """
    # A machine may have several, and a bar needs a row of its own.
    rows = [f"{i + 1}. {_short(one.name)}" for i, one in enumerate(duties)]
    figure = new_figure(key="due", height=_AROUND + _ROW * len(rows), x=f"time ({zone_name()})", y="")
    for forecast, name, colour, symbol, dash in (
        (True, "forecast: earliest to latest, likely", ORANGE, "diamond", "solid"),
        (False, "to be done by", BLUE, "line-ns-open", "dot"),
    ):
        own = [(row, one) for row, one in zip(rows, duties, strict=True) if one.forecast == forecast]
        if own:
            _bars(figure, own, name, colour, symbol, dash, until_ns=until_ns)
    edges = [str(time) for time in local_times(np.array([now_ns, until_ns]))]
    figure.add_vline(x=edges[0], line={"color": GREY, "dash": "dash", "width": 1})
    # Below, where neither the buttons above the chart nor a phone's narrow screen push it over the bars.
    legend = {"yref": "container", "y": 0.0, "yanchor": "bottom"}
    figure.update_layout(hovermode="closest", margin={"b": 90}, legend=legend)
    figure.update_xaxes(range=edges, tickangle=0, nticks=4)
    figure.update_yaxes(categoryorder="array", categoryarray=rows[::-1], automargin=True, fixedrange=True)
    return figure


def _short(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"


def _bars(
    figure: go.Figure,
    own: Sequence[tuple[str, Duty]],
    name: str,
    colour: str,
    symbol: str,
    dash: str,
    *,
    until_ns: int,
) -> None:
    ends = [until_ns if one.latest_ns is None else min(one.latest_ns, until_ns) for _, one in own]
    first = local_times(np.array([one.earliest_ns for _, one in own]))
    last, likely = local_times(np.array(ends)), local_times(np.array([one.likely_ns for _, one in own]))
    figure.add_scatter(
        x=[value for pair in zip(first, last, strict=True) for value in (str(pair[0]), str(pair[1]), None)],
        y=[value for row, _ in own for value in (row, row, None)],
        mode="lines",
        line={"color": colour, "width": 7, "dash": dash},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_scatter(
        x=[str(time) for time in likely],
        y=[row for row, _ in own],
        mode="markers",
        marker={"symbol": symbol, "size": 12, "color": colour, "line": {"width": 3, "color": colour}},
        name=name,
        text=[f"{one.advice.what}: {one.why}" for _, one in own],
        hovertemplate="%{y}<br>%{text}<br>%{x}<extra></extra>",
    )
