"""Roll-outs go stage by stage, halt where nodes fail, and never send to a node out of its turn."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.fleet.rollout import (
    Member,
    NodeHealth,
    Policy,
    Rollout,
    halted,
    planned,
    resumed,
    stage_counts,
    stepped,
)
from features.errors import ParameterError

_POLICY = Policy(soak_s=100.0, patience_s=50.0, silent_s=30.0)
_NODES = [f"n{i:02d}" for i in range(20)]


def _health(version: int, seen_s: float, **more: str) -> NodeHealth:
    return NodeHealth(seen_s, version, **more)


def _all(version: int, seen_s: float) -> dict[str, NodeHealth]:
    return {node: _health(version, seen_s) for node in _NODES}


def _through(rollout: Rollout, now_s: float) -> tuple[Rollout, tuple[str, ...], float]:
    """Let what was sent confirm at once, and soak."""
    rollout, sent = stepped(rollout, _all(1, now_s), now_s=now_s)
    done = {member.node for member in rollout.open}
    health = {node: _health(2 if node in done else 1, now_s + 1) for node in _NODES}
    rollout, _ = stepped(rollout, health, now_s=now_s + 1)
    later = now_s + 101.0
    return rollout, sent, later


def test_the_model_reaches_one_then_a_tenth_then_all() -> None:
    assert stage_counts(100, (1, 0.1, 1.0)) == (1, 10, 100)
    rollout = planned(_NODES, version=2, policy=_POLICY)
    now_s, seen = 0.0, []
    while rollout.phase == "running":
        before = {member.node for member in rollout.members if member.state == "waiting"}
        open_before = {member.node for member in rollout.members if member.state == "confirmed"}
        health = {node: _health(2 if node in open_before else 1, now_s) for node in _NODES}
        rollout, sent = stepped(rollout, health, now_s=now_s)
        assert set(sent) <= before
        if sent:
            seen.append(len(sent))
        have = {member.node for member in rollout.members if member.state in ("sent", "confirmed")}
        rollout, again = stepped(
            rollout, {node: _health(2 if node in have else 1, now_s + 1) for node in _NODES}, now_s=now_s + 1
        )
        assert not again
        now_s += 101.0
    assert seen == [1, 1, 18]
    assert rollout.phase == "done"


def test_no_stage_begins_before_the_last_has_soaked() -> None:
    rollout, first, _ = _through(planned(_NODES, version=2, policy=_POLICY), 0.0)
    assert first == ("n00",)
    health = _all(1, 100.0) | {"n00": _health(2, 100.0)}
    rollout, sent = stepped(rollout, health, now_s=100.0)
    assert (sent, rollout.stage) == ((), 0)
    rollout, sent = stepped(rollout, health, now_s=101.0)
    assert (sent, rollout.stage) == (("n01",), 1)


@pytest.mark.parametrize(
    ("said", "now_s", "reason"),
    [
        ({"version": 1, "seen_s": 9.0, "refused": "the signature is not ours"}, 10.0, "refused: the signature"),
        ({"version": 1, "seen_s": 9.0, "faulty": "it was reset by its watchdog"}, 10.0, "watchdog"),
        ({"version": 1, "seen_s": 51.0}, 51.0, "did not confirm within 50 s"),
        ({"version": 2, "seen_s": 5.0}, 40.0, "nothing was heard of it for 35 s"),
    ],
)
def test_a_failure_of_the_first_node_halts_it_all(said: dict[str, object], now_s: float, reason: str) -> None:
    rollout, sent = stepped(planned(_NODES, version=2, policy=_POLICY), _all(1, 0.0), now_s=0.0)
    assert sent == ("n00",)
    rollout, sent = stepped(rollout, _all(1, now_s) | {"n00": NodeHealth(**said)}, now_s=now_s)  # type: ignore[arg-type]
    assert (rollout.phase, sent) == ("halted", ())
    assert rollout.reason is not None
    assert reason in rollout.reason
    assert [member.node for member in rollout.failed] == ["n00"]
    # Nothing is sent while it is halted, whatever time goes by.
    rollout, sent = stepped(rollout, _all(1, 1e6), now_s=1e6)
    assert (rollout.phase, sent) == ("halted", ())


def test_a_node_that_goes_back_counts_as_failed_even_after_it_had_confirmed() -> None:
    rollout, _, _ = _through(planned(_NODES, version=2, policy=_POLICY), 0.0)
    rollout, _ = stepped(rollout, _all(1, 20.0), now_s=20.0)
    assert rollout.phase == "halted"
    assert "went back to version 1" in str(rollout.reason)


def test_somebody_may_go_on_in_spite_of_a_failure() -> None:
    rollout, _ = stepped(planned(_NODES, version=2, policy=_POLICY), _all(1, 0.0), now_s=0.0)
    refused = {"n00": _health(1, 10.0, refused="full")}
    rollout, _ = stepped(rollout, _all(1, 10.0) | refused, now_s=10.0)
    rollout, sent = stepped(resumed(rollout), _all(1, 11.0) | refused, now_s=11.0)
    assert (rollout.phase, sent, rollout.stage) == ("running", ("n01",), 1)
    # A second failure halts it again.
    rollout, _ = stepped(rollout, _all(1, 12.0) | refused | {"n01": _health(1, 12.0, refused="full")}, now_s=12.0)
    assert rollout.phase == "halted"
    with pytest.raises(ParameterError, match="only one that is halted"):
        resumed(planned(_NODES, version=2))


def test_a_few_of_many_may_fail() -> None:
    nodes = [f"n{i:03d}" for i in range(200)]
    members = tuple(Member(node, "confirmed" if i < 20 else "sent", 0.0) for i, node in enumerate(nodes))
    rollout = Rollout(2, members, _POLICY, stage=2)

    def health(failing: int) -> dict[str, NodeHealth]:
        return {n: _health(2, 10.0, **({"refused": "full"} if i < failing else {})) for i, n in enumerate(nodes)}

    kept, _ = stepped(rollout, health(4), now_s=10.0)
    assert kept.phase == "running"
    gone, _ = stepped(rollout, health(5), now_s=10.0)
    assert gone.phase == "halted"


def test_what_has_the_version_already_is_not_sent_it() -> None:
    health = _all(1, 0.0) | {"n00": _health(2, 0.0)}
    rollout, sent = stepped(planned(_NODES, version=2, policy=_POLICY), health, now_s=0.0)
    assert sent == ()
    assert rollout.members[0].state == "confirmed"


@pytest.mark.parametrize("stages", [(), (0.5,), (0.0, 1.0), (0.5, 0.2, 1.0), (1, 1), (30, 0.1, 1.0)])
def test_stages_that_lead_nowhere_are_refused(stages: tuple[float, ...]) -> None:
    with pytest.raises(ParameterError, match="stages"):
        planned(_NODES, version=2, policy=replace(_POLICY, stages=stages))


def test_nodes_are_wanted_each_once() -> None:
    for nodes in ([], ["a", "a"]):
        with pytest.raises(ParameterError, match="each once"):
            planned(nodes, version=2)


@given(
    st.integers(1, 40),
    st.lists(st.tuples(st.floats(0.0, 200.0), st.sets(st.integers(0, 39)), st.sets(st.integers(0, 39))), max_size=12),
)
def test_whatever_nodes_say_no_stage_is_left_out_and_none_is_sent_twice(
    n: int, events: list[tuple[float, set[int], set[int]]]
) -> None:
    nodes = [f"n{i}" for i in range(n)]
    rollout, now_s, sent_so_far = planned(nodes, version=2, policy=_POLICY), 0.0, set[str]()
    counts = stage_counts(n, _POLICY.stages)
    for passed_s, having, refusing in events:
        now_s += passed_s
        health = {
            node: _health(2 if i in having else 1, now_s, **({"refused": "r"} if i in refusing else {}))
            for i, node in enumerate(nodes)
        }
        before = rollout
        rollout, sent = stepped(rollout, health, now_s=now_s)
        assert not sent_so_far & set(sent)
        sent_so_far |= set(sent)
        assert rollout.stage - before.stage in (0, 1)
        assert sent_so_far <= set(nodes[: counts[rollout.stage]])
        if rollout.phase != "running":
            assert not sent
    assert halted(rollout, "by hand").phase == "halted"
