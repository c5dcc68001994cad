"""How many batches of drawn networks a law tries: some in every run, all of them under ``RACEWAY_LAWS=thorough``."""

from __future__ import annotations

import os

__all__ = ["batches"]

_THOROUGH = os.environ.get("RACEWAY_LAWS") == "thorough"


def batches(*, usual: int, thorough: int) -> int:
    """Give the number of batches to try; each run draws others."""
    return thorough if _THOROUGH else usual
