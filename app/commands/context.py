"""What all subcommands share: the settings, the data folder, the event that ends them, and progress."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from app.settings import Settings

__all__ = ["data_root", "progress_bar", "quiet_tensorflow", "settings_of", "share_bar", "stop_event"]


def settings_of(context: click.Context, **flags: Any) -> Settings:
    """Build the settings from the flags of `raceway` and of the subcommand, environment and file; start logging."""
    from app.logs import configure_logs
    from app.settings import load_settings

    settings = load_settings(**(context.find_root().obj or {}), **flags)
    configure_logs(level=settings.log_level)
    return settings


def data_root() -> Path:
    """Folder of the public data packs: RACEWAY_DATA, else ``../shared/data``."""
    return Path(os.environ.get("RACEWAY_DATA", "../shared/data"))


def quiet_tensorflow() -> None:
    """Let TensorFlow say less, if it is imported from now on."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def stop_event() -> threading.Event:
    """Give an event that Ctrl-C and the termination signal set."""
    stopped = threading.Event()

    def stop(number: int, frame: object) -> None:
        del number, frame
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return stopped


@contextmanager
def progress_bar(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on standard error; yields what is to be told the work done so far."""
    import sys

    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield lambda done: bar.update(done - bar.pos)


@contextmanager
def share_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on standard error; yields what is to be told the work done so far and the whole."""
    with progress_bar(label, 100) as show:
        yield lambda done, total: show(100 * done // total)
