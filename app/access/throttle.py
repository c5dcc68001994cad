"""Slows guessing of passwords down: after failures a name, an address and both together wait, longer each time."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Throttle"]

_FORGOTTEN_S = 3600.0
_MOST_KEYS = 10_000


@dataclass(frozen=True, slots=True)
class _Rule:
    """From how many failures on there is a wait, and the longest one; it doubles from a second on."""

    free: int
    longest_s: float


# Somebody else's guesses hold a name up for seconds only, or anybody could keep its owner out.
_BY_NAME, _BY_ADDRESS, _BY_BOTH = _Rule(5, 8.0), _Rule(20, 600.0), _Rule(3, 600.0)


class Throttle:
    """Counts failures in memory; its state is the failures and times of names and addresses.

    Attempts take turns: one that asks before the last has failed does not see that failure.

    Examples
    --------
    >>> throttle = Throttle()
    >>> for second in range(4):
    ...     throttle.failed("kim", "10.0.0.7", now_s=second)
    >>> throttle.wait_s("kim", "10.0.0.7", now_s=3.0), throttle.wait_s("kim", "10.0.0.8", now_s=3.0)
    (2.0, 0.0)
    """

    def __init__(self) -> None:
        self._failures: dict[tuple[str, str], tuple[int, float]] = {}

    def wait_s(self, name: str, address: str, *, now_s: float) -> float:
        """Say how long the next attempt has to wait; 0 if it may be made."""
        return max(self._left_s(key, rule, now_s) for key, rule in _keys(name, address))

    def failed(self, name: str, address: str, *, now_s: float) -> None:
        """Count a failure."""
        for key, _ in _keys(name, address):
            count, last_s = self._failures.pop(key, (0, now_s))
            self._failures[key] = (1 if now_s - last_s > _FORGOTTEN_S else count + 1, now_s)
        while len(self._failures) > _MOST_KEYS:
            # The one that failed longest ago.
            self._failures.pop(next(iter(self._failures)))

    def succeeded(self, name: str, address: str) -> None:
        """Forget the failures of a name from an address; those of the address stay."""
        self._failures.pop((name, address), None)
        self._failures.pop((name, ""), None)

    def _left_s(self, key: tuple[str, str], rule: _Rule, now_s: float) -> float:
        count, last_s = self._failures.get(key, (0, 0.0))
        if count < rule.free or now_s - last_s > _FORGOTTEN_S:
            return 0.0
        wait_s = min(2.0 ** min(count - rule.free, 30), rule.longest_s)
        return max(0.0, last_s + wait_s - now_s)


def _keys(name: str, address: str) -> tuple[tuple[tuple[str, str], _Rule], ...]:
    return ((name, ""), _BY_NAME), (("", address), _BY_ADDRESS), ((name, address), _BY_BOTH)
