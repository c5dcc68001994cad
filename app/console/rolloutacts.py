"""What may be done about a roll-out on the nodes page: begin, halt, resume, roll back, withdraw, each with a reason."""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st
from sqlalchemy import Connection, Engine

from app.access.roles import Right, User
from app.console.deeds import do
from app.console.queries import speaking_nodes
from app.fleet.candidates import begin_candidate, withdraw
from app.fleet.records import Stored
from app.fleet.rollout import WAITING, Policy, stages_of
from app.fleet.starting import former_images, halt, next_version, resume, take_back
from app.settings import Settings
from app.store import reading
from edge.node.package import read_private_key
from features.errors import ParameterError

__all__ = ["rollout_actions"]

_RIGHT: Right = "roll out"
_STAGES = "1, 10%, 100%"


def rollout_actions(engine: Engine, settings: Settings, user: User, stored: Stored) -> None:
    """Draw what may be done in the phase that a roll-out is in."""
    phase, may = stored.rollout.phase, user.may(_RIGHT)
    if phase == "candidate":
        st.info(
            f"Retraining handed over the network {stored.bundle}. It waits for who holds the key: "
            f"`raceway fleet sign {stored.id} --key PRIVATE.pem`, or `--image IMAGE` where the key is elsewhere."
        )
    if phase == "signed":
        _begin(engine, user, stored, may=may)
    if phase in ("rolling back", "rolled back"):
        _way_back(engine, stored)
    if phase not in ("withdrawn", "rolling back", "rolled back"):
        _buttons(engine, settings, user, stored, may=may)
    if not may:
        st.caption("Engineers halt, resume, begin and roll back.")


def _buttons(engine: Engine, settings: Settings, user: User, stored: Stored, *, may: bool) -> None:
    why = st.text_input(
        "Reason", key="rollout why", disabled=not may, help="It stands in the log with your name."
    ).strip()
    phase, number, missing, now_ns = stored.rollout.phase, stored.id, not may or not why, time.time_ns()
    steps: dict[str, tuple[bool, str, Callable[[Connection], object]]] = {
        "Halt": (
            phase == "running",
            "Nothing more is sent or confirmed.",
            lambda c: halt(c, user, number, why=why, now_ns=now_ns),
        ),
        "Resume": (
            phase == "halted",
            "In spite of the failures so far.",
            lambda c: resume(c, user, number, why=why, now_ns=now_ns),
        ),
        "Roll back": (
            phase in ("running", "halted", "done"),
            "Nodes on trial leave the model; those that confirmed it go back once an image is signed for it.",
            lambda c: _take_back(c, settings, user, number, why),
        ),
        "Withdraw": (
            phase in WAITING,
            "It is given up before it began.",
            lambda c: withdraw(c, user, number, why=why, now_ns=now_ns),
        ),
    }
    offered = {label: step for label, step in steps.items() if step[0]}
    for column, (label, (_, words, act)) in zip(st.columns(4), offered.items(), strict=False):
        if column.button(label, disabled=missing, help=f"{words} Wants a reason.", width="stretch"):
            do(engine, act, f"Roll-out {number}: {label.lower()} is done.", said="rollouts said")


def _take_back(connection: Connection, settings: Settings, user: User, number: int, why: str) -> None:
    place = settings.candidate_key
    try:
        key = None if place is None else read_private_key(place.read_bytes())
    except OSError as error:
        raise ParameterError(f"the key {place} cannot be read: {error.strerror}") from error
    policy = Policy(stages=(1.0,), soak_s=0.0)
    take_back(connection, user, number, key=key, policy=policy, why=why, now_ns=time.time_ns())


def _begin(engine: Engine, user: User, stored: Stored, *, may: bool) -> None:
    st.info(
        f"The candidate is signed as version {stored.rollout.version}. It reaches no node before somebody begins it."
    )
    nodes = {node.point_id: node.name for node in speaking_nodes(engine).values()}
    with st.form("begin"):
        named = st.multiselect(
            "Nodes", list(nodes), format_func=lambda point: f"{nodes[point]} ({point})", placeholder="all that take it"
        )
        columns = st.columns(4)
        stages = columns[0].text_input("Stages", _STAGES, help="Nodes up to the end of each: counts or shares.")
        soak = columns[1].number_input("Soak, minutes", 0.0, value=60.0, help="In health before the next stage begins.")
        patience = columns[2].number_input("Patience, minutes", 1.0, value=30.0, help="To confirm in.")
        allowed = columns[3].number_input("May fail, %", 0.0, 100.0, value=2.0, help="Of a stage.")
        why = st.text_input("Reason")
        if st.form_submit_button("Begin the roll-out", disabled=not may):

            def act(connection: Connection) -> None:
                policy = Policy(stages_of(stages), 60.0 * soak, 60.0 * patience, allowed=allowed / 100.0)
                begin_candidate(
                    connection, user, stored.id, named, policy=policy, why=why.strip(), now_ns=time.time_ns()
                )

            do(engine, act, f"Roll-out {stored.id} has begun.", said="rollouts said")


def _way_back(engine: Engine, stored: Stored) -> None:
    """Say what is left to do for nodes that have confirmed what was rolled back."""
    with reading(engine) as connection:
        behind, above = former_images(connection, stored), next_version(connection)
    if not behind:
        st.caption("No node has the model of this roll-out confirmed.")
    for version, (former, points) in sorted(behind.items()):
        had = f"version {version}" if version else "the model of the factory"
        st.warning(
            f"{len(points)} nodes have confirmed it and had {had} before. Where the key is: `raceway node resign "
            f"former-{version}.image --key PRIVATE.pem --version {above} --output back.image`, then here: `raceway "
            f"fleet rollback {stored.id} --why ... --image back.image`."
        )
        if former is None:
            st.caption("That model was not rolled out from here: sign an image of it in the place of the former one.")
        else:
            name = f"former-{version}.image"
            st.download_button(f"Download {name}", former, file_name=name, on_click="ignore")
