"""The work list of alarms: what waits, what is hidden and until when, and who did what."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from sqlalchemy import Engine

from app.access.roles import ForbiddenError, User
from app.alarms.flood import FLOOD, Rate, alarm_rate
from app.alarms.lifecycle import Action, AlarmState, LifecycleError
from app.alarms.register import JournalRow, Tag, act, journal, tags
from app.console.addresses import address
from app.console.words import ago, clock
from app.settings import Settings
from app.store import point_rows, reading, writing

__all__ = ["alarms_page"]

_HOUR_NS = 3_600_000_000_000
_STEPS = 200
_SHELVES_H = {"1 hour": 1, "8 hours": 8, "1 day": 24, "1 week": 168}
_SHOWN: dict[str, tuple[str, ...]] = {
    "To do": ("unacknowledged", "returned", "acknowledged"),
    "Shelved": ("shelved",),
    "Suppressed": ("suppressed by design",),
    "Out of service": ("out of service",),
}
_SYMBOLS = {"unacknowledged": "▲ new", "returned": "▽ gone, not acknowledged", "acknowledged": "● acknowledged"}


@dataclass(frozen=True)
class _Button:
    """A step that is offered for the alarms that are marked."""

    label: str
    action: Action
    reason: bool
    help: str


_OFFERED = {
    "To do": (
        _Button("Acknowledge", "acknowledge", reason=False, help="Somebody has seen it and deals with it."),
        _Button("Comment", "comment", reason=True, help="Attach the note to the alarms."),
        _Button("Shelve", "shelve", reason=True, help="Keep them from this list for a time; they come back."),
        _Button("Suppress", "suppress", reason=True, help="By design, such as while the machine stands still."),
        _Button("Out of service", "take out of service", reason=True, help="While the sensor is repaired."),
    ),
    "Shelved": (_Button("Bring back", "unshelve", reason=False, help="Before its time."),),
    "Suppressed": (_Button("Bring back", "unsuppress", reason=False, help="It alarms again."),),
    "Out of service": (_Button("Bring back", "return to service", reason=False, help="It alarms again."),),
}


def alarms_page(engine: Engine, settings: Settings, user: User) -> None:
    """Draw the page."""
    del settings
    st.title("Alarms")
    now_ns = time.time_ns()
    with reading(engine) as connection:
        found, rate = tags(connection), alarm_rate(connection, now_ns=now_ns)
        names = {row.id: row.name for row in point_rows(connection)}
        steps = journal(connection, most=_STEPS)
    _summary(found, rate)
    shown = st.segmented_control("Shown", list(_SHOWN), default="To do", label_visibility="collapsed") or "To do"
    listed = [one for one in found if one.alarm.state in _SHOWN[shown]]
    if listed:
        marked = _table(listed, names, now_ns=now_ns, key=shown)
        _steps(engine, marked, shown, user, now_ns=now_ns)
    else:
        st.success("Nothing waits." if shown == "To do" else "None.")
    _flood(rate)
    _journal(steps, names)


def _summary(found: Sequence[Tag], rate: Rate) -> None:
    waiting = sum(one.alarm.wants_attention for one in found)
    columns = st.columns(4)
    columns[0].metric("To acknowledge", waiting)
    columns[1].metric("Acknowledged, present", sum(one.alarm.state == "acknowledged" for one in found))
    columns[2].metric("Hidden", sum(one.alarm.hidden for one in found))
    columns[3].metric("New in ten minutes", rate.now, help=f"More than {FLOOD} are a flood.")
    if rate.flood:
        worst, count = rate.by_machine[0]
        st.error(f"Flood: {rate.now} new alarms in ten minutes. Most of the day's are of {worst} ({count}).")


def _table(listed: Sequence[Tag], names: dict[str, str], *, now_ns: int, key: str) -> list[Tag]:
    rows = [
        {
            "Priority": one.priority,
            "Machine": f"{address('machine', point=one.point_id)}#{names.get(one.point_id, one.point_id)}",
            "Alarm": one.tag,
            "State": _SYMBOLS.get(one.alarm.state, one.alarm.state),
            "Condition": "present" if one.alarm.active else "gone",
            "Since": ago(one.alarm.since_ns, now_ns=now_ns),
            "Until": _until(one.alarm),
            "Point": one.point_id,
        }
        for one in listed
    ]
    chosen: Any = st.dataframe(
        rows,
        hide_index=True,
        key=f"alarms {key}",
        on_select="rerun",
        selection_mode="multi-row",
        column_config={"Machine": st.column_config.LinkColumn("Machine", display_text=r"#(.*)$")},
    )
    return [listed[i] for i in chosen.selection.rows if i < len(listed)]


def _until(alarm: AlarmState) -> str:
    return "" if alarm.until_ns is None else clock(alarm.until_ns)[:16]


def _steps(engine: Engine, marked: Sequence[Tag], shown: str, user: User, *, now_ns: int) -> None:
    st.caption(
        "Mark alarms in the first column to work on them."
        if not marked
        else f"{len(marked)} marked"
        if user.may("work alarms")
        else f"{len(marked)} marked; as {user.role} you may look only."
    )
    columns = st.columns([3, 1])
    why = columns[0].text_input("Reason or note", key="why").strip()
    hours = _SHELVES_H[columns[1].selectbox("Shelve for", list(_SHELVES_H))] if shown == "To do" else 0
    for column, button in zip(st.columns(len(_OFFERED[shown])), _OFFERED[shown], strict=True):
        missing = not marked or not user.may("work alarms") or (button.reason and not why)
        if column.button(button.label, disabled=missing, help=button.help, width="stretch"):
            until_ns = now_ns + hours * _HOUR_NS if button.action == "shelve" else None
            _take(engine, user, marked, button.action, now_ns=now_ns, why=why, until_ns=until_ns)


def _take(engine: Engine, user: User, marked: Sequence[Tag], action: Action, **given: Any) -> None:
    """Take the step of each alarm; those that have moved on meanwhile are said, the others are done."""
    refused = []
    for one in marked:
        try:
            with writing(engine) as connection:
                act(connection, user, one.point_id, one.tag, action, **given)
        except (ForbiddenError, LifecycleError) as error:
            refused.append(f"{one.point_id} {one.tag}: {error}")
    if refused:
        st.warning("\n\n".join(refused))
    else:
        st.rerun()


def _flood(rate: Rate) -> None:
    if not any(rate.per_span):
        return
    st.markdown("##### New alarms of the last day, per ten minutes")
    hours = [round((i + 1 - len(rate.per_span)) / 6, 2) for i in range(len(rate.per_span))]
    st.bar_chart({"hours": hours, "new alarms": list(rate.per_span)}, x="hours", y="new alarms", height=160)
    st.dataframe([{"Machine": name, "New alarms": count} for name, count in rate.by_machine[:10]], hide_index=True)


def _journal(steps: Sequence[JournalRow], names: dict[str, str]) -> None:
    st.markdown("##### Journal")
    rows = [
        {
            "When": clock(row.entry.at_ns),
            "Machine": names.get(row.point_id, row.point_id),
            "Alarm": row.tag,
            "Step": row.entry.action,
            "Who": row.entry.who,
            "Why": row.entry.why,
            "Now": row.entry.after,
        }
        for row in steps
    ]
    if rows:
        st.dataframe(rows, hide_index=True)
    else:
        st.caption("No alarm was ever raised.")
