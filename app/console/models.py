"""The models: who serves, which challenger was refused and why, what drifted; promote, undo, retrain."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st
from sqlalchemy import Engine

from app.access.roles import User
from app.console.guard import part
from app.console.modelview import model_section
from app.console.tiles import tiles
from app.console.words import ago, clock, plain
from app.retraining.asking import Ask, open_asks
from app.retraining.records import Run, runs, tasks_of, unfinished_run
from app.retraining.report import report_path
from app.retraining.standing import Progress, Standing, outcomes_of, progress_of, standings
from app.retraining.verdict import outcome_sign
from app.settings import Settings
from app.store import reading

__all__ = ["models_page"]

_RUNS = 20
_CHOSEN = "chosen model"
_FILTERS = ("All", "Need a look", "Drifted", "Challenger serves")
# What a person should look at first.
_URGENT = ("failed", "refused", "overtaken", "promoted", "waiting", "unchanged")


def models_page(engine: Engine, settings: Settings, user: User) -> None:
    """Draw the page."""
    st.title("Models")
    now_ns = time.time_ns()
    if said := st.session_state.pop("models said", None):
        st.success(said)
    with reading(engine) as connection:
        found = sorted(standings(connection), key=_urgency)
        latest, asks = runs(connection, most=_RUNS), open_asks(connection)
        counts = outcomes_of(connection, [run.id for run in latest])
    _under_way(engine, settings, asks)
    if not found:
        st.info("No model serves yet: each point learns its own from its first healthy windows.")
        return
    _summary(found, latest, now_ns=now_ns)
    _table(found, now_ns=now_ns)
    model_section(engine, settings, user, _chosen(found), asks=asks, now_ns=now_ns)
    _runs(engine, settings, latest, counts)


def _urgency(one: Standing) -> tuple[int, bool, str]:
    outcome = None if one.task is None else one.task.outcome
    return _URGENT.index(outcome) if outcome else len(_URGENT), not one.drifted, one.name


def _summary(found: Sequence[Standing], latest: Sequence[Run], *, now_ns: int) -> None:
    outcomes = [one.task.outcome for one in found if one.task is not None]
    figures: dict[str, str | int] = {
        "Models": len(found),
        "Refused or failed": sum(outcome in ("refused", "failed") for outcome in outcomes),
        "Drifted": sum(one.drifted for one in found),
        "Last retraining": ago(latest[0].started_ns, now_ns=now_ns) if latest else "never",
    }
    tiles(figures, helps={"Drifted": "At the last look at each."})


def _under_way(engine: Engine, settings: Settings, asks: Sequence[Ask]) -> None:
    """Progress of a run, which renews itself, and what waits to be begun."""
    with reading(engine) as connection:
        running = unfinished_run(connection)
    if running is None:
        _waiting(asks, settings)
        return

    @part(every_s=3.0)
    def content() -> None:
        with reading(engine) as connection:
            run = unfinished_run(connection)
            progress = None if run is None else progress_of(connection, run)
        if progress is None:
            st.rerun(scope="app")
        else:
            _progress(progress, now_ns=time.time_ns())

    content()


def _progress(progress: Progress, *, now_ns: int) -> None:
    text = f"Retraining {progress.run_id}: {progress.done} of {progress.total} models done. {progress.at}"
    st.progress(progress.done / max(progress.total, 1), text=text)
    if progress.beat_ns is None:
        st.warning("This retraining was broken off; the next one goes on with it. The champions serve meanwhile.")
    else:
        st.caption(f"The job was heard of {ago(progress.beat_ns, now_ns=now_ns)}. The champions serve meanwhile.")


def _waiting(asks: Sequence[Ask], settings: Settings) -> None:
    if asks:
        named = ", ".join(plain(one.point_id) for one in asks[:5]) + (" and others" if len(asks) > 5 else "")
        when = (
            "in a moment, where `raceway up` runs" if settings.retrain_schedule else "with the next `raceway retrain`"
        )
        st.info(f"Asked for by {plain(asks[-1].who)}: retraining of {named}. It begins {when}.")


def _table(found: Sequence[Standing], *, now_ns: int) -> None:
    left, right = st.columns([2, 1])
    shown = left.segmented_control("Shown", _FILTERS, default="All", label_visibility="collapsed") or "All"
    text = right.text_input("Find", placeholder="part of a name", label_visibility="collapsed").strip().lower()
    listed = [one for one in found if _is_shown(one, shown) and text in one.name.lower()]
    if not listed:
        st.caption("No such model.")
        return
    st.dataframe(
        [_row(one, now_ns=now_ns) for one in listed],
        hide_index=True,
        height=min(38 + 36 * len(listed), 470),
        row_height=36,
        key=f"models {shown} {text}",
        on_select=lambda: _take_row(listed, f"models {shown} {text}"),
        selection_mode="single-row",
        column_config={
            "Model": st.column_config.TextColumn(width=300, help="A point's baseline, or a model of all points."),
            "Last retraining": st.column_config.TextColumn(width=235),
            "Features drifted": st.column_config.ProgressColumn(min_value=0.0, max_value=1.0, format="percent"),
            "Score shift": st.column_config.NumberColumn(
                format="%.2f", help="Probability that a recent score is above one of the frozen windows; 0.5: no shift."
            ),
            "Why": st.column_config.TextColumn(width="large"),
        },
    )


def _is_shown(one: Standing, shown: str) -> bool:
    outcome = None if one.task is None else one.task.outcome
    wanted = {"Need a look": outcome in ("refused", "failed", "overtaken"), "Drifted": one.drifted}
    return (wanted | {"All": True, "Challenger serves": outcome == "promoted" and not one.taken_back})[shown]


def _take_row(listed: Sequence[Standing], key: str) -> None:
    rows = st.session_state[key].selection.rows
    if rows and rows[0] < len(listed):
        st.session_state[_CHOSEN] = listed[rows[0]].name


def _row(one: Standing, *, now_ns: int) -> dict[str, Any]:
    task, last = one.task, one.promotion
    drift = {} if task is None else task.findings.get("drift", {})
    words, sign = "not looked at yet", "○"
    if task is not None:
        words, _, sign = outcome_sign(task.outcome, taken_back=one.taken_back)
    return {
        "Model": one.point_id or one.role,
        "Last retraining": f"{sign} {words}",
        "Features drifted": drift.get("share"),
        "Score shift": drift.get("score", {}).get("superiority"),
        "Why": "" if task is None else "; ".join(map(str, task.findings.get("reasons", []))),
        "Serves since": "its commissioning" if last is None else ago(last.undone_ns or last.at_ns, now_ns=now_ns),
        "Bundle": one.bundle,
    }


def _chosen(found: Sequence[Standing]) -> Standing:
    """The model that is looked at: of the address at first, then as somebody chooses."""
    by_name = {one.name: one for one in found}
    point, role = st.query_params.get("point"), st.query_params.get("role")
    wanted = (one.name for one in found if one.point_id == (point or "") and role in (None, one.role))
    chosen = st.session_state.get(_CHOSEN)
    if chosen not in by_name:
        if chosen is not None:
            st.warning(f"No {plain(chosen)} serves any more; another model is looked at now.")
        st.session_state[_CHOSEN] = next(wanted, found[0].name) if point or role else found[0].name
    return by_name[st.selectbox("Model looked at", list(by_name), key=_CHOSEN)]


def _runs(engine: Engine, settings: Settings, latest: Sequence[Run], counts: dict[str, Any]) -> None:
    st.markdown("##### Retraining runs")
    if not latest:
        st.caption("Nothing was retrained yet.")
        return
    rows = [
        {
            "Run": run.id,
            "Began": clock(run.started_ns)[:16],
            "Took": "under way" if run.ended_ns is None else f"{(run.ended_ns - run.started_ns) / 1e9:,.0f} s",
            "Asked for": ", ".join(run.options.points[:3]) or "all that are watched",
            "Outcomes": ", ".join(f"{n} {outcome or 'under way'}" for outcome, n in counts[run.id].most_common()),
        }
        for run in latest
    ]
    st.dataframe(rows, hide_index=True, height=min(38 + 35 * len(rows), 290))
    named = st.selectbox("Run looked at", [run.id for run in latest])
    with reading(engine) as connection:
        tasks = tasks_of(connection, named)
    # What asks for a look first, and no more than a person reads.
    tasks.sort(key=lambda task: _URGENT.index(task.outcome) if task.outcome else -1)
    outcomes = [
        {
            "Model": task.point_id or task.role,
            "Outcome": " ".join(outcome_sign(task.outcome)[::2][::-1]),
            "Why": "; ".join(map(str, task.findings.get("reasons", []))),
        }
        for task in tasks
    ]
    st.dataframe(outcomes, hide_index=True, height=min(38 + 35 * max(len(outcomes), 1), 290))
    _report(report_path(settings.reports, named))


def _report(path: Path) -> None:
    if path.is_file():
        st.download_button(
            "Download the report (HTML)", path.read_bytes(), file_name=path.name, mime="text/html", on_click="ignore"
        )
    else:
        st.caption("There is no report of this run here: it is not done, or ran on another machine.")
