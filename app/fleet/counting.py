"""What became of the reports of a fleet: those that nodes made against those that a subscriber heard, and how late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["Counted", "Heard", "count_reports"]

Key = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Heard:
    """A report as it came to a subscriber.

    Attributes
    ----------
    key : tuple of (str, int, int)
        Node, boot and number, which name a report.
    again : bool
        Whether its publication is known to have come before.
    arrived_ns : int
        Nanoseconds since the epoch.
    """

    key: Key
    again: bool
    arrived_ns: int


@dataclass(frozen=True)
class Counted:
    """What became of reports.

    Attributes
    ----------
    made, arrived : int
        Reports that nodes made, and those of them that were heard.
    lost : int
        Made, and not heard.
    doubled : int
        Heard beyond the first time, though their publication was new each time.
    published_again : int
        Heard in a publication that had come before.
    unknown : int
        Heard, and made by nobody.
    delays_s : ndarray of float64, shape (arrived,)
        From the making of a report to its first arrival, ascending.
    """

    made: int
    arrived: int
    lost: int
    doubled: int
    published_again: int
    unknown: int
    delays_s: np.ndarray[tuple[int], np.dtype[np.float64]]


def count_reports(
    made_ns: Mapping[Key, int], heard: Iterable[Heard], *, later: Mapping[Key, int] | None = None
) -> Counted:
    """Count what was lost and what was doubled.

    Parameters
    ----------
    made_ns : mapping
        From each report that is to have arrived to when it was made, nanoseconds since the epoch.
    heard : iterable of Heard
        All that came, in order.
    later : mapping, optional
        Reports that may still be under way: they are neither lost nor unknown.

    Returns
    -------
    Counted

    Examples
    --------
    >>> made = {("n1", 1, 0): 0, ("n1", 1, 1): 10**9}
    >>> once = Heard(("n1", 1, 0), again=False, arrived_ns=500_000_000)
    >>> counted = count_reports(made, [once, once])
    >>> counted.arrived, counted.lost, counted.doubled, counted.delays_s.tolist()
    (1, 1, 1, [0.5])
    """
    first_ns: dict[Key, int] = {}
    times: Counter[Key] = Counter()
    published_again = 0
    for one in heard:
        first_ns.setdefault(one.key, one.arrived_ns)
        times[one.key] += not one.again
        published_again += one.again
    arrived = made_ns.keys() & first_ns.keys()
    delays = np.array(sorted((first_ns[key] - made_ns[key]) / 1e9 for key in arrived), dtype=np.float64)
    return Counted(
        made=len(made_ns),
        arrived=len(arrived),
        lost=len(made_ns) - len(arrived),
        doubled=sum(n - 1 for n in times.values() if n > 1),
        published_again=published_again,
        unknown=len(first_ns.keys() - made_ns.keys() - (later or {}).keys()),
        delays_s=delays,
    )
