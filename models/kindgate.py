"""Whether a network that names fault kinds may take another's place: asked about the same windows, kind by kind.

The windows are those that people labelled, of machines that no network ever learns from, and simulated ones that are
drawn with a seed of their own. A challenger has to name the first better and may not name the second worse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["KindPolicy", "KindsJudged", "gate_kinds", "judge_kinds"]


@dataclass(frozen=True, slots=True)
class KindPolicy:
    """What a challenger may lose.

    Attributes
    ----------
    loss : float
        Share of the simulated windows of a kind that it may name wrong where the champion names them right: as much as
        two networks of the same training differ by chance.
    """

    loss: float = 0.02


@dataclass(frozen=True)
class KindsJudged:
    """What one network says of the windows that all are asked.

    Attributes
    ----------
    labelled : mapping of str to float
        Share of the labelled windows of a kind that it names right, as the mean over machines, by kind.
    simulated : mapping of str to float
        Share of the simulated windows, by kind.
    """

    labelled: Mapping[str, float] = field(default_factory=dict)
    simulated: Mapping[str, float] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        """Over the kinds that are labelled."""
        return float(np.mean(list(self.labelled.values())))


def judge_kinds(
    probabilities: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    *,
    classes: Sequence[str],
    labelled: Mapping[str, Mapping[str, NDArray[np.float32]]],
    simulated: NDArray[np.float32],
    kinds: NDArray[np.intp],
) -> KindsJudged:
    """Ask a network.

    Parameters
    ----------
    probabilities : callable
        From maps, shape (windows, ...), to shape (windows, classes).
    classes : sequence of str
        Names of the classes, in its order.
    labelled : mapping of str to mapping of str to ndarray
        Maps of labelled windows by kind and machine.
    simulated : ndarray
        Maps of simulated windows.
    kinds : ndarray of int
        Their kinds, as indices into ``classes``.

    Returns
    -------
    KindsJudged

    Examples
    --------
    >>> maps = np.eye(2, dtype=np.float32)
    >>> judged = judge_kinds(
    ...     lambda x: x,
    ...     classes=("normal", "inner"),
    ...     labelled={"inner": {"plant/fan": maps[1:], "plant/pump": maps}},
    ...     simulated=maps,
    ...     kinds=np.array([0, 0]),
    ... )
    >>> dict(judged.labelled), dict(judged.simulated)
    ({'inner': 0.75}, {'normal': 0.5})
    """

    def right(maps: NDArray[np.float32], kind: str) -> float:
        return float(np.mean(probabilities(maps).argmax(axis=-1) == classes.index(kind)))

    return KindsJudged(
        {kind: float(np.mean([right(maps, kind) for maps in parts.values()])) for kind, parts in labelled.items()},
        {classes[k]: right(simulated[kinds == k], classes[k]) for k in np.unique(kinds).tolist()},
    )


def gate_kinds(
    champion: KindsJudged | None, challenger: KindsJudged, *, policy: KindPolicy = KindPolicy()
) -> tuple[str, ...]:
    """Say why a challenger may not take a champion's place.

    Parameters
    ----------
    champion : KindsJudged or None
        On the same windows; None where nobody serves.
    challenger : KindsJudged
    policy : KindPolicy

    Returns
    -------
    tuple of str
        Every reason; empty where it may.
    """
    if champion is None:
        return ()
    reasons = _losses("windows that people labelled", champion.labelled, challenger.labelled, 0.0)
    reasons += _losses("simulated windows", champion.simulated, challenger.simulated, policy.loss)
    if challenger.mean <= champion.mean:
        reasons.append(
            f"it names {100.0 * challenger.mean:.0f} % of the windows that people labelled, no more than the champion"
        )
    return tuple(reasons)


def _losses(where: str, champion: Mapping[str, float], challenger: Mapping[str, float], loss: float) -> list[str]:
    return [
        f"{kind}: it names {100.0 * challenger[kind]:.0f} % of {where}, the champion {100.0 * right:.0f} %"
        for kind, right in champion.items()
        if challenger[kind] < right - loss
    ]
