"""Words for what nodes say in numbers and codes: why an update was refused, what their alarm is about."""

from __future__ import annotations

from app.kinds import alarm_kind, kind_text

__all__ = ["UPDATE_REASONS", "alarm_words", "update_reason"]

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


def alarm_words(diagnosis: str | None, probability: float | None, *, ratio: float | None) -> str:
    """Say what a node's alarm is about.

    Examples
    --------
    >>> alarm_words("outer", 0.82, ratio=1.84)
    'outer race fault of the bearing (82 %), score 1.84 times the threshold'
    >>> alarm_words(None, None, ratio=1.2)
    'kind not named, score 1.20 times the threshold'
    """
    said = "kind not named" if diagnosis is None else kind_text(alarm_kind(diagnosis))
    share = "" if probability is None or diagnosis is None else f" ({probability:.0%})".replace("%", " %")
    return said + share + ("" if ratio is None else f", score {ratio:.2f} times the threshold")
