"""The default node, 2,048 samples at 12 kHz: windows of CWRU that it runs over, and networks of the sizes that it has.

The networks are learned no further than their cost asks for, so nothing that they say is worth anything: all products
of a dense network are computed, whatever its weights. Health is the service's autoencoder; kinds is the network M2,
which takes samples, as the node gives them, and has as many classes as the node averages. The service's own network of
fault kinds takes maps of the envelope, which the node does not compute.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.convert import to_tflite_int8
from edge.node.measuring import NodeSetup
from edge.node.reference import CHOSEN
from features.contract import NODE
from features.errors import ParameterError
from features.extraction import extract
from models.autoencoder import learn_baseline
from models.datasets import cwru
from models.node_tasks.convolutional import N_SAMPLES, build_convolutional

__all__ = ["default_networks", "default_windows"]

_EPOCHS = 5
# Behind those of commissioning: enough to raise the alarm and to send its window.
_HEALTHY, _DAMAGED = 4, 16


def default_windows(folder: Path, setup: NodeSetup) -> NDArray[np.int16]:
    """Windows of CWRU: healthy ones of all loads in turn, then of a damaged outer race.

    Parameters
    ----------
    folder : Path
        The CWRU pack.
    setup : NodeSetup
        Rate, step, length and the windows of commissioning.

    Returns
    -------
    ndarray of int16, shape (windows, n)

    Raises
    ------
    RecordingError
        If the pack is missing or damaged.
    ParameterError
        If it has too few windows.
    """
    records = cwru.records(folder, rate_hz=setup.rate_hz)
    healthy = np.concatenate([_windows(record, setup) for record in records if record.kind == "normal"])
    wanted = setup.n_scale + setup.n_tail + _HEALTHY
    if len(healthy) < wanted:
        raise ParameterError(f"the pack has {len(healthy)} healthy windows of {setup.n} samples; {wanted} are wanted")
    mixed = np.random.default_rng(0).permutation(healthy)[:wanted]
    damaged = next(record for record in records if record.kind == "outer")
    return np.concatenate([mixed, _windows(damaged, setup)[:_DAMAGED]])


def default_networks(windows: NDArray[np.int16], setup: NodeSetup, *, seed: int) -> tuple[bytes, bytes]:
    """Learn networks of the default node's sizes, as int8 `.tflite`.

    Parameters
    ----------
    windows : ndarray of int16, shape (windows, n)
        From `default_windows`; those of commissioning are learned from.
    setup : NodeSetup
    seed : int

    Returns
    -------
    health, kinds : bytes
    """
    learned = windows[: setup.n_scale + setup.n_tail]
    unaided = NODE.knowing()
    samples = learned.astype(np.float32) * np.float32(setup.scale)
    features = extract(samples, setup.rate_hz, profile=unaided, unit="g")
    features = features[:, [unaided.index(NODE.names[i]) for i in CHOSEN]]
    baseline = learn_baseline(features, convert=lambda _: b"", seed=seed, epochs=_EPOCHS)
    health = to_tflite_int8(baseline.model, baseline.scaler.apply(features))
    return health, to_tflite_int8(build_convolutional(seed), _standard(learned))


def _standard(windows: NDArray[np.int16]) -> NDArray[np.float32]:
    """What the second network sees of windows: first samples, less their mean and over their deviation."""
    first = windows[:, :N_SAMPLES].astype(np.float32)
    standard = (first - first.mean(axis=-1, keepdims=True)) / first.std(axis=-1, keepdims=True)
    return np.asarray(standard.reshape(-1, 1, N_SAMPLES, 1), dtype=np.float32)


def _windows(record: cwru.Record, setup: NodeSetup) -> NDArray[np.int16]:
    steps = np.clip(np.round(record.read().samples[0] / setup.scale), -32767, 32767).astype(np.int16)
    return np.asarray(steps[: len(steps) // setup.n * setup.n].reshape(-1, setup.n), dtype=np.int16)
