"""From samples to the console over an emulated node, and a new model back to it over the same link."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
import streamlit as st
from bridging import Bridged
from click.testing import CliRunner
from numpy.typing import NDArray
from streamlit.testing.v1 import AppTest
from updating_firmware import updating_sources
from watching import linear_autoencoder

from app.alarms.register import NODE as NODE_ALARM
from app.alarms.register import tags
from app.cli import _raceway
from app.console.launch import ENTRY
from app.fleet.nodes import Node, node_at
from app.fleet.records import one_rollout
from app.process import spawn
from app.schema import blocks, node_reports
from app.store import reading
from edge.emulator.toolchain import Toolchain, find_toolchain
from edge.node.building import build_firmware
from edge.node.package import read_private_key
from edge.node.qemu import emulated_node
from edge.node.reference import CHOSEN
from edge.node.running import RunningNode, sample_bytes
from features.contract import NODE
from features.errors import ToolchainError
from features.extraction import extract
from models.datasets import cwru
from models.scaler import Scaler

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]

N, STEP_G, N_SCALE, N_TAIL = 512, 1.0 / 2048.0, 20, 30
POINT = "plant/motor-1/drive-end"
DEFINITIONS = (
    "RW_NODE_RATE_HZ=12000.0f",
    f"RW_NODE_SCALE={STEP_G.hex()}f",
    f"RW_NODE_SAMPLES={N}u",
    f"RW_NODE_N_SCALE={N_SCALE}u",
    f"RW_NODE_N_TAIL={N_TAIL}u",
    "RW_NODE_PERIOD_MS=0u",
)


@pytest.fixture
def toolchain() -> Toolchain:
    try:
        return find_toolchain()
    except ToolchainError as error:
        pytest.skip(f"no emulated Cortex-M4: {error}")


def _windows(record: cwru.Record) -> NDArray[np.int16]:
    samples = record.read().samples[0]
    steps = np.round(samples[: samples.size // N * N] / STEP_G)
    return np.clip(steps, -32767, 32767).astype(np.int16).reshape(-1, N)


def _network(windows: NDArray[np.int16], *, n_code: int) -> bytes:
    """A network of health that learned from windows."""
    unaided = NODE.knowing()
    found = extract(windows.astype(np.float32) * np.float32(STEP_G), 12_000.0, profile=unaided, unit="g")
    chosen = found[:, [unaided.index(NODE.names[i]) for i in CHOSEN]]
    return linear_autoencoder(Scaler.learn(chosen).apply(chosen), n_code=n_code)


class Chain:
    """What the test sees of the store, and the node's sample port."""

    def __init__(self, stack: Any, node: RunningNode) -> None:
        self.stack, self.node = stack, node
        self.fed = 0

    def row(self) -> Node | None:
        with reading(self.stack.engine) as connection:
            return node_at(connection, POINT)

    def reported(self, *, model: int | None = None) -> int:
        query = sa.select(sa.func.count()).select_from(node_reports)
        if model is not None:
            query = query.where(node_reports.c.model == model)
        with reading(self.stack.engine) as connection:
            return int(connection.execute(query).scalar_one())

    def feed(self, windows: NDArray[np.int16]) -> None:
        """Feed windows no faster than their reports arrive in the store, five at a time."""
        for some in np.array_split(windows, -(-len(windows) // 5)):
            self.node.feed(*(sample_bytes(window) for window in some))
            self.fed += len(some)
            self.stack.wait(f"{self.fed} reports", lambda: self.reported() >= self.fed)

    @contextmanager
    def running(self, windows: NDArray[np.int16]) -> Iterator[None]:
        """The machine runs on: five windows a second, whether they are taken or not."""
        ended = threading.Event()

        def run() -> None:
            for window in itertools.cycle(windows):
                if ended.wait(0.2):
                    return
                self.node.feed(sample_bytes(window))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield
        ended.set()
        thread.join(timeout=60)

    def raised(self) -> bool:
        with reading(self.stack.engine) as connection:
            return any(tag.tag == NODE_ALARM and tag.alarm.active for tag in tags(connection))

    def bursts(self) -> int:
        with reading(self.stack.engine) as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(blocks)).scalar_one())

    def phase(self) -> str:
        with reading(self.stack.engine) as connection:
            return one_rollout(connection, None).rollout.phase


def _command(stack: Any, *arguments: str) -> str:
    data = str(stack.settings.data_dir)
    done = CliRunner().invoke(_raceway, ["--data-dir", data, *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def _shown(stack: Any, monkeypatch: pytest.MonkeyPatch, **query: str) -> str:
    """All words of a page of the console."""
    for name, value in stack.settings.environment().items():
        monkeypatch.setenv(name, value)
    st.cache_resource.clear()
    page = AppTest.from_file(str(ENTRY), default_timeout=60)
    for name, value in query.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    said = [
        element.value for kind in ("title", "subheader", "markdown", "error", "caption") for element in page.get(kind)
    ]
    said += [f"{metric.label}: {metric.value}" for metric in page.metric]
    return "\n".join(str(one) for one in said)


def test_a_node_raises_its_alarm_and_takes_a_new_model(
    stack: Any, data_dir: Path, toolchain: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = {record.name: record for record in cwru.records(data_dir / "cwru", rate_hz=12_000.0)}
    elsewhere, healthy = _windows(records["normal12k_L1"]), _windows(records["normal12k_L0"])
    damaged = next(r for name, r in sorted(records.items()) if r.kind == "outer" and r.load_hp == 0)
    _command(stack, "node", "keygen", str(tmp_path / "keys"))
    key = read_private_key((tmp_path / "keys" / "private.pem").read_bytes())
    (tmp_path / "of").mkdir()
    sources, includes = updating_sources(tmp_path / "of", key, DEFINITIONS, health=_network(elsewhere[:100], n_code=8))
    firmware = build_firmware("mps2_an386", sources, tmp_path / "build", includes=includes, toolchain=toolchain)
    stack.start("ingest")
    bridged = Bridged(stack, [f"unix:{tmp_path / 'run' / 'link.sock'}"])
    with emulated_node(
        firmware,
        tmp_path / "run",
        toolchain=toolchain,
        deadline_s=500.0,
        name="motor-1/drive-end",
        wait=False,
        lines=("samples",),
    ) as node:
        chain = Chain(stack, node)
        first = stack.wait("the node", lambda: (row := chain.row()) and row.online and row.contract and row)
        assert (first.model, first.contract, first.boot) == (0, NODE.hash, 1)
        chain.feed(healthy[:60])
        assert not chain.raised()
        chain.feed(_windows(damaged)[:6])
        stack.wait("the node's own alarm", chain.raised)
        stack.wait("its burst", chain.bursts)
        assert "In alarm: 1" in _shown(stack, monkeypatch, page="nodes")

        model = tmp_path / "next.tflite"
        model.write_bytes(_network(np.concatenate([elsewhere[:100], healthy[60:160]]), n_code=10))
        signing = ("--key", str(tmp_path / "keys" / "private.pem"), "--output", str(tmp_path / "m5.image"))
        _command(stack, "node", "package", str(model), "--version", "5", "--name", "health 5", *signing)
        _command(stack, "fleet", "rollout", str(tmp_path / "m5.image"), "--soak", "1", "--why", "learned anew")
        tend = [sys.executable, "-m", "app.cli", "fleet", "tend"]
        environment = stack.settings.environment()
        stack.children.append(spawn(tend, environment=environment, log=stack.logs / "fleet.log"))
        with chain.running(healthy[60:200]):
            stack.wait("the end of the roll-out", lambda: chain.phase() != "running")
            assert chain.phase() == "done", _command(stack, "fleet", "status")
            stack.wait("reports under the new model", lambda: chain.reported(model=5))
        found = stack.wait("the node's answer", lambda: (row := chain.row()) and row.model == 5 and row)
        assert (found.slot, found.online) == ("confirmed", True)
        assert "Model: 5" in _shown(stack, monkeypatch, page="nodes", node=POINT)
    reported = [(one["boot"], one["number"]) for one in bridged.of("report")]
    bridged.close()
    assert len(reported) == len(set(reported)) > chain.fed
