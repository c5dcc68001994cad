"""Roll-outs and candidates on the nodes page: what is halted on top, and buttons that the role decides on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import streamlit as st
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pages import acting_as, opened, press
from updating_nodes import CONTRACT, KEY, model_image

from app.access.roles import User
from app.console.words import plain
from app.fleet.candidates import keep_image, lay
from app.fleet.costs import cost_of
from app.fleet.nodes import Node
from app.fleet.records import log_of, one_rollout
from app.fleet.rollout import Policy, stages_of
from app.fleet.starting import begin, halt
from app.fleet.stepping import step
from app.schema import nodes, retraining_runs, retraining_tasks, rollout_members
from app.store import PointRow, reading, save_point, writing
from edge.node.package import open_image
from features.errors import ParameterError

_KIM = User("kim", "engineer")


@pytest.fixture
def engine(console: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    """Three nodes; an engineer looks at them."""
    acting_as(monkeypatch, _KIM)
    fill(console, 3)
    return console


def fill(engine: sa.Engine, n: int) -> None:
    """Nodes that run version 5."""
    with writing(engine) as connection:
        for i in range(n):
            name = f"plant/n{i}/node"
            save_point(connection, PointRow(name, name), new=True)
            one = Node(name, f"n{i}", online=i != 0, model=5, slot="confirmed", contract=CONTRACT.hex(), boot=1)
            connection.execute(nodes.insert().values(**vars(one)))


def _begun(engine: sa.Engine, *, halted: bool = False) -> None:
    with writing(engine) as connection:
        begin(connection, _KIM, model_image(6), (), policy=Policy(), why="better", now_ns=time.time_ns())
        step(connection, now_ns=time.time_ns())
        if halted:
            halt(connection, _KIM, 1, why="wait", now_ns=time.time_ns())


def _phase(engine: sa.Engine) -> str:
    with reading(engine) as connection:
        return one_rollout(connection, 1).rollout.phase


def test_without_a_roll_out_the_page_says_what_begins_one(engine: sa.Engine) -> None:
    assert engine is not None
    page = opened("nodes", rollout="1")
    assert "raceway fleet rollout" in page.info[0].value


def test_a_halted_roll_out_is_said_above_the_nodes(engine: sa.Engine) -> None:
    _begun(engine, halted=True)
    page = opened("nodes")
    assert page.error[0].value == f"Roll-out 1 of version 6 is halted: {plain('halted by kim: wait')}"
    assert len(page.dataframe[0].value) == 3


def test_a_roll_out_shows_stages_nodes_and_log_and_is_halted_resumed_and_rolled_back(engine: sa.Engine) -> None:
    _begun(engine)
    page = opened("nodes", rollout="1")
    listed, members, log = (frame.value for frame in page.dataframe)
    assert (listed["Phase"].iloc[0], listed["Confirmed"].iloc[0]) == ("◔ running", "0 of 3")
    assert list(members["State"]) == ["◔ sent", "○ waiting", "○ waiting"]
    assert list(log["Step"]) == ["sent", "rollout"]
    assert {button.label: button.disabled for button in page.button} == {"Halt": True, "Roll back": True}
    page.text_input(key="rollout why").input("smoke at pump 7").run()
    page = press(page, "Halt")
    assert page.success[0].value == "Roll-out 1: halt is done."
    assert _phase(engine) == "halted"
    page = press(page, "Resume")
    assert _phase(engine) == "running"
    press(page, "Roll back")
    assert _phase(engine) == "rolling back"
    with reading(engine) as connection:
        steps = [(row.who, row.action, row.why) for row in log_of(connection, 1) if row.who == "kim"]
    assert steps == [("kim", "rollout", "better")] + [
        ("kim", step, "smoke at pump 7") for step in ("halt", "resume", "rollback")
    ]


def test_operators_see_roll_outs_and_move_none(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    _begun(engine)
    acting_as(monkeypatch, User("olga", "operator"))
    page = opened("nodes", rollout="1")
    assert all(button.disabled for button in page.button)
    assert any("Engineers halt" in caption.value for caption in page.caption)


def test_a_candidate_waits_for_the_key_and_is_begun_from_the_page(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        model = open_image(model_image(6), keys=[KEY.public_key()]).model
        lay(connection, model, bundle="node-health-1", why="run", now_ns=1)
    page = opened("nodes", rollout="1")
    assert "`raceway fleet sign 1 --key PRIVATE.pem`" in page.info[0].value
    assert [button.label for button in page.button] == ["Withdraw"]
    with writing(engine) as connection:
        keep_image(connection, _KIM, 1, model_image(6), why="", now_ns=2)
    page = opened("nodes", rollout="1")
    assert "signed as version 6" in page.info[0].value
    page.text_input[0].input("many")
    page = press(page, "Begin the roll-out")
    assert "'many' are no stages" in page.error[0].value
    page.text_input[0].input("1, 100%")
    page.multiselect[0].select("plant/n2/node")
    press(page, "Begin the roll-out")
    with reading(engine) as connection:
        plan = one_rollout(connection, 1).rollout
    assert (plan.phase, plan.policy.stages, [member.node for member in plan.members]) == (
        "running",
        (1, 1.0),
        ["plant/n2/node"],
    )


def test_nodes_that_confirmed_what_is_rolled_back_are_taken_back_by_the_key_at_hand(
    engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writing(engine) as connection:
        begin(connection, _KIM, model_image(5), (), policy=Policy(), why="", now_ns=1)
        connection.execute(sa.text("UPDATE rollouts SET phase = 'done'"))
        begin(connection, _KIM, model_image(6), (), policy=Policy(), why="", now_ns=1)
        connection.execute(nodes.update().values(model=6))
        confirmed = {"state": "confirmed", "attempt": 1, "former_version": 5}
        connection.execute(rollout_members.update().values(**confirmed))
    page = opened("nodes", rollout="2")
    page.text_input(key="rollout why").input("false alarms").run()
    page = press(page, "Roll back")
    assert "3 nodes have confirmed it and had version 5 before" in page.warning[0].value
    assert "--version 7 --output back.image" in page.warning[0].value
    with writing(engine) as connection:
        connection.execute(sa.text("UPDATE rollouts SET phase = 'done' WHERE id = 2"))
    (tmp_path / "key.pem").write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    monkeypatch.setenv("RACEWAY_CANDIDATE_KEY", str(tmp_path / "key.pem"))
    st.cache_resource.clear()
    page = opened("nodes", rollout="2")
    page.text_input(key="rollout why").input("false alarms").run()
    press(page, "Roll back")
    with reading(engine) as connection:
        back = one_rollout(connection, None)
    assert (back.id, back.kind, back.rollout.version, len(back.rollout.members)) == (3, "rollback", 7, 3)


def test_what_a_model_takes_is_of_its_manifest_and_its_gate(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        assert cost_of(connection, 6) is None
        begin(connection, _KIM, model_image(6), (), policy=Policy(), why="", now_ns=1)
        plain = cost_of(connection, 6)
        connection.execute(sa.text("UPDATE rollouts SET bundle = 'node-health-R1'"))
        connection.execute(retraining_runs.insert().values(id="R1", started_ns=1, state="done", options="{}"))
        row: dict[str, Any] = {"run_id": "R1", "role": "node-health", "point_id": "", "step": "promote"}
        findings = '{"gate": {"cost": {"bytes of flash": 30000, "cycles": 90000}}}'
        connection.execute(retraining_tasks.insert().values(**row, findings=findings))
        connection.execute(nodes.update().values(model=6))
        known = cost_of(connection, 6)
    assert plain is not None
    assert (plain.model_bytes, plain.memory_bytes, plain.measured) == (5000, 512, {})
    assert known is not None
    assert (known.measured["cycles"], known.limits["cycles"]) == (90000, 1_000_000)
    page = opened("nodes", node="plant/n1/node")
    costs = page.dataframe[0].value.set_index("What")
    assert costs.loc["cycles, emulated", "Of the budget"] == "9 % of 1,000,000"
    assert costs.loc["bytes of flash, emulated", "Of the budget"] == "46 % of 65,536"


def test_the_list_is_filtered_by_state_version_and_name(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        connection.execute(nodes.update().where(nodes.c.name == "n2").values(model=6))
    page = opened("nodes")
    page.selectbox[0].select(6).run()
    assert list(page.dataframe[0].value["Point"]) == ["plant/n2/node"]
    page.selectbox[0].select(None).run()
    page.text_input[0].input("N1").run()
    assert list(page.dataframe[0].value["Point"]) == ["plant/n1/node"]
    page.text_input[0].input("").run()
    page.segmented_control[1].select("Offline").run()
    assert list(page.dataframe[0].value["Point"]) == ["plant/n0/node"]


def test_stages_are_counts_and_shares() -> None:
    assert stages_of("2,50 %,100%") == (2, 0.5, 1.0)
    with pytest.raises(ParameterError, match="'half' are no stages"):
        stages_of("half")
