"""The node's firmware as processes on lines that lose much, over the gateway to a broker: all is there.

Nobody hears a report twice while no process is killed; after a kill, nobody who goes by the publications' numbers.
"""

from __future__ import annotations

import json
import signal
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bridging import Bridged

from app.codec import decode_block
from app.fleet.consuming import Publications
from app.process import spawn
from app.wire import parse_topic
from edge.node.tally import Faults, build_tallying_node, read_tally, tallying_command

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]

_N, _RATE_HZ = 256, 12_000.0
_NAMES = [f"n{i}" for i in range(8)]
_SECONDS = 15.0


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("node")
    return build_tallying_node(folder, rate_hz=_RATE_HZ, n_samples=_N, period_ms=250)


def _start(stack: Any, program: Path, folder: Path, i: int, rng: np.random.Generator) -> None:
    """One in a hundred frames is lost, and half a second in every three of all; every other line is closed then."""
    name = _NAMES[i]
    (folder / f"{name}.i2").write_bytes(rng.integers(-2000, 2000, 20 * _N).astype("<i2").tobytes())
    faults = Faults(frame_loss=0.01, byte_loss=3e-5, up_ms=3000, down_ms=500, hangs_up=bool(i % 2), seed=i + 1)
    command = tallying_command(program, folder, name, rate_hz=_RATE_HZ, faults=faults)
    tally = {"RW_TALLY": str(folder / f"{name}.tally")}
    stack.children.append(spawn(command, environment=tally, log=stack.logs / f"{name}.log"))


def _made(folder: Path) -> dict[str, int]:
    """How many reports each node has made so far, in its only start."""
    tallies = {name: read_tally(folder / f"{name}.tally") for name in _NAMES}
    for tally in tallies.values():
        assert list(tally.made_ns) == [(1, number) for number in range(len(tally.made_ns))]
        assert tally.given_up == 0
    return {name: len(tally.made_ns) for name, tally in tallies.items()}


def _numbers(reports: Iterable[dict[str, Any]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for one in reports:
        assert one["boot"] == 1
        found[one["node"]].append(one["number"])
    return found


def _fetch_samples(stack: Any, bridged: Bridged) -> None:
    """Ask each node until its samples are there: what comes while its line is closed is refused."""
    wanted = {f"raceway/v1/plant/{name}/node/waveform" for name in _NAMES}
    again_s = 0.0
    with stack.publisher("operator") as operator:

        def fetched() -> bool:
            nonlocal again_s
            missing = wanted - {topic for topic, _ in list(bridged.blocks)}
            if missing and time.monotonic() >= again_s:
                again_s = time.monotonic() + 2.0
                for topic in missing:
                    command = {"v": 1, "id": topic[:64], "kind": "request_waveform", "samples": _N}
                    operator.raw(topic.replace("/waveform", "/command"), json.dumps(command).encode())
            return not missing

        stack.wait("bursts", fetched)


def _await_all(stack: Any, bridged: Bridged, made: dict[str, int]) -> None:
    keys = {(name, number) for name, n in made.items() for number in range(n)}
    stack.wait("last reports", lambda: keys <= set(bridged.keys()))


def test_every_report_of_nodes_in_c_arrives_once(
    stack: Any, program: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    for i in range(len(_NAMES)):
        _start(stack, program, tmp_path, i, rng)
    bridged = Bridged(stack, [f"unix:{tmp_path}/{name}.sock" for name in _NAMES])
    stack.wait("reports", lambda: len({one["node"] for one in bridged.of("report")}) == len(_NAMES))
    end_s = time.monotonic() + _SECONDS
    _fetch_samples(stack, bridged)
    time.sleep(max(0.0, end_s - time.monotonic()))
    made = _made(tmp_path)
    assert min(made.values()) > 20
    _await_all(stack, bridged, made)
    heard = _numbers(bridged.of("report"))
    assert {name: numbers[: made[name]] for name, numbers in heard.items()} == {
        name: list(range(n)) for name, n in made.items()
    }
    assert all(numbers == list(range(len(numbers))) for numbers in heard.values())
    _are_what_was_played(bridged, tmp_path)

    back = {name: n + 8 for name, n in _made(tmp_path).items()}
    bridged.gateway.send_signal(signal.SIGKILL)
    bridged.gateway.wait()
    bridged.start()
    stack.wait("reports after the kill", lambda: _all_told_or_given_up(bridged, tmp_path, back))
    bridged.close()


def _all_told_or_given_up(bridged: Bridged, folder: Path, back: dict[str, int]) -> bool:
    """Whether each node was heard from `back` on, nothing twice, and what is missing is what it says to have given up.

    A node keeps six seconds of reports while nobody listens; a gateway may take longer to start again.
    """
    publications = Publications()
    heard = _numbers([one for one in bridged.of("report") if publications.is_new(one)])
    missing = {}
    for name, numbers in heard.items():
        assert numbers == sorted(set(numbers)), name
        missing[name] = numbers[-1] + 1 - len(numbers)
    given_up = {name: read_tally(folder / f"{name}.tally").given_up for name in _NAMES}
    return all(heard[name][-1] >= n for name, n in back.items()) and missing == given_up


def _are_what_was_played(bridged: Bridged, folder: Path) -> None:
    for topic, payload in list(bridged.blocks):
        block = decode_block(payload, point=parse_topic(topic)[0])
        played = np.frombuffer((folder / f"{block.point.asset}.i2").read_bytes(), "<i2")
        looped = np.concatenate([played, played])
        assert any(np.array_equal(looped[k : k + _N], block.samples[0]) for k in range(played.size))
