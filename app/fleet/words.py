"""Words for the numbers in which a node says why a step of an update was refused."""

from __future__ import annotations

__all__ = ["UPDATE_REASONS", "update_reason"]

# As in `docs/UPDATES.md`; 0 is no refusal.
UPDATE_REASONS = {
    1: "configuration",
    2: "flash",
    3: "busy",
    4: "not begun",
    5: "offset",
    6: "too large",
    7: "truncated",
    8: "incomplete",
    9: "signature",
    10: "manifest",
    11: "digest",
    12: "version",
    13: "contract",
    14: "operator",
    15: "memory",
    16: "golden",
    17: "unconfirmed",
    18: "aborted",
    19: "unhealthy",
    20: "no model",
}


def update_reason(code: int) -> str | None:
    """Give the word of a code, None for 0; a code of a newer firmware is said as it is.

    Examples
    --------
    >>> update_reason(0), update_reason(9), update_reason(99)
    (None, 'signature', 'reason 99')
    """
    return None if code == 0 else UPDATE_REASONS.get(code, f"reason {code}")
