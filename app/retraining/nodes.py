"""The steps that retraining takes for the network that all nodes judge health with; machines are split, not windows.

A node learns its own scaler and threshold, the network comes from elsewhere. It learns from the healthy windows of some
machines, each scaled by itself, and is judged on the others, each commissioned as a node commissions itself. What
passes serves and is handed to the fleet as a candidate: it is signed by who has the key, and begun by somebody.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from app.fleet.candidates import keep_image, lay, signed_model
from app.fleet.records import one_rollout
from app.fleet.starting import next_version
from app.retraining.frozen import FrozenWindows, freeze, read_frozen, write_frozen
from app.retraining.promotion import JOB
from app.retraining.records import BASELINE, NODE_HEALTH, Task, tasks_of
from app.retraining.selection import NotReadyError, Selection, ends_of, features_of, select
from app.retraining.steps import Context, Done, Step, shown, take_place
from app.store import PointRow, point_rows, reading
from edge.node.package import read_private_key
from edge.node.reference import CHOSEN
from features.contract import NODE, WATCHED
from features.errors import ArtifactError, ParameterError, RacewayError, ToolchainError
from models.bundle import Manifest, drafted, load_bundle, write_bundle
from models.gate import Judged, gate, judge, pooled
from models.integer import run_int8
from models.scaler import Scaler
from models.serving import reconstruction_error
from models.tail import Tail

__all__ = ["NODE_STEPS"]

_SEED = 20261126
# Share of the points that drifted from which a challenger is due.
_DRIFTED = 0.2
# Every such machine is kept for judging.
_HELD_OUT_OF = 3
# Windows that a node commissions itself with: scaler, then threshold.
_SCALE, _TAIL = 64, 64
# Places, in the features that are stored, of those that a node computes.
_COLUMNS = tuple(WATCHED.index(NODE.names[i]) for i in CHOSEN)
_Score = Callable[[NDArray[np.float32]], NDArray[np.float64]]


def look_at_points(context: Context, task: Task) -> Done:
    """Say how many points drifted in this run."""
    with reading(context.engine) as connection:
        baselines = [one for one in tasks_of(connection, context.run.id) if one.role == BASELINE]
    looked_at = [one for one in baselines if "drifted" in one.findings.get("drift", {})]
    drifted = sum(bool(one.findings["drift"]["drifted"]) for one in looked_at)
    findings = {"points": len(looked_at), "drifted_points": drifted}
    if task.champion is None or context.run.options.force or drifted >= max(_DRIFTED * len(looked_at), 1):
        return Done(findings)
    return Done(findings, "unchanged", (f"{drifted} of {len(looked_at)} points drifted",))


def split_machines(context: Context, task: Task) -> Done:
    """Choose the windows of each point, and which machines judge."""
    del task
    with reading(context.engine) as connection:
        rows = [row for row in point_rows(connection) if row.state == "watching" and len(row.channels) <= 1]
    chosen: dict[str, Any] = {}
    new: list[tuple[PointRow, FrozenWindows]] = []
    passed_over: dict[str, str] = {}
    for row in rows:
        try:
            frozen, selection, is_new = _of_point(context, row)
        except RacewayError as error:
            passed_over[row.id] = str(error)
            continue
        chosen[row.id] = {"learned": selection.learned.ids.tolist(), "recent": selection.recent.ids.tolist()}
        new += [(row, frozen)] * is_new
    machines = sorted({_machine(point) for point in chosen}, key=lambda name: hashlib.sha256(name.encode()).digest())
    if len(machines) < _HELD_OUT_OF:
        raise NotReadyError(f"{len(machines)} machines have enough healthy windows; {_HELD_OUT_OF} are wanted")
    held_out = machines[::_HELD_OUT_OF]
    findings = {"points": chosen, "held_out": held_out, "machines": len(machines), "passed_over": passed_over}
    return Done(findings, write=partial(_write_all, new=new))


def _write_all(connection: Connection, *, new: Sequence[tuple[PointRow, FrozenWindows]]) -> None:
    for row, frozen in new:
        write_frozen(connection, row, frozen)


def _machine(point_id: str) -> str:
    """Site and asset of a point: all points of a machine learn or judge together."""
    return point_id.rpartition("/")[0]


def _of_point(context: Context, row: PointRow) -> tuple[FrozenWindows, Selection, bool]:
    provenance = load_bundle(context.settings.bundles / str(row.bundle)).manifest.provenance
    with reading(context.engine) as connection:
        kept = read_frozen(connection, row)
    frozen = kept or freeze(context.engine, row, provenance=provenance, amounts=context.amounts)
    with reading(context.engine) as connection:
        selection = select(
            connection,
            row,
            provenance=provenance,
            kept=frozen.ids,
            carriers=frozen.carriers,
            amounts=context.amounts,
        )
    if len(selection.learned) < _SCALE + _TAIL:
        raise NotReadyError(f"{len(selection.learned)} windows to learn from; {_SCALE + _TAIL} are wanted")
    return frozen, selection, kept is None


def train_network(context: Context, task: Task) -> Done:
    """Learn the network from the machines that do not judge."""
    bundle_id = f"{NODE_HEALTH}-{context.run.id}"
    chosen = task.findings["select"]
    learned = {point: parts for point, parts in chosen["points"].items() if _machine(point) not in chosen["held_out"]}
    if not (context.settings.bundles / bundle_id).exists():
        with reading(context.engine) as connection:
            by_point = [_features(connection, parts["learned"]) for parts in learned.values()]
        _learn(context, np.concatenate([Scaler.learn(part).apply(part) for part in by_point]), bundle_id, chosen)
    manifest = load_bundle(context.settings.bundles / bundle_id).manifest
    return Done({"windows": manifest.provenance["windows"], "points": sorted(learned)}, challenger=bundle_id)


def _features(connection: Connection, ids: list[int]) -> NDArray[np.float32]:
    return features_of(connection, np.array(ids, dtype=np.int64))[:, _COLUMNS]


def _learn(context: Context, scaled: NDArray[np.float32], bundle_id: str, chosen: Mapping[str, Any]) -> None:
    from edge.convert import to_tflite_int8
    from models.autoencoder import learn_autoencoder

    model = learn_autoencoder(scaled, seed=_SEED)
    manifest = Manifest(
        id=bundle_id,
        role=NODE_HEALTH,
        contract=NODE.hash,
        seed=_SEED,
        provenance={"windows": len(scaled), "machines": chosen["machines"], "retraining": context.run.id},
        split={"held_out": chosen["held_out"]},
    )
    network = to_tflite_int8(model, scaled)
    write_bundle(context.settings.bundles, manifest, network=network, arrays={}, save_keras=model.save)


def judge_machines(context: Context, task: Task) -> Done:
    """Judge both networks on the machines held out, each commissioned as a node commissions itself, and their cost."""
    assert task.challenger is not None
    bundles = context.settings.bundles
    network = load_bundle(bundles / task.challenger).network
    challenger = _judged(context, task, network)
    champion = None if task.champion is None else _judged(context, task, load_bundle(bundles / task.champion).network)
    cost, over_budget = _cost(network)
    rate = context.settings.false_alarm_rate
    reasons = gate(champion or challenger, challenger, rate=rate, over_budget=over_budget)
    findings = {
        "champion": shown(champion or challenger),
        "challenger": shown(challenger),
        "rate": rate,
        "cost": cost,
        "first": champion is None,
    }
    return Done(findings, "refused" if reasons else None, reasons)


def _judged(context: Context, task: Task, network: bytes) -> Judged:
    chosen = task.findings["select"]
    judging = (point for point in chosen["points"] if _machine(point) in chosen["held_out"])
    return pooled([_judged_at(context, point, chosen["points"][point], network) for point in judging])


def _judged_at(context: Context, point: str, ids: Mapping[str, list[int]], network: bytes) -> Judged:
    with reading(context.engine) as connection:
        row = next(row for row in point_rows(connection) if row.id == point)
        frozen = read_frozen(connection, row)
        if frozen is None:
            raise NotReadyError(f"{point} learns anew; its frozen windows are no longer its own")
        learned, recent = (_features(connection, ids[part]) for part in ("learned", "recent"))
        frozen_ns, recent_ns = (ends_of(connection, np.array(own)) for own in (frozen.ids, ids["recent"]))
    score, tail = _commissioned(network, learned)
    return judge(
        score,
        threshold=tail.level(context.settings.false_alarm_rate),
        tail=tail,
        frozen=frozen.healthy[:, _COLUMNS],
        recent=recent,
        frozen_ns=frozen_ns,
        recent_ns=recent_ns,
        faults={kind: features[:, _COLUMNS] for kind, features in frozen.faults.items()},
        alarmed={},
        alarm=context.settings.alarm(),
    )


def _commissioned(network: bytes, learned: NDArray[np.float32]) -> tuple[_Score, Tail]:
    """What a node makes of the network with its first windows: its scores, and their tail in health."""
    scaler = Scaler.learn(learned[:_SCALE])

    def score(features: NDArray[np.float32]) -> NDArray[np.float64]:
        scaled = scaler.apply(features)
        return reconstruction_error(scaled, run_int8(network, scaled))

    return score, Tail.learn(score(learned[_SCALE : _SCALE + _TAIL]))


def _cost(network: bytes) -> tuple[dict[str, int], tuple[str, ...]]:
    """What a network costs on a node, and by what it passes the budget; a cost that is not known passes it."""
    from edge.budget import ModelBudgetError, check_budget, read_budget
    from edge.compiler.compilation import compile_model
    from edge.emulator.running import run_on_m4

    with tempfile.TemporaryDirectory() as folder:
        library = compile_model(network, name="health", folder=Path(folder) / "health")
        try:
            run = run_on_m4(library, np.zeros((1, library.input_bytes), dtype=np.int8))
        except ToolchainError as error:
            return {}, (f"its cost on a node cannot be measured: {error}",)
    names = {"flash_bytes": "bytes of flash", "ram_bytes": "bytes of RAM", "stack_bytes": "bytes of stack"}
    cost = {words: int(getattr(run, name)) for name, words in names.items()} | {"cycles": int(run.cycles)}
    try:
        check_budget(run, read_budget(), NODE_HEALTH)
    except ModelBudgetError as error:
        return cost, (str(error),)
    return cost, ()


def lay_ready(context: Context, task: Task) -> Done:
    """Write what is signed for nodes: packed model, golden window and the command; what is there already is taken."""
    assert task.challenger is not None
    folder = context.settings.candidates / task.challenger
    if not folder.exists():
        _write_candidate(folder, load_bundle(context.settings.bundles / task.challenger).network, task.challenger)
    return Done({"folder": str(folder)})


def _write_candidate(folder: Path, network: bytes, name: str) -> None:
    from edge.compiler.packing import pack_model
    from edge.oracle import ends_of, run_tflm
    from edge.tflite.reading import read_tflite

    packed = pack_model(network)
    given, _ = ends_of(read_tflite(network))
    window = np.random.default_rng(_SEED).integers(-64, 64, (1, given.size), dtype=np.int8)
    try:
        golden = run_tflm(network, window.reshape(1, *given.shape[1:]))
    except ArtifactError as error:
        raise NotReadyError(f"no golden window can be computed here: {error}") from error
    command = (
        f"raceway node package model.packed --key PRIVATE.pem --version NUMBER --name {NODE_HEALTH} "
        f"--golden-input golden-input.bin --output {name}.image\n"
    )
    with drafted(folder) as draft:
        (draft / "model.packed").write_bytes(packed)
        (draft / "golden-input.bin").write_bytes(window.tobytes())
        (draft / "golden-output.bin").write_bytes(np.asarray(golden, dtype=np.int8).tobytes())
        (draft / "package.txt").write_text(command, encoding="utf-8")


def hand_over(context: Context, task: Task) -> Done:
    """Let the challenger serve and lay it down as a roll-out, signed where a key is at hand, in one transaction."""
    bundle = task.challenger
    assert bundle is not None
    lay_ready(context, task)
    folder = context.settings.candidates / bundle
    model = (folder / "model.packed").read_bytes()
    image, why = _signed(context, model, bundle)
    served = take_place(context, task)
    assert served.write is not None
    laid = partial(lay, model=model, bundle=bundle, why=f"retraining {context.run.id}", now_ns=context.now_ns)
    write = partial(_write_rollout, take=served.write, laid=laid, image=image, now_ns=context.now_ns)
    return Done(outcome="promoted", reasons=(*served.reasons, why), write=write)


def _write_rollout(
    connection: Connection,
    *,
    take: Callable[[Connection], None],
    laid: Callable[[Connection], int],
    image: bytes | None,
    now_ns: int,
) -> None:
    take(connection)
    number = laid(connection)
    if image is not None and one_rollout(connection, number).rollout.phase == "candidate":
        # Another image may have taken the version meanwhile: then somebody signs it.
        with contextlib.suppress(ParameterError):
            keep_image(connection, JOB, number, image, why="", now_ns=now_ns)


def _signed(context: Context, model: bytes, bundle: str) -> tuple[bytes | None, str]:
    """The signed image, where the settings name a key that is good, and what is left to be done."""
    place = context.settings.candidate_key
    if place is None:
        return None, "its roll-out waits to be signed: `raceway fleet list`"
    try:
        with reading(context.engine) as connection:
            version = next_version(connection)
        key = read_private_key(place.read_bytes())
        folder = context.settings.candidates / bundle
        return signed_model(model, bundle=bundle, key=key, version=version, folder=folder), "its roll-out is signed"
    except (RacewayError, OSError) as error:
        return None, f"its roll-out waits to be signed, since here it could not be: {error}"


# Steps of the network of nodes, in order.
NODE_STEPS: Mapping[str, Step] = {
    "drift": look_at_points,
    "select": split_machines,
    "train": train_network,
    "gate": judge_machines,
    "hand-over": lay_ready,
    "promote": hand_over,
}
