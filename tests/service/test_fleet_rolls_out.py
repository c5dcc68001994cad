"""A model rolled out to the node's firmware as processes; gateway and fleet service are killed on the way."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bridging import Bridged
from click.testing import CliRunner
from updating_firmware import ModelMaker, updating_sources
from updating_nodes import KEY

from app.cli import _raceway
from app.fleet.nodes import nodes_of
from app.fleet.records import log_of, one_rollout
from app.process import spawn
from app.store import reading
from edge.node.host import build_host_firmware

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]

_NODES = 3
_MAKER = ModelMaker(KEY)
_MAIN = ("RW_NODE_RATE_HZ=12000.0f", "RW_NODE_SCALE=1e-3f", "RW_NODE_SAMPLES=256u", "RW_NODE_PERIOD_MS=500u")


def _program(folder: Path) -> Path:
    sources, includes = updating_sources(folder, KEY, _MAIN)
    return build_host_firmware(sources, folder / "build", includes=includes)


def _start(stack: Any, program: Path, folder: Path, i: int, rng: np.random.Generator) -> None:
    (folder / f"{i}.i2").write_bytes(rng.integers(-2000, 2000, 20 * 256).astype("<i2").tobytes())
    arguments = [f"name=n{i}", f"link={folder}/{i}.sock", f"replay={folder}/{i}.i2", "rate=12000"]
    arguments += [f"flash={folder}/{i}.flash", "wait=1", "lose-ppm=30", f"seed={i + 1}"]
    stack.children.append(spawn([str(program), *arguments], log=stack.logs / f"node-{i}.log"))


def _tend(stack: Any) -> Any:
    child = spawn(
        [sys.executable, "-m", "app.cli", "fleet", "tend"],
        environment=stack.settings.environment(),
        log=stack.logs / "fleet.log",
    )
    stack.children.append(child)
    return child


def _fleet(stack: Any, *arguments: str) -> str:
    done = CliRunner().invoke(
        _raceway, ["--data-dir", str(stack.settings.data_dir), "fleet", *arguments], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return done.output


def test_a_model_reaches_every_node_and_a_bad_one_reaches_none(
    stack: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    program = _program(tmp_path)
    for i in range(_NODES):
        _start(stack, program, tmp_path, i, rng)
    stack.start("ingest")
    bridged = Bridged(stack, [f"unix:{tmp_path}/{i}.sock" for i in range(_NODES)])

    def there() -> Any:
        with reading(stack.engine) as connection:
            found = nodes_of(connection)
        return found if len(found) == _NODES and all(n.online and n.contract for n in found) else None

    stack.wait("nodes", there)
    (tmp_path / "m5.image").write_bytes(_MAKER(5))
    _fleet(stack, "rollout", f"{tmp_path}/m5.image", "--stages", "1,100%", "--soak", "1", "--why", "first model")
    service = _tend(stack)

    def phase() -> str:
        with reading(stack.engine) as connection:
            return one_rollout(connection, None).rollout.phase

    def states() -> list[str]:
        with reading(stack.engine) as connection:
            return [member.state for member in one_rollout(connection, None).rollout.members]

    stack.wait("first node", lambda: "confirmed" in states())
    for killed in (bridged.gateway, service):
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    bridged.start()
    _tend(stack)
    stack.wait("end", lambda: phase() != "running")
    assert phase() == "done", _fleet(stack, "status")
    assert {(node.model, node.slot) for node in stack.wait("nodes", there)} == {(5, "confirmed")}
    (tmp_path / "m6.image").write_bytes(_MAKER(6, golden_step=1))
    _fleet(stack, "rollout", f"{tmp_path}/m6.image", "--stages", "1,100%", "--soak", "1")
    stack.wait("halt", lambda: phase() == "halted")
    shown = json.loads(_fleet(stack, "status", "--json"))
    assert "it refused: golden" in shown["reason"]
    assert sorted(member["state"] for member in shown["members"]) == ["failed", "waiting", "waiting"]
    with reading(stack.engine) as connection:
        assert [row.action for row in log_of(connection, shown["id"])] == ["rollout", "sent", "failed", "halted"]
    bridged.close()
