"""How much a law tries: some batches or cases in every run, all of them under ``RACEWAY_LAWS=thorough``."""

from __future__ import annotations

import os
from collections.abc import Sequence

__all__ = ["batches", "cases"]

_THOROUGH = os.environ.get("RACEWAY_LAWS") == "thorough"


def batches(*, usual: int, thorough: int) -> int:
    """Give the number of batches to try; each run draws others."""
    return thorough if _THOROUGH else usual


def cases(*, usual: Sequence[str], thorough: Sequence[str]) -> list[str]:
    """Give the cases to try: those of every run, with the others where there is time for them."""
    return [*usual, *(thorough if _THOROUGH else ())]
