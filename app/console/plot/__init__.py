"""Charts renewed in place: Streamlit makes its own Plotly element anew with each change of data, and that flickers.

They are drawn in the page itself by one library for all of them: a frame for each would load and run it once for each.
"""

from __future__ import annotations

import functools
import gzip
from dataclasses import dataclass
from importlib import metadata, resources
from typing import Any

import plotly.graph_objects as go
import plotly.io
import streamlit as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from streamlit.components.v2 import component

__all__ = ["LIBRARY", "Click", "library_routes", "new_click", "plot"]

# The default template is copied into every figure, which costs more than all else that is done to it.
plotly.io.templates.default = None
LIBRARY = f"/charts/plotly-{metadata.version('plotly')}.js"
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable", "Vary": "Accept-Encoding"}


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
    data = {"figure": figure.to_json(), "library": LIBRARY, "clicks": clicks}
    _component()(data=data, key=key, on_click_change=_noted)


def _noted() -> None:
    """Be told of a click; what is to be done about it is the page's, which asks `new_click`."""


def new_click(key: str) -> Click | None:
    """Give the click on the chart under a key that no one was told of yet, or None.

    To be asked before the widgets that it sets are drawn.
    """
    said = st.session_state.get(key)
    clicked = None if said is None else said.get("click")
    if clicked is None or clicked.get("number") == st.session_state.get(f"{key} seen"):
        return None
    st.session_state[f"{key} seen"] = clicked.get("number")
    return Click(clicked.get("x", 0.0), clicked.get("y"), clicked.get("custom"))


@functools.lru_cache(maxsize=1)
def _component() -> Any:
    """Declare the component once."""
    script = (resources.files(__name__) / "chart.js").read_text(encoding="utf-8")
    return component("raceway_chart", html='<div class="raceway-chart"></div>', js=script, isolate_styles=False)


def library_routes() -> list[Route]:
    """Give the route of the library that draws; its version is in the name, so that a browser keeps it."""
    return [Route(LIBRARY, _library, methods=["GET"])]


async def _library(request: Request) -> Response:
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers = _FOREVER | {"Content-Encoding": "gzip"}
        return Response(_packed(), media_type="text/javascript", headers=headers)
    return Response(_file(), media_type="text/javascript", headers=_FOREVER)


def _file() -> bytes:
    return (resources.files("plotly") / "package_data" / "plotly.min.js").read_bytes()


@functools.lru_cache(maxsize=1)
def _packed() -> bytes:
    return gzip.compress(_file(), compresslevel=6)
