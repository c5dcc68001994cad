"""The gateway as a process beside a broker, and what is heard of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import paho.mqtt.client as paho

from app.mqtt import broker_of, connect, make_client, protocol_of
from app.process import spawn


class Bridged:
    """A gateway process, and a subscriber that keeps all that nodes and gateway say."""

    def __init__(self, stack: Any, lines: Sequence[str]) -> None:
        self.stack = stack
        self.lines = lines
        self.blocks: list[tuple[str, bytes]] = []
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.listener = self.listen()
        self.gateway = self.start()

    def listen(self) -> paho.Client:
        """Subscribe in a session that the broker keeps, so that nothing is missed while this end connects again."""

        def keep(client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
            del client, userdata
            leaf = message.topic.rsplit("/", 1)[1]
            if leaf in ("report", "event", "state"):
                self.said.append((message.topic, json.loads(message.payload)))
            elif leaf == "waveform":
                self.blocks.append((message.topic, bytes(message.payload)))

        def subscribe(client: paho.Client, *event: Any) -> None:
            del event
            client.subscribe("raceway/v1/#", qos=1)

        broker = broker_of(self.stack.settings)
        client = make_client(broker, client_id="witness", protocol=protocol_of(broker), persistent=True)
        client.on_message, client.on_connect = keep, subscribe
        connect(client, broker, persistent=True)
        client.loop_start()
        return client

    def close(self) -> None:
        """Listen no longer."""
        self.listener.disconnect()
        self.listener.loop_stop()

    def start(self) -> Any:
        self.gateway = spawn(
            [sys.executable, "-m", "app.cli", "gateway", *self.lines, "--name", "gw"],
            environment=self.stack.settings.environment(),
            log=self.stack.logs / "gateway.log",
        )
        self.stack.children.append(self.gateway)
        return self.gateway

    def of(self, leaf: str) -> list[dict[str, Any]]:
        return [entries for topic, entries in list(self.said) if topic.endswith(f"/{leaf}")]

    def state(self, name: str) -> str | None:
        return next((e["state"] for topic, e in reversed(self.said) if topic == f"raceway/v1/plant/{name}/state"), None)

    def keys(self) -> list[tuple[str, int]]:
        return [(one["node"], one["number"]) for one in self.of("report")]
