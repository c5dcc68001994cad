"""Models that retraining hands over: one row each whatever is killed, signed and begun by who may, back by an undo."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from retrained import NOW_NS
from sqlalchemy import Engine
from updating_nodes import CONTRACT, KEY, model_image

import app.retraining.nodes as nodes_steps
import app.retraining.taking as taking
from app.access.roles import ForbiddenError, User
from app.cli import _raceway
from app.fleet.candidates import begin_candidate, keep_image, lay, signed_model, withdraw
from app.fleet.nodes import Node
from app.fleet.records import listed, log_of, one_rollout
from app.fleet.rollout import Policy
from app.fleet.starting import halt, next_version, roll_back
from app.fleet.stepping import step
from app.retraining.forcing import force
from app.retraining.job import retrain
from app.retraining.lock import held_lock
from app.retraining.promotion import latest_promotion, undo
from app.retraining.records import BASELINE, NODE_HEALTH, Options, Task, begin_run, save_task
from app.retraining.steps import Context, Done
from app.schema import nodes
from app.settings import Settings
from app.store import PointRow, bundle_of, open_store, reading, save_point, writing
from edge.node.package import make_image, open_image
from features.errors import ArtifactError, ParameterError

_KIM, _OP = User("kim", "engineer"), User("olga", "operator")
_MODEL = b"a packed model"
_POLICY = Policy()
_STEPS = ("drift", "hand-over", "promote")
_PLACES = ["run begun", *(f"{NODE_HEALTH}  {step} {how}" for step in _STEPS for how in ("begun", "worked", "kept"))]


@pytest.fixture
def engine(store: Engine) -> Engine:
    with writing(store) as connection:
        for i in range(3):
            name = f"plant/n{i}/node"
            save_point(connection, PointRow(name, name), new=True)
            one = Node(name, f"n{i}", online=True, model=5, slot="confirmed", contract=CONTRACT.hex(), boot=1)
            connection.execute(nodes.insert().values(**vars(one)))
    return store


@pytest.fixture
def networks(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with which a run hands a network over that nobody has to learn."""

    def drift(context: Context, task: Task) -> Done:
        del task
        return Done(challenger=f"{NODE_HEALTH}-{context.run.id}")

    def pack(folder: Path, network: bytes, name: str) -> None:
        del network, name
        folder.mkdir(parents=True)
        (folder / "model.packed").write_bytes(_MODEL)

    steps = {"drift": drift, "hand-over": nodes_steps.lay_ready, "promote": nodes_steps.hand_over}
    monkeypatch.setattr(taking, "ROLES", {BASELINE: {}, NODE_HEALTH: steps})
    monkeypatch.setattr(nodes_steps, "_write_candidate", pack)
    monkeypatch.setattr(nodes_steps, "load_bundle", lambda _: Task("", "", ""))
    monkeypatch.setattr(Task, "network", b"", raising=False)
    return settings.model_copy(update={"retrain_nodes": True})


def _image(version: int, *, model: bytes = _MODEL) -> bytes:
    return make_image(
        model,
        version=version,
        contract=CONTRACT,
        operators=[3],
        memory_bytes=512,
        golden_input=b"\1",
        golden_output=b"\1",
        name="health",
        metrics={},
        key=KEY,
    )


def _killed_at(settings: Settings, place: str) -> int:
    def kill(at: str) -> None:
        if at == place:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if not child:
        try:
            retrain(open_store(settings.database), settings, options=Options(), clock_ns=lambda: NOW_NS, hook=kill)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


@pytest.mark.parametrize("place", _PLACES)
def test_a_kill_at_any_step_hands_the_network_over_once_and_only_with_its_promotion(
    engine: Engine, networks: Settings, place: str
) -> None:
    assert _killed_at(networks, place) == 9
    promoted = place == _PLACES[-1]
    with reading(engine) as connection:
        assert len(listed(connection, most=9)) == promoted
        assert (bundle_of(connection, NODE_HEALTH) is not None) == promoted
    retrain(engine, networks, options=Options(), clock_ns=lambda: NOW_NS + 10**9)
    with reading(engine) as connection:
        (one,) = listed(connection, most=9)
        assert (one.phase, one.bundle) == ("candidate", bundle_of(connection, NODE_HEALTH))
        assert one_rollout(connection, one.id).image == _MODEL


def test_a_key_that_is_at_hand_signs_at_once_and_a_bad_one_leaves_it_to_people(
    engine: Engine, networks: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = networks.model_copy(update={"candidate_key": tmp_path / "none.pem"})
    retrain(engine, bad, options=Options(), clock_ns=lambda: NOW_NS)
    with reading(engine) as connection:
        assert [one.phase for one in listed(connection, most=9)] == ["candidate"]
    (tmp_path / "key.pem").write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    good = networks.model_copy(update={"candidate_key": tmp_path / "key.pem"})
    monkeypatch.setattr(nodes_steps, "signed_model", lambda model, **given: _image(given["version"], model=model))
    retrain(engine, good, options=Options(), clock_ns=lambda: NOW_NS + 10**9)
    with reading(engine) as connection:
        later, earlier = listed(connection, most=9)
        who = [(row.who, row.action) for row in log_of(connection, later.id)]
    # What was not begun gives way to the later one.
    assert (later.phase, later.version, earlier.phase) == ("signed", 6, "withdrawn")
    assert who == [("raceway", "candidate"), ("retraining", "signed")]


def test_only_who_may_roll_out_signs_and_begins_and_only_in_that_order(engine: Engine) -> None:
    with writing(engine) as c:
        number = lay(c, _MODEL, bundle="node-health-1", why="run", now_ns=NOW_NS)
        assert lay(c, _MODEL, bundle="node-health-1", why="run", now_ns=NOW_NS) == number
    with pytest.raises(ForbiddenError, match="may not roll out"), writing(engine) as c:
        keep_image(c, _OP, number, _image(6), why="", now_ns=NOW_NS)
    with pytest.raises(ParameterError, match="holds another model"), writing(engine) as c:
        keep_image(c, _KIM, number, model_image(6), why="", now_ns=NOW_NS)
    with pytest.raises(ParameterError, match="has version 5; 6 or above is wanted"), writing(engine) as c:
        keep_image(c, _KIM, number, _image(5), why="", now_ns=NOW_NS)
    with pytest.raises(ParameterError, match="is candidate; sign it first"), writing(engine) as c:
        begin_candidate(c, _KIM, number, (), policy=_POLICY, why="", now_ns=NOW_NS)
    with pytest.raises(ParameterError, match="cannot be rolled back"), writing(engine) as c:
        roll_back(c, _KIM, one_rollout(c, number), why="", now_ns=NOW_NS)
    with pytest.raises(ParameterError, match="no roll-out was ever begun"), writing(engine) as c:
        halt(c, _KIM, None, why="", now_ns=NOW_NS)
    with writing(engine) as c:
        assert keep_image(c, _KIM, number, _image(6), why="", now_ns=NOW_NS).rollout.phase == "signed"
        # A later version is signed in its place where nodes went on meanwhile.
        assert keep_image(c, _KIM, number, _image(9), why="", now_ns=NOW_NS).rollout.version == 9
        assert step(c, now_ns=NOW_NS) == []
    with pytest.raises(ForbiddenError, match="may not roll out"), writing(engine) as c:
        begin_candidate(c, _OP, number, (), policy=_POLICY, why="", now_ns=NOW_NS)
    with writing(engine) as c:
        begun = begin_candidate(c, _KIM, number, ("n1", "n0"), policy=_POLICY, why="it passed", now_ns=NOW_NS)
        (order,) = step(c, now_ns=NOW_NS)
        assert next_version(c) == 10
    assert (order.kind, order.point_id, order.image) == ("update", "plant/n1/node", _image(9))
    assert [member.node for member in begun.rollout.members] == ["plant/n1/node", "plant/n0/node"]
    with pytest.raises(ParameterError, match="only a candidate can be withdrawn"), writing(engine) as c:
        withdraw(c, _KIM, number, why="x", now_ns=NOW_NS)


def test_an_undo_withdraws_what_was_not_begun(engine: Engine, networks: Settings) -> None:
    for i in range(2):
        retrain(engine, networks, options=Options(), clock_ns=lambda i=i: NOW_NS + i * 10**9)  # type: ignore[misc]
    with writing(engine) as c:
        last = latest_promotion(c, NODE_HEALTH, "")
        assert last is not None
        undo(c, _KIM, [last], there=lambda _: True, why="noisy", now_ns=NOW_NS)
    with reading(engine) as c:
        one = listed(c, most=1)[0]
    assert (one.phase, one.reason) == ("withdrawn", "its promotion was undone: noisy")


def test_a_network_that_the_gate_refused_is_handed_over_by_who_overrules_it(engine: Engine) -> None:
    with held_lock(engine, stale_s=60.0, clock_ns=lambda: NOW_NS) as lock, writing(engine) as c:
        run = begin_run(c, lock, Options(), now_ns=NOW_NS)
        task = Task(run.id, NODE_HEALTH, "", "gate", "refused", None, "node-health-7", {})
        save_task(c, lock, [task])
    with writing(engine) as c:
        force(c, _KIM, task, there=lambda _: True, why="a new board", now_ns=NOW_NS, packed=_MODEL)
        (one,) = listed(c, most=9)
        assert (one.phase, one.bundle, bundle_of(c, NODE_HEALTH)) == ("candidate", "node-health-7", "node-health-7")
        assert log_of(c, one.id)[0].why == "node-health-7: kim, in spite of the gate: a new board"


def test_what_tflite_micro_made_of_the_golden_window_must_come_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.node.packaging.package_model", lambda *_, **given: _image(given["version"]))
    (tmp_path / "golden-input.bin").write_bytes(b"\1")
    (tmp_path / "golden-output.bin").write_bytes(b"\1")
    given: dict[str, Any] = {"bundle": "node-health-1", "key": KEY, "version": 6, "folder": tmp_path}
    assert open_image(signed_model(_MODEL, **given), keys=[KEY.public_key()]).model == _MODEL
    (tmp_path / "golden-output.bin").write_bytes(b"\2")
    with pytest.raises(ArtifactError, match="make different things of the golden window"):
        signed_model(_MODEL, **given)


def test_a_candidate_is_listed_signed_begun_and_withdrawn_on_the_command_line(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    def call(*arguments: str) -> Result:
        return CliRunner().invoke(_raceway, ["--data-dir", str(settings.data_dir), "fleet", *arguments])

    with writing(engine) as c:
        lay(c, _MODEL, bundle="node-health-1", why="run", now_ns=NOW_NS)
    assert "candidate 1 (node-health-1) waits to be signed: `raceway fleet sign 1 --key" in call("list").output
    assert "waits to be signed" in call("status", "1").output
    assert "give one of --key and --image" in call("sign", "1").output
    (tmp_path / "m.image").write_bytes(_image(8))
    signed = call("sign", "1", "--image", str(tmp_path / "m.image"), "--user", "kim")
    assert "candidate 1 has version 8 and is signed: `raceway fleet rollout --candidate 1` begins it" in signed.output
    # A version that is free again: the key signs the same model anew.
    (tmp_path / "key.pem").write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert "has version 9" in call("sign", "1", "--key", str(tmp_path / "key.pem")).output
    assert "name an IMAGE, or a candidate" in call("rollout").output
    assert call("rollout", "--candidate", "1", "n2", "--why", "passed").output.startswith("roll-out 1 begun")
    with writing(engine) as c:
        assert c.execute(sa.text("SELECT point_id FROM rollout_members")).scalars().all() == ["plant/n2/node"]
        lay(c, _MODEL, bundle="node-health-2", why="run", now_ns=NOW_NS)
    assert call("withdraw", "2", "--why", "no").output == "candidate 2 is withdrawn\n"
    assert "only a candidate can be withdrawn" in call("withdraw", "2", "--why", "no").output
