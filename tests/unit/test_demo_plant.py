"""The plant of the scripted day: what is drawn, how faults grow, and the twin that nobody repairs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from app.demo.plant import Change, Fault, PlantMachine, draw_plant
from app.demo.world import BREAKDOWN_H, HOUR_NS, RATE_HZ, Running
from app.severity import broad_band
from features.errors import ParameterError


def _machine(**changes: object) -> PlantMachine:
    first = draw_plant(8, days=90.0, rng=np.random.default_rng(3))[0]
    return replace(first, **({"faults": (), "changes": ()} | changes))  # type: ignore[arg-type]


def _run(machine: PlantMachine, hours: range) -> tuple[Running, list[float | None], list[float | None]]:
    """A machine over some hours, with the velocity of it and of what nobody repairs."""
    running = Running.begin(machine, rng=np.random.default_rng(5))
    real: list[float | None] = []
    twin: list[float | None] = []
    for hour in hours:
        running.advance(float(hour))
        block = running.burst(float(hour), start_ns=hour * HOUR_NS)
        real.append(None if block is None else _velocity(block.physical(), machine))
        x = running.unrepaired(float(hour), block)
        twin.append(None if x is None else _velocity(x, machine))
        if hour == 160 and running.fault(160.0):
            running.repair(float(hour))
    return running, real, twin


def _velocity(x: np.ndarray, machine: PlantMachine) -> float:
    return broad_band(x, RATE_HZ, unit="g", shaft_hz=machine.machine.shaft_hz).velocity_mm_s


def test_a_plant_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    once, again, other = (draw_plant(20, days=90.0, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert once == again
    assert once != other


@pytest.mark.parametrize("n", [6, 7, 50])
def test_something_of_every_sort_befalls_a_plant_after_its_healthy_start(n: int) -> None:
    plant = draw_plant(n, days=60.0, rng=np.random.default_rng(n))
    befallen = {change.what for machine in plant for change in machine.changes}
    assert befallen == {"process", "sensor", "silence"}
    assert len({machine.point for machine in plant}) == n
    faults = [fault for machine in plant for fault in machine.faults]
    assert faults
    assert min(fault.onset_h for fault in faults) >= 0.3 * 60 * 24
    for machine in plant:
        assert not (machine.faults and machine.changes)
        assert all(a.failure_h < b.onset_h for a, b in zip(machine.faults, machine.faults[1:], strict=False))


def test_too_few_machines_are_refused() -> None:
    with pytest.raises(ParameterError, match="6 or more over a time are wanted"):
        draw_plant(5, days=90.0, rng=np.random.default_rng(1))


@pytest.mark.parametrize("growth", [1e-9, 2.0, 5.0])
def test_a_fault_grows_as_its_law_says(growth: float) -> None:
    fault = Fault("outer", 100.0, 300.0, growth)
    assert [fault.severity(hour) for hour in (0.0, 100.0, 300.0, 400.0)] == [0.0, 0.0, 1.0, 1.0]
    middle = 1.0 / (math.exp(0.5 * growth) + 1.0)
    assert fault.severity(200.0) == pytest.approx(middle, rel=1e-6)


def test_a_repaired_machine_is_healthy_while_its_twin_goes_on_to_the_failure() -> None:
    fault = Fault("unbalance", 100.0, 200.0, growth=0.0)
    running, real, twin = _run(_machine(faults=(fault,)), range(90, 260))
    before, after, late = slice(0, 10), slice(80, 105), slice(100, 110)
    assert real[: 160 - 90 + 1] == twin[: 160 - 90 + 1]
    # Twelve times as much unbalance at the end of its life, and none after the repair.
    assert np.mean(real[after]) == pytest.approx(np.mean(real[before]), rel=0.15)
    assert np.mean(twin[late]) > 4.0 * np.mean(real[late])
    assert twin[200 - 90 : 200 - 90 + int(BREAKDOWN_H)] == [None] * int(BREAKDOWN_H)
    assert twin[200 - 90 + int(BREAKDOWN_H)] == real[200 - 90 + int(BREAKDOWN_H)]
    assert [(span.end_h, span.failed) for span in running.spans] == [(160.0, False)]


def test_a_machine_that_nobody_repairs_fails_stands_still_and_is_healthy_again() -> None:
    fault = Fault("unbalance", 100.0, 150.0, growth=0.0)
    running, real, twin = _run(_machine(faults=(fault,)), range(140, 200))
    assert real[10 : 10 + int(BREAKDOWN_H)] == [None] * int(BREAKDOWN_H)
    assert real == twin
    assert [(span.end_h, span.failed) for span in running.spans] == [(150.0, True)]
    assert np.mean(real[:5]) > 4.0 * np.mean(real[-5:])


def test_a_new_sensor_counts_anew_and_a_silent_one_says_nothing() -> None:
    machine = _machine(changes=(Change("sensor", 3.0, gain=0.5), Change("silence", 6.0, hours=2.0)))
    running = Running.begin(machine, rng=np.random.default_rng(5))
    blocks = [running.burst(float(hour), start_ns=hour * HOUR_NS) for hour in range(10)]
    assert [None if b is None else b.sequence for b in blocks] == [0, 1, 2, 0, 1, 2, None, None, 3, 4]
    levels = [float(b.physical().std()) for b in blocks if b is not None]
    assert np.mean(levels[3:]) == pytest.approx(0.5 * np.mean(levels[:3]), rel=0.1)
