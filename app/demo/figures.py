"""Figures of a run: faults found and missed, lead time, false alarms, load of operators; refuses a run without time."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from features.errors import ParameterError

__all__ = ["MONTH_H", "FaultTime", "Watching", "by_kind", "row_of"]

# Of 30 days.
MONTH_H = 720.0


@dataclass(frozen=True, slots=True)
class FaultTime:
    """A fault as alarms are held against it.

    Attributes
    ----------
    point, kind : str
    onset_h, failure_h : float
        The failure is that of the machine which nobody repairs, also where somebody did.
    end_h : float
        Until when an alarm of the point speaks of this fault: its repair or failure.
    """

    point: str
    kind: str
    onset_h: float
    failure_h: float
    end_h: float


@dataclass(frozen=True)
class Watching:
    """What one way of alarming did in a run.

    Attributes
    ----------
    key, name : str
    faults : sequence of FaultTime
    raised : sequence of (str, float)
        Point and hour of each alarm.
    healthy_h : float
        Machine-hours without a fault in which it judged.
    """

    key: str
    name: str
    faults: Sequence[FaultTime]
    raised: Sequence[tuple[str, float]]
    healthy_h: float

    def first(self, fault: FaultTime) -> float | None:
        """Hour of the first alarm that speaks of a fault."""
        return min((h for point, h in self.raised if point == fault.point and _speaks(fault, h)), default=None)

    def false(self) -> list[tuple[str, float]]:
        """Alarms that speak of no fault."""
        return [
            (point, hour)
            for point, hour in self.raised
            if not any(point == fault.point and _speaks(fault, hour) for fault in self.faults)
        ]


def _speaks(fault: FaultTime, hour: float) -> bool:
    return fault.onset_h <= hour <= fault.end_h


def row_of(watching: Watching, *, run_h: float, operator_h: float) -> dict[str, Any]:
    """Figures of one way of alarming.

    Parameters
    ----------
    watching : Watching
    run_h : float
        Length of the run.
    operator_h : float
        Hours in which an operator was on shift.

    Returns
    -------
    dict
        Of the faults, `missed` failed without an alarm, `open` were still growing at the end of the run without one;
        lead times are from the first alarm to the failure as drawn, in days, None where none was found.

    Raises
    ------
    ParameterError
        If there was no healthy machine or no operator.

    Examples
    --------
    >>> faults = [FaultTime("a", "outer", 100.0, 340.0, 340.0), FaultTime("b", "gear", 200.0, 900.0, 720.0)]
    >>> row = row_of(Watching("x", "X", faults, [("a", 100.0), ("c", 5.0)], 1440.0), run_h=720.0, operator_h=360.0)
    >>> row["found"], row["missed"], row["open"], row["median_lead_d"], row["false_a_month"]
    (1, 0, 1, 10.0, 0.5)
    """
    if not (watching.healthy_h > 0.0 and operator_h > 0.0):
        raise ParameterError(f"{watching.healthy_h} healthy hours and {operator_h} on shift; some of both are wanted")
    first = {fault: watching.first(fault) for fault in watching.faults}
    leads = sorted((fault.failure_h - hour) / 24.0 for fault, hour in first.items() if hour is not None)
    false = len(watching.false())
    silent = [fault for fault, hour in first.items() if hour is None]
    missed = sum(fault.failure_h <= run_h for fault in silent)
    return {
        "system": watching.name,
        "faults": len(first),
        "found": len(leads),
        "missed": missed,
        "open": len(silent) - missed,
        "median_lead_d": statistics.median(leads) if leads else None,
        "worst_lead_d": leads[0] if leads else None,
        "alarms": len(watching.raised),
        "false_alarms": false,
        "false_a_month": false / (watching.healthy_h / MONTH_H),
        "alarms_an_operator_hour": len(watching.raised) / operator_h,
        "healthy_machine_months": watching.healthy_h / MONTH_H,
    }


def by_kind(systems: Sequence[Watching]) -> list[dict[str, Any]]:
    """Faults of each kind, how many each system found, and the median of the first one's lead times in days."""
    kinds = sorted({fault.kind for fault in systems[0].faults})
    return [_of_kind(kind, systems) for kind in kinds]


def _of_kind(kind: str, systems: Sequence[Watching]) -> dict[str, Any]:
    leads = {system.key: _leads(system, kind) for system in systems}
    first = leads[systems[0].key]
    return {
        "kind": kind,
        "faults": sum(fault.kind == kind for fault in systems[0].faults),
        **{key: len(found) for key, found in leads.items()},
        "median_lead_d": statistics.median(first) if first else None,
    }


def _leads(system: Watching, kind: str) -> list[float]:
    """Days from the first alarm to the failure, of the faults of a kind that were found."""
    of_kind = [(fault, system.first(fault)) for fault in system.faults if fault.kind == kind]
    return [(fault.failure_h - hour) / 24.0 for fault, hour in of_kind if hour is not None]
