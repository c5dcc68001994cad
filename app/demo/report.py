"""The report of a scripted day: its figures from store and script, beside alarming by limits on the same data."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from app.alarms.register import HEALTH
from app.demo.account import acknowledged_h, bursts, champions, journal, labelled, retraining
from app.demo.day import Day
from app.demo.figures import FaultTime, Watching, by_kind, row_of
from app.demo.limits import RULES, of_all
from app.demo.world import HOUR_NS, Running
from app.schema import alarm_journal, alarms, windows
from app.store import reading

__all__ = ["CAVEATS", "figures_of", "findings", "summed_up", "words"]

_OURS = ("raceway", "Raceway")
CAVEATS = (
    "Everything is simulated. Machines, faults and their growth come from the plant model that the network of fault "
    "kinds learned from too; a real plant has far fewer faults in three months, and stranger ones.",
    "Bursts reach ingest over a pipe with an acknowledgement after each commit, as a broker delivers at least once; "
    "broker and network are not part of this run.",
    "Circumstances are scripted (faults, changes of the process and of sensors, when crashes come), outcomes are not: "
    "what is found, promoted and refused is what the code came to.",
    "Limits see machines that nobody repairs: where one was mended early, its twin goes on to the failure. Lead times "
    "of all are to that failure.",
    "People follow fixed rules, and an inspection always finds what is there. A repair makes a machine as new; then "
    "its baseline is learned again, and meanwhile Raceway judges nothing there.",
)


def figures_of(day: Day) -> dict[str, Any]:
    """Give the figures of a run that is over.

    Returns
    -------
    dict
        JSON: ``systems`` (Raceway and each rule of limits), ``kinds``, ``people``, ``retraining``, ``account``,
        ``crashes``, ``machines_lived`` (what befell each) and ``caveats``.
    """
    script = day.script
    with reading(day.engine) as connection:
        systems = [_ours(connection, day), *_limits(day)]
        rows = [
            {"seed": script.seed, **row_of(one, run_h=float(script.hours), operator_h=script.shift_h)}
            for one in systems
        ]
        figures: dict[str, Any] = {
            "machines": script.machines,
            "days": script.days,
            "interval_h": script.interval_h,
            "seed": script.seed,
            "begin_ns": script.begin_ns,
            "end_ns": script.begin_ns + script.hours * HOUR_NS,
            "systems": rows,
            "kinds": by_kind(systems),
            "people": _people(connection, day),
            "retraining": _retraining(connection, day),
            "account": _account(connection, day),
            "crashes": [asdict(crash) for crash in day.crashes],
            "lived": _lived(day, systems[0]),
            "caveats": list(CAVEATS),
        }
    return summed_up(figures)


def summed_up(figures: dict[str, Any]) -> dict[str, Any]:
    """Add what follows from the figures: ``totals`` as a table, and in which respect each rule of limits is better."""
    people, job, account = figures["people"], figures["retraining"], figures["account"]
    stored, served = account["bursts"], account["champions"]
    labels = people["labels"]
    values = {
        "faults mended before they led to a failure": people["mended"],
        "machines that failed": people["failed"],
        "alarms in the journal an operator-hour, `no data` among them": people["all_alarms_an_operator_hour"],
        "hours to acknowledge, median": people["median_to_acknowledge_h"],
        "hours to acknowledge, longest": people["longest_to_acknowledge_h"],
        **{f"labels: {kind}": labels.get(kind, 0) for kind in ("confirm", "rename", "reject", "repair")},
        "retraining runs": job["runs"],
        **{f"models {name}": job["outcomes"].get(name, 0) for name in ("unchanged", "waiting", "refused", "promoted")},
        "challengers promoted while a fault grew that nobody knew of": job["promoted_on_a_fault"],
        "bursts sent": stored["sent"],
        "bursts lost": stored["lost"],
        "bursts stored twice": stored["doubled"] + stored["windows_too_many"],
        "bursts delivered again after a crash": stored["delivered_again"],
        "steps of the alarm journal": account["journal"]["steps"],
        "steps that do not follow each other": account["journal"]["broken"] + account["journal"]["astray"],
        "windows judged": served["judged"],
        "windows while a baseline was learned": served["while_learning"],
        "windows without the model they should have had": served["unserved"],
    }
    ours, *others = figures["systems"]
    systems = [ours | {"better": []}, *(row | {"better": _better(ours, row)} for row in others)]
    totals = [
        {"what": what, "value": round(value, 2) if isinstance(value, float) else value}
        for what, value in values.items()
    ]
    return figures | {"systems": systems, "totals": totals}


def _ours(connection: Connection, day: Day) -> Watching:
    begin_ns, end_h = day.script.begin_ns, float(day.script.hours)
    faults = [
        FaultTime(key, span.fault.kind, span.fault.onset_h, span.fault.failure_h, end_h if ended is None else ended)
        for key, running in day.machines.items()
        for span in running.spans
        if span.fault.onset_h < end_h
        for ended in [span.end_h]
    ]
    query = sa.select(alarms.c.point_id, alarms.c.raised_ns).where(alarms.c.tag == HEALTH).order_by(alarms.c.id)
    raised = [(row.point_id, (row.raised_ns - begin_ns) / HOUR_NS) for row in connection.execute(query)]
    healthy = _judged_healthy(connection, faults, begin_ns=begin_ns)
    return Watching(*_OURS, faults, raised, float(healthy * day.script.interval_h))


def _judged_healthy(connection: Connection, faults: Sequence[FaultTime], *, begin_ns: int) -> int:
    """Windows with a verdict of machines that had no fault then."""
    by_point: dict[str, list[FaultTime]] = {}
    for fault in faults:
        by_point.setdefault(fault.point, []).append(fault)
    judged = sa.select(windows.c.point_id, windows.c.start_ns).where(windows.c.score.is_not(None))
    return sum(
        not any(f.onset_h <= (row.start_ns - begin_ns) / HOUR_NS <= f.end_h for f in by_point.get(row.point_id, ()))
        for row in connection.execute(judged)
    )


def _limits(day: Day) -> list[Watching]:
    end_h = float(day.script.hours)
    faults = [
        FaultTime(key, fault.kind, fault.onset_h, fault.failure_h, min(fault.failure_h, end_h))
        for key, running in day.machines.items()
        for fault in running.plan.faults
        if fault.onset_h < end_h
    ]
    return [
        Watching(
            rule.key,
            rule.name,
            faults,
            of_all(day.limits, rule.key),
            float(day.script.interval_h * sum(one.watched[rule.key] for one in day.limits.values())),
        )
        for rule in RULES
    ]


def _people(connection: Connection, day: Day) -> dict[str, Any]:
    waited = acknowledged_h(connection)
    raises = sa.select(alarm_journal.c.tag, sa.func.count().label("n")).where(alarm_journal.c.action == "raise")
    by_tag = {row.tag: row.n for row in connection.execute(raises.group_by(alarm_journal.c.tag))}
    deeds = sa.select(alarm_journal.c.action, sa.func.count().label("n")).group_by(alarm_journal.c.action)
    return {
        "hours_on_shift": day.script.shift_h,
        "alarms_by_tag": by_tag,
        "all_alarms_an_operator_hour": sum(by_tag.values()) / day.script.shift_h,
        "acknowledged": len(waited),
        "median_to_acknowledge_h": statistics.median(waited) if waited else None,
        "longest_to_acknowledge_h": waited[-1] if waited else None,
        "journal_by_action": {row.action: row.n for row in connection.execute(deeds)},
        "labels": labelled(connection),
        "mended": sum(s.end_h is not None and not s.failed for r in day.machines.values() for s in r.spans),
        "failed": sum(span.failed for running in day.machines.values() for span in running.spans),
    }


def _retraining(connection: Connection, day: Day) -> dict[str, Any]:
    """What the job came to, and what it could not know: which challengers learned while a fault was growing."""
    found = retraining(connection)
    for one in found["decided"]:
        hour = (one["at_ns"] - day.script.begin_ns) / HOUR_NS
        # The network that names fault kinds is of no machine.
        spans = day.machines[one["point"]].spans if one["point"] else []
        growing = [s.fault for s in spans if s.fault.onset_h <= hour and (s.end_h is None or hour < s.end_h)]
        one["fault"] = growing[0].kind if growing else None
        one["severity"] = growing[0].severity(hour) if growing else 0.0
    promoted = [one for one in found["decided"] if one["outcome"] == "promoted"]
    return found | {"nights": day.nights, "promoted_on_a_fault": sum(one["fault"] is not None for one in promoted)}


def _account(connection: Connection, day: Day) -> dict[str, Any]:
    return {
        "bursts": bursts(connection, day.sent)
        | {"delivered_again": day.redelivered, "known_again": day.duplicates, "refused": day.refused},
        "journal": journal(connection),
        "champions": champions(connection),
    }


def findings(figures: Mapping[str, Any]) -> list[str]:
    """Say what of the script did not come about, or was lost; empty where all is well.

    Parameters
    ----------
    figures : mapping
        From `figures_of`.
    """
    account, job = figures["account"], figures["retraining"]
    wanted = {
        "bursts are lost": account["bursts"]["lost"],
        "bursts are stored twice": account["bursts"]["doubled"] + account["bursts"]["windows_too_many"],
        "bursts are stored that were never sent": account["bursts"]["strange"],
        "messages were set aside": account["bursts"]["set_aside"],
        "steps of the journal do not follow each other": account["journal"]["broken"] + account["journal"]["astray"],
        "alarms and journal do not match": account["journal"]["unmatched"],
        "windows had no model that should have had one": account["champions"]["unserved"],
        "changes of model are not explained": account["champions"]["unexplained"],
        "retrainings are not finished": job["unfinished"],
        "crashes changed who serves": sum(not crash["champions_stayed"] for crash in figures["crashes"]),
    }
    found = [f"{n} {what}" for what, n in wanted.items() if n]
    kinds = {crash["what"] for crash in figures["crashes"]}
    found += [f"{what} was never killed" for what in ("ingest", "retraining") if what not in kinds]
    return found + [f"no challenger was {o}" for o in ("promoted", "refused") if not job["outcomes"].get(o)]


def _lived(day: Day, ours: Watching) -> list[dict[str, Any]]:
    """What befell each machine, for the picture."""
    raised: dict[str, list[float]] = {}
    for point, hour in ours.raised:
        raised.setdefault(point, []).append(round(hour, 1))
    return [_of_machine(key, running, day, raised.get(key, [])) for key, running in day.machines.items()]


def _of_machine(key: str, running: Running, day: Day, raised: list[float]) -> dict[str, Any]:
    return {
        "point": key,
        "name": running.plan.title,
        "faults": [
            {
                "kind": span.fault.kind,
                "onset_h": round(span.fault.onset_h, 1),
                "failure_h": round(span.fault.failure_h, 1),
                "end_h": span.end_h,
                "failed": span.failed,
            }
            for span in running.spans
        ],
        "changes": [{"what": c.what, "at_h": round(c.at_h, 1), "hours": c.hours} for c in running.plan.changes],
        "alarms_h": raised,
        "limits_h": {rule.key: day.limits[key].raised_h[rule.key] for rule in RULES},
    }


# -- in words ---------------------------------------------------------------------------------------------------------


def words(figures: Mapping[str, Any]) -> list[str]:
    """The report as lines for a terminal."""
    people, job, account = figures["people"], figures["retraining"], figures["account"]
    stored = account["bursts"]
    return [
        f"{figures['machines']} machines, {figures['days']} days, a burst each {figures['interval_h']} h, "
        f"seed {figures['seed']}",
        "",
        *_table(figures["systems"]),
        "",
        *_kind_table(figures["kinds"]),
        "",
        f"People: {people['acknowledged']} acknowledged, median {_number(people['median_to_acknowledge_h'], 'h')}, "
        f"longest {_number(people['longest_to_acknowledge_h'], 'h')}; {people['mended']} faults mended in time, "
        f"{people['failed']} machines failed; labels: {_counts(people['labels'])}.",
        f"Retraining: {job['runs']} runs in {job['nights']} nights; {_counts(job['outcomes'])}.",
        f"Challengers promoted while a fault was growing, unknown to all: {job['promoted_on_a_fault']}.",
        *(f"  {line}" for line in _decided(job["decided"], figures["begin_ns"])),
        f"Bursts: {stored['sent']} sent, {stored['stored']} stored, {stored['lost']} lost, {stored['doubled']} "
        f"doubled, {stored['delivered_again']} delivered again, of which {stored['known_again']} were known.",
        f"Models: {_counts(account['champions'])}. Journal: {_counts(account['journal'])}.",
        *(_crash(crash) for crash in figures["crashes"]),
        *_worse(figures["systems"]),
        *(f"NOT AS IT SHOULD BE: {finding}" for finding in findings(figures)),
    ]


def _table(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    head = f"{'':28}{'found':>7}{'missed':>8}{'open':>6}{'lead, d':>9}{'worst':>7}{'false/month':>13}{'alarms/h':>10}"
    return [head] + [
        f"{row['system']:28}{row['found']:7d}{row['missed']:8d}{row['open']:6d}{_number(row['median_lead_d']):>9}"
        f"{_number(row['worst_lead_d']):>7}{row['false_a_month']:13.3f}{row['alarms_an_operator_hour']:10.3f}"
        for row in rows
    ]


def _kind_table(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    keys = [_OURS[0], *(rule.key for rule in RULES)]
    head = f"{'found, by kind':28}{'faults':>7}" + "".join(f"{key:>10}" for key in keys)
    return [head] + [f"{row['kind']:28}{row['faults']:7d}" + "".join(f"{row[key]:10d}" for key in keys) for row in rows]


def _decided(decided: Sequence[Mapping[str, Any]], begin_ns: int) -> list[str]:
    """The first of each outcome and reason, so that a reason is read once."""
    seen: set[tuple[str, str]] = set()
    lines = []
    for one in decided:
        reason = "; ".join(one["reasons"])
        if (one["point"], one["outcome"]) not in seen:
            seen.add((one["point"], one["outcome"]))
            about, day = one["point"] or "the network of fault kinds", (one["at_ns"] - begin_ns) / HOUR_NS / 24
            lines.append(f"day {day:.0f}, {about}: {one['outcome']}: {reason}")
    return lines


def _crash(crash: Mapping[str, Any]) -> str:
    again = "messages delivered again" if crash["what"] == "ingest" else "broken-off run gone on with"
    served = "the same models served on" if crash["champions_stayed"] else "OTHER MODELS SERVED AFTER IT"
    return (
        f"Crash on day {crash['hour'] / 24:.0f}: {crash['what']} killed by signal {crash['signal']}, {crash['where']}; "
        f"{crash['again']} {again}; {served}."
    )


def _worse(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say where a rule of limits is better than ours."""
    return [f"Better than Raceway: {row['system']} {', '.join(row['better'])}." for row in rows if row["better"]]


def _better(ours: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    """In which respects another way of alarming is better than ours."""
    respects = (
        ("finds more faults", row["found"] > ours["found"]),
        ("has the longer median lead", _more(row["median_lead_d"], ours["median_lead_d"])),
        ("has the longer worst lead", _more(row["worst_lead_d"], ours["worst_lead_d"])),
        ("has fewer false alarms", row["false_a_month"] < ours["false_a_month"]),
        ("has fewer alarms", row["alarms"] < ours["alarms"]),
    )
    return [what for what, better in respects if better]


def _more(theirs: float | None, ours: float | None) -> bool:
    return theirs is not None and (ours is None or theirs > ours)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in counts.items())


def _number(value: float | None, unit: str = "") -> str:
    return "-" if value is None else f"{value:.1f} {unit}".strip()
