"""The node's firmware as processes with lost bytes and links that drop, over the gateway to a broker: all is there."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bridging import Bridged

from app.codec import decode_block
from app.process import spawn
from app.wire import parse_topic
from edge.node.building import NODE_FOLDERS, Source, node_sources
from edge.node.host import build_host_firmware

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]

_N = 256
_NODES = 6
_SECONDS = 25.0
_DEFINITIONS = ("RW_NODE_RATE_HZ=12000.0f", "RW_NODE_SCALE=0.001f", f"RW_NODE_SAMPLES={_N}u", "RW_NODE_PERIOD_MS=250u")
# Without networks: the node reports features, which is what is counted here.
_NO_NETWORKS = """#include "rw_factory.h"

const struct rw_network *rw_factory_health(void)
{
    return 0;
}

const struct rw_network *rw_factory_kinds(void)
{
    return 0;
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("node")
    (folder / "factory.c").write_text(_NO_NETWORKS)
    own = [Source(path, definitions=_DEFINITIONS if path.name == "rw_main.c" else ()) for path in node_sources()]
    return build_host_firmware([*own, Source(folder / "factory.c")], folder, includes=NODE_FOLDERS, sanitise=True)


def _start(stack: Any, program: Path, folder: Path, i: int, rng: np.random.Generator) -> None:
    """One in a hundred frames is lost, and for half a second in every three everything."""
    (folder / f"{i}.i2").write_bytes(rng.integers(-2000, 2000, 20 * _N).astype("<i2").tobytes())
    arguments = [f"name=n{i}", f"link={folder}/{i}.sock", f"replay={folder}/{i}.i2", "rate=12000"]
    arguments += [f"flash={folder}/{i}.flash", "wait=1", "lose-ppm=30", "up=3000", "down=500", f"seed={i + 1}"]
    stack.children.append(spawn([str(program), *arguments], log=stack.logs / f"node-{i}.log"))


def test_every_report_of_nodes_in_c_arrives_once(
    stack: Any, program: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    for i in range(_NODES):
        _start(stack, program, tmp_path, i, rng)
    bridged = Bridged(stack, [f"unix:{tmp_path}/{i}.sock" for i in range(_NODES)])
    stack.wait("reports", lambda: len({one["node"] for one in bridged.of("report")}) == _NODES)
    names = sorted({one["node"] for one in bridged.of("report")})
    end_s = time.monotonic() + _SECONDS
    with stack.publisher("operator") as operator:
        for topic in sorted({topic for topic, _ in bridged.said if topic.endswith("/report")}):
            command = {"v": 1, "id": topic, "kind": "request_waveform", "samples": _N}
            operator.raw(topic.replace("/report", "/command"), json.dumps(command).encode())
        operator.flush()
    stack.wait("bursts", lambda: len({topic for topic, _ in bridged.blocks}) == _NODES)
    time.sleep(max(0.0, end_s - time.monotonic()))
    numbers: dict[str, list[int]] = defaultdict(list)
    for one in bridged.of("report"):
        assert one["boot"] == 1
        numbers[one["node"]].append(one["number"])
    assert sorted(numbers) == names
    for name in names:
        assert len(numbers[name]) > 20
        assert numbers[name] == list(range(len(numbers[name])))
    for topic, payload in bridged.blocks:
        block = decode_block(payload, point=parse_topic(topic)[0])
        played = np.frombuffer((tmp_path / f"{block.point.asset[-1]}.i2").read_bytes(), "<i2")
        looped = np.concatenate([played, played])
        assert any(np.array_equal(looped[k : k + _N], block.samples[0]) for k in range(played.size))
    bridged.close()
