"""What arrives and how: rates, delay, gaps and silence of each point, what was set aside and why, and the disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import streamlit as st
from sqlalchemy import Engine

from app.access.audit import trail
from app.access.roles import User
from app.alarms.conditions import Alarming
from app.alarms.silence import is_silent
from app.assets.register import alarming
from app.backup import backs_up
from app.console.flows import MOST_PER_HOUR, Flow, PointBrief, blocks_per_hour, flow_of, point_briefs
from app.console.guard import part
from app.console.queries import point_counts
from app.console.setaside import set_aside_section
from app.console.tiles import tiles
from app.console.words import ago
from app.settings import Settings
from app.store import reading

__all__ = ["data_page"]

# Points whose blocks are read for a view; a filter finds the others.
_SHOWN = 100
_HOURS = 48
_LATE_S = 60.0
# Share by which the rate that is seen may differ from the one that is said.
_OFF = 0.01
_COUNTED = ("blocks", "windows", "gaps", "steps", "late", "duplicates", "restarts", "reports", "reports missing")
_ORDERS = ("Trouble first", "By name")


def data_page(engine: Engine, settings: Settings, user: User) -> None:
    """Draw the page; the table of points renews itself."""
    st.title("Data")
    left, right = st.columns([1, 2])
    order = left.segmented_control("Order", _ORDERS, default=_ORDERS[0], label_visibility="collapsed")
    text = right.text_input("Find", placeholder="part of a point's name", label_visibility="collapsed").strip().lower()

    @part(every_s=10.0)
    def content() -> None:
        _points(engine, text, stale_s=settings.stale_after_s, trouble_first=order != "By name")

    content()
    _hours(engine, text)
    set_aside_section(engine, user)
    _disk(engine, settings)


def _points(engine: Engine, text: str, *, stale_s: float, trouble_first: bool) -> None:
    now_ns = time.time_ns()
    counts = point_counts(engine)
    with reading(engine) as connection:
        every, own = point_briefs(connection), alarming(connection)
        silent = {one.id for one in every if _is_silent(one, own.get(one.id), stale_s=stale_s, now_ns=now_ns)}
        found = [one for one in every if text in one.id.lower() or text in one.name.lower()]
        if trouble_first:
            # Who is silent longest, then who lost most: this needs no block.
            found.sort(key=lambda one: (one.id not in silent, -_trouble(counts.get(one.id, {})), one.id))
        flows = {one.id: flow_of(connection, one.id) for one in found[:_SHOWN]}
    _summary(every, flows, counts, silent=silent)
    if not found:
        st.caption("No such point." if every else "No point has sent anything yet.")
        return
    rows = [
        _row(one, flows[one.id], counts.get(one.id, {}), silent=one.id in silent, now_ns=now_ns)
        for one in found[:_SHOWN]
    ]
    st.dataframe(rows, hide_index=True, height=min(38 + 35 * len(rows), 500), column_config=_CONFIG)
    more = f"{len(found) - _SHOWN} further points are not shown: find them by name. " if len(found) > _SHOWN else ""
    st.caption(
        f"{more}Rates are of a point's latest 60 blocks. △ asks for a look: silent, a rate other than it says, a delay "
        "of a minute. Gaps: blocks that never came · steps: clock set back · late: stored, but in "
        "no window · duplicates: redelivered, stored once · restarts: the sequence began anew."
    )


_CONFIG = {
    "Delay, s": st.column_config.NumberColumn(format="%.1f", help="From a block's end to its arrival, median."),
    "Longest, s": st.column_config.NumberColumn(format="%.1f"),
    "Blocks/h": st.column_config.NumberColumn(format="%.0f"),
    "MB/h": st.column_config.NumberColumn(format="%.1f", help="Of samples, before they are packed."),
    "Says, Hz": st.column_config.NumberColumn(format="%.0f"),
    "Seen, Hz": st.column_config.TextColumn(help="By the clock, from blocks that follow each other."),
}


def _is_silent(one: PointBrief, given: Alarming | None, *, stale_s: float, now_ns: int) -> bool:
    if one.seen_ns is None:
        return True
    return is_silent(one.seen_ns, given, stale_s=stale_s, period_ms=one.period_ms, now_ns=now_ns)


def _trouble(counted: Mapping[str, int]) -> int:
    return sum(counted.get(name, 0) for name in ("gaps", "steps", "late", "reports missing"))


def _summary(
    every: Sequence[PointBrief],
    flows: Mapping[str, Flow | None],
    counts: Mapping[str, Mapping[str, int]],
    *,
    silent: Collection[str],
) -> None:
    known = [flow for flow in flows.values() if flow is not None]
    worst = max((flow.lag_s for flow in known), default=None)
    figures: dict[str, str | int] = {
        "Points": len(every),
        "Silent": len(silent),
        "Gaps": f"{sum(counted.get('gaps', 0) for counted in counts.values()):,}",
        "Longest delay": "unknown" if worst is None else f"{worst:.1f} s",
    }
    helps = {
        "Silent": "By the rule of the alarm `no data`: `stale_after_s`, of the point or else the plant's.",
        "Gaps": "Blocks that never came, of all points.",
        "Longest delay": "From a block's end to its arrival, median of a point; of those shown.",
    }
    tiles(figures, helps=helps)


def _row(
    one: PointBrief, flow: Flow | None, counted: Mapping[str, int], *, silent: bool, now_ns: int
) -> dict[str, Any]:
    return {
        "Point": one.id,
        "Last heard": f"{'△ ' if silent else ''}{ago(one.seen_ns, now_ns=now_ns)}",
        "Blocks/h": None if flow is None else flow.blocks_per_h,
        "MB/h": None if flow is None else flow.bytes_per_h / 1e6,
        "Says, Hz": one.rate_hz,
        "Seen, Hz": _seen(one, flow),
        "Delay, s": None if flow is None else flow.lag_s,
        "Longest, s": None if flow is None else flow.worst_lag_s,
        "Delayed": "" if flow is None else _lag_words(flow),
        **{name.capitalize(): counted.get(name, 0) for name in _COUNTED},
    }


def _seen(one: PointBrief, flow: Flow | None) -> str:
    if flow is None or flow.rate_hz is None:
        return "" if flow is None else "in bursts"
    off = one.rate_hz is not None and abs(flow.rate_hz / one.rate_hz - 1.0) > _OFF
    return f"{'△ ' if off else ''}{flow.rate_hz:,.1f}"


def _lag_words(flow: Flow) -> str:
    if flow.lag_s < -1.0:
        return "△ its clock is ahead"
    return "△ late" if flow.lag_s > _LATE_S else ""


@part()
def _hours(engine: Engine, text: str) -> None:
    """Blocks per hour of one point, where pauses show; drawn once it is opened: a browser needs long for it."""
    with reading(engine) as connection:
        ids = [one.id for one in point_briefs(connection) if text in one.id.lower() or text in one.name.lower()]
    if not ids:
        return
    asked = st.query_params.get("point")
    opened = st.expander("Blocks per hour of a point", expanded=asked in ids, on_change="rerun")
    if not opened.open:
        return
    with opened:
        point_id = st.selectbox("Point", ids, index=ids.index(asked) if asked in ids else 0)
        with reading(engine) as connection:
            counted = blocks_per_hour(connection, point_id, now_ns=time.time_ns(), hours=_HOURS)
        hours = [i + 1 - _HOURS for i in range(_HOURS)]
        st.bar_chart({"hours": hours, "blocks": counted}, x="hours", y="blocks", height=180)
        if max(counted) >= MOST_PER_HOUR:
            st.caption(f"Of an hour no more than {MOST_PER_HOUR:,} blocks are counted: the highest bars are higher.")


# -- the disk ---------------------------------------------------------------------------------------------------------


def _disk(engine: Engine, settings: Settings) -> None:
    st.markdown("##### Disk")
    sizes = {"database": _database_bytes(engine), "bundles": _folder_bytes(settings.bundles)}
    sizes |= {"reports": _folder_bytes(settings.reports), "logs": _folder_bytes(settings.data_dir / "logs")}
    figures = {name.capitalize(): "unknown" if size is None else _bytes_words(size) for name, size in sizes.items()}
    free = shutil.disk_usage(settings.data_dir).free if settings.data_dir.exists() else None
    tiles(figures | {"Free": "unknown" if free is None else _bytes_words(free)})
    _backup(engine, settings)
    st.caption(
        f"Waveforms are kept {settings.keep_waveforms_h:g} h; for ever those around alarms of scores and nodes, around "
        "the raise of those of zones and rises, and of stretches that somebody judged. All reports of nodes are kept "
        f"{settings.keep_reports_h:g} h, then one an hour; events of nodes {settings.keep_events_h:g} h."
    )


def _backup(engine: Engine, settings: Settings) -> None:
    with reading(engine) as connection:
        latest = next(iter(trail(connection, target="backup", most=1)), None)
    if latest is None and not backs_up(settings):
        st.caption("Backups are made with the database's own tools, such as pg_dump, and the bundles copied.")
    elif latest is None:
        st.warning("Nothing says that this store was ever backed up: `raceway backup FILE` does it.")
    else:
        then = ago(latest.at_ns, now_ns=time.time_ns())
        st.caption(f"Backed up {then} by {latest.who}, as {latest.why}.")


def _database_bytes(engine: Engine) -> int | None:
    if engine.dialect.name == "postgresql":
        with reading(engine) as connection:
            return connection.execute(sa.text("SELECT pg_database_size(current_database())")).scalar()
    path = Path(engine.url.database or "")
    # What is written and not merged yet stands beside it.
    return sum(part.stat().st_size for part in (path, Path(f"{path}-wal")) if part.is_file())


def _folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


def _bytes_words(size: int) -> str:
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= limit:
            return f"{size / limit:.1f} {unit}"
    return f"{size} B"
