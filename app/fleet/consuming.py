"""Which publications of gateways came before: they deliver at least once, and name each one (`docs/PROTOCOL.md`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

__all__ = ["Publications"]

# A gateway has a hundred publications under way at most; a killed one strikes off what was acknowledged a moment later.
_REMEMBERED = 4096


class Publications:
    """Tells publications of gateways that are new from those that came before; remembers the latest of each gateway.

    Examples
    --------
    >>> heard = Publications()
    >>> [heard.is_new({"store": "ab", "serial": serial}) for serial in (7, 9, 8, 9, 7, 10)]
    [True, True, True, False, False, True]
    >>> heard.is_new({"store": "cd", "serial": 7})
    True
    """

    def __init__(self) -> None:
        self._latest: dict[str, tuple[set[int], deque[int]]] = {}

    def is_new(self, entries: Mapping[str, Any]) -> bool:
        """Remember a report or event.

        Parameters
        ----------
        entries : mapping
            Of the payload; one that carries no ``store`` and ``serial`` is taken as new.

        Returns
        -------
        bool
            False where it was remembered already.
        """
        store, serial = entries.get("store"), entries.get("serial")
        if not isinstance(store, str) or not isinstance(serial, int):
            return True
        known, order = self._latest.setdefault(store, (set(), deque()))
        if serial in known:
            return False
        known.add(serial)
        order.append(serial)
        if len(order) > _REMEMBERED:
            known.discard(order.popleft())
        return True
