"""Charts renewed in place: Streamlit makes its own Plotly element anew with each change of data, and that flickers."""

from __future__ import annotations

import functools
import shutil
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit.components.v1 as components

__all__ = ["plot"]


def plot(figure: go.Figure, *, key: str) -> None:
    """Show a figure; another figure under the same key is drawn into the same chart.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        With a height and an `uirevision`, so that the reader's zoom survives.
    key : str
        Which chart of the page it is.
    """
    _component()(figure=figure.to_json(), key=key, default=None)


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
