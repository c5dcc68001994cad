"""The processes of the ingest bench: a sender, a bare subscriber, and an ingest that notes its commits."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as paho
from numpy.typing import NDArray

from app.bench import N_POINTS, payloads
from app.ingest import Ingest
from app.mqtt import broker_of, connect, make_client, protocol_of
from app.publisher import Publisher
from app.settings import Settings, load_settings
from app.store import open_store
from app.wire import ROOT

__all__ = ["main"]


class _Notes:
    """When each block was received; a topic's blocks come in the order in which they were sent."""

    def __init__(self, n: int, folder: Path) -> None:
        self._times: NDArray[np.int64] = np.zeros(n, dtype=np.int64)
        self._seen: dict[str, int] = {}
        self._folder = folder
        self._left = n
        self.done = threading.Event()

    def note(self, topic: str, now_ns: int) -> None:
        if not topic.endswith("/waveform"):
            return
        step = self._seen.get(topic, 0)
        self._seen[topic] = step + 1
        self._times[N_POINTS * step + int(topic.split("/")[4].rsplit("-", 1)[1])] = now_ns
        self._left -= 1
        if self._left == 0:
            self.done.set()

    def save(self) -> None:
        _save(self._folder / "received.npy", self._times)


def _save(path: Path, times: NDArray[np.int64]) -> None:
    draft = path.with_suffix(".draft.npy")
    np.save(draft, times)
    draft.rename(path)


def _send(settings: Settings, options: argparse.Namespace) -> None:
    prepared = payloads(options.blocks, start_ns=time.time_ns(), first_sequence=options.first)
    times = np.zeros(options.blocks, dtype=np.int64)
    with Publisher(broker_of(settings), client_id="bench-send") as publisher:
        began_s = time.monotonic()
        for i, (topic, payload) in enumerate(prepared):
            if options.rate:
                time.sleep(max(0.0, began_s + i / options.rate - time.monotonic()))
            times[i] = time.time_ns()
            publisher.raw(topic, payload)
        publisher.flush()
    _save(options.folder / "sent.npy", times)


def _bare(settings: Settings, options: argparse.Namespace) -> None:
    """Acknowledge and note the arrival; nothing is decoded, blocks are told apart by their order on each topic."""
    notes = _Notes(options.blocks, options.folder)

    def on_message(client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        del userdata
        client.ack(message.mid, message.qos)
        notes.note(message.topic, time.time_ns())

    broker = broker_of(settings)
    client = make_client(broker, client_id="bench-bare", protocol=protocol_of(broker), manual_ack=True)
    client.on_message = on_message
    client.on_connect = lambda client, *_: client.subscribe(f"{ROOT}/bench/#", qos=1)
    client.on_subscribe = lambda *_: (options.folder / "ready").touch()
    connect(client, broker, receive_maximum=settings.receive_maximum)
    client.loop_start()
    notes.done.wait()
    client.disconnect()
    client.loop_stop()
    notes.save()


class _Noted(Ingest):
    """Ingest that notes when it acknowledges, which is right after the commit."""

    def __init__(self, settings: Settings, notes: _Notes, ready: Path) -> None:
        super().__init__(open_store(settings.database), settings)
        self._notes, self._ready = notes, ready

    def _on_connect(self, client: paho.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        client.on_subscribe = lambda *_: self._ready.touch()
        super()._on_connect(client, userdata, flags, reason, properties)

    def _acknowledge(self, client: paho.Client, batch: Sequence[Any]) -> None:
        now_ns = time.time_ns()
        super()._acknowledge(client, batch)
        for delivery in batch:
            self._notes.note(delivery.arrival.topic, now_ns)


def _ingest(settings: Settings, options: argparse.Namespace) -> None:
    notes = _Notes(options.blocks, options.folder)
    ingest = _Noted(settings, notes, options.folder / "ready")

    def end() -> None:
        notes.done.wait()
        ingest.stop()

    threading.Thread(target=end, daemon=True).start()
    ingest.run()
    notes.save()


def main() -> None:
    """Run one role."""
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["send", "bare", "ingest"])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--blocks", type=int, required=True)
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    options = parser.parse_args()
    {"send": _send, "bare": _bare, "ingest": _ingest}[options.role](load_settings(), options)


if __name__ == "__main__":
    main()
