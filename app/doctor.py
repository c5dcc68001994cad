"""What is installed, reachable and missing, for people who ask why something does not work."""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

from app.access.audit import Deed, trail
from app.backup import backs_up
from app.broker import port_is_free
from app.mqtt import BrokerError, broker_of, protocol_of
from app.settings import Settings
from app.store import PointRow, StoreError, bundle_of, open_store, point_rows, reading
from features.errors import ArtifactError
from models.bundle import load_bundle

__all__ = ["Finding", "examine"]

_LEAST_FREE_GB = 1.0
_OLD_BACKUP_DAYS = 8.0


@dataclass(frozen=True)
class Finding:
    """One line of the examination: ``ok``, ``note`` (works without) or ``missing``."""

    verdict: Literal["ok", "note", "missing"]
    what: str
    detail: str


def examine(settings: Settings) -> list[Finding]:
    """Examine this machine; changes nothing but a store that is not of today's form."""
    return [
        Finding("ok", "Python", platform.python_version()),
        _package("ai-edge-litert", "serves models; pip install 'raceway[gateway]'", needed=True),
        _package("streamlit", "the console; pip install 'raceway[console]'", needed=False),
        _package("plotly", "the console; pip install 'raceway[console]'", needed=False),
        _package("matplotlib", "pictures of verdicts; pip install 'raceway[console]'", needed=False),
        _package("tensorflow", "training; pip install 'raceway[train]'", needed=False),
        _package("amqtt", "the embedded broker where Mosquitto is not installed", needed=False),
        _mosquitto(),
        _folder(settings),
        *_store(settings),
        _broker(settings),
        _console(settings),
    ]


def _package(name: str, purpose: str, *, needed: bool) -> Finding:
    try:
        return Finding("ok", name, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding("missing" if needed else "note", name, f"not installed: {purpose}")


def _mosquitto() -> Finding:
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if found:
        return Finding("ok", "mosquitto", found)
    return Finding("note", "mosquitto", "not installed: amqtt is used, which is slower and keeps no sessions on disk")


def _folder(settings: Settings) -> Finding:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        probe = settings.data_dir / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
        free_gb = shutil.disk_usage(settings.data_dir).free / 1e9
    except OSError as error:
        return Finding("missing", "data folder", f"{settings.data_dir} cannot be written: {error.strerror}")
    verdict: Literal["ok", "note"] = "ok" if free_gb >= _LEAST_FREE_GB else "note"
    return Finding(verdict, "data folder", f"{settings.data_dir}, {free_gb:.1f} GB free")


def _store(settings: Settings) -> list[Finding]:
    try:
        with reading(open_store(settings.database, migrate=True)) as connection:
            rows, champion = point_rows(connection), bundle_of(connection, "diagnosis")
            backups = trail(connection, target="backup", most=1)
    except StoreError as error:
        return [Finding("missing", "store", str(error))]
    watched = sum(row.state == "watching" for row in rows)
    findings = [Finding("ok", "store", f"{len(rows)} points, {watched} watched"), _baselines(settings, rows)]
    findings.append(_backup(settings, backups))
    if champion is None:
        return [*findings, Finding("note", "diagnosis network", "none serves; run `raceway train diagnosis`")]
    if not (settings.bundles / champion).is_dir():
        detail = f"bundle {champion} is gone; run `raceway train diagnosis`"
        return [*findings, Finding("missing", "diagnosis network", detail)]
    return [*findings, Finding("ok", "diagnosis network", champion)]


def _baselines(settings: Settings, rows: Sequence[PointRow]) -> Finding:
    faults = {}
    for row in rows:
        if row.state == "watching" and row.bundle is not None:
            try:
                load_bundle(settings.bundles / row.bundle)
            except ArtifactError as error:
                faults[row.id] = str(error)
    if not faults:
        return Finding("ok", "baselines", f"all in {settings.bundles} can be read")
    first, why = next(iter(faults.items()))
    return Finding("missing", "baselines", f"{len(faults)} cannot be read, so nothing is judged there: {first}, {why}")


def _backup(settings: Settings, latest: list[Deed]) -> Finding:
    if not latest and not backs_up(settings):
        return Finding("note", "backup", "made with the database's own tools, such as pg_dump; copy the bundles, too")
    if not latest:
        return Finding("note", "backup", "none was ever made of this store; `raceway backup FILE` makes one")
    days = (time.time_ns() - latest[0].at_ns) / 86_400e9
    verdict: Literal["ok", "note"] = "ok" if days <= _OLD_BACKUP_DAYS else "note"
    return Finding(verdict, "backup", f"{latest[0].why}, {days:.1f} days ago")


def _broker(settings: Settings) -> Finding:
    try:
        protocol = protocol_of(broker_of(settings), timeout_s=3.0)
    except BrokerError as error:
        if settings.broker_url:
            return Finding("missing", "broker", str(error))
        return Finding("note", "broker", f"none runs at {settings.broker}; `raceway up` starts the embedded one")
    return Finding("ok", "broker", f"{settings.broker}, {protocol.name}")


def _console(settings: Settings) -> Finding:
    host, port = settings.console_host, settings.console_port
    if port_is_free(host, port):
        return Finding("ok", "console port", f"{host}:{port} is free")
    return Finding("note", "console port", f"{host}:{port} is in use, perhaps by a running console")
