"""Rows of the store made from blocks, verdicts and alarm changes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from app.alarms.register import HEALTH, follow
from app.intake import Received
from app.schema import alarms
from app.watch import AlarmChange, Verdict, kind_of
from features.contract import WATCHED

__all__ = ["block_row", "window_row", "write_alarms"]

_RMS = WATCHED.index("rms")


def block_row(received: Received) -> dict[str, Any]:
    """Row of a block; its samples interleaved as on the wire, compressed."""
    block = received.block
    return {
        "point_id": str(block.point),
        "sequence": block.sequence,
        "start_ns": block.start_ns,
        "end_ns": block.end_ns,
        "arrived_ns": received.arrival.arrived_ns,
        "rate_hz": block.rate_hz,
        "sample_type": block.samples.dtype.str[1:],
        "scale": block.scale,
        "n_samples": block.n_samples,
        "n_channels": len(block.channels),
        "shaft_hz": block.shaft_hz,
        "load": block.load,
        "temperature_c": block.temperature_c,
        "digest": received.digest,
        "waveform": received.waveform,
    }


def window_row(point_id: str, verdict: Verdict) -> dict[str, Any]:
    """Row of a judged window."""
    window = verdict.window
    return {
        "point_id": point_id,
        "start_ns": window.start_ns,
        "end_ns": window.end_ns,
        "rate_hz": window.rate_hz,
        "shaft_hz": window.shaft_hz,
        "load": window.load,
        "rms": float(verdict.features[_RMS]),
        "contract": WATCHED.hash,
        "features": verdict.features.astype("<f4").tobytes(),
        "score": verdict.score,
        "threshold": verdict.threshold,
        "bundle": verdict.bundle,
        "probabilities": None if verdict.probabilities is None else json.dumps(verdict.probabilities),
        "diagnosis_bundle": verdict.diagnosis_bundle,
    }


def write_alarms(
    connection: Connection, point_id: str, verdicts: Sequence[Verdict], changes: Sequence[AlarmChange], *, active: bool
) -> None:
    """Open and close alarms, step their lifecycle, and keep the kind of an active one at the latest verdict."""
    open_one = (alarms.c.point_id == point_id) & (alarms.c.tag == HEALTH) & alarms.c.cleared_ns.is_(None)
    for change in changes:
        verdict, of, raised = change.verdict, change.of, change.of.change == "raised"
        now_ns = verdict.window.end_ns
        follow(connection, point_id, of.tag, active=raised, now_ns=now_ns, why=of.why, priority=of.priority)
        # Only a verdict has a kind to be kept; while one stands nothing is retrained, as a zone's may for years.
        if of.tag != HEALTH:
            continue
        if raised:
            row = _alarm_row(verdict) | {"point_id": point_id, "raised_ns": verdict.window.end_ns}
            connection.execute(alarms.insert().values(**row, window_start_ns=verdict.window.start_ns))
        else:
            connection.execute(alarms.update().where(open_one).values(cleared_ns=verdict.window.end_ns))
    named = [verdict for verdict in verdicts if verdict.probabilities is not None]
    if active and named:
        latest = _alarm_row(named[-1])
        del latest["ratio"]
        connection.execute(alarms.update().where(open_one).values(**latest))


def _alarm_row(verdict: Verdict) -> dict[str, Any]:
    probabilities = verdict.probabilities
    return {
        "ratio": verdict.ratio,
        "kind": kind_of(probabilities),
        "probabilities": None if probabilities is None else json.dumps(probabilities),
    }
