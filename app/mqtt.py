"""Connections to MQTT brokers: address, credentials and protocol version; refuses brokers that do not answer."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from app.settings import Settings
from features.errors import RacewayError

__all__ = ["Broker", "BrokerError", "broker_of", "connect", "make_client", "protocol_of"]

_SESSION_S = 7 * 86_400
_KEEPALIVE_S = 60
_CONNECTED = 0


class BrokerError(RacewayError):
    """The broker cannot be reached or refuses us."""


@dataclass(frozen=True)
class Broker:
    """Where the broker is and who we are to it."""

    host: str
    port: int
    tls: bool
    user: str = ""
    password: str = field(default="", repr=False)
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


def broker_of(settings: Settings) -> Broker:
    """Read the broker's address and credentials from the settings."""
    parts = urlsplit(settings.broker)
    tls = parts.scheme == "mqtts"

    def path(value: object) -> str | None:
        return None if value is None else str(value)

    return Broker(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or (8883 if tls else 1883),
        tls=tls,
        user=settings.broker_user,
        password=settings.broker_password,
        ca=path(settings.broker_ca),
        cert=path(settings.broker_cert),
        key=path(settings.broker_key),
    )


def make_client(
    broker: Broker, *, client_id: str, protocol: MQTTProtocolVersion, persistent: bool = False, manual_ack: bool = False
) -> paho.Client:
    """Make a paho client with the broker's credentials; it is not connected yet.

    Raises
    ------
    BrokerError
        If a certificate file cannot be used.
    """
    fifth = protocol == MQTTProtocolVersion.MQTTv5
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=protocol,
        manual_ack=manual_ack,
        clean_session=None if fifth else not persistent,
    )
    if broker.user:
        client.username_pw_set(broker.user, broker.password)
    if broker.tls:
        try:
            client.tls_set(ca_certs=broker.ca, certfile=broker.cert, keyfile=broker.key)
        except (OSError, ValueError) as error:
            raise BrokerError(f"certificates for {broker} cannot be used ({error}); check the files") from error
    client.reconnect_delay_set(min_delay=1, max_delay=30)
    return client


def connect(
    client: paho.Client, broker: Broker, *, persistent: bool = False, receive_maximum: int | None = None
) -> None:
    """Open the connection of a client; the answer comes through its callbacks.

    Raises
    ------
    BrokerError
        If no broker listens there.
    """
    options: dict[str, Any] = {}
    if client.protocol == MQTTProtocolVersion.MQTTv5:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        if persistent:
            properties.SessionExpiryInterval = _SESSION_S
        if receive_maximum is not None:
            properties.ReceiveMaximum = receive_maximum
        options = {"clean_start": not persistent, "properties": properties}
    try:
        client.connect(broker.host, broker.port, keepalive=_KEEPALIVE_S, **options)
    except (OSError, ValueError) as error:
        raise BrokerError(f"no broker answers at {broker} ({error}); start it or set broker_url") from error


def protocol_of(broker: Broker, *, timeout_s: float = 10.0) -> MQTTProtocolVersion:
    """Find the newest protocol version that a broker speaks: 5, else 3.1.1.

    Raises
    ------
    BrokerError
        If it cannot be reached or refuses us in both.
    """
    for protocol in (MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311):
        answer = _probe(broker, protocol, timeout_s=timeout_s)
        if answer == _CONNECTED:
            return protocol
        if answer is not None and answer.getName() in ("Not authorized", "Bad user name or password"):
            raise BrokerError(f"the broker at {broker} refuses us ({answer}); check broker_user and broker_password")
    raise BrokerError(f"the broker at {broker} speaks neither MQTT 5 nor 3.1.1 with us; check its log")


def _probe(broker: Broker, protocol: MQTTProtocolVersion, *, timeout_s: float) -> Any:
    """Connect once and give the broker's reason code; None where it hung up without one."""
    answered = threading.Event()
    answers: list[Any] = []

    def answer(*event: Any) -> None:
        answers.append(event[3])
        answered.set()

    client = make_client(broker, client_id="", protocol=protocol)
    client.on_connect = answer
    client.on_disconnect = lambda *_: answered.set()
    connect(client, broker)
    client.loop_start()
    try:
        answered.wait(timeout_s)
    finally:
        client.disconnect()
        client.loop_stop()
    return answers[0] if answers else None
