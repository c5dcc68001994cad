"""Traces thinned for drawing so that every peak still shows."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError

__all__ = ["decimated"]


def decimated(x: NDArray[Any], y: NDArray[Any], *, most: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Keep the lowest and the highest point of each of `most` / 2 stretches, in order.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
    most : int
        Most points wanted, 4 or more; fewer are given unchanged.

    Returns
    -------
    x, y : ndarray, shape (m,), m <= most

    Examples
    --------
    >>> x, y = decimated(np.arange(1000), np.eye(1, 1000, 500)[0], most=20)
    >>> int(x[y.argmax()]), x.size <= 20
    (500, True)
    """
    if most < 4:
        raise ParameterError(f"a trace was asked for in {most} points; 4 or more are wanted")
    if len(y) <= most:
        return x, y
    edges = np.linspace(0, len(y), most // 2 + 1).astype(int)
    kept: list[int] = []
    for first, after in itertools.pairwise(edges.tolist()):
        stretch = np.nan_to_num(y[first:after], nan=0.0)
        kept += sorted({first + int(stretch.argmin()), first + int(stretch.argmax())})
    return x[kept], y[kept]
