"""The work list of alarms: what waits, what is hidden and until when, how many there are, and who did what."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from sqlalchemy import Connection, Engine

from app.access.roles import ForbiddenError, User
from app.alarms.flood import FLOOD, Rate, alarm_rate
from app.alarms.lifecycle import Action, AlarmState, LifecycleError
from app.alarms.register import PRIORITIES, JournalRow, Priority, Tag, act, journal, set_priority, tags
from app.assets.places import Place, places
from app.console.addresses import address
from app.console.alarmfigures import figures_section
from app.console.feedback import label_controls
from app.console.marks import forget_marks, marked_rows
from app.console.words import ago, clock, plain
from app.settings import Settings
from app.spreadsheets import csv_text
from app.store import reading, writing

__all__ = ["alarms_page"]

_HOUR_NS = 3_600_000_000_000
_STEPS, _LISTED = 200, 200
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
        where = places(connection)
        steps = journal(connection, most=_STEPS)
    _summary(found, rate)
    shown = st.segmented_control("Shown", list(_SHOWN), default="To do", label_visibility="collapsed") or "To do"
    wanted = _filtered([one for one in found if one.alarm.state in _SHOWN[shown]], where)
    listed = wanted[:_LISTED]
    if listed:
        marked = _table(listed, where, now_ns=now_ns, key=shown)
        if len(wanted) > len(listed):
            st.caption(f"The {len(listed)} most urgent of {len(wanted)}; look for the others by area or text.")
        _steps(engine, marked, shown, user, now_ns=now_ns)
        _export("alarms", [_row(one, where, now_ns=now_ns) for one in wanted])
    else:
        st.success("Nothing waits." if shown == "To do" else "None.")
    _flood(rate)
    figures_section(engine, where, now_ns=now_ns)
    _journal(steps, where)


def _filtered(found: Sequence[Tag], where: Mapping[str, Place]) -> list[Tag]:
    """Those that the reader wants to see; the fields stand there even where nothing is found, or they would forget."""
    columns = st.columns([2, 2, 3])
    areas = sorted({place.area for place in where.values() if place.area})
    area = columns[0].multiselect("Area", areas, key="area", placeholder="All", disabled=not areas)
    priority = columns[1].multiselect("Priority", PRIORITIES[::-1], key="priority", placeholder="All")
    text = columns[2].text_input("Find", key="find", placeholder="machine, alarm or point").strip().casefold()
    return [
        one
        for one in found
        if (not area or _place(where, one).area in area)
        and (not priority or one.priority in priority)
        and text in f"{_place(where, one).name} {one.tag} {one.point_id}".casefold()
    ]


def _place(where: Mapping[str, Place], one: Tag | JournalRow) -> Place:
    return where.get(one.point_id, Place(one.point_id))


def _summary(found: Sequence[Tag], rate: Rate) -> None:
    waiting = sum(one.alarm.wants_attention for one in found)
    columns = st.columns(4)
    columns[0].metric("To acknowledge", waiting)
    columns[1].metric("Acknowledged, present", sum(one.alarm.state == "acknowledged" for one in found))
    columns[2].metric("Hidden", sum(one.alarm.hidden for one in found))
    columns[3].metric("New in ten minutes", rate.now, help=f"More than {FLOOD} are a flood.")
    if rate.flood:
        worst, count = rate.by_machine[0]
        words = f"Flood: {rate.now} new alarms in ten minutes."
        st.error(f"{words} Most of the day's are of {plain(worst)} ({count}).")


def _row(one: Tag, where: Mapping[str, Place], *, now_ns: int) -> dict[str, str]:
    place = _place(where, one)
    return {
        "Priority": one.priority,
        "Machine": place.name,
        "Area": place.area,
        "Alarm": one.tag,
        "State": _SYMBOLS.get(one.alarm.state, one.alarm.state),
        "Condition": "present" if one.alarm.active else "gone",
        "Since": ago(one.alarm.since_ns, now_ns=now_ns),
        "Until": _until(one.alarm),
        "Point": one.point_id,
    }


def _table(listed: Sequence[Tag], where: Mapping[str, Place], *, now_ns: int, key: str) -> list[Tag]:
    rows = [_row(one, where, now_ns=now_ns) for one in listed]
    for one, row in zip(listed, rows, strict=True):
        row["Machine"] = f"{address('machine', point=one.point_id)}#{row['Machine']}"
    columns = {"Machine": st.column_config.LinkColumn("Machine", display_text=r"#(.*)$")}
    identities = [f"{one.point_id} {one.tag}" for one in listed]
    return [listed[i] for i in marked_rows(rows, identities, name=f"alarms {key}", columns=columns)]


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
            given: dict[str, Any] = {"now_ns": now_ns, "why": why, "until_ns": until_ns}
            _each(engine, marked, lambda c, one: act(c, user, one.point_id, one.tag, button.action, **given))  # noqa: B023
    label_controls(engine, marked, user, why=why, now_ns=now_ns)
    _priority(engine, marked, user, now_ns=now_ns)


def _priority(engine: Engine, marked: Sequence[Tag], user: User, *, now_ns: int) -> None:
    """Who may say what the plant is may say how urgent its alarms are."""
    if not user.may("edit assets"):
        return
    columns = st.columns([1, 1, 2], vertical_alignment="bottom")
    wanted: Priority = columns[0].selectbox("Priority from now on", PRIORITIES[::-1], key="new priority")
    if columns[1].button("Set priority", disabled=not marked, width="stretch"):
        _each(engine, marked, lambda c, one: set_priority(c, user, one.point_id, one.tag, wanted, now_ns=now_ns))


def _each(engine: Engine, marked: Sequence[Tag], step: Callable[[Connection, Tag], object]) -> None:
    """Take the step of each alarm; those that have moved on meanwhile are said, the others are done."""
    refused = []
    for one in marked:
        try:
            with writing(engine) as connection:
                step(connection, one)
        except (ForbiddenError, LifecycleError) as error:
            refused.append(plain(f"{one.point_id} {one.tag}: {error}"))
    if refused:
        st.warning("\n\n".join(refused))
    else:
        forget_marks()
        st.rerun()


def _export(name: str, rows: Sequence[Mapping[str, str]]) -> None:
    st.download_button(
        "CSV",
        lambda: csv_text(rows).encode(),
        file_name=f"{name}.csv",
        mime="text/csv",
        key=f"csv {name}",
        icon=":material/download:",
        on_click="ignore",
    )


def _flood(rate: Rate) -> None:
    if not any(rate.per_span):
        return
    st.markdown("##### New alarms of the last day, per ten minutes")
    hours = [round((i + 1 - len(rate.per_span)) / 6, 2) for i in range(len(rate.per_span))]
    st.bar_chart({"hours": hours, "new alarms": list(rate.per_span)}, x="hours", y="new alarms", height=160)
    st.dataframe([{"Machine": name, "New alarms": count} for name, count in rate.by_machine[:10]], hide_index=True)


def _journal(steps: Sequence[JournalRow], where: Mapping[str, Place]) -> None:
    st.markdown("##### Journal")
    rows = [
        {
            "When": clock(row.entry.at_ns),
            "Machine": _place(where, row).name,
            "Alarm": row.tag,
            "Step": row.entry.action,
            "Who": row.entry.who,
            "Why": row.entry.why,
            "Now": row.entry.after,
        }
        for row in steps
    ]
    if rows:
        st.dataframe(rows, hide_index=True, key="journal")
        _export("journal", rows)
    else:
        st.caption("No alarm was ever raised.")
