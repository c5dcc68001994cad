"""The driver of the scripted day: lets the plant run, feeds ingest, calls people and the nightly job; kills both."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import sqlalchemy as sa

from app.alarms.tending import tend
from app.assets.register import enter
from app.codec import encode_about, encode_block
from app.demo.children import Child, DiedError, IngestCrash, learns, takes_in
from app.demo.limits import LimitAlarms
from app.demo.operator import People
from app.demo.plant import HOURS, draw_plant
from app.demo.world import HOUR_NS, Running
from app.intake import Arrival
from app.learner import waiting_points
from app.retention import Place, thin_waveforms
from app.retraining.records import unfinished_run
from app.schema import alarms, points
from app.settings import Settings
from app.store import open_store, reading, writing
from app.wire import Block
from features.errors import ParameterError, RacewayError

__all__ = ["Crash", "Day", "Script", "settings_for"]

# Hours of the day at which somebody looks, how long a shift lasts, and when retraining runs.
LOOKS, SHIFT_H, _NIGHT = (6, 10, 14, 18), 12.0, 2
_NS = 1_000_000_000
# Share of the run after which each crash comes; the job is killed in the first night from then on that learns anything.
_CRASHES: tuple[tuple[float, IngestCrash], ...] = ((0.45, "in the transaction"), (0.55, "before the acknowledgement"))
_JOB_CRASH, _JOB_PLACE = 0.5, "train worked"
_IN_FLIGHT = 2


@dataclass(frozen=True)
class Script:
    """What is to be lived through.

    Attributes
    ----------
    machines, days : int
    interval_h : int
        Hours between the bursts of a machine; 1 or 2.
    seed : int
    end_ns : int
        End of the run, nanoseconds since the epoch.
    kind_windows : int
        Simulated windows that the network of fault kinds learns from; 0: none serves.
    jobs : int
        Processes that learn side by side, and that retrain.
    """

    machines: int
    days: int
    interval_h: int
    seed: int
    end_ns: int
    kind_windows: int = 8000
    jobs: int = 2

    def __post_init__(self) -> None:
        if self.interval_h not in (1, 2) or self.days < 1 or self.jobs < 1:
            raise ParameterError(f"{self} cannot be lived through; bursts each 1 or 2 hours over 1 or more days are")

    @property
    def hours(self) -> int:
        """Length of the run."""
        return 24 * self.days

    @property
    def begin_ns(self) -> int:
        """Beginning of the run, on a full hour that bursts fall on."""
        step = self.interval_h * HOUR_NS
        return self.end_ns // step * step - self.hours * HOUR_NS

    @property
    def shift_h(self) -> float:
        """Hours in which an operator was on shift."""
        return SHIFT_H * self.days


@dataclass(frozen=True, slots=True)
class Crash:
    """A process that was killed.

    Attributes
    ----------
    hour : float
    what, where : str
    signal : int
        That ended it.
    again : int
        Messages that were delivered again, or steps taken again.
    champions_stayed : bool
        Whether every point was served by the same model before and after.
    """

    hour: float
    what: str
    where: str
    signal: int
    again: int
    champions_stayed: bool


def settings_for(settings: Settings, script: Script) -> Settings:
    """Give the settings of a plant that is measured every hour or two rather than every few seconds."""
    slow = {
        "overlap": 0.0,
        "baseline_windows": 60,
        "retrain_judged_windows": 48,
        "retrain_windows": 192,
        "retrain_alarm_margin_s": 48.0 * 3600.0,
        "retrain_kinds": script.kind_windows > 0,
        "retrain_kinds_simulated": script.kind_windows,
        "retrain_processes": script.jobs,
        "keep_waveforms_h": 24.0 * 14 * script.interval_h / 2,
        "alarm_severity": "none",
        "stale_after_s": 6.0 * 3600.0 * script.interval_h,
    }
    return settings.model_copy(update=slow)


@dataclass
class Day:
    """A run of the script on an empty store.

    Parameters
    ----------
    settings : Settings
        From `settings_for`.
    script : Script
    progress : callable
        Told the hours done and the alarms raised so far.
    """

    settings: Settings
    script: Script
    progress: Callable[[int, int], None]
    crashes: list[Crash] = field(default_factory=list)
    sent: list[tuple[str, int, int]] = field(default_factory=list)
    redelivered: int = 0
    duplicates: int = 0
    refused: int = 0
    nights: int = 0

    def __post_init__(self) -> None:
        script, settings = self.script, self.settings
        self.engine = open_store(settings.database, migrate=True)
        with reading(self.engine) as connection:
            if connection.execute(sa.select(points.c.id).limit(1)).first() is not None:
                raise ParameterError(f"{settings.data_dir} holds points already; give an empty --data-dir")
        rng = np.random.default_rng(script.seed)
        plant = draw_plant(script.machines, days=float(script.days), rng=rng)
        streams = zip(plant, rng.spawn(len(plant)), strict=True)
        self.machines = {str(plan.point): Running.begin(plan, rng=own) for plan, own in streams}
        zones = settings.zone_limits()
        self.limits = {
            key: LimitAlarms(zones[running.plan.iso_group], settings.alarm(), settings.baseline_windows)
            for key, running in self.machines.items()
        }
        self.people = People(self.engine, truth=self._truth, mend=self._mend)
        self._hour = 0.0
        self._waiting: list[Arrival] = []
        self._flight: deque[tuple[int, list[Arrival], IngestCrash | None]] = deque()
        self._numbers = itertools.count()
        self._due = deque((share * script.hours, where) for share, where in _CRASHES)
        self._job_crash_h = _JOB_CRASH * script.hours

    # -- the course of the run ----------------------------------------------------------------------------------------

    def run(self) -> None:
        """Live through the whole script; the store and the attributes hold what came of it."""
        self.ingest = Child(takes_in, self.settings)
        self.learners = [Child(learns, self.settings) for _ in range(self.script.jobs)]
        try:
            self._commission()
            for hour in range(0, self.script.hours, self.script.interval_h):
                self._live(float(hour))
            self._drain()
            self._look()
        finally:
            for child in (self.ingest, *self.learners):
                child.close()

    def _commission(self) -> None:
        with writing(self.engine) as connection:
            enter(connection, [running.plan.asset() for running in self.machines.values()])
        for running in self.machines.values():
            about = running.plan.about()
            self._waiting.append(Arrival(about.point.topic("about"), encode_about(about), self._now_ns))
        if self.script.kind_windows:
            self.learners[0].tell(("kinds", self.script.kind_windows, self._now_ns))
            self.learners[0].answer()

    def _live(self, hour: float) -> None:
        self._hour = hour
        self._measure()
        clock = int(self._now_ns // HOUR_NS % HOURS)
        if clock in LOOKS:
            self._drain()
            self._look()
            self._learn()
        elif clock == _NIGHT:
            self._drain()
            self._retrain()
        self.progress(int(hour) + self.script.interval_h, self._alarms())

    @property
    def _now_ns(self) -> int:
        return self.script.begin_ns + round(self._hour * HOUR_NS)

    def _measure(self) -> None:
        """Let every machine send its burst, and hold the limits against it."""
        for i, (key, running) in enumerate(self.machines.items()):
            if running.advance(self._hour):
                self.people.machine_failed(key, now_ns=self._now_ns)
            if running.would_fail(self._hour, within_h=self.script.interval_h):
                self.limits[key].restart()
            # Sensors wake one after the other, ten seconds apart, and have sent a little before the hour's work begins.
            block = running.burst(self._hour, start_ns=self._now_ns - (600 - 10 * (i % 50)) * _NS)
            if block is not None:
                self._send(block)
            x = running.unrepaired(self._hour, block)
            if x is not None:
                healthy = running.drawn_fault(self._hour) is None
                self.limits[key].update(x, self._hour, shaft_hz=running.plan.machine.shaft_hz, healthy=healthy)

    def _look(self) -> None:
        stale_ns = round(self.settings.stale_after_s * _NS)
        tend(self.engine, (), now_ns=self._now_ns, stale_ns=stale_ns, quiet_ns=0)
        self.people.look(now_ns=self._now_ns)

    def _truth(self, point_id: str) -> str | None:
        fault = self.machines[point_id].fault(self._hour)
        return None if fault is None else fault.kind

    def _mend(self, point_id: str) -> None:
        self.machines[point_id].repair(self._hour)

    def _alarms(self) -> int:
        with reading(self.engine) as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(alarms)).scalar_one()

    # -- ingest -------------------------------------------------------------------------------------------------------

    def _send(self, block: Block) -> None:
        self.sent.append((str(block.point), block.sequence, block.start_ns))
        self._waiting.append(Arrival(block.point.topic("waveform"), encode_block(block), block.end_ns))
        if len(self._waiting) >= self.settings.batch_blocks:
            self._flush()

    def _flush(self) -> None:
        """Send what waits as one batch; of what is sent, no more than two batches wait for their acknowledgement."""
        if not self._waiting:
            return
        where = self._due.popleft()[1] if self._due and self._hour >= self._due[0][0] else None
        self._flight.append((next(self._numbers), self._waiting, where))
        self._waiting = []
        try:
            self.ingest.tell(self._flight[-1])
        except DiedError:
            self._deliver_again()
        self._acknowledged(_IN_FLIGHT - 1)

    def _drain(self) -> None:
        self._flush()
        self._acknowledged(0)

    def _acknowledged(self, most: int) -> None:
        """Wait until no more batches than that are in flight."""
        while len(self._flight) > most:
            try:
                number, _, duplicates, refused = self.ingest.answer()
            except DiedError:
                self._deliver_again()
                continue
            oldest, _, _ = self._flight.popleft()
            if number != oldest:
                raise RacewayError(f"ingest acknowledged batch {number}, {oldest} is the oldest in flight")
            self.duplicates += duplicates
            self.refused += refused

    def _deliver_again(self) -> None:
        """Start ingest again, and send all that it has not acknowledged, as a broker does."""
        where = next((crash for _, _, crash in self._flight if crash is not None), "not by the script")
        before = self._champions()
        signal = self.ingest.revive()
        again = sum(len(batch) for _, batch, _ in self._flight)
        self.redelivered += again
        self._flight = deque((number, batch, None) for number, batch, _ in self._flight)
        for batch in self._flight:
            self.ingest.tell(batch)
        self.crashes.append(Crash(self._hour, "ingest", where, signal, again, self._champions() == before))

    def _champions(self) -> dict[str, str | None]:
        with reading(self.engine) as connection:
            return {row.id: row.bundle for row in connection.execute(sa.select(points.c.id, points.c.bundle))}

    # -- learning -----------------------------------------------------------------------------------------------------

    def _learn(self) -> None:
        ready = [row.id for row in waiting_points(self.engine)]
        shares = [ready[i :: len(self.learners)] for i in range(len(self.learners))]
        told = [(child, share) for child, share in zip(self.learners, shares, strict=True) if share]
        for child, share in told:
            child.tell(("learn", share, self._now_ns))
        for child, _ in told:
            child.answer()

    def _thin(self) -> None:
        after, more, keep_h = Place(), True, self.settings.keep_waveforms_h
        with writing(self.engine) as connection:
            while more:
                portion = thin_waveforms(connection, now_ns=self._now_ns, keep_h=keep_h, after=after)
                after, more = portion.after, portion.more

    def _retrain(self) -> None:
        """Run the nightly job; where it is killed, see who serves, and run it again."""
        self._thin()
        self.nights += 1
        job = self.learners[0]
        before = self._champions()
        try:
            job.tell(("retrain", self._now_ns, _JOB_PLACE if self._hour >= self._job_crash_h else None))
            job.answer()
        except DiedError:
            stayed = self._champions() == before
            signal = job.revive()
            self._job_crash_h = float("inf")
            with reading(self.engine) as connection:
                left = unfinished_run(connection)
            job.tell(("retrain", self._now_ns, None))
            job.answer()
            self.crashes.append(Crash(self._hour, "retraining", _JOB_PLACE, signal, int(left is not None), stayed))
