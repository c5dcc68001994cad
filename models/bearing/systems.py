"""Every system that names bearing faults, published and ours, not yet learned; refuses names that none has."""

from __future__ import annotations

from collections.abc import Sequence

from features.errors import ParameterError
from models.bearing.autoencoders import autoencoders
from models.bearing.classical import classical, random_forest
from models.bearing.convolutional import convolutional
from models.bearing.interference import interference
from models.bearing.multiscale import multiscale
from models.bearing.ours import N_SAMPLES, evidence_and_level, ours
from models.bearing.ours_network import ours_network
from models.bearing.windows import FaultClassifier

__all__ = ["FOREST", "systems", "systems_named"]

# What a system has to beat to be worth its complexity.
FOREST = "random forest"


def systems() -> tuple[FaultClassifier, ...]:
    """Give every system that is compared, not yet learned.

    Returns
    -------
    tuple of FaultClassifier
        Ours, the same measurements in a random forest, the published ones, the baselines.
    """
    forest = FaultClassifier("random forest on our measurements", N_SAMPLES, evidence_and_level, random_forest)
    return (
        ours(),
        ours_network(),
        forest,
        *classical(),
        *autoencoders(),
        *convolutional(),
        *multiscale(),
        *interference(),
    )


def systems_named(named: Sequence[str]) -> tuple[FaultClassifier, ...]:
    """Give the systems of these names, in this order; all of them for none.

    Raises
    ------
    ParameterError
        If a name is unknown.

    Examples
    --------
    >>> [system.name for system in systems_named(["ridge", "ours"])]
    ['ridge', 'ours']
    """
    every = {system.name: system for system in systems()}
    unknown = [name for name in named if name not in every]
    if unknown:
        raise ParameterError(f"no system is called {unknown[0]!r}; one of {', '.join(every)} is wanted")
    return tuple(every[name] for name in named) if named else tuple(every.values())
