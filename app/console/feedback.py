"""What people say of a machine's verdicts: right, wrong, other fault, repaired, a note, a work order; what was said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
import streamlit as st
from sqlalchemy import Connection, Engine

from app.access.roles import User
from app.alarms.register import Tag
from app.console.deeds import do
from app.console.words import KINDS, SAID, ago, clock
from app.labels.records import FAULTS, Kind, Label, alarms_said, give, labels_of, node_words
from app.labels.workorders import WorkOrder, ask, orders
from app.settings import Settings
from app.store import PointRow, reading
from features.errors import ParameterError

__all__ = ["feedback_section", "label_controls"]

_ALARMS, _LABELS, _ORDERS = 20, 50, 10
_LATEST = "the latest window"
_DONE, _LABELLED = "feedback done", "labelled in a list"


@dataclass(frozen=True)
class _About:
    """What the section is about: an alarm or, without one, the latest window.

    `name` stays the same while the alarm lasts and ends: a choice whose name changes falls back to the first one.
    """

    name: str
    words: str = ""
    alarm_id: int | None = None


def feedback_section(engine: Engine, settings: Settings, row: PointRow, user: User, *, now_ns: int) -> None:
    """Draw the section of a measuring point; who may not label sees what was said.

    Parameters
    ----------
    engine : Engine
    settings : Settings
    row : PointRow
    user : User
    now_ns : int
    """
    with reading(engine) as connection:
        past = alarms_said(connection, point_id=row.id, most=_ALARMS)
        said = labels_of(connection, point_id=row.id, most=_LABELS)
        asked = orders(connection, point_id=row.id, most=_ORDERS)
        left = node_words(connection, row.id)
    st.markdown("##### Was it right?")
    if done := st.session_state.pop(_DONE, None):
        st.success(done)
    if user.may("label"):
        abouts = [_about(alarm, label, now_ns=now_ns) for alarm, label in past] + [_About(_LATEST)]
        about = st.selectbox("About", abouts, format_func=lambda one: one.name, key=f"about {row.id}")
        if about.words:
            st.caption(about.words)
        # Another key whenever something was said, so that the reason is not given twice.
        given = f"{said[0].id if said else 0} {asked[0].key if asked else ''}"
        why = st.text_input("Reason or note", key=f"feedback {row.id} {given}").strip()
        _verdicts(engine, row, user, about, why, now_ns=now_ns)
        _repair(engine, row, user, about, why, left, now_ns=now_ns)
        _work(engine, settings, row, user, about, why, asked, now_ns=now_ns)
    else:
        st.caption("Whoever is operator or more may confirm and reject verdicts here, and ask for work.")
    _listed(said, asked)


def label_controls(engine: Engine, marked: Sequence[Tag], user: User, *, why: str, now_ns: int) -> None:
    """Draw what confirms or rejects the latest alarms of those that are marked, for lists of alarms.

    An alarm that no verdict of a model has raised, such as that of silence, has nothing to confirm or to reject: with
    one among those that are marked, none is labelled.

    Parameters
    ----------
    engine : Engine
    marked : sequence of Tag
    user : User
    why : str
        The reason, as the list's own field has it.
    now_ns : int
    """
    buttons: dict[str, tuple[Kind, str]] = {
        "Confirm": ("confirm", "There was the fault that was said."),
        "Reject": ("reject", "There was no fault: models may learn from it."),
    }
    if done := st.session_state.pop(_LABELLED, None):
        st.success(done)
    disabled = not marked or not user.may("label")
    for column, (words, (kind, help_)) in zip(st.columns(len(buttons)), buttons.items(), strict=True):
        if column.button(words, key=f"label {kind}", disabled=disabled, help=help_, width="stretch"):
            act = partial(_label_all, user, marked, kind, why, now_ns)
            do(engine, act, f"Kept: {SAID[kind]}.", said=_LABELLED)


def _label_all(user: User, marked: Sequence[Tag], kind: Kind, why: str, now_ns: int, connection: Connection) -> None:
    for one in marked:
        found = alarms_said(connection, point_id=one.point_id, most=_ALARMS)
        latest = next((alarm.id for alarm, _ in found if alarm.tag == one.tag), None)
        if latest is None:
            # Said of no alarm, a label would be of the latest window, which may be faulty: models would learn from it.
            raise ParameterError(f"the alarm {one.tag!r} of {one.point_id} is no verdict to be judged; unmark it")
        give(connection, user, one.point_id, kind, now_ns=now_ns, alarm_id=latest, why=why)


def _about(alarm: sa.Row[Any], label: Label | None, *, now_ns: int) -> _About:
    ended = "stands" if alarm.cleared_ns is None else f"ended {ago(alarm.cleared_ns, now_ns=now_ns)}"
    said = "nothing was said of it" if label is None else f"{SAID[label.kind]} by {label.who}"
    named = f" as {_kind(label.named)}" if label is not None and label.named else ""
    words = f"Said: {_kind(alarm.kind)}. It {ended}; {said}{named}."
    return _About(f"{alarm.tag} alarm of {clock(alarm.raised_ns)}", words, alarm.id)


def _kind(kind: str | None) -> str:
    return KINDS.get(kind or "", "kind unknown")


def _verdicts(engine: Engine, row: PointRow, user: User, about: _About, why: str, *, now_ns: int) -> None:
    def say(kind: Kind, named: str | None = None) -> None:
        def act(connection: Connection) -> Label:
            alarm_id = about.alarm_id
            return give(connection, user, row.id, kind, now_ns=now_ns, alarm_id=alarm_id, named=named, why=why)

        do(engine, act, f"Kept: {SAID[kind]}.", said=_DONE)

    confirm, reject, note = st.columns(3)
    if confirm.button("Confirm", key="confirm", help="There was the fault that was said.", width="stretch"):
        say("confirm")
    if reject.button("Reject", key="reject", help="There was no fault: models may learn from it.", width="stretch"):
        say("reject")
    if note.button("Keep note", key="note", disabled=not why, help="Write it in the field above.", width="stretch"):
        say("note")
    field, rename = st.columns([2, 1], vertical_alignment="bottom")
    named = field.selectbox("It was another fault", FAULTS, format_func=_kind, key="named")
    if rename.button("Rename", key="rename", width="stretch"):
        say("rename", named)


def _repair(
    engine: Engine, row: PointRow, user: User, about: _About, why: str, left: str | None, *, now_ns: int
) -> None:
    sure = st.checkbox(
        "The machine was repaired: end its alarms and learn anew what is healthy here",
        key=f"sure {row.id} {row.revision}",
        help="What was learned before is dropped; until the new baseline is there, the point is not watched.",
    )
    if st.button("Mark as repaired", key="repair", disabled=not sure, width="stretch"):
        words = left or "The point learns anew from now on."
        alarm_id = about.alarm_id
        do(
            engine,
            lambda connection: give(connection, user, row.id, "repair", now_ns=now_ns, alarm_id=alarm_id, why=why),
            f"Kept: repaired. {words}",
            said=_DONE,
        )


def _work(
    engine: Engine,
    settings: Settings,
    row: PointRow,
    user: User,
    about: _About,
    why: str,
    asked: Sequence[WorkOrder],
    *,
    now_ns: int,
) -> None:
    own = [order for order in asked if order.alarm_id == about.alarm_id and order.state != "closed"]
    if own:
        st.caption(f"Work was asked for: {_order(own[0])}.")
        return
    nobody = "" if settings.workorder_webhook else " Nobody is told yet: the setting workorder_webhook is empty."
    if st.button("Work order", key="work", help=f"Ask the maintenance system for work.{nobody}", width="stretch"):
        alarm_id = about.alarm_id
        do(
            engine,
            lambda connection: ask(connection, user, row.id, alarm_id=alarm_id, why=why, now_ns=now_ns),
            f"Work is asked for.{nobody}",
            said=_DONE,
        )


def _order(order: WorkOrder) -> str:
    if order.state == "closed":
        return f"closed with {order.closure}"
    number = f" as {order.number}" if order.number else ""
    failure = f" ({order.failure})" if order.failure else ""
    return f"{order.state}{number}{failure}"


def _listed(said: Sequence[Label], asked: Sequence[WorkOrder]) -> None:
    if said:
        st.dataframe(
            [
                {
                    "When": clock(label.at_ns),
                    "Said": SAID[label.kind] + (f" {_kind(label.named)}" if label.named else ""),
                    "Of": _of(label),
                    "Verdict": "" if label.kind in ("note", "repair") else _kind(label.said),
                    "Who": label.who,
                    "Why": label.why,
                }
                for label in said
            ],
            hide_index=True,
            key="labels",
        )
    else:
        st.caption("Nothing was said of this machine yet.")
    if asked:
        st.markdown("##### Work orders")
        st.dataframe(
            [
                {"Asked": clock(order.asked_ns), "State": _order(order), "Who": order.who, "Why": order.why}
                for order in asked
            ],
            hide_index=True,
            key="work orders",
        )


def _of(label: Label) -> str:
    return f"{'alarm' if label.alarm_id is not None else 'time'} from {clock(label.first_ns)[:16]}"
