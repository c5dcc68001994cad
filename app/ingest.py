"""The ingest service: takes messages from the broker, stores them, and only then acknowledges."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
import sqlalchemy as sa
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions
from sqlalchemy import Engine

from app.intake import Arrival, Intake
from app.logs import log
from app.mqtt import Broker, BrokerError, broker_of, connect, make_client, protocol_of
from app.numerics import keep_freed_memory
from app.pipeline import Outcome, Pipeline
from app.retention import Place, thin_reports, thin_waveforms, trim_events
from app.settings import Settings
from app.store import open_store, writing
from app.wire import ROOT

__all__ = ["Ingest", "run_ingest"]

_WAIT_S = 0.2
_LONGEST_RETRY_S = 30.0
_THIN_EVERY_S = 600.0


@dataclass(frozen=True, slots=True)
class _Delivery:
    """A message with what is needed to acknowledge it on the connection it came over."""

    arrival: Arrival
    connection: int
    mid: int
    qos: int


class Ingest:
    """Takes batches from one broker into one store until it is told to stop.

    The network thread only queues, a second one decodes ahead; the thread that calls `run` computes, commits,
    acknowledges and publishes.

    Parameters
    ----------
    engine : Engine
    settings : Settings
    clock_ns : callable
        Gives nanoseconds since the epoch.
    """

    def __init__(self, engine: Engine, settings: Settings, *, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._engine = engine
        self._settings = settings
        self._clock_ns = clock_ns
        self._pipeline = Pipeline(engine, settings)
        # Under MQTT 5 the broker stops at receive_maximum; under 3.1.1 a full queue holds the network thread back.
        self._queue: queue.Queue[_Delivery] = queue.Queue(maxsize=4 * settings.receive_maximum)
        self._connection = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._client: paho.Client | None = None
        self._thinned_s = -_THIN_EVERY_S
        self._waveforms_to = self._reports_to = Place()

    def stop(self) -> None:
        """Let `run` end after the batch in hand."""
        self._stopped.set()

    def run(self) -> None:
        """Serve until `stop` is called.

        Raises
        ------
        BrokerError
            If the broker cannot be reached at the start; later it is waited for.
        """
        keep_freed_memory()
        broker = broker_of(self._settings)
        protocol = protocol_of(broker)
        client = self._connected(broker, protocol)
        log("info", "ingest started", broker=str(broker), protocol=protocol.name, store=self._engine.dialect.name)
        try:
            # The next batch is decoded while this one is computed and committed: much of that leaves a core free.
            with ThreadPoolExecutor(max_workers=1) as ahead:
                coming = ahead.submit(self._prepared)
                while not self._stopped.is_set():
                    batch, intake = coming.result()
                    coming = ahead.submit(self._prepared)
                    if batch:
                        self._take(client, batch, intake)
                    self._thin()
        finally:
            client.disconnect()
            client.loop_stop()
            log("info", "ingest stopped")

    def _connected(self, broker: Broker, protocol: MQTTProtocolVersion) -> paho.Client:
        client = make_client(
            broker, client_id=self._settings.client_id, protocol=protocol, persistent=True, manual_ack=True
        )
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        connect(client, broker, persistent=True, receive_maximum=self._settings.receive_maximum)
        client.loop_start()
        return client

    # -- network thread -----------------------------------------------------------------------------------------------

    def _on_connect(self, client: paho.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        del userdata, properties
        with self._lock:
            self._connection += 1
        log("info", "broker connected", reason=str(reason), session=flags.session_present)
        if reason != 0:
            return
        topic = f"{ROOT}/#"
        if client.protocol == MQTTProtocolVersion.MQTTv5:
            client.subscribe(topic, options=SubscribeOptions(qos=1, noLocal=True))
        else:
            client.subscribe(topic, qos=1)

    def _on_disconnect(self, client: paho.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        del client, userdata, flags, properties
        log("warning" if reason != 0 else "info", "broker disconnected", reason=str(reason))

    def _on_message(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        del client, userdata
        try:
            topic: str | None = message.topic
        except UnicodeDecodeError:
            topic = None
        arrival = Arrival(topic, bytes(message.payload), self._clock_ns())
        delivery = _Delivery(arrival, self._connection, message.mid, message.qos)
        while not self._stopped.is_set():
            try:
                self._queue.put(delivery, timeout=_WAIT_S)
            except queue.Full:
                continue
            return

    # -- worker thread ------------------------------------------------------------------------------------------------

    def _batch(self) -> list[_Delivery]:
        """Wait a moment for a message; take what else is there, up to the batch size."""
        try:
            batch = [self._queue.get(timeout=_WAIT_S)]
        except queue.Empty:
            return []
        while len(batch) < self._settings.batch_blocks:
            try:
                batch.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return batch

    def _prepared(self) -> tuple[list[_Delivery], Intake]:
        batch = self._batch()
        return batch, self._pipeline.prepare([delivery.arrival for delivery in batch])

    def _take(self, client: paho.Client, batch: Sequence[_Delivery], intake: Intake) -> None:
        outcome = self._committed(intake)
        if outcome is None:
            return
        self._acknowledge(client, batch)
        for publication in outcome.publications:
            client.publish(publication.topic, publication.payload, qos=1, retain=True)
        for event, fields in outcome.events:
            log("warning", event, **fields)
        log(
            "debug",
            "batch stored",
            blocks=outcome.stored,
            windows=outcome.windows,
            reports=outcome.reports,
            duplicates=outcome.duplicates,
            refused=outcome.refused,
        )

    def _committed(self, intake: Intake) -> Outcome | None:
        """Commit a batch, as often as it takes; None where we are stopped before the store takes it."""
        retry_s = 0.5
        while True:
            try:
                return self._pipeline.process(intake, now_ns=self._clock_ns())
            except (sa.exc.SQLAlchemyError, OSError) as error:
                cause = getattr(error, "orig", None) or error
                log("error", "store does not take the batch", error=str(cause), retry_s=retry_s)
            if self._stopped.wait(retry_s):
                # Not acknowledged: the broker keeps the messages and delivers them again.
                return None
            retry_s = min(2.0 * retry_s, _LONGEST_RETRY_S)

    def _acknowledge(self, client: paho.Client, batch: Sequence[_Delivery]) -> None:
        # A message of an earlier connection comes again; its number may mean another message on this one.
        with self._lock:
            for delivery in batch:
                if delivery.connection == self._connection and delivery.qos > 0:
                    client.ack(delivery.mid, delivery.qos)

    def _thin(self) -> None:
        """Thin one portion; the next one, if there is more, after the batch that comes: what arrives does not wait."""
        if time.monotonic() - self._thinned_s < _THIN_EVERY_S:
            return
        now_ns, keep, more = self._clock_ns(), self._settings, False
        try:
            with writing(self._engine) as connection:
                waveforms = thin_waveforms(
                    connection, now_ns=now_ns, keep_h=keep.keep_waveforms_h, after=self._waveforms_to
                )
                reports = thin_reports(connection, now_ns=now_ns, keep_h=keep.keep_reports_h, after=self._reports_to)
                events = trim_events(connection, now_ns=now_ns, keep_h=keep.keep_events_h)
        except sa.exc.SQLAlchemyError as error:
            log("error", "store not thinned", error=str(getattr(error, "orig", error)))
        else:
            self._waveforms_to, self._reports_to = waveforms.after, reports.after
            more = waveforms.more or reports.more
            log("debug", "store thinned", waveforms=waveforms.dropped, reports=reports.dropped, events=events)
        if not more:
            self._thinned_s = time.monotonic()


def run_ingest(settings: Settings, *, stopped: threading.Event) -> None:
    """Run ingest until the event is set; waits for a broker that is not there yet."""
    engine = open_store(settings.database, migrate=True)
    ingest = Ingest(engine, settings)

    def watch() -> None:
        stopped.wait()
        ingest.stop()

    threading.Thread(target=watch, daemon=True).start()
    while not stopped.is_set():
        try:
            ingest.run()
        except BrokerError as error:
            log("error", "broker not reached", error=str(error), retry_s=5)
            stopped.wait(5.0)
