"""The figures in Prometheus' text format, and the small server that it collects them from; read anew each time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from importlib import metadata

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from app.logs import log
from app.metrics.measures import Measure, Sample, folder_samples, samples
from app.settings import Settings
from features.errors import RacewayError

__all__ = ["StoreCollector", "exposed", "run_metrics"]


class StoreCollector(Collector):
    """Reads the figures when it is asked for them.

    Parameters
    ----------
    engine : Engine
        An open store. One that fails later gives ``raceway_store_up`` 0 and no other figure of it.
    settings : Settings
    clock_ns : callable
    """

    def __init__(self, engine: Engine, settings: Settings, *, clock_ns: Callable[[], int]) -> None:
        self._engine, self._settings, self._clock_ns = engine, settings, clock_ns

    def collect(self) -> Iterator[Metric]:
        """Give every figure."""
        yield InfoMetricFamily("raceway", "The Raceway that runs.", value={"version": metadata.version("raceway")})
        for name, meaning, value in folder_samples(self._settings):
            yield GaugeMetricFamily(name, meaning, value=value)
        try:
            found = [_family(measure, own) for measure, own in samples(self._engine, now_ns=self._clock_ns())]
        except sa.exc.SQLAlchemyError as error:
            log("error", "metrics not read", error=str(getattr(error, "orig", error)))
            found = []
        yield GaugeMetricFamily("raceway_store_up", "Whether the store could be read.", value=float(bool(found)))
        yield from found


def _family(measure: Measure, own: list[Sample]) -> Metric:
    made = CounterMetricFamily if measure.kind == "counter" else GaugeMetricFamily
    family = made(measure.name, measure.meaning, labels=measure.labels)
    for labels, value in own:
        family.add_metric([labels[name] for name in measure.labels], value)
    return family


def exposed(engine: Engine, settings: Settings, *, clock_ns: Callable[[], int]) -> bytes:
    """Give all figures as Prometheus reads them."""
    return bytes(generate_latest(_registry(engine, settings, clock_ns)))


def _registry(engine: Engine, settings: Settings, clock_ns: Callable[[], int]) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(StoreCollector(engine, settings, clock_ns=clock_ns))
    return registry


def run_metrics(engine: Engine, settings: Settings, *, clock_ns: Callable[[], int], stopped: threading.Event) -> None:
    """Serve ``/metrics`` at the host and port of the settings until the event is set.

    Raises
    ------
    RacewayError
        If the port is taken.
    """
    registry = _registry(engine, settings, clock_ns)
    try:
        server, thread = start_http_server(settings.metrics_port, addr=settings.metrics_host, registry=registry)
    except OSError as error:
        raise RacewayError(
            f"metrics cannot be served at {settings.metrics_host}:{settings.metrics_port} ({error.strerror}); "
            "end what uses the port or set RACEWAY_METRICS_PORT (0: none)"
        ) from error
    log("info", "metrics served", host=settings.metrics_host, port=server.server_port)
    stopped.wait()
    server.shutdown()
    thread.join()
