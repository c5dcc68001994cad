"""Windows of int16 samples from the public recordings, with what a node would know of them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.node.frontend import Setup
from features.bearing import FaultOrders, bearing_named
from features.contract import NODE
from features.extraction import extract

__all__ = ["Recorded", "cwru_windows", "femto_windows", "in_single", "server_features"]


@dataclass(frozen=True)
class Recorded:
    """Windows of one record.

    Attributes
    ----------
    name : str
    windows : ndarray of int16, shape (m, n)
    setup : Setup
        Its numbers are float32, as a node holds them.
    shaft_hz : float
    """

    name: str
    windows: NDArray[np.int16]
    setup: Setup
    shaft_hz: float


def in_single(value: float) -> float:
    return float(np.float32(value))


def _orders(name: str) -> FaultOrders:
    return FaultOrders(*(in_single(value) for _, value in bearing_named(name).orders.items()))


def cwru_windows(folder: Path, *, n: int, rate_hz: float = 12_000.0, unit: str = "g") -> Iterator[Recorded]:
    """Every record at 12 kHz, drive end; the normals, which the pack holds as floats, in steps of their own."""
    with (folder / "index.csv").open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["file"].startswith(("drive12k", "normal12k"))]
    for row in rows:
        with np.load(folder / row["file"]) as pack:
            signal = pack["signal"].reshape(len(pack["signal"]), -1)[:, 0]
            scale = float(np.atleast_1d(pack["scale"])[0]) if signal.dtype == np.int16 else 0.0
        if signal.dtype != np.int16:
            scale = float(np.abs(signal).max()) / 32_000.0
            signal = np.round(signal / scale).astype(np.int16)
        windows = signal[: len(signal) // n * n].reshape(-1, n)
        setup = Setup(rate_hz, in_single(scale), unit, _orders("6205-2RS"))
        yield Recorded(row["file"], windows, setup, in_single(float(row["rpm_in_file"] or row["rpm_nominal"]) / 60.0))


def femto_windows(folder: Path, *, n: int, every: int) -> Iterator[Recorded]:
    """Every so manieth snapshot of each life, both axes; steps of 2 mg where one of 1 mg leaves int16."""
    bearing = FaultOrders(bpfo=5.611, bpfi=7.389, bsf=3.589, ftf=0.432)
    orders = FaultOrders(*(in_single(value) for _, value in bearing.items()))
    for path in sorted(folder.glob("Bearing*.npz")):
        with np.load(path) as pack:
            samples = np.moveaxis(pack["acc_milli_g"][::every], 2, 1)
            rpm = float(pack["rpm"])
        step = 2 if np.abs(samples.astype(np.int64)).max() > np.iinfo(np.int16).max else 1
        cut = samples[..., : samples.shape[-1] // n * n].reshape(-1, n)
        setup = Setup(25_600.0, in_single(1e-3 * step), "g", orders)
        yield Recorded(path.name, np.round(cut / step).astype(np.int16), setup, in_single(rpm / 60.0))


def server_features(record: Recorded) -> NDArray[np.float32]:
    """What `features.extraction` gives for the samples that the node sees."""
    return extract(
        record.windows * record.setup.scale,
        record.setup.rate_hz,
        profile=NODE,
        unit=record.setup.unit,
        shaft_hz=record.shaft_hz,
        bearing=record.setup.bearing,
    )
