"""What a trained system of cwru says of a recording, window by window; refuses what it could not measure rightly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.bearing import Bearing, bearing_named
from features.errors import ParameterError
from features.window import cut
from models.bearing.windows import BearingWindows
from models.datasets.cwru import BEARING
from models.recordings import Recording
from models.systems.cwru import RATE_HZ, CwruSystems
from models.systems.folder import TrainedSystem

__all__ = ["SystemVote", "system_vote"]


@dataclass(frozen=True, slots=True)
class SystemVote:
    """The classes that a system gives to the windows of a recording.

    Attributes
    ----------
    system : str
    kind : str
        The class of most windows; among as many, the first in alphabetical order.
    shares : dict of str to float
        Share of the windows of each class learned, from 0 to 1; no probabilities.
    windows : int
    """

    system: str
    kind: str
    shares: dict[str, float]
    windows: int


def system_vote(
    recording: Recording, system: TrainedSystem, *, bearing: Bearing | None, shaft_hz: float | None
) -> SystemVote:
    """Let a system name the windows of the first channel, which overlap by half.

    Parameters
    ----------
    recording : Recording
    system : TrainedSystem
        Of cwru.
    bearing : Bearing or None
    shaft_hz : float or None
        Shaft speed in Hz; both may be unknown to a system that does not look for fault lines.

    Returns
    -------
    SystemVote

    Raises
    ------
    ParameterError
        If the system is of another data set or lacks speed or bearing, or the recording is of another unit or rate, or
        too short for a window.
    """
    family, name = system.family, system.manifest.system
    if not isinstance(family, CwruSystems):
        raise ParameterError(f"{name} learned from {family.data_set}; a system of cwru names faults of a recording")
    if recording.unit != "g" or recording.rate_hz != RATE_HZ:
        raise ParameterError(
            f"{recording.name} is in {recording.unit} at {recording.rate_hz:g} Hz; {name} learned from g at "
            f"{RATE_HZ:g} Hz and would take another rate or unit for another fault"
        )
    if family.follows_lines(name) and (bearing is None or shaft_hz is None):
        raise ParameterError(f"{name} looks for fault lines and wants speed and bearing; give --rpm and --bearing")
    n, samples = family.window_samples(name), recording.samples[0]
    if samples.size < n:
        raise ParameterError(f"{recording.name} has {samples.size} samples; a window of {name} takes {n}")
    x = np.ascontiguousarray(cut(samples, n=n, hop=n // 2))
    # What no line is looked for with is not read.
    orders = (bearing or bearing_named(BEARING)).orders
    speeds = np.full(len(x), np.nan if shaft_hz is None else shaft_hz)
    named = system.predict(BearingWindows(x, RATE_HZ, speeds, orders))
    shares = {kind: float(np.mean(named == kind)) for kind in system.manifest.classes}
    return SystemVote(name, max(shares, key=lambda kind: shares[kind]), shares, len(x))
