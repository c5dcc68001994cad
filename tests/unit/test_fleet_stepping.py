"""Roll-outs over a store: stage by stage, halted where health is lost, and going on after a kill at any moment."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.fleet.nodes import Node
from app.fleet.records import Former, create, log_of, one_rollout
from app.fleet.rollout import Policy, planned
from app.fleet.stepping import Order, Told, health_of, step
from app.schema import metadata, node_events, nodes
from app.store import PointRow, save_point

_POLICY = Policy(stages=(1, 1.0), soak_s=20.0, patience_s=300.0, silent_s=120.0)
_S = 1_000_000_000


class Plant:
    """A store in memory with nodes that do as gateway and firmware would, at once."""

    def __init__(self, n: int) -> None:
        self.engine = sa.create_engine("sqlite://")
        metadata.create_all(self.engine)
        self.connection = self.engine.connect()
        self.now_ns = 1_795_000_000 * _S
        self.names = [f"plant/n{i}/node" for i in range(n)]
        self.nodes = {name: Node(name, name.split("/")[1], online=True, model=1, boot=1) for name in self.names}
        self.bad: set[str] = set()
        self.deaf: set[str] = set()
        self.said = 0
        for name, node in self.nodes.items():
            save_point(self.connection, PointRow(name, name), new=True)
            self.connection.execute(nodes.insert().values(**vars(node)))

    def begin(self) -> int:
        plan = planned(self.names, version=2, policy=_POLICY)
        return create(self.connection, plan, kind="rollout", image=b"image", who="ann", why="", now_ns=self.now_ns)

    def pass_time(self, seconds: float) -> list[Order]:
        """Let all nodes report and the service step."""
        self.now_ns += round(seconds * _S)
        for name in self.names:
            self.become(name, seen_ns=self.now_ns, number=3, state="watching")
        return step(self.connection, now_ns=self.now_ns)

    def become(self, name: str, **changes: Any) -> None:
        self.nodes[name] = self.nodes[name].changed(**changes)
        self.connection.execute(nodes.update().where(nodes.c.point_id == name).values(**vars(self.nodes[name])))

    def tell(self, order: Order, kind: str, **entries: Any) -> None:
        self.said += 1
        row = {"point_id": order.point_id, "node": "n", "at_ns": self.now_ns, "kind": kind}
        row |= {"entries": json.dumps({"id": order.update_id, **entries}), "digest": self.said.to_bytes(16, "big")}
        self.connection.execute(node_events.insert().values(**row))

    def obey(self, orders: list[Order]) -> None:
        for order in orders:
            node = self.nodes[order.point_id]
            if order.point_id in self.deaf:
                continue
            if order.kind == "update":
                self.tell(order, "update_taken")
                if order.point_id in self.bad:
                    self.tell(order, "update_refused", reason="golden")
                else:
                    self.tell(order, "update_done", version=2)
                    self.become(order.point_id, slot="trial", model=2, candidate=2, boot=(node.boot or 0) + 1)
            elif order.kind == "confirm" and node.slot == "trial":
                self.become(order.point_id, slot="confirmed")
            elif order.kind == "abort":
                self.tell(order, "update_refused", reason="aborted")
                if node.slot == "trial":
                    self.become(order.point_id, slot="empty", model=1, candidate=0, update_reason="aborted")

    def go(self, *, most: int = 60) -> str:
        for _ in range(most):
            self.obey(self.pass_time(10.0))
            if one_rollout(self.connection, None).rollout.phase != "running":
                break
        return one_rollout(self.connection, None).rollout.phase


def test_a_model_reaches_one_node_soaks_and_reaches_the_others() -> None:
    plant = Plant(4)
    number = plant.begin()
    first = plant.pass_time(1.0)
    assert [(order.kind, order.point_id, order.update_id) for order in first] == [
        ("update", "plant/n0/node", f"rollout-{number}-1")
    ]
    plant.obey(first)
    (confirm,) = plant.pass_time(1.0)
    assert (confirm.kind, confirm.version) == ("confirm", 2)
    plant.obey([confirm])
    assert plant.pass_time(1.0) == []
    assert plant.pass_time(10.0) == []
    assert {order.point_id for order in plant.pass_time(10.0)} == set(plant.names[1:])
    assert plant.go() == "done"
    assert {node.model for node in plant.nodes.values()} == {2}
    actions = [row.action for row in log_of(plant.connection, number)]
    assert (actions[0], actions.count("sent"), actions.count("confirmed"), actions.count("done")) == (
        "rollout",
        4,
        4,
        1,
    )
    assert log_of(plant.connection, number)[0].who == "ann"


def test_the_same_is_said_again_until_the_gateway_has_it() -> None:
    plant = Plant(2)
    plant.begin()
    orders = plant.pass_time(1.0)
    assert plant.pass_time(1.0) == orders
    plant.tell(orders[0], "update_taken")
    assert plant.pass_time(1.0) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"boot": 3, "reset": "watchdog"}, "reset by its watchdog"),
        ({"slot": "empty", "model": 1, "update_reason": "unconfirmed"}, "gave the model up (unconfirmed)"),
        ({"alarm": True}, "its alarm came up"),
    ],
)
def test_a_loss_of_health_on_trial_halts_it_and_nothing_more_is_said(changes: dict[str, Any], reason: str) -> None:
    plant = Plant(3)
    plant.begin()
    plant.obey(plant.pass_time(1.0))
    plant.become(plant.names[0], **changes)
    assert plant.pass_time(1.0) == []
    plan = one_rollout(plant.connection, None).rollout
    assert plan.phase == "halted"
    assert reason in str(plan.reason)
    assert plant.pass_time(1000.0) == []
    assert {plant.nodes[name].model for name in plant.names[1:]} == {1}


def test_a_node_that_reports_seldom_is_not_silent_in_between() -> None:
    seldom = Node("a/b/c", "n", model=2, seen_ns=1000 * _S, period_ms=3_600_000)
    assert health_of(seldom, Former(1), Told(), version=2).seen_s == 1000.0 + 7200.0


def test_what_a_node_refuses_halts_it() -> None:
    plant = Plant(3)
    plant.begin()
    plant.bad.add(plant.names[0])
    assert plant.go() == "halted"
    assert "it refused: golden" in str(one_rollout(plant.connection, None).rollout.reason)


def test_what_is_on_its_way_when_others_fail_is_called_back() -> None:
    plant = Plant(4)
    plant.begin()
    plant.bad.add(plant.names[1])
    plant.deaf.add(plant.names[2])
    assert plant.go(most=3) == "running"
    for _ in range(8):
        orders = plant.pass_time(10.0)
        plant.obey(orders)
        for order in orders:
            if order.kind == "update" and order.point_id in plant.deaf:
                plant.tell(order, "update_taken")
        if one_rollout(plant.connection, None).rollout.phase == "halted":
            break
    (abort,) = plant.pass_time(1.0)
    assert (abort.kind, abort.point_id) == ("abort", plant.names[2])
    plant.tell(abort, "update_refused", reason="aborted")
    assert plant.pass_time(1.0) == []
    states = {member.node: member.state for member in one_rollout(plant.connection, None).rollout.members}
    assert (states[plant.names[1]], states[plant.names[2]]) == ("failed", "waiting")


def test_nodes_on_trial_leave_the_model_where_it_is_rolled_back() -> None:
    from app.schema import rollouts

    plant = Plant(2)
    plant.begin()
    plant.obey(plant.pass_time(1.0))
    plant.connection.execute(rollouts.update().values(phase="rolling back"))
    (abort,) = plant.pass_time(1.0)
    assert abort.kind == "abort"
    plant.obey([abort])
    assert plant.pass_time(1.0) == []
    assert one_rollout(plant.connection, None).rollout.phase == "rolled back"
    assert plant.nodes[plant.names[0]].model == 1


@hypothesis_settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(["go", "undone", "unsaid"]), max_size=25))
def test_a_kill_before_the_commit_or_before_what_was_to_be_said_changes_nothing(moments: list[str]) -> None:
    plant = Plant(3)
    plant.begin()
    for moment in moments:
        if moment == "undone":
            undo = plant.connection.begin_nested()
            plant.pass_time(1.0)
            undo.rollback()
        elif moment == "unsaid":
            plant.pass_time(1.0)
        else:
            plant.obey(plant.pass_time(1.0))
    assert plant.go() == "done"
    assert {node.model for node in plant.nodes.values()} == {2}
    assert {former.attempt for former in one_rollout(plant.connection, None).former.values()} == {1}
