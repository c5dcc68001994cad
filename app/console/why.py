"""Which features drive the anomaly score of a window, as the baseline that judged it rebuilds them."""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Engine

from app.schema import windows
from app.settings import Settings
from app.store import PointRow, features_from_blob, reading
from features.contract import WATCHED
from features.errors import RacewayError
from models.bundle import load_bundle
from models.serving import Scorer

__all__ = ["Driver", "drivers", "feature_words"]

# An interpreter serves one thread at a time.
_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class Driver:
    """A feature's part in a score.

    Attributes
    ----------
    feature : str
        Name in the contract.
    unit, channel : str
    share : float
        Of the squared error of the window, 0 to 1.
    value, healthy : float
        In the window, and the centre of the healthy start: its mean, or the geometric one of a level.
    """

    feature: str
    unit: str
    channel: str
    share: float
    value: float
    healthy: float


def feature_words(name: str) -> str:
    """The name of a feature in words.

    Examples
    --------
    >>> feature_words("peak_to_peak")
    'peak to peak'
    """
    return name.replace("_", " ").replace("rms", "RMS")


def drivers(engine: Engine, settings: Settings, row: PointRow, *, start_ns: int, most: int = 3) -> list[Driver]:
    """The features with the largest parts in the score of a window, largest first.

    Parameters
    ----------
    engine : Engine
    settings : Settings
    row : PointRow
    start_ns : int
        Start of the window.
    most : int

    Returns
    -------
    list of Driver
        Empty where no baseline judged it, or its bundle cannot be read any more.
    """
    one = windows.c
    query = sa.select(one.features, one.bundle).where(
        one.point_id == row.id, one.start_ns == start_ns, one.contract == WATCHED.hash
    )
    with reading(engine) as connection:
        window = connection.execute(query.limit(1)).first()
    if window is None or window.bundle is None:
        return []
    values = features_from_blob(window.features)
    try:
        with _LOCK:
            scorer, healthy = _served(settings.bundles / window.bundle)
            shares = scorer.evidence(values[None, :])[0]
    except RacewayError:
        return []
    return [_driver(row, int(i), shares, values, healthy) for i in np.argsort(shares)[::-1][:most]]


def _driver(
    row: PointRow, i: int, shares: NDArray[np.float64], values: NDArray[np.float32], healthy: NDArray[np.float64]
) -> Driver:
    channel, place = divmod(i, len(WATCHED.features))
    feature = WATCHED.features[place]
    name = row.channels[channel] if channel < len(row.channels) else str(channel)
    unit = (row.unit or "") if feature.unit == "x" else feature.unit
    return Driver(feature.name, unit, name, float(shares[i]), float(values[i]), float(healthy[i]))


@functools.lru_cache(maxsize=64)
def _served(folder: Path) -> tuple[Scorer, NDArray[np.float64]]:
    """The baseline of a bundle, and the centre of each feature in its healthy start."""
    bundle = load_bundle(folder)
    mean = np.asarray(bundle.arrays["mean"], dtype=np.float64)
    logged = np.asarray(bundle.arrays["logarithmic"])
    return Scorer(bundle, contract=WATCHED.hash), np.where(logged, np.exp(np.where(logged, mean, 0.0)), mean)
