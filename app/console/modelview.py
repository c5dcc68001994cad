"""One model of the models page: champion and challenger side by side, drift, and what may be done about it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from sqlalchemy import Connection, Engine

from app.access.roles import Right, User
from app.console.charts import TEMPLATE
from app.console.deeds import do
from app.console.links import link
from app.console.plot import plot
from app.console.words import ago, clock, plain
from app.fleet.records import listed
from app.palette import BLUE, GREY, RED
from app.retraining.asking import Ask, ask
from app.retraining.forcing import force
from app.retraining.promotion import undo
from app.retraining.records import BASELINE, NODE_HEALTH, Task
from app.retraining.standing import Standing, history_of
from app.retraining.verdict import drift_words, outcome_sign, verdict_rows, verdict_words
from app.settings import Settings
from app.store import reading
from features.errors import ArtifactError
from models.bundle import Manifest, load_bundle

__all__ = ["drift_chart", "model_section"]

_RIGHT: Right = "change models"
_HISTORY = 10
# From here on a population stability index is called a major change.
_MAJOR = 0.25
_LONGEST = 300
_DIAMOND = {"symbol": "diamond", "color": "white", "size": 10, "line": {"color": "black", "width": 1.5}}


def model_section(
    engine: Engine, settings: Settings, user: User, one: Standing, *, asks: Sequence[Ask], now_ns: int
) -> None:
    """Draw a model and what may be done about it."""
    task = one.task
    words, sign = "not looked at by a retraining yet", "○"
    if task is not None:
        words, _, sign = outcome_sign(task.outcome, taken_back=one.taken_back)
    st.subheader(f"{sign} {plain(one.name)}: {words}")
    for reason in [] if task is None else task.findings.get("reasons", []):
        st.markdown(f"- {plain(str(reason))}")
    _hands(one, now_ns=now_ns)
    if one.bundle is not None and one.role == NODE_HEALTH:
        _handed_over(engine, one.bundle)
    _actions(engine, settings, user, one, asked=any(a.point_id == one.point_id for a in asks), now_ns=now_ns)
    if task is not None and task.findings.get("gate"):
        _verdict(task)
    if task is not None and task.findings.get("drift", {}).get("features"):
        _drift(task.findings["drift"], key=one.name)
    _bundles(settings, one, now_ns=now_ns)
    _history(engine, one)


def _hands(one: Standing, *, now_ns: int) -> None:
    """How the model last changed hands."""
    last = one.promotion
    if last is None:
        st.caption("It serves since its commissioning; no challenger has taken its place.")
    elif last.undone_ns is not None:
        st.caption(
            f"Its last promotion was undone {ago(last.undone_ns, now_ns=now_ns)}: {plain(last.undone_why or '')}"
        )
    else:
        forced = {} if one.task is None else one.task.findings.get("forced", {})
        by = f", in spite of the gate by {plain(forced['who'])}: {plain(forced['why'])}" if forced else ""
        st.caption(f"A challenger took its place {ago(last.at_ns, now_ns=now_ns)} ({clock(last.at_ns)[:16]}){by}.")


def _handed_over(engine: Engine, bundle: str) -> None:
    """Where the network that serves is on its way to the nodes: what is taken back here goes on there."""
    with reading(engine) as connection:
        for given in listed(connection, most=1, bundle=bundle):
            link("nodes", f"Roll-out {given.id} to the nodes: {given.phase}", rollout=str(given.id))


# -- what may be done -------------------------------------------------------------------------------------------------


def _actions(engine: Engine, settings: Settings, user: User, one: Standing, *, asked: bool, now_ns: int) -> None:
    may = user.may(_RIGHT)
    shown = _shown(one)
    why = st.text_input("Reason", key=f"models why {shown}", disabled=not may, help="It stands in the audit.").strip()
    task, last = one.task, one.promotion
    columns = st.columns(3)

    def there(bundle: str) -> bool:
        return (settings.bundles / bundle).is_dir()

    if columns[0].button(
        "Retrain now",
        key=f"retrain {shown}",
        disabled=not may or asked or one.role != BASELINE,
        help="A challenger is learned, drifted or not, and has to pass the gate." + _missing(may),
        width="stretch",
    ):
        do(
            engine,
            lambda c: ask(c, user, one.point_id, why=why, now_ns=now_ns),
            f"The retraining of {plain(one.name)} begins.",
            said="models said",
        )
    if columns[1].button(
        "Undo promotion",
        key=f"undo {shown}",
        disabled=not (may and why and one.undoable),
        help="The former model serves again; not retrained by itself from then on. Wants a reason." + _missing(may),
        width="stretch",
    ):
        taken_back = [last] if last is not None else []
        done = f"{plain(one.name)}: the former model serves again."
        do(engine, lambda c: undo(c, user, taken_back, there=there, why=why, now_ns=now_ns), done, said="models said")
    refused = task is not None and task.outcome == "refused" and task.challenger is not None
    if columns[2].button(
        "Let the refused challenger serve",
        key=f"overrule {shown}",
        disabled=not (may and why and refused and task is not None and there(str(task.challenger))),
        help="In spite of the gate, on your word. Wants a reason." + _missing(may),
        width="stretch",
    ):
        assert task is not None
        overruled = task
        done = f"{plain(one.name)}: the challenger serves."

        def overrule(connection: Connection) -> None:
            packed = _packed(settings, overruled)
            force(connection, user, overruled, there=there, why=why, now_ns=now_ns, packed=packed)

        do(engine, overrule, done, said="models said")


def _shown(one: Standing) -> str:
    """What a reader decides on: of another model, run or promotion the fields are others; a late click finds none."""
    run = "" if one.task is None else one.task.run_id
    promotion = "" if one.promotion is None else one.promotion.id
    return f"{one.name} {one.bundle} {run} {promotion}"


def _packed(settings: Settings, task: Task) -> bytes | None:
    """The model as nodes take it, where they are to have it."""
    from edge.compiler.packing import pack_model

    return (
        pack_model(load_bundle(settings.bundles / str(task.challenger)).network) if task.role == NODE_HEALTH else None
    )


def _missing(may: bool) -> str:
    return "" if may else " Engineers may do this."


# -- what was found ---------------------------------------------------------------------------------------------------


def _verdict(task: Task) -> None:
    verdict = task.findings["gate"]
    st.markdown("##### Champion and challenger, on the same windows")
    if verdict.get("first"):
        st.caption("There was no champion: both columns are of the challenger.")
    rows = [{"": name, "Champion": was, "Challenger": new} for name, was, new in verdict_rows(verdict)]
    # On a phone both figures are to be seen beside the name.
    widths = {"": 190, "Champion": 90, "Challenger": 90}
    config = {name: st.column_config.TextColumn(width=width) for name, width in widths.items()}
    st.dataframe(rows, hide_index=True, height=38 + 35 * len(rows), column_config=config)
    st.caption(f"{verdict_words(verdict)} Run {task.run_id}.")


def _drift(drift: Mapping[str, Any], *, key: str) -> None:
    st.markdown("##### Drift")
    st.markdown(drift_words(drift))
    plot(drift_chart(drift["features"], key=key), key="drift")
    st.caption(
        "Bars: population stability index, from the dashed line on a major change. Diamonds: Kolmogorov-Smirnov."
    )
    with st.expander("Figures"):
        rows = [
            {
                "Feature": feature["name"],
                "PSI": feature["psi"],
                "by chance": feature["psi_by_chance"],
                "KS": feature["ks"],
                "p": f"{feature['p_value']:.1e}",
                "": "△ drifted" if feature["drifted"] else "",
            }
            for feature in drift["features"]
        ]
        st.dataframe(rows, hide_index=True)


def drift_chart(features: Sequence[Mapping[str, Any]], *, key: str) -> go.Figure:
    """Population stability index and Kolmogorov-Smirnov statistic of the features that moved most, the most on top."""
    figure = go.Figure()
    names = [str(feature["name"]) for feature in features][::-1]
    psi = [float(feature["psi"]) for feature in features][::-1]
    colours = [RED if feature["drifted"] else BLUE for feature in features][::-1]
    marks = ["△ drifted" if feature["drifted"] else "" for feature in features][::-1]
    figure.add_bar(x=psi, y=names, orientation="h", marker={"color": colours}, text=marks, name="PSI")
    ks = [float(feature["ks"]) for feature in features][::-1]
    figure.add_scatter(x=ks, y=names, mode="markers", marker=_DIAMOND, name="KS")
    figure.add_vline(x=_MAJOR, line={"color": "black", "dash": "dash", "width": 1})
    figure.update_layout(
        height=60 + 26 * len(names),
        margin={"l": 10, "r": 10, "t": 24, "b": 10},
        xaxis_title="PSI: bars, KS: diamonds",
        yaxis={"automargin": True},
        uirevision=key,
        showlegend=False,
        template=TEMPLATE,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": GREY, "activecolor": BLUE},
        font={"family": "Source Sans, Source Sans Pro, sans-serif"},
    )
    return figure


def _bundles(settings: Settings, one: Standing, *, now_ns: int) -> None:
    st.markdown("##### Bundles")
    challenger = None if one.task is None else one.task.challenger
    names = {"Champion": one.bundle, "Challenger": challenger if challenger != one.bundle else None}
    shown = [(who, name) for who, name in names.items() if name]
    for column, (who, name) in zip(st.columns(max(len(shown), 1)), shown, strict=False):
        with column:
            st.markdown(f"**{who}** `{name}`")
            try:
                manifest = load_bundle(settings.bundles / name).manifest
            except ArtifactError as error:
                st.caption(f"Not here: {error}" if (settings.bundles / name).exists() else "Its folder is not here.")
            else:
                made_ns = (settings.bundles / name / "manifest.json").stat().st_mtime_ns
                st.dataframe(
                    [{"What": "made", "Value": ago(made_ns, now_ns=now_ns)}, *_facts(manifest)], hide_index=True
                )


def _facts(manifest: Manifest) -> list[dict[str, str]]:
    facts = {"contract": manifest.contract, "made by": f"raceway {manifest.code}", "seed": str(manifest.seed)}
    facts |= {f"threshold, {name}": f"{value:.4g}" for name, value in manifest.thresholds.items()}
    facts |= {name: f"{value:.4g}" for name, value in manifest.metrics.items()}
    facts |= {f"learned from, {name}": _short(value) for name, value in manifest.provenance.items()}
    facts |= {f"split, {name}": _short(value) for name, value in manifest.split.items()}
    return [{"What": name, "Value": value} for name, value in facts.items()]


def _short(value: Any) -> str:
    """Long lists, such as of windows, by their number."""
    if isinstance(value, list) and len(value) > 5:
        return f"{len(value)}: {value[0]} to {value[-1]}"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _history(engine: Engine, one: Standing) -> None:
    with reading(engine) as connection:
        found = history_of(connection, one.role, one.point_id, most=_HISTORY)
    if not found:
        return
    st.markdown("##### What the latest runs found")
    rows = [
        {
            "Run": task.run_id,
            "Outcome": " ".join(outcome_sign(task.outcome)[::2][::-1]),
            "Challenger": task.challenger or "",
            "Why": "; ".join(map(str, task.findings.get("reasons", []))),
        }
        for task in found
    ]
    st.dataframe(rows, hide_index=True)
