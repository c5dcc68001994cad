"""From a batch of messages to committed verdicts: sort, window, extract, judge, store in one transaction, report."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sqlalchemy as sa
import zstandard
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine

from app.alarms.conditions import Conditions, Option
from app.assets.register import alarming, note_said, told
from app.commissioning import outdated
from app.fleet.hearing import Heard, Known, hear
from app.fleet.keeping import NodeAlarm, known_of, write_heard
from app.fleet.sayings import GatewayState
from app.intake import Arrival, Intake, Received, shape_conflict, sort_arrivals, without_doubles
from app.ledger import block_row, window_row, write_alarms
from app.logs import log
from app.reports import Publication, Reporter, refusal
from app.schema import blocks, windows
from app.settings import Settings
from app.store import (
    PointRow,
    Quarantined,
    StaleError,
    bundle_of,
    count,
    insert_rows,
    point_rows,
    quarantine_payloads,
    reading,
    revisions,
    save_point,
    writing,
)
from app.watch import AlarmChange, Verdict, Watch, kind_of
from app.windower import Tally
from app.wire import About, PointId
from features.contract import WATCHED
from features.errors import ArtifactError, ContractError, ParameterError
from features.extraction import extract
from features.faultmap import MAP_HASH
from features.window import Window
from models.bundle import load_bundle
from models.serving import Diagnoser

__all__ = ["Outcome", "Pipeline"]

# A message much larger than any admissible one is kept by its head, size and digest.
_KEPT_BYTES = 1 << 20
# How often a baseline is tried again that could not be read.
_TRY_AGAIN_NS = 30_000_000_000


@dataclass
class Outcome:
    """What a batch came to.

    Attributes
    ----------
    stored, duplicates, windows, refused : int
        Blocks stored; blocks, reports and events seen before; windows judged; messages set aside.
    reports : int
        Reports of nodes stored.
    publications : list of Publication
        Results to be published, the latest for each topic.
    events : list of (str, dict)
        What is worth logging.
    """

    stored: int = 0
    duplicates: int = 0
    windows: int = 0
    refused: int = 0
    reports: int = 0
    publications: list[Publication] = field(default_factory=list)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        """Take in what a later part of the batch came to."""
        self.stored += other.stored
        self.duplicates += other.duplicates
        self.windows += other.windows
        self.refused += other.refused
        self.reports += other.reports
        self.publications += other.publications
        self.events += other.events


@dataclass
class _Work:
    """One batch on its way through."""

    intake: Intake
    now_ns: int
    refused: list[Quarantined]
    new: dict[str, list[Received]] = field(default_factory=dict)
    windows: dict[str, list[Window]] = field(default_factory=lambda: defaultdict(list))
    verdicts: dict[str, list[Verdict]] = field(default_factory=dict)
    changes: dict[str, list[AlarmChange]] = field(default_factory=dict)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    touched: set[str] = field(default_factory=set)
    known: Known = field(default_factory=Known)
    heard: Heard = field(default_factory=Heard)
    node_alarms: list[NodeAlarm] = field(default_factory=list)

    def noded(self, key: str) -> bool:
        """Say whether a node judges at a point: then the server does not."""
        return key in self.heard.nodes or (key in self.known.nodes and key not in self.heard.gone)


class Pipeline:
    """The ingest of one store; not shared between threads.

    Parameters
    ----------
    engine : Engine
        An open store.
    settings : Settings
    """

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._limits = settings.limits()
        self._conditions = settings.conditions()
        self._zones = settings.zone_limits()
        self._compress = zstandard.ZstdCompressor(level=1).compress
        self._watches: dict[str, Watch] = {}
        # Points whose baseline cannot be read: what was said of it, and when it was last tried.
        self._unread: dict[str, tuple[str, int]] = {}
        self._diagnoser: Diagnoser | None = None
        self._reporter = Reporter(baseline_windows=settings.baseline_windows)

    def prepare(self, arrivals: Sequence[Arrival]) -> Intake:
        """Decode messages; touches no state, so it may run beside `process` (but not beside itself)."""
        return sort_arrivals(arrivals, limits=self._limits, compress=self._compress)

    def process(self, intake: Intake, *, now_ns: int) -> Outcome:
        """Take prepared messages in, up to the commit; after it, and only after it, they may be acknowledged.

        Parameters
        ----------
        intake : Intake
            From `prepare`; not changed, so that it can be given again.
        now_ns : int
            Clock of the service.

        Returns
        -------
        Outcome

        Raises
        ------
        sqlalchemy.exc.SQLAlchemyError
            If the store cannot take the batch; nothing of it is kept, and it can be given again.

        Notes
        -----
        A batch that fails for another reason than the store is taken message by message, and the message that fails
        is set aside as ``internal``: no message, whatever it finds in our code, may stop the stream behind it.
        """
        try:
            return self._whole(intake, now_ns)
        except Exception as error:
            if _is_of_the_store(error):
                raise
        outcome = Outcome()
        for arrival, part in intake.parts():
            outcome.add(self._alone(arrival, part, now_ns))
        return outcome

    def _alone(self, arrival: Arrival | None, part: Intake, now_ns: int) -> Outcome:
        try:
            return self._whole(part, now_ns)
        except Exception as error:
            if arrival is None or _is_of_the_store(error):
                raise
            refused = arrival.refused("internal", f"{type(error).__name__}: {error}")
        return self._whole(Intake(refused=[refused]), now_ns)

    def _whole(self, intake: Intake, now_ns: int) -> Outcome:
        while True:
            try:
                return self._process(intake, now_ns)
            except BaseException as error:
                # The running state is ahead of the store: what was stored last is what counts.
                self._watches.clear()
                if not isinstance(error, StaleError):
                    raise

    def _process(self, intake: Intake, now_ns: int) -> Outcome:
        self._refresh(now_ns)
        work = _Work(intake, now_ns, refused=list(intake.refused))
        for described in work.intake.described:
            self._describe(described.about, work)
        self._hear(work)
        self._select(work)
        self._cut(work)
        self._judge(work)
        with writing(self._engine) as connection:
            self._write(connection, work)
        return self._outcome(work)

    # -- what other processes changed ---------------------------------------------------------------------------------

    def _refresh(self, now_ns: int) -> None:
        """Notice points and bundles that other processes changed, and baselines that can be read again."""
        again = {key for key, (_, tried_ns) in self._unread.items() if abs(now_ns - tried_ns) >= _TRY_AGAIN_NS}
        with reading(self._engine) as connection:
            stored = revisions(connection)
            known = {key: w.row.revision for key, w in self._watches.items() if not w.new and key not in again}
            if stored != known:
                changed = [row for row in point_rows(connection) if row.revision != known.get(row.id)]
                self._resume(changed, alarming(connection), now_ns)
            champion = bundle_of(connection, "diagnosis")
        if champion is not None and (self._diagnoser is None or self._diagnoser.bundle_id != champion):
            try:
                self._diagnoser = Diagnoser(load_bundle(self._settings.bundles / champion), contract=MAP_HASH)
            except (ArtifactError, ContractError):
                # Without it, verdicts have no kind; `raceway train diagnosis` makes one of today's contract.
                self._diagnoser = None

    def _resume(self, rows: Sequence[PointRow], given: Mapping[str, Mapping[str, Option]], now_ns: int) -> None:
        for row in rows:
            options = given.get(row.id)
            try:
                watch = self._resumed(row, options)
            except ContractError as error:
                watch = self._resumed(outdated(self._engine, row, now_ns=now_ns, why=str(error)), options)
                log("warning", "point learns anew", point=row.id, why=str(error))
            self._watches[row.id] = watch
            self._tell_unread(watch, now_ns)

    def _tell_unread(self, watch: Watch, now_ns: int) -> None:
        """Say once that a baseline cannot be read, and once that it can be again; the folder may come back."""
        key = watch.row.id
        told, _ = self._unread.pop(key, ("", 0))
        if watch.fault is not None:
            self._unread[key] = (watch.fault, now_ns)
            if watch.fault != told:
                log("error", "baseline not read, nothing is judged by it", point=key, error=watch.fault)
        elif told and watch.scorer is not None:
            log("info", "baseline read again", point=key, bundle=watch.scorer.bundle_id)

    def _resumed(self, row: PointRow, given: Mapping[str, Option] | None) -> Watch:
        return Watch.resume(
            row,
            windower=self._settings.windower(),
            bundles=self._settings.bundles,
            conditions=self._conditions_of(row, given),
            limits=None if row.iso_group is None else self._zones.get(row.iso_group),
        )

    def _conditions_of(self, row: PointRow, given: Mapping[str, Option] | None) -> Conditions:
        try:
            return self._conditions.changed(given)
        except ParameterError as error:
            # Nobody enters such: the database was, by hand or by another version. The stream may not stop for it.
            log("error", "alarm options not taken", point=row.id, error=str(error))
            return self._conditions

    # -- one batch ----------------------------------------------------------------------------------------------------

    def _watch(self, point: PointId) -> Watch:
        key = str(point)
        if key not in self._watches:
            self._watches[key] = self._resumed(PointRow(id=key, name=f"{point.asset} {point.point}"), None)
            self._watches[key].new = True
        return self._watches[key]

    def _describe(self, about: About, work: _Work) -> None:
        watch = self._watch(about.point)
        with reading(self._engine) as connection:
            watch.row = watch.row.changed(**told(connection, about))
        watch.limits = None if watch.row.iso_group is None else self._zones.get(watch.row.iso_group)
        work.touched.add(str(about.point))

    def _hear(self, work: _Work) -> None:
        """Go through what nodes said; their points are there from now on."""
        batch = [one.spoken for one in work.intake.spoke]
        with reading(self._engine) as connection:
            work.known = known_of(connection, batch, others=work.intake.received)
        work.heard = hear(batch, work.known, limits=self._limits)
        work.counts += work.heard.counts
        for one in batch:
            if not isinstance(one.said, GatewayState):
                self._watch(PointId.parse(one.point_id))
                work.touched.add(one.point_id)
        for key, seen_ns in work.heard.seen.items():
            watch = self._watches[key]
            watch.row = watch.row.changed(seen_ns=max(seen_ns, watch.row.seen_ns or 0))
        for taken in work.heard.reports:
            if taken.latest:
                watch, report = self._watches[taken.point_id], taken.report
                judged = {"score": report.score, "threshold": report.threshold, "window_start_ns": taken.at_ns}
                watch.row = watch.row.changed(**judged)

    def _select(self, work: _Work) -> None:
        """Leave out redeliveries; set aside what contradicts the point."""
        with reading(self._engine) as connection:
            for key, received in work.intake.received.items():
                watch = self._watch(received[0].block.point)
                fitting: list[Received] = []
                for one in received:
                    conflict = shape_conflict(one.block, watch.row)
                    if conflict is not None:
                        work.refused.append(one.arrival.refused("rate_changed", conflict))
                        continue
                    if watch.row.rate_hz is None:
                        block = one.block
                        shape = {"rate_hz": block.rate_hz, "unit": block.unit, "channels": block.channels}
                        watch.row = watch.row.changed(**shape)
                    fitting.append(one)
                if fitting:
                    new, duplicates, refused = without_doubles(connection, key, fitting)
                    work.new[key] = new
                    work.counts[key, "duplicates"] += duplicates
                    work.refused += refused

    def _cut(self, work: _Work) -> None:
        for key, received in work.new.items():
            windower = self._watches[key].windower
            for one in received:
                work.windows[key] += windower.update(one.block)
            tally, windower.tally = windower.tally, Tally()
            for name in ("late", "gaps", "steps", "restarts"):
                work.counts[key, name] += getattr(tally, name)
            work.counts[key, "blocks"] += len(received)
            work.counts[key, "windows"] += len(work.windows[key])
            if received:
                work.touched.add(key)

    def _judge(self, work: _Work) -> None:
        for key, features in _extracted(work.windows).items():
            verdicts, changes = self._watches[key].judge(
                work.windows[key],
                features,
                diagnoser=self._diagnoser,
                alarms=not work.noded(key),
            )
            work.verdicts[key], work.changes[key] = verdicts, changes

    # -- the transaction ----------------------------------------------------------------------------------------------

    def _write(self, connection: Connection, work: _Work) -> None:
        for key in sorted(work.touched):
            self._write_point(connection, self._watches[key], work)
        for described in work.intake.described:
            note_said(connection, described.about)
        rows = [block_row(one) for received in work.new.values() for one in received]
        insert_rows(connection, blocks, rows)
        judged = [window_row(key, v) for key, verdicts in work.verdicts.items() for v in verdicts]
        insert_rows(connection, windows, judged)
        for key in work.verdicts:
            write_alarms(connection, key, work.verdicts[key], work.changes[key], active=self._watches[key].alarmed)
        work.node_alarms = write_heard(connection, work.heard, known=work.known)
        quarantine_payloads(connection, work.refused, keep_bytes=_KEPT_BYTES)
        for refused in work.refused:
            work.counts["", f"refused {refused.reason}"] += 1
        count(connection, {key: change for key, change in work.counts.items() if change})

    def _write_point(self, connection: Connection, watch: Watch, work: _Work) -> None:
        row = watch.row
        # Bursts of a node come when something is wrong: nothing is learned from them, and the node's score stays.
        verdicts = [] if work.noded(row.id) else work.verdicts.get(row.id, [])
        values: dict[str, Any] = {"windower": watch.windower.snapshot(), "alarm": watch.standing.snapshot()}
        received = work.new.get(row.id)
        if received:
            values["seen_ns"] = max(row.seen_ns or 0, *(one.arrival.arrived_ns for one in received))
        if verdicts:
            last = verdicts[-1]
            values |= {"score": last.score, "threshold": last.threshold, "window_start_ns": last.window.start_ns}
        if row.state == "watching" and not work.noded(row.id):
            values["failure"] = watch.fault
        if row.state == "learning" and verdicts:
            values["baseline_have"] = row.baseline_have + len(verdicts)
            if values["baseline_have"] >= self._settings.baseline_windows:
                values["state"] = "training"
        watch.row = row.changed(**values)
        save_point(connection, watch.row, new=watch.new)
        watch.new = False

    def _outcome(self, work: _Work) -> Outcome:
        outcome = Outcome(
            stored=sum(len(received) for received in work.new.values()),
            duplicates=sum(n for (_, name), n in work.counts.items() if name == "duplicates"),
            windows=sum(len(verdicts) for verdicts in work.verdicts.values()),
            refused=len(work.refused),
            reports=len(work.heard.reports),
        )
        outcome.events += work.heard.notes
        for refused in work.refused:
            outcome.events.append(("message refused", refusal(refused)))
        for key in sorted(work.touched):
            if work.noded(key):
                self._tell_of_node(key, work, outcome)
                continue
            verdicts, changes = work.verdicts.get(key, []), work.changes.get(key, [])
            outcome.publications += self._reporter.publications(
                self._watches[key], verdicts, changes, now_ns=work.now_ns
            )
            for change in changes:
                said = {"point": key, "tag": change.of.tag, "kind": kind_of(change.verdict.probabilities)}
                outcome.events.append((f"alarm {change.of.change}", said))
        return outcome

    def _tell_of_node(self, key: str, work: _Work, outcome: Outcome) -> None:
        node = work.heard.nodes.get(key) or work.known.nodes[key]
        changes = [change for change in work.node_alarms if change.taken.point_id == key]
        outcome.publications += self._reporter.of_node(node, changes, now_ns=work.now_ns)
        for change in changes:
            what = "alarm raised" if change.raised else "alarm cleared"
            outcome.events.append((what, {"point": key, "kind": change.taken.report.diagnosis, "node": node.name}))


def _is_of_the_store(error: Exception) -> bool:
    """Say whether the store failed (full, locked, gone), so that the same batch may succeed later."""
    if isinstance(error, sa.exc.IntegrityError | sa.exc.DataError):
        return False
    return isinstance(error, sa.exc.DBAPIError | sa.exc.TimeoutError | OSError)


def _extracted(by_point: dict[str, list[Window]]) -> dict[str, NDArray[np.float32]]:
    """Features of all windows, in one call for each rate, unit and number of channels."""
    groups: dict[tuple[float, str, int], list[str]] = defaultdict(list)
    for key, cut in by_point.items():
        if cut:
            groups[cut[0].rate_hz, cut[0].unit, cut[0].samples.shape[0]].append(key)
    features: dict[str, NDArray[np.float32]] = {}
    for (rate_hz, unit, n_channels), keys in groups.items():
        batch = np.stack([window.samples for key in keys for window in by_point[key]])
        values = extract(batch, rate_hz, profile=WATCHED, unit=unit)
        values = values.reshape(len(batch), n_channels * len(WATCHED.features))
        first = 0
        for key in keys:
            features[key] = values[first : first + len(by_point[key])]
            first += len(by_point[key])
    return features
