"""The tasks by name, read from the folder of the public data; refuses other names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from models.datasets.packs import one_of
from models.node_tasks.autoencoder import autoencoder_task
from models.node_tasks.convolutional import convolutional_task
from models.node_tasks.life import life_task
from models.node_tasks.task import Task

__all__ = ["TASKS", "task"]

# Name: reader of the task, and the folder of its pack.
_READERS: dict[str, tuple[Callable[[Path], Task], str]] = {
    "M1": (autoencoder_task, "gearbox_spectraquest"),
    "M2": (convolutional_task, "cwru"),
    "M3": (life_task, "cmapss"),
}
TASKS = tuple(_READERS)


def task(name: str, data_root: Path) -> Task:
    """Read one of ``TASKS``.

    Parameters
    ----------
    name : str
        Such as ``M1``.
    data_root : Path
        Folder of the packs, as RACEWAY_DATA names it.

    Raises
    ------
    RecordingError
        If there is no task of this name, or its pack is missing or damaged.
    """
    one_of(name, TASKS, what="network for a node")
    read, pack = _READERS[name]
    return read(data_root / pack)
