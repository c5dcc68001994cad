"""A sensor's side of the wire: publishes blocks and descriptions with QoS 1, and says when all have been taken."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from app.codec import encode_about, encode_block
from app.mqtt import Broker, BrokerError, connect, make_client, protocol_of
from app.wire import About, Block

__all__ = ["Publisher"]

_IN_FLIGHT = 256
_PATIENCE_S = 120.0


class Publisher:
    """A connection that publishes; a context manager that disconnects at its end.

    Parameters
    ----------
    broker : Broker
    client_id : str
    on_result : callable, optional
        Given topic and payload of each message of the topics of `listen`.
    listen : tuple of str
        Topic filters to subscribe to.

    Raises
    ------
    BrokerError
        If the broker cannot be reached.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        client_id: str,
        on_result: Callable[[str, bytes], None] | None = None,
        listen: tuple[str, ...] = (),
    ) -> None:
        protocol = protocol_of(broker)
        self._room = threading.Semaphore(_IN_FLIGHT)
        self._outstanding = 0
        self._connections = 0
        self._changed = threading.Condition()
        self._listen = listen
        self._client = make_client(broker, client_id=client_id, protocol=protocol)
        self._client.max_inflight_messages_set(_IN_FLIGHT)
        self._client.max_queued_messages_set(0)
        self._client.on_publish = self._on_publish
        self._client.on_connect = self._on_connect
        self._on_result = on_result
        self._client.on_message = self._on_message
        self._properties: Properties | None = None
        if protocol == MQTTProtocolVersion.MQTTv5:
            self._properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            self._properties.ContentType = "application/cbor"
        connect(self._client, broker)
        self._client.loop_start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def connections(self) -> int:
        """How often the broker has taken us in: more than once where the connection was lost meanwhile."""
        return self._connections

    def block(self, block: Block) -> None:
        """Publish a block; waits while too many are on their way."""
        self.raw(block.point.topic("waveform"), encode_block(block), properties=self._properties)

    def about(self, about: About) -> None:
        """Publish a point's description, retained."""
        self.raw(about.point.topic("about"), encode_about(about), retain=True)

    def raw(self, topic: str, payload: bytes, *, retain: bool = False, properties: Properties | None = None) -> None:
        """Publish any bytes on any topic.

        Raises
        ------
        BrokerError
            If the broker has taken nothing for two minutes.
        """
        if not self._room.acquire(timeout=_PATIENCE_S):
            raise BrokerError(f"the broker has taken no message for {_PATIENCE_S:.0f} s; see its log")
        with self._changed:
            self._outstanding += 1
        self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)

    def flush(self, *, timeout_s: float = _PATIENCE_S) -> None:
        """Wait until the broker has acknowledged everything.

        Raises
        ------
        BrokerError
            If it has not in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._outstanding == 0, timeout_s):
                raise BrokerError(f"{self._outstanding} messages were not acknowledged in {timeout_s:.0f} s")

    def _on_publish(self, client: paho.Client, userdata: Any, mid: int, reason: Any, properties: Any) -> None:
        del client, userdata, mid, reason, properties
        self._room.release()
        with self._changed:
            self._outstanding -= 1
            self._changed.notify_all()

    def _on_connect(self, client: paho.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        del userdata, flags, properties
        if reason == 0:
            self._connections += 1
            for topic in self._listen:
                client.subscribe(topic, qos=1)

    def _on_message(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        del client, userdata
        if self._on_result is not None:
            self._on_result(message.topic, bytes(message.payload))
