"""One canonical event a line: key=value on a terminal, JSON elsewhere."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

__all__ = ["configure_logs", "log"]

_LOGGER = logging.getLogger("raceway")


class _Formatter(logging.Formatter):
    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: Mapping[str, object] = getattr(record, "fields", {})
        if self._terminal:
            pairs = " ".join(f"{key}={_shown(value)}" for key, value in fields.items())
            return f"{time} {record.levelname.lower():7} {record.getMessage()} {pairs}".rstrip()
        entries = {"time": time, "level": record.levelname.lower(), "event": record.getMessage(), **fields}
        return json.dumps(entries, default=str)


def _shown(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return json.dumps(text) if " " in text or not text else text


def configure_logs(*, level: str, stream: TextIO | None = None) -> None:
    """Send events of at least this level to a stream (standard error by default)."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Formatter(terminal=stream.isatty()))
    _LOGGER.handlers = [handler]
    _LOGGER.setLevel(level.upper())
    _LOGGER.propagate = False


def log(level: str, event: str, **fields: object) -> None:
    """Write one event with its fields."""
    _LOGGER.log(getattr(logging, level.upper()), event, extra={"fields": fields})
