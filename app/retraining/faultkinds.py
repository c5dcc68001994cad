"""The steps that retraining takes for the network that names fault kinds; machines are split, not windows.

It learns from simulated machines and from windows that people labelled. A machine's name alone decides whether it is
held out: what judges today was learned from by no champion of earlier days.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection

from app.labels.records import Label, verdicts
from app.learner import DIAGNOSIS_EPOCHS
from app.retraining.records import DIAGNOSIS, Task, judged_before
from app.retraining.selection import NotReadyError
from app.retraining.steps import Context, Done, Step, held_back, take_place
from app.schema import windows
from app.store import PointRow, point_rows, reading
from app.waveforms import waveform
from features.errors import ArtifactError, ContractError
from features.faultmap import MAP_HASH, fault_map
from models.bundle import load_bundle
from models.kindgate import KindsJudged, gate_kinds, judge_kinds
from models.plant import KINDS

__all__ = ["FAULT_KIND_STEPS", "FEWEST_MACHINES", "verdict_labels"]

FEWEST_MACHINES = 3
_SEED, _FROZEN_SEED = 20261126, 20261127
# About this share of all machines is held out.
_HELD_OUT_OF = 3
# Windows of one label, and the simulated ones that judge.
_MOST_WINDOWS, _FROZEN_WINDOWS = 32, 2_000
# The labelled windows, which are few, are repeated until they are this share of the simulated ones.
_SHARE = 0.2
# By kind, machine and then the windows' ids.
_Chosen = dict[str, dict[str, list[int]]]


def verdict_labels(connection: Connection) -> list[Label]:
    """Labels that hold and name a kind, oldest first."""
    return [label for label in verdicts(connection) if label.fault is not None]


def look_at_labels(context: Context, task: Task) -> Done:
    """Say how many machines people have labelled; nothing is to be done where nothing was said since."""
    with reading(context.engine) as connection:
        back = None if context.run.options.force else held_back(connection, task)
        if back is not None:
            return Done.ended("waiting", back)
        labels = verdict_labels(connection)
        before = judged_before(connection, task)
    said = max((label.id for label in labels), default=0)
    machines = Counter(kind for kind, _ in {(_class_of(label), _machine(label.point_id)) for label in labels})
    findings = {"said": said, "machines": dict(sorted(machines.items()))}
    if before is not None and not context.run.options.force and _same(before, task, said):
        return Done(findings, "unchanged", (f"nothing was said since the run {before.run_id}",))
    if max(machines.values(), default=0) < FEWEST_MACHINES:
        return Done(findings, "waiting", tuple(_too_few(kind, machines[kind]) for kind in sorted(machines)))
    return Done(findings)


def _same(before: Task, task: Task, said: int) -> bool:
    return before.champion == task.champion and before.findings.get("drift", {}).get("said") == said


def _too_few(kind: str, machines: int) -> str:
    return f"{kind}: {machines} machines are labelled; {FEWEST_MACHINES} are wanted"


def _class_of(label: Label) -> str:
    """What the network is to name: a fault of another kind shows no fault of the bearing."""
    return label.fault if label.fault in KINDS else "normal"


def _machine(point_id: str) -> str:
    return point_id.rpartition("/")[0]


def _is_held_out(machine: str) -> bool:
    return hashlib.sha256(machine.encode()).digest()[0] % _HELD_OUT_OF == 0


def choose_windows(context: Context, task: Task) -> Done:
    """Choose labelled windows of which the waveform is kept, and which kinds have machines enough."""
    del task
    with reading(context.engine) as connection:
        labels = verdict_labels(connection)
    rows = _with_bearings(context)
    found: defaultdict[str, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    taken: set[int] = set()
    # Of a window that several labels are about, the one that was given last is met first.
    for label in reversed(labels):
        if (row := rows.get(label.point_id)) is not None:
            ids = [one for one in _windows_of(context, row, label) if one not in taken]
            taken |= set(ids)
            if ids:
                found[_class_of(label)][_machine(label.point_id)] += ids
    chosen: _Chosen = {kind: dict(parts) for kind, parts in found.items()}
    left_out = {kind: why for kind, parts in chosen.items() if (why := _unfit(kind, parts))}
    kept = {kind: parts for kind, parts in sorted(chosen.items()) if kind not in left_out}
    if not kept:
        reasons = [left_out[kind] for kind in sorted(left_out)] or ["no labelled window has its waveform and a bearing"]
        raise NotReadyError("; ".join(reasons))
    held_out = sorted({machine for parts in kept.values() for machine in parts if _is_held_out(machine)})
    return Done({"kinds": kept, "held_out": held_out, "left_out": left_out})


def _unfit(kind: str, parts: Mapping[str, list[int]]) -> str | None:
    """Why a kind is left out, or None."""
    held_out = sum(_is_held_out(machine) for machine in parts)
    if len(parts) < FEWEST_MACHINES:
        return f"{kind}: {len(parts)} machines have labelled windows with a waveform; {FEWEST_MACHINES} are wanted"
    if held_out in (0, len(parts)):
        which = "none" if held_out == 0 else "each"
        return (
            f"{kind}: {which} of its {len(parts)} labelled machines is held out to judge; their names decide which are"
        )
    return None


def _with_bearings(context: Context) -> dict[str, PointRow]:
    with reading(context.engine) as connection:
        return {row.id: row for row in point_rows(connection) if row.bearing is not None}


def _windows_of(context: Context, row: PointRow, label: Label) -> list[int]:
    """Abnormal windows of a label that have a waveform and a speed, spread evenly."""
    own = (windows.c.point_id == label.point_id) & (windows.c.start_ns >= label.first_ns)
    own &= (windows.c.start_ns <= label.last_ns) & (windows.c.end_ns <= label.last_ns)
    # What the network is asked about is what passed the threshold.
    own &= windows.c.score.is_(None) | (windows.c.score > windows.c.threshold)
    with reading(context.engine) as connection:
        ids = connection.execute(sa.select(windows.c.id).where(own).order_by(windows.c.start_ns)).scalars().all()
    tried = np.unique(np.linspace(0, len(ids) - 1, min(2 * _MOST_WINDOWS, len(ids))).astype(np.intp)).tolist()
    usable = [ids[i] for i in tried if _map_of(context, row, ids[i]) is not None]
    return usable[:: max(len(usable) // _MOST_WINDOWS, 1)][:_MOST_WINDOWS]


def _map_of(context: Context, row: PointRow, window_id: int) -> NDArray[np.float32] | None:
    """The fault map of a stored window, or None where its waveform, bearing or speed is not known."""
    with reading(context.engine) as connection:
        found = connection.execute(sa.select(windows).where(windows.c.id == window_id)).one()
    shaft_hz = found.shaft_hz or row.nominal_shaft_hz
    if not shaft_hz or row.bearing is None:
        return None
    x = waveform(context.engine, row.id, start_ns=found.start_ns, end_ns=found.end_ns)
    if x is None or x.size != round((found.end_ns - found.start_ns) * found.rate_hz / 1e9):
        return None
    return fault_map(x, found.rate_hz, shaft_hz=shaft_hz, orders=row.bearing.orders)


def _maps(context: Context, ids: list[int]) -> NDArray[np.float32]:
    """Fault maps of the windows that were chosen, shape (windows, bins, channels)."""
    rows = _with_bearings(context)
    with reading(context.engine) as connection:
        query = sa.select(windows.c.id, windows.c.point_id).where(windows.c.id.in_(ids))
        points = {row.id: row.point_id for row in connection.execute(query)}
    maps = [_map_of(context, rows[points[one]], one) if points[one] in rows else None for one in ids]
    if any(one is None for one in maps):
        raise NotReadyError("a waveform that was chosen is no longer stored; the next run chooses anew")
    return np.stack([one for one in maps if one is not None])


def train_kinds(context: Context, task: Task) -> Done:
    """Learn the network from simulated machines and from the labelled ones that are not held out."""
    bundle_id = f"{DIAGNOSIS}-{context.run.id}"
    chosen = task.findings["select"]
    learned = _divided(chosen, held_out=False)
    if not (context.settings.bundles / bundle_id).exists():
        _learn(context, bundle_id, chosen, {kind: _flat(context, parts) for kind, parts in learned.items()})
    counts = {kind: sum(map(len, parts.values())) for kind, parts in learned.items()}
    return Done({"windows": counts, "simulated": context.settings.retrain_kinds_simulated}, challenger=bundle_id)


def _divided(chosen: Mapping[str, Any], *, held_out: bool) -> _Chosen:
    """The labelled windows of the machines that are held out, or of the others."""
    away = set(chosen["held_out"])
    return {
        kind: {machine: ids for machine, ids in parts.items() if (machine in away) == held_out}
        for kind, parts in chosen["kinds"].items()
    }


def _flat(context: Context, parts: Mapping[str, list[int]]) -> NDArray[np.float32]:
    return _maps(context, [one for ids in parts.values() for one in ids])


def _learn(
    context: Context, bundle_id: str, chosen: Mapping[str, Any], labelled: Mapping[str, NDArray[np.float32]]
) -> None:
    from edge.convert import to_tflite
    from models.diagnosis import learn_diagnosis, simulated_maps, write_diagnosis

    maps, kinds = simulated_maps(np.random.default_rng(_SEED), n=context.settings.retrain_kinds_simulated)
    wanted = round(_SHARE * len(maps) / len(labelled))
    for kind, own in labelled.items():
        # In front: the last fifth, which validates, is of simulated machines alone.
        maps = np.concatenate([own[np.resize(np.arange(len(own)), wanted)], maps])
        kinds = np.concatenate([np.full(wanted, KINDS.index(kind)), kinds])
    diagnosis = learn_diagnosis(maps, kinds, convert=to_tflite, seed=_SEED, epochs=DIAGNOSIS_EPOCHS)
    learned = _divided(chosen, held_out=False)
    provenance = {"labelled": {kind: sorted(parts) for kind, parts in learned.items()}, "retraining": context.run.id}
    write_diagnosis(
        context.settings.bundles,
        diagnosis,
        bundle_id=bundle_id,
        seed=_SEED,
        n=context.settings.retrain_kinds_simulated,
        provenance=provenance,
        held_out=chosen["held_out"],
    )


def judge_networks(context: Context, task: Task) -> Done:
    """Ask both networks about the labelled windows of the machines held out, and about simulated ones."""
    from models.diagnosis import simulated_maps

    assert task.challenger is not None
    judging = _divided(task.findings["select"], held_out=True)
    labelled = {
        kind: {machine: _maps(context, ids) for machine, ids in parts.items()} for kind, parts in judging.items()
    }
    simulated, kinds = simulated_maps(np.random.default_rng(_FROZEN_SEED), n=_FROZEN_WINDOWS)

    def judged(bundle_id: str) -> KindsJudged:
        from models.serving import Diagnoser

        network = Diagnoser(load_bundle(context.settings.bundles / bundle_id), contract=MAP_HASH)
        return judge_kinds(
            network.probabilities, classes=network.classes, labelled=labelled, simulated=simulated, kinds=kinds
        )

    challenger = judged(task.challenger)
    try:
        champion = None if task.champion is None else judged(task.champion)
    except (ArtifactError, ContractError):
        # A network of another kind of map serves nobody: ingest goes without.
        champion = None
    reasons = gate_kinds(champion, challenger)
    findings = {
        "kinds": {"champion": None if champion is None else asdict(champion), "challenger": asdict(challenger)},
        "machines": {kind: len(parts) for kind, parts in judging.items()},
        "windows": {kind: sum(map(len, parts.values())) for kind, parts in judging.items()},
    }
    return Done(findings, "refused" if reasons else None, reasons)


# Steps of the network that names fault kinds, in order.
FAULT_KIND_STEPS: Mapping[str, Step] = {
    "drift": look_at_labels,
    "select": choose_windows,
    "train": train_kinds,
    "gate": judge_networks,
    "promote": take_place,
}
