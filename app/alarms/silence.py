"""When a point is silent: after the time that the plant or the point itself admits, and three periods of its node."""

from __future__ import annotations

from app.alarms.conditions import Alarming

__all__ = ["is_silent"]

# Periods that a node may miss before it counts as silent.
_PERIODS = 3


def is_silent(
    seen_ns: int, given: Alarming | None, *, stale_s: float, period_ms: int | None = None, now_ns: int
) -> bool:
    """Say whether nothing has come from a point for too long.

    Parameters
    ----------
    seen_ns : int
        When something last came.
    given : mapping or None
        What was entered of the point's alarms; `stale_after_s` of it holds over the plant's.
    stale_s : float
        Seconds that the plant admits; 0: any.
    period_ms : int, optional
        Of the point's node; three of it are admitted where that is longer.
    now_ns : int

    Examples
    --------
    >>> is_silent(0, None, stale_s=60.0, now_ns=61_000_000_000)
    True
    >>> is_silent(0, {"stale_after_s": 600.0}, stale_s=60.0, now_ns=61_000_000_000)
    False
    >>> is_silent(0, None, stale_s=60.0, period_ms=30_000, now_ns=61_000_000_000)
    False
    """
    limit_ns = round(float((given or {}).get("stale_after_s", stale_s)) * 1e9)
    # A node that reports each ten minutes is not silent in between.
    patience_ns = max(limit_ns, _PERIODS * (period_ms or 0) * 1_000_000)
    return limit_ns > 0 and now_ns - seen_ns > patience_ns
