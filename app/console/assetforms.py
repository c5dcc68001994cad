"""Forms of a machine: area, name, speed and ISO group, each with what is wrong beside it; a new one, and its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import streamlit as st
from sqlalchemy import Connection, Engine
from streamlit.delta_generator import DeltaGenerator

from app.access.roles import User
from app.assets.editing import put_in, take_out
from app.assets.model import Machine, Point
from app.console.words import plain
from app.settings import Settings
from app.store import writing
from features.errors import ParameterError, RacewayError
from features.iso20816 import Limits

__all__ = [
    "Known",
    "machine_form",
    "new_machine_form",
    "said",
    "take",
    "take_out_form",
    "take_quietly",
    "text_field",
    "turn_of",
    "zone_table",
]

_DONE = "assets done"
_SAID = 5


@dataclass(frozen=True)
class Known:
    """What every form works with."""

    engine: Engine
    settings: Settings
    user: User
    now_ns: int


def said() -> None:
    """Show what the last step changed, once."""
    if done := st.session_state.pop(_DONE, None):
        st.success(done)


def take(engine: Engine, step: Callable[[Connection], Sequence[str]]) -> None:
    """Take a step in one transaction and draw the page anew, or say why it was refused."""
    if take_quietly(engine, step):
        st.rerun()


def take_quietly(engine: Engine, step: Callable[[Connection], Sequence[str]]) -> bool:
    """Take a step in one transaction; what it changed is shown when the page is drawn next."""
    try:
        with writing(engine) as connection:
            lines = step(connection)
    except RacewayError as error:
        st.warning(f"Refused: {error}.")
        return False
    more = [f"and {len(lines) - _SAID} more"] if len(lines) > _SAID else []
    st.session_state[_DONE] = "\n\n".join([*lines[:_SAID], *more]) or "Nothing changed."
    return True


def turn_of(machine: Machine, key: str = "") -> str:
    """Suffix of the fields' keys: once a machine is another, they show it as it is."""
    return f"{machine.id} {key} {crc32(repr(machine).encode())}"


def text_field(
    column: DeltaGenerator, label: str, value: str | None, *, key: str, check: Callable[[str], object], wanted: bool
) -> tuple[str | None, bool]:
    """Draw a field of text with its fault below.

    Returns
    -------
    text : str or None
        None where the field is empty, and where its text cannot be taken.
    faulty : bool
        Whether nothing may be kept with it: its text cannot be taken, or it is empty and wanted.
    """
    text = str(column.text_input(label, value or "", key=key)).strip()
    if not text:
        if wanted:
            column.caption("▲ wanted")
        return None, wanted
    try:
        check(text)
    except ParameterError as error:
        column.error(str(error))
        return None, True
    return text, False


def _facts(known: Known, machine: Machine | None, turn: str) -> tuple[dict[str, str | float | None], bool]:
    """Fields that every machine has, and whether one of them cannot be taken."""
    left, right = st.columns(2)
    area, bad_area = text_field(
        left,
        "Area",
        None if machine is None else machine.area,
        key=f"area {turn}",
        check=lambda text: Machine("s", text, "a"),
        wanted=True,
    )
    name, bad_name = text_field(
        right,
        "Name for people",
        None if machine is None else machine.name,
        key=f"name {turn}",
        check=lambda text: Machine("s", "a", "a", text),
        wanted=False,
    )
    speed = left.number_input(
        "Nominal speed, rpm",
        min_value=1e-3,
        value=None if machine is None else machine.speed_rpm,
        key=f"speed {turn}",
        step=1.0,
        placeholder="unknown",
    )
    table, fault = zone_table(known.settings)
    if fault:
        right.caption(plain(fault))
    group = _group(right, table, None if machine is None else machine.iso_group, turn)
    return {"area": area, "name": name, "speed_rpm": speed, "iso_group": group}, bad_area or bad_name


def zone_table(settings: Settings) -> tuple[Mapping[str, Limits], str]:
    """Read where zones begin by machine group, and say what is wrong with the table; an unreadable one has no group."""
    try:
        return settings.zone_limits(), ""
    except RacewayError as error:
        return {}, f"No zone can be given: {error}."


def _group(column: DeltaGenerator, table: Mapping[str, Limits], current: str | None, turn: str) -> str | None:
    options = [None, *table, *([current] if current is not None and current not in table else [])]

    def named(group: str | None) -> str:
        if group is None:
            return "unknown: no zones"
        if group not in table:
            return f"{group}: not in the table"
        bounds = ", ".join(f"{value:g}" for value in table[group].velocity_mm_s)
        return f"{group}: {bounds} mm/s"

    group: str | None = column.selectbox(
        "ISO 20816 group, with where zones B, C and D begin",
        options,
        index=options.index(current),
        format_func=named,
        key=f"group {turn}",
    )
    if group is not None and group in table:
        column.caption(f"{table[group].description} ({table[group].citation})")
    return group


def machine_form(known: Known, machine: Machine) -> None:
    """Draw the fields of a machine that was entered."""
    facts, faulty = _facts(known, machine, turn_of(machine))
    if faulty:
        st.button("Keep machine", disabled=True)
        return
    changed = replace(machine, **facts)  # type: ignore[arg-type]
    if st.button("Keep machine", disabled=changed == machine, type="primary"):
        take(known.engine, lambda c: put_in(c, known.user, changed, seen=machine, now_ns=known.now_ns))


def new_machine_form(known: Known, machine_id: str | None, points: Mapping[str, Point]) -> str | None:
    """Draw the fields of a machine of which nothing was entered; its identity once it is kept.

    Parameters
    ----------
    known : Known
    machine_id : str or None
        Of one whose points have spoken already.
    points : mapping of str to Point
        Those that have.
    """
    turn = f"new {machine_id}"
    site, _, asset = (machine_id or "").partition("/")
    bad_key = False
    if machine_id is None:
        left, right = st.columns(2)
        check_site: Callable[[str], object] = lambda text: Machine(text, "a", "a")  # noqa: E731
        said_site, bad_site = text_field(left, "Site, as in topics", "", key="new site", check=check_site, wanted=True)
        check_asset: Callable[[str], object] = lambda text: Machine("s", "a", text)  # noqa: E731
        said_asset, bad_asset = text_field(
            right, "Machine, as in topics", "", key="new asset", check=check_asset, wanted=True
        )
        site, asset, bad_key = said_site or "", said_asset or "", bad_site or bad_asset
    facts, faulty = _facts(known, None, turn)
    if st.button("Enter machine", disabled=faulty or bad_key, type="primary"):
        machine = Machine(site=site, asset=asset, points=dict(points), **facts)  # type: ignore[arg-type]
        done = take_quietly(known.engine, lambda c: put_in(c, known.user, machine, seen=None, now_ns=known.now_ns))
        return machine.id if done else None
    return None


def take_out_form(known: Known, machine: Machine) -> None:
    """Draw what takes a machine out."""
    with st.expander("Take the machine out"):
        st.caption("Its points are again what they say of themselves. What was measured stays.")
        sure = st.checkbox("Yes", key=f"sure {turn_of(machine)}")
        if st.button("Take machine out", disabled=not sure):
            take(known.engine, lambda c: take_out(c, known.user, machine.id, now_ns=known.now_ns))
