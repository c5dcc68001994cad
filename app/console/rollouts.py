"""Roll-outs on the nodes page: all of them, and of one its stages, nodes, reasons and log."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import streamlit as st
from sqlalchemy import Engine

from app.access.roles import User
from app.console.guard import part
from app.console.rolloutacts import rollout_actions
from app.console.words import ago, clock, plain
from app.fleet.records import Listed, Stored, log_of, one_rollout
from app.fleet.rollout import WAITING, Member, Policy, State, stage_counts
from app.settings import Settings
from app.store import reading

__all__ = ["rollouts_section"]

_LOG = 200
_MEMBERS = 500
_CHOSEN = "chosen roll-out"
# Symbol of each phase; those that ask for somebody first.
_PHASES = {
    "halted": "▲",
    "signed": "○",
    "candidate": "○",
    "running": "◔",
    "rolling back": "◔",
    "done": "●",
    "rolled back": "◆",
    "withdrawn": "✕",
}
_STATES: dict[State, str] = {"failed": "▲ failed", "sent": "◔ sent", "waiting": "○ waiting", "confirmed": "● confirmed"}


def rollouts_section(engine: Engine, settings: Settings, user: User, found: Sequence[Listed]) -> None:
    """Draw the list of roll-outs, and the one that is looked at."""
    if said := st.session_state.pop("rollouts said", None):
        st.success(said)
    if not found:
        st.info("No model was rolled out yet. `raceway fleet rollout` begins one; `docs/FLEET.md` says how it goes.")
        return
    now_ns = time.time_ns()
    ordered = sorted(found, key=lambda one: list(_PHASES).index(one.phase))
    rows = [_row(one, now_ns=now_ns) for one in ordered]
    st.dataframe(rows, hide_index=True, height=min(38 + 35 * len(rows), 290))
    number = _chosen(ordered)
    with reading(engine) as connection:
        stored = one_rollout(connection, number)
    rollout_actions(engine, settings, user, stored)

    @part(every_s=5.0)
    def content() -> None:
        with reading(engine) as connection:
            current, log = one_rollout(connection, number), log_of(connection, number, most=_LOG)
        _stands(current)
        _members(current, now_ns=time.time_ns())
        _log(log)
        if current.rollout.phase != stored.rollout.phase:
            # What may be done is another thing now.
            st.rerun(scope="app")

    content()


def _row(one: Listed, *, now_ns: int) -> dict[str, Any]:
    total = sum(one.states.values())
    return {
        "No.": one.id,
        "Phase": f"{_PHASES[one.phase]} {one.phase}",
        "Kind": "way back" if one.kind == "rollback" else "candidate" if one.phase in WAITING else "roll-out",
        "Version": str(one.version) if one.version else "not signed",
        "Confirmed": f"{one.states.get('confirmed', 0)} of {total}" if total else "",
        "Failed": str(one.states.get("failed", 0)) if total else "",
        "Made": ago(one.created_ns, now_ns=now_ns),
        "Why it stands": one.reason or "",
        "Of the bundle": one.bundle or "",
    }


def _chosen(ordered: Sequence[Listed]) -> int:
    numbers = [one.id for one in ordered]
    if st.session_state.get(_CHOSEN) not in numbers:
        named = st.query_params.get("rollout", "")
        st.session_state[_CHOSEN] = int(named) if named.isdigit() and int(named) in numbers else numbers[0]
    words = {one.id: f"{one.id}: {one.phase}, version {one.version or 'not signed'}" for one in ordered}
    return int(st.selectbox("Roll-out looked at", numbers, format_func=words.__getitem__, key=_CHOSEN))


def _stands(stored: Stored) -> None:
    plan = stored.rollout
    counts = Counter(member.state for member in plan.members)
    if plan.members:
        stages = stage_counts(len(plan.members), plan.policy.stages)
        text = f"Stage {plan.stage + 1} of {len(stages)} ({', '.join(map(str, stages))} nodes): "
        text += ", ".join(f"{counts[state]} {state}" for state in _STATES if counts[state])
        st.progress(counts["confirmed"] / len(plan.members), text=text)
        st.caption(_policy_words(plan.policy))
    # Why one is halted stands on top of the page.
    if plan.reason and plan.phase != "halted":
        st.caption(plain(plan.reason))


def _policy_words(policy: Policy) -> str:
    return (
        f"Each stage soaks {policy.soak_s / 60:g} min. A node fails that does not confirm within "
        f"{policy.patience_s / 60:g} min or is silent for {policy.silent_s / 60:g} min; more than "
        f"{100 * policy.allowed:g} % of a stage halt it."
    )


def _members(stored: Stored, *, now_ns: int) -> None:
    # What failed first, then what is under way.
    ordered = sorted(stored.rollout.members, key=lambda member: list(_STATES).index(member.state))
    if not ordered:
        return
    st.markdown("##### Nodes")
    rows = [_member_row(member, stored, now_ns=now_ns) for member in ordered[:_MEMBERS]]
    st.dataframe(rows, hide_index=True, height=min(38 + 35 * len(rows), 430))
    if len(ordered) > _MEMBERS:
        st.caption(
            f"{len(ordered) - _MEMBERS} further ones are not shown; `raceway fleet status {stored.id}` lists all."
        )


def _member_row(member: Member, stored: Stored, *, now_ns: int) -> dict[str, Any]:
    former = stored.former[member.node]
    return {
        "Node": member.node,
        "State": _STATES[member.state],
        "For": ago(round(member.since_s * 1e9), now_ns=now_ns).removesuffix(" ago") if member.since_s else "",
        "Why": member.reason or "",
        "Had": str(former.version or "factory") if former.attempt else "",
        "Sent": former.attempt,
    }


def _log(log: Sequence[Any]) -> None:
    st.markdown("##### Log")
    rows = [
        {"When": clock(row.at_ns)[:19], "Who": row.who, "Step": row.action, "Node": row.point_id or "", "Why": row.why}
        for row in log[::-1]
    ]
    st.dataframe(rows, hide_index=True, height=min(38 + 35 * max(len(rows), 1), 360))
