"""The gateway's connection to the broker: publishes, takes commands, leaves a last will; waits where it is away.

Its network thread only queues what happened; the gateway's own thread takes it from there.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import paho.mqtt.client as paho

from app import mqtt
from app.gateway.outbox import Publication
from app.logs import log
from app.mqtt import BrokerError, connect, make_client, protocol_of

__all__ = ["Broker", "Happening", "Uplink"]

_RETRY_S = 3.0
_GOODBYE_S = 5.0


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that the broker did.

    Attributes
    ----------
    what : str
        ``connected``, ``disconnected``, ``acknowledged`` (by number) or ``message``.
    mid : int
    topic : str
    payload : bytes
    """

    what: Literal["connected", "disconnected", "acknowledged", "message"]
    mid: int = 0
    topic: str = ""
    payload: bytes = b""


class Broker(Protocol):
    """What a gateway asks of its connection."""

    def start(self) -> None:
        """Connect, now or when the broker is there."""

    def happenings(self) -> list[Happening]:
        """Take what has happened since the last call."""

    def publish(self, publication: Publication, *, retain: bool = False) -> int:
        """Send a publication with QoS 1 and give its number; to be called once ``connected`` was told."""

    def subscribe(self, topic: str) -> None:
        """Ask for the messages of a topic."""

    def close(self, last: list[int]) -> None:
        """Disconnect, after the broker has taken the publications of these numbers or a moment has passed."""


class Uplink:
    """The connection, over MQTT.

    Parameters
    ----------
    broker : app.mqtt.Broker
    client_id : str
        Of this gateway alone.
    will : Publication
        Published, retained, by the broker when we are gone.
    wake : callable
        Called in the network thread after something has happened.
    """

    def __init__(self, broker: mqtt.Broker, *, client_id: str, will: Publication, wake: Callable[[], None]) -> None:
        self._broker = broker
        self._client_id = client_id
        self._will = will
        self._wake = wake
        self._happened: queue.SimpleQueue[Happening] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._client: paho.Client | None = None
        self._thread = threading.Thread(target=self._connect, daemon=True)

    def start(self) -> None:
        """Connect, now or when the broker is there."""
        self._thread.start()

    def happenings(self) -> list[Happening]:
        """Take what has happened since the last call."""
        taken = []
        while not self._happened.empty():
            taken.append(self._happened.get_nowait())
        return taken

    def publish(self, publication: Publication, *, retain: bool = False) -> int:
        """Send a publication with QoS 1 and give its number; to be called once ``connected`` was told."""
        assert self._client is not None
        return self._client.publish(publication.topic, publication.payload, qos=1, retain=retain).mid

    def subscribe(self, topic: str) -> None:
        """Ask for the messages of a topic."""
        assert self._client is not None
        self._client.subscribe(topic, qos=1)

    def close(self, last: list[int]) -> None:
        """Disconnect, after the broker has taken the publications of these numbers or a moment has passed."""
        self._stopped.set()
        self._thread.join()
        if self._client is None:
            return
        waiting, pause = set(last), threading.Event()
        for _ in range(int(_GOODBYE_S / 0.02)):
            waiting -= {one.mid for one in self.happenings() if one.what == "acknowledged"}
            if not waiting or not self._client.is_connected():
                break
            pause.wait(0.02)
        self._client.disconnect()
        self._client.loop_stop()

    # -- threads of the connection --------------------------------------------------------------------------------

    def _connect(self) -> None:
        while not self._stopped.is_set():
            try:
                client = make_client(
                    self._broker, client_id=self._client_id, protocol=protocol_of(self._broker, timeout_s=_RETRY_S)
                )
                client.will_set(self._will.topic, self._will.payload, qos=1, retain=True)
                client.max_queued_messages_set(0)
                client.on_connect = self._on_connect
                client.on_disconnect = self._on_disconnect
                client.on_publish = self._on_publish
                client.on_message = self._on_message
                self._client = client
                connect(client, self._broker)
            except BrokerError as error:
                log("warning", "broker not reached", error=str(error), retry_s=_RETRY_S)
                self._stopped.wait(_RETRY_S)
            else:
                client.loop_start()
                return

    def _tell(self, happening: Happening) -> None:
        self._happened.put(happening)
        self._wake()

    def _on_connect(self, client: paho.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        del client, userdata, flags, properties
        log("info", "broker connected", reason=str(reason))
        if reason == 0:
            self._tell(Happening("connected"))

    def _on_disconnect(self, client: paho.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        del client, userdata, flags, properties
        log("warning" if reason != 0 else "info", "broker disconnected", reason=str(reason))
        self._tell(Happening("disconnected"))

    def _on_publish(self, client: paho.Client, userdata: Any, mid: int, reason: Any, properties: Any) -> None:
        del client, userdata, reason, properties
        self._tell(Happening("acknowledged", mid=mid))

    def _on_message(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        del client, userdata
        # A command that is kept for whoever comes is none; a state is kept on purpose.
        if not message.retain or message.topic.endswith("/state"):
            self._tell(Happening("message", topic=message.topic, payload=bytes(message.payload)))
