"""The machines and points of the plant: what was entered, what they say of themselves, and how to change it."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

import streamlit as st
from sqlalchemy import Engine

from app.access.roles import User
from app.assets.document import AssetError, read_assets, write_assets
from app.assets.editing import laid_over, take_in, take_over
from app.assets.model import Machine, Point, changes
from app.assets.places import Place, places
from app.assets.register import Difference, differences, entered
from app.console.assetforms import Known, machine_form, new_machine_form, said, take, take_out_form, zone_table
from app.console.pointforms import point_form
from app.console.words import plain
from app.settings import Settings
from app.store import reading

__all__ = ["assets_page"]

_ROWS, _DIFFERENCES, _LINES = 500, 20, 100
_NEW = "a new machine"
_CHOSEN, _GO_TO = "asset machine", "asset go to"


def assets_page(engine: Engine, settings: Settings, user: User) -> None:
    """Draw the page; who may not edit assets sees what holds."""
    st.title("Machines and points")
    now_ns = time.time_ns()
    with reading(engine) as connection:
        machines, where, found = entered(connection), places(connection), differences(connection)
    said()
    _differences(engine, user, found, now_ns=now_ns)
    if user.may("edit assets"):
        _edited(Known(engine, settings, user, now_ns), machines, where)
    else:
        st.caption(f"As {user.role} you may look; engineers change what was entered.")
    _tree(machines, settings)
    _document(engine, settings, user, machines, now_ns=now_ns)


def _differences(engine: Engine, user: User, found: Sequence[Difference], *, now_ns: int) -> None:
    """What points say of themselves beside what was entered; each may be taken over."""
    if not found:
        return
    st.markdown("##### Points that say something else of themselves")
    st.caption("What was entered holds. A sensor was moved, or an entry was not changed with its machine.")
    for one in found[:_DIFFERENCES]:
        words, button = st.columns([4, 1], vertical_alignment="center")
        entered_said = f"{one.what} entered **{plain(one.entered)}**, it says **{plain(one.said)}**"
        words.markdown(f"**{plain(one.point_id)}**: {entered_said}")
        disabled = not user.may("edit assets")
        # By what it is about: a second click finds nothing, where by its place it would find what has moved up there.
        key = f"take over {one.point_id} {one.what} {one.said}"
        if button.button("Take over", key=key, disabled=disabled, width="stretch"):
            take(engine, lambda c: take_over(c, user, one.point_id, one.what, now_ns=now_ns))  # noqa: B023
    if len(found) > _DIFFERENCES:
        st.caption(f"and {len(found) - _DIFFERENCES} more")


def _edited(known: Known, machines: Sequence[Machine], where: Mapping[str, Place]) -> None:
    by_id = {machine.id: machine for machine in machines}
    silent = sorted({key.rpartition("/")[0] for key in where} - by_id.keys())
    options = [*by_id, *silent, _NEW]
    wanted = st.session_state.pop(_GO_TO, None) or st.query_params.get("machine")
    if wanted in options and (_CHOSEN not in st.session_state or wanted != st.query_params.get("machine")):
        st.session_state[_CHOSEN] = wanted
    elif st.session_state.get(_CHOSEN) not in options:
        st.session_state.pop(_CHOSEN, None)

    def named(key: str) -> str:
        machine = by_id.get(key)
        if machine is None:
            return key if key == _NEW else f"{key} (nothing entered yet)"
        return f"{machine.site} / {machine.area} / {machine.name or machine.asset}"

    st.markdown("##### Change")
    chosen = st.selectbox("Machine", options, format_func=named, key=_CHOSEN)
    if chosen in by_id:
        machine = by_id[chosen]
        machine_form(known, machine)
        point_form(known, machine)
        take_out_form(known, machine)
        return
    points: dict[str, Point] = {}
    if chosen in silent:
        points = {key.rpartition("/")[2]: Point() for key in sorted(where) if key.rpartition("/")[0] == chosen}
    made = new_machine_form(known, chosen if chosen in silent else None, points)
    if made is not None:
        st.session_state[_GO_TO] = made
        st.rerun()


def _tree(machines: Sequence[Machine], settings: Settings) -> None:
    st.markdown("##### What was entered")
    if not machines:
        st.caption("Nothing yet: enter a machine above, or a file below.")
        return
    text = st.text_input("Find", key="find asset", placeholder="site, area, machine or point").strip().casefold()
    zones, fault = zone_table(settings)
    if fault:
        st.caption(plain(fault))
    rows = [row for machine in machines for row in _rows(machine, zones)]
    shown = [row for row in rows if text in " ".join(map(str, row.values())).casefold()]
    st.dataframe(shown[:_ROWS], hide_index=True, key="asset tree")
    if len(shown) > _ROWS:
        st.caption(f"The first {_ROWS} of {len(shown)}.")


def _rows(machine: Machine, zones: Collection[str]) -> list[dict[str, object]]:
    common: dict[str, object] = {"Site": machine.site, "Area": machine.area, "Machine": machine.name or machine.asset}
    group = machine.iso_group
    if group is not None and group not in zones:
        group = f"{group} (unknown)"
    rows: list[dict[str, object]] = []
    for key, point in machine.points.items() or [("", Point())]:
        hz = machine.shaft_hz(key) if key else None
        rows.append(
            common
            | {
                "Point": key,
                "Name": machine.shown(key) if key else None,
                "Speed, rpm": None if hz is None else round(60.0 * hz, 3),
                "Bearing": None if point.bearing is None else point.bearing.name,
                "ISO group": group,
                "Mounting": point.mounting,
                "Alarms": ", ".join(f"{name} {value}" for name, value in sorted(point.alarming.items())),
            }
        )
    return rows


def _document(engine: Engine, settings: Settings, user: User, machines: Sequence[Machine], *, now_ns: int) -> None:
    st.markdown("##### As a file")
    text = write_assets(machines, bearings=settings.bearings())
    st.download_button(
        "Save as YAML",
        text.encode(),
        file_name="assets.yaml",
        mime="application/yaml",
        icon=":material/download:",
        disabled=not machines,
        on_click="ignore",
    )
    if not user.may("edit assets"):
        return
    given = st.file_uploader("Read YAML", type=["yaml", "yml"], key="asset file")
    # Another name after each import, so that it does not stand there to be imported again.
    turn = f"{len(machines)} {hash(text)}"
    typed = st.text_area("or write it here", key=f"asset text {turn}", height=120)
    replaces = st.checkbox("Take machines out that are not in it", key="asset replace")
    source = typed if given is None else given.getvalue().decode("utf-8", errors="replace")
    if source.strip():
        _preview(engine, settings, user, machines, source, replaces=replaces, now_ns=now_ns)


def _preview(
    engine: Engine,
    settings: Settings,
    user: User,
    machines: Sequence[Machine],
    source: str,
    *,
    replaces: bool,
    now_ns: int,
) -> None:
    """What an import would change, before it does."""
    try:
        made = read_assets(source, zones=settings.zone_limits(), bearings=settings.bearings())
    except AssetError as error:
        st.error("Nothing can be entered:\n\n" + "\n\n".join(error.faults[:_DIFFERENCES]))
        return
    lines = changes(machines, made if replaces else laid_over(machines, made))
    if not lines:
        st.caption("It changes nothing.")
        return
    more = [f"and {len(lines) - _LINES} more"] if len(lines) > _LINES else []
    st.code("\n".join(lines[:_LINES] + more), language=None)
    if st.button(f"Enter {len(lines)} changes", type="primary"):
        take(engine, lambda c: take_in(c, user, made, replace_all=replaces, now_ns=now_ns, why="from a file"))
