"""`raceway gateway` as a process: the store in the data folder, one gateway a folder, until it is told to end."""

from __future__ import annotations

import fcntl
import random
import secrets
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.gateway.bridge import Gateway, GatewayConfig
from app.gateway.outbox import Outbox, Publication
from app.gateway.uplink import Uplink
from app.mqtt import broker_of
from app.settings import Settings
from app.wire import PointId
from features.errors import ParameterError, ProtocolError

__all__ = ["read_points", "run_gateway"]


def read_points(path: Path) -> dict[str, PointId]:
    """Read where nodes are: a TOML table ``nodes`` of names and ``site/asset/point``.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of str to PointId

    Raises
    ------
    ParameterError
        If it cannot be read, has another form, or puts two nodes at one point.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("nodes")
        if not isinstance(table, dict) or not all(isinstance(point, str) for point in table.values()):
            raise ParameterError('a table `nodes` of entries such as "node-7" = "plant/pump-1/drive-end" is wanted')
        points = {name: PointId.parse(point) for name, point in table.items()}
    except (OSError, ValueError, ProtocolError) as error:
        raise ParameterError(f"{path} does not say where nodes are: {error}") from error
    if len(set(points.values())) != len(points):
        raise ParameterError(f"{path} puts two nodes at one point; each is to have its own")
    return points


def run_gateway(settings: Settings, config: GatewayConfig, *, stopped: threading.Event) -> None:
    """Run a gateway until the event is set.

    Parameters
    ----------
    settings : Settings
    config : GatewayConfig
    stopped : Event

    Raises
    ------
    ParameterError
        If another gateway uses the data folder.
    LineError
        If an address cannot be listened on.
    """
    with _alone(settings.data_dir / "gateway.lock"):
        outbox = Outbox(settings.data_dir / "gateway.db", most_bytes=settings.gateway_store_mb << 20)
        rng = random.Random(secrets.randbits(64))
        identity = f"raceway-gateway-{config.site}-{config.name}"

        def uplink(will: Publication, wake: Callable[[], None]) -> Uplink:
            return Uplink(broker_of(settings), client_id=identity, will=will, wake=wake)

        gateway = Gateway(config, outbox, uplink=uplink, rng=rng)

        def watch() -> None:
            stopped.wait()
            gateway.stop()

        threading.Thread(target=watch, daemon=True).start()
        try:
            gateway.run()
        finally:
            outbox.close()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ParameterError(f"another gateway uses {path.parent}; give this one its own --data-dir") from error
        yield
