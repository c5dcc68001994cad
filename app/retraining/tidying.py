"""What retraining leaves on the disk and nobody needs any more: half-written bundles, challengers, old reports."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from app.logs import log
from app.retraining.records import Task, judged_before, still_stands
from app.retraining.report import report_path
from app.settings import Settings
from app.store import reading, writing

__all__ = ["clear_drafts", "clear_former_challenger", "clear_reports"]

_DRAFT_NS, _DAY_NS = 3_600_000_000_000, 86_400_000_000_000
# Outcomes with which a challenger never served; of these, `refused` alone may still be let serve by hand.
_NEVER_SERVED = ("refused", "failed", "waiting", "overtaken")


def clear_drafts(settings: Settings, *, now_ns: int) -> None:
    """Remove half-written folders; the learner writes in the same place, and no writing lasts an hour."""
    for place in (settings.bundles, settings.candidates):
        for draft in place.glob(".draft-*"):
            with contextlib.suppress(OSError):
                if now_ns - draft.stat().st_mtime_ns > _DRAFT_NS:
                    shutil.rmtree(draft)
                    log("info", "half-written bundle removed", folder=draft.name)


def clear_former_challenger(engine: Engine, settings: Settings, task: Task) -> None:
    """Remove what the model's earlier run left of a challenger that never served; this run's stays to be looked at."""
    with reading(engine) as connection:
        earlier = judged_before(connection, task)
    if earlier is None or earlier.outcome not in _NEVER_SERVED or not earlier.challenger:
        return
    folder, gone = settings.bundles / earlier.challenger, settings.bundles / f".draft-{uuid.uuid4().hex}"
    with writing(engine) as connection:
        # Somebody may be about to let it serve: then it is no longer refused, or not there for them.
        if still_stands(connection, earlier) and folder.exists():
            folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def clear_reports(settings: Settings, *, now_ns: int) -> None:
    """Remove reports of runs that began longer ago than they are kept; what was found stays in the store."""
    for path in settings.reports.glob(report_path(Path(), "*").name):
        with contextlib.suppress(ValueError, OSError):
            # A run is named by its moment; what is named otherwise is not ours.
            began = datetime.strptime(path.stem.removeprefix("retraining-"), "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
            if now_ns - began.timestamp() * 1e9 > settings.keep_retraining_reports_d * _DAY_NS:
                path.unlink()
