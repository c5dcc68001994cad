"""Charts renewed in place: Streamlit makes its own Plotly element anew with each change of data, and that flickers."""

from __future__ import annotations

import functools
import shutil
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st
import streamlit.components.v1 as components

__all__ = ["Click", "new_click", "plot"]


@dataclass(frozen=True)
class Click:
    """A point of a chart that the reader clicked: where it stands, and the `customdata` that its trace has for it."""

    x: float | str
    y: float | None
    custom: float | None


def plot(figure: go.Figure, *, key: str, clicks: bool = False) -> None:
    """Show a figure; another figure under the same key is drawn into the same chart.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        With a height and an `uirevision`, so that the reader's zoom survives.
    key : str
        Which chart of the page it is.
    clicks : bool
        Whether a click on a point runs the page again, for `new_click` to tell.
    """
    _component()(figure=figure.to_json(), clicks=clicks, key=key, default=None)


def new_click(key: str) -> Click | None:
    """Give the click on the chart under a key that no one was told of yet, or None.

    To be asked before the widgets that it sets are drawn.
    """
    said = st.session_state.get(key)
    seen = f"{key} seen"
    if not isinstance(said, dict) or said.get("number") == st.session_state.get(seen):
        return None
    st.session_state[seen] = said.get("number")
    return Click(said.get("x", 0.0), said.get("y"), said.get("custom"))


@functools.lru_cache(maxsize=1)
def _component() -> Any:
    """Declare the component once; its folder lives as long as the process."""
    folder = Path(_folder().name)
    ours = resources.files(__name__) / "index.html"
    (folder / "index.html").write_text(ours.read_text(encoding="utf-8"), encoding="utf-8")
    with resources.as_file(resources.files("plotly") / "package_data" / "plotly.min.js") as library:
        shutil.copyfile(library, folder / "plotly.min.js")
    return components.declare_component("raceway_plot", path=str(folder))


@functools.lru_cache(maxsize=1)
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="raceway-plot-")
