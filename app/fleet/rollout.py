"""A roll-out of one model to many nodes, stage by stage: what to send next and when to halt; nothing is sent here."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from features.errors import ParameterError

__all__ = [
    "ENDED",
    "WAITING",
    "Member",
    "NodeHealth",
    "Policy",
    "Rollout",
    "State",
    "halted",
    "planned",
    "resumed",
    "stage_counts",
    "stages_of",
    "stepped",
]

State = Literal["waiting", "sent", "confirmed", "failed"]
Phase = Literal["candidate", "signed", "withdrawn", "running", "halted", "done", "rolling back", "rolled back"]
ENDED = ("done", "rolling back", "rolled back")
# Not begun yet: handed over by the retraining job, without nodes.
WAITING = ("candidate", "signed")


@dataclass(frozen=True, slots=True)
class Policy:
    """How carefully a roll-out goes.

    Attributes
    ----------
    stages : tuple of int or float
        Nodes up to the end of each stage: an integer is a count, a float a share of all.
    soak_s : float
        How long all nodes of a stage must have run the new model in health before the next stage begins.
    patience_s : float
        After which a node that was sent the model and has not confirmed counts as failed.
    silent_s : float
        After which a node that says nothing counts as lost.
    allowed : float
        Share of the nodes of a stage that may fail before the roll-out halts; below one node, none may.
    """

    stages: tuple[int | float, ...] = (1, 0.1, 1.0)
    soak_s: float = 3_600.0
    patience_s: float = 1_800.0
    silent_s: float = 900.0
    allowed: float = 0.02


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """What a node last said of itself.

    Attributes
    ----------
    seen_s : float
        Time of its last message, in seconds of the caller's clock.
    version : int
        Version of the model that it runs and has confirmed.
    refused : str or None
        Why it refused or reverted the version of the roll-out, where it did.
    faulty : str or None
        What is wrong with it, such as a reset by its watchdog; None in health.
    """

    seen_s: float
    version: int
    refused: str | None = None
    faulty: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A node in a roll-out, since when it is in its state, and why it failed."""

    node: str
    state: State = "waiting"
    since_s: float = 0.0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Rollout:
    """A roll-out as it stands.

    Attributes
    ----------
    version : int
        Of the model that is rolled out.
    members : tuple of Member
        In the order in which they are sent the model.
    policy : Policy
    stage : int
        From 0.
    phase : str
        ``candidate``, ``signed`` or ``withdrawn`` where it was not begun; ``running``, ``halted``, ``done``; ``rolling
        back`` while nodes are told to leave the model, ``rolled back``.
    reason : str or None
        Why it halted.
    forgiven : int
        How many failures somebody has seen and gone on in spite of.
    """

    version: int
    members: tuple[Member, ...]
    policy: Policy = Policy()
    stage: int = 0
    phase: Phase = "running"
    reason: str | None = None
    forgiven: int = 0

    @property
    def open(self) -> tuple[Member, ...]:
        """Members of the stages begun so far."""
        return self.members[: stage_counts(len(self.members), self.policy.stages)[self.stage]]

    @property
    def failed(self) -> tuple[Member, ...]:
        """Members that failed."""
        return tuple(member for member in self.members if member.state == "failed")


def stage_counts(n: int, stages: Sequence[int | float]) -> tuple[int, ...]:
    """Return how many nodes have been sent the model at the end of each stage.

    Raises
    ------
    ParameterError
        If the stages do not rise, or do not end with all nodes.

    Examples
    --------
    >>> stage_counts(100, (1, 0.1, 1.0)), stage_counts(3, (1, 0.1, 1.0))
    ((1, 10, 100), (1, 3))
    """
    if not stages or stages[-1] != 1.0 or isinstance(stages[-1], int) or any(not stage > 0.0 for stage in stages):
        raise ParameterError(f"stages {tuple(stages)} were given; ones that end with 1.0, all nodes, are wanted")
    counts = [min(stage if isinstance(stage, int) else math.ceil(stage * n), n) for stage in stages]
    if any(b < a for a, b in itertools.pairwise(counts)):
        raise ParameterError(f"stages {tuple(stages)} of {n} nodes fall; rising ones are wanted")
    # A stage that adds no node would soak for nothing.
    return tuple(dict.fromkeys(counts))


def stages_of(text: str) -> tuple[int | float, ...]:
    """Read stages as people write them.

    Raises
    ------
    ParameterError
        If they are no counts and shares.

    Examples
    --------
    >>> stages_of("1, 10%, 100%")
    (1, 0.1, 1.0)
    """
    try:
        parts = [part.strip() for part in text.split(",")]
        return tuple(float(part[:-1]) / 100.0 if part.endswith("%") else int(part) for part in parts)
    except ValueError as error:
        raise ParameterError(f"{text!r} are no stages; counts and shares such as 1,10%,100% are wanted") from error


def planned(nodes: Sequence[str], *, version: int, policy: Policy = Policy()) -> Rollout:
    """Plan a roll-out over some nodes, the first of which is the first to take the model.

    Raises
    ------
    ParameterError
        If there is no node, one is named twice, or the stages are none.
    """
    if not nodes or len(set(nodes)) != len(nodes):
        raise ParameterError(f"a roll-out was given {len(nodes)} nodes, each once is wanted and at least one")
    stage_counts(len(nodes), policy.stages)
    return Rollout(version, tuple(Member(node) for node in nodes), policy)


def stepped(rollout: Rollout, health: Mapping[str, NodeHealth], *, now_s: float) -> tuple[Rollout, tuple[str, ...]]:
    """Take note of what the nodes say, and go on as far as the policy lets.

    Parameters
    ----------
    rollout : Rollout
    health : mapping of NodeHealth
        By node; one that is missing has never been heard of.
    now_s : float
        Of the clock of `NodeHealth.seen_s`.

    Returns
    -------
    rollout : Rollout
    sent : tuple of str
        Nodes that are to be sent the model now. Sending one twice does no harm: a node knows what it has.
    """
    if rollout.phase in ENDED:
        return rollout, ()
    members = tuple(_observed(member, health.get(member.node), rollout, now_s) for member in rollout.members)
    rollout = replace(rollout, members=members)
    if rollout.phase == "halted":
        return rollout, ()
    failed = [member for member in rollout.open if member.state == "failed"]
    if len(failed) - rollout.forgiven > rollout.policy.allowed * len(rollout.open):
        last = failed[-1]
        return halted(
            rollout, f"{len(failed)} of {len(rollout.open)} nodes failed, last {last.node}: {last.reason}"
        ), ()
    rollout = _advanced(rollout, now_s)
    if rollout.phase == "done":
        return rollout, ()
    sent = tuple(member.node for member in rollout.open if member.state == "waiting")
    chosen = set(sent)
    members = tuple(
        replace(member, state="sent", since_s=now_s) if member.node in chosen else member for member in rollout.members
    )
    return replace(rollout, members=members), sent


def halted(rollout: Rollout, reason: str) -> Rollout:
    """Stop sending; what has been sent is still taken note of."""
    return replace(rollout, phase="halted", reason=reason)


def resumed(rollout: Rollout, *, now_s: float = 0.0) -> Rollout:
    """Go on in spite of the failures so far; from now on nodes that were sent the model have their time anew.

    Raises
    ------
    ParameterError
        If it is not halted.
    """
    if rollout.phase != "halted":
        raise ParameterError(f"the roll-out is {rollout.phase}; only one that is halted can be resumed")
    members = tuple(
        replace(member, since_s=max(member.since_s, now_s)) if member.state == "sent" else member
        for member in rollout.members
    )
    return replace(rollout, members=members, phase="running", reason=None, forgiven=len(rollout.failed))


def _observed(member: Member, health: NodeHealth | None, rollout: Rollout, now_s: float) -> Member:
    if member.state == "waiting":
        # It may have the version already, from a roll-out that was broken off.
        has_it = health is not None and health.version == rollout.version
        return replace(member, state="confirmed", since_s=now_s) if has_it else member
    if member.state == "failed":
        return member
    reason = _failure(member, health, rollout, now_s)
    if reason is not None:
        return replace(member, state="failed", since_s=now_s, reason=reason)
    if member.state == "sent" and health is not None and health.version == rollout.version:
        return replace(member, state="confirmed", since_s=now_s)
    return member


def _failure(member: Member, health: NodeHealth | None, rollout: Rollout, now_s: float) -> str | None:
    """Why a node that was sent the model has failed, None where it has not."""
    policy = rollout.policy
    # Nobody confirms while it is halted.
    late = rollout.phase == "running" and now_s - member.since_s > policy.patience_s
    if health is None:
        return "it was never heard of" if late else None
    if health.refused is not None:
        return f"it refused: {health.refused}"
    if health.faulty is not None:
        return health.faulty
    if member.state == "confirmed" and health.version != rollout.version:
        return f"it went back to version {health.version}"
    if member.state == "sent" and health.version != rollout.version and late:
        return f"it did not confirm within {policy.patience_s:.0f} s"
    if now_s - max(health.seen_s, member.since_s) > policy.silent_s:
        return f"nothing was heard of it for {now_s - health.seen_s:.0f} s"
    return None


def _advanced(rollout: Rollout, now_s: float) -> Rollout:
    """Begin the next stage where this one has settled."""
    settled = all(
        member.state == "failed" or (member.state == "confirmed" and now_s - member.since_s >= rollout.policy.soak_s)
        for member in rollout.open
    )
    if not settled:
        return rollout
    if len(rollout.open) == len(rollout.members):
        return replace(rollout, phase="done")
    return replace(rollout, stage=rollout.stage + 1)
