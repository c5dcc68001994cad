"""The gateway as a process beside a broker, and what is heard of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from app.mqtt import broker_of
from app.process import spawn
from app.publisher import Publisher


class Bridged:
    """A gateway process, and a subscriber that keeps all that nodes and gateway say."""

    def __init__(self, stack: Any, lines: Sequence[str]) -> None:
        self.stack = stack
        self.lines = lines
        self.blocks: list[tuple[str, bytes]] = []
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.listener = self.listen()
        self.gateway = self.start()

    def listen(self) -> Publisher:
        def keep(topic: str, payload: bytes) -> None:
            if topic.rsplit("/", 1)[1] in ("report", "event", "state"):
                self.said.append((topic, json.loads(payload)))
            elif topic.endswith("/waveform"):
                self.blocks.append((topic, payload))

        return Publisher(broker_of(self.stack.settings), client_id="witness", on_result=keep, listen=("raceway/v1/#",))

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
