"""The embedded broker: Mosquitto where it is installed, else amqtt; on loopback, with sessions that survive."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from app.mqtt import BrokerError
from app.process import ended, spawn, stop

__all__ = [
    "broker_command",
    "choose_broker",
    "free_port",
    "mosquitto_configuration",
    "port_is_free",
    "run_amqtt",
    "start_broker",
]


def choose_broker(wanted: str) -> str:
    """Settle which broker to start: ``mosquitto`` or ``amqtt``.

    Raises
    ------
    BrokerError
        If Mosquitto is wanted and not installed.
    """
    found = _mosquitto()
    if wanted == "mosquitto" and not found:
        raise BrokerError("mosquitto is not installed; install the package `mosquitto` or set embedded_broker=amqtt")
    return "mosquitto" if found and wanted != "amqtt" else "amqtt"


def _mosquitto() -> str | None:
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """Find a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(host: str, port: int) -> bool:
    """Say whether nobody listens on a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def mosquitto_configuration(folder: Path, *, port: int) -> str:
    """Write the configuration of a Mosquitto that loses nothing for an absent subscriber.

    Its default drops messages beyond 1,000 queued for one client; here the queue is limited by the disk only, and
    sessions are kept on disk: written every five seconds and at the end.
    """
    return "\n".join(
        [
            f"listener {port} 127.0.0.1",
            "allow_anonymous true",
            "persistence true",
            f"persistence_location {folder.absolute()}/",
            "autosave_interval 5",
            "max_queued_messages 0",
            "max_inflight_messages 0",
            "persistent_client_expiration 30d",
            # As root, Mosquitto would become the user `mosquitto`, who may not write into our folder.
            *(["user root"] if os.geteuid() == 0 else []),
            "",
        ]
    )


def broker_command(kind: str, folder: Path, *, port: int) -> list[str]:
    """Give the command that runs a broker on loopback; writes what it is configured by."""
    if kind != "mosquitto":
        return [sys.executable, "-m", "app.broker", str(port)]
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "mosquitto.conf"
    configuration.write_text(mosquitto_configuration(folder, port=port), encoding="utf-8")
    return [_mosquitto() or "mosquitto", "-c", str(configuration)]


def start_broker(kind: str, folder: Path, *, port: int, log: Path, timeout_s: float = 20.0) -> subprocess.Popen[bytes]:
    """Start a broker on loopback and wait until it accepts connections.

    Raises
    ------
    BrokerError
        If it ends or does not listen in time.
    """
    process = spawn(broker_command(kind, folder, port=port), log=log)
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if ended(process):
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            time.sleep(0.05)
        else:
            return process
    stop([process])
    raise BrokerError(f"the embedded broker ({kind}) does not listen on port {port}; see {log}")


def run_amqtt(port: int) -> None:
    """Run amqtt on a loopback port until the process is told to end."""
    import asyncio
    import logging
    import signal

    from amqtt.broker import Broker

    logging.basicConfig(level=logging.WARNING)
    configuration = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}", "max_connections": 100}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }

    async def serve() -> None:
        broker = Broker(configuration)
        await broker.start()
        ended = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        await ended.wait()
        await broker.shutdown()

    asyncio.run(serve())


if __name__ == "__main__":
    run_amqtt(int(sys.argv[1]))
