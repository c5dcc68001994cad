"""Builds `node_program.c` for boards, feeds it and reads what it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.emulator.toolchain import Toolchain
from edge.node.building import NODE_FOLDERS, Firmware, Source, build_firmware, node_sources
from edge.node.host import build_host_firmware
from edge.node.reference import State, Verdict
from edge.node.running import RunningNode
from features.contract import NODE

__all__ = ["Chunk", "Line", "Networks", "Report", "Setting", "build_for_board", "build_for_host"]

# C files of networks and the folders of their headers, of `watching.write_networks`.
Networks = tuple[list[Path], list[Path]]

_CHANGES = (None, "raised", "cleared")
_LIMIT_S = 60.0


@dataclass(frozen=True)
class Setting:
    """What a node is built with."""

    n: int
    n_scale: int
    n_tail: int
    rate_hz: float = 12_000.0
    scale: float = 1.0 / 2048.0
    period_ms: int = 0
    silence_ms: int = 60_000
    version: int = 1

    def definitions(self) -> tuple[str, ...]:
        words = {"N": self.n, "N_SCALE": self.n_scale, "N_TAIL": self.n_tail, "PERIOD_MS": self.period_ms}
        words |= {"SILENCE_MS": self.silence_ms, "VERSION": self.version, "NODE_MEMORY": 24 * self.n + 16_384}
        floats = {"RATE_HZ": self.rate_hz, "SCALE": self.scale}
        return (*(f"RW_{k}={v}u" for k, v in words.items()), *(f"RW_{k}={v.hex()}f" for k, v in floats.items()))


@dataclass(frozen=True)
class Report:
    """A report as the node gave it."""

    number: int
    time_ms: int
    faults: int
    missing: int
    dropped: int
    reports_dropped: int
    commissioned: bool
    has_features: bool
    boots: int
    reset_reason: int
    verdict: Verdict
    features: NDArray[np.float32]


@dataclass(frozen=True)
class Chunk:
    """Some samples of a window."""

    report: int
    first: int
    whole: int
    on_alarm: bool
    samples: NDArray[np.int16]


def _sources(setting: Setting, networks: Networks) -> tuple[list[Source], list[Path]]:
    written, places = networks
    own = [Source(Path(__file__).parent / "firmware" / "node_program.c", definitions=setting.definitions())]
    own += [Source(path) for path in node_sources() if path.name != "rw_main.c"] + [
        Source(path, "model") for path in written
    ]
    return own, [*places, *NODE_FOLDERS]


def build_for_host(folder: Path, setting: Setting, networks: Networks) -> Path:
    """The node as a process, under sanitisers; builds in one folder share what they have alike."""
    sources, places = _sources(setting, networks)
    program = build_host_firmware(sources, folder, includes=places, sanitise=True)
    return program.rename(folder / f"node-{hash(setting):x}")


def build_for_board(
    board: str, folder: Path, setting: Setting, networks: Networks, *, toolchain: Toolchain
) -> Firmware:
    """The node for an emulated board."""
    sources, places = _sources(setting, networks)
    return build_firmware(board, sources, folder, includes=places, toolchain=toolchain)


class Line:
    """Reads reports and chunks of a running node, in order."""

    def __init__(self, node: RunningNode) -> None:
        self._node = node
        self.chunks: list[Chunk] = []
        node.link.settimeout(_LIMIT_S)
        assert self._read(3) == b"H\0\0"  # what is fed before it samples, an emulated USART loses

    def tell(self, command: bytes) -> None:
        self._node.link.sendall(command)

    def reports(self, n: int) -> list[Report]:
        found = self.messages()
        return [next(found) for _ in range(n)]

    def chunks_of_window(self) -> list[Chunk]:
        """All chunks of the window that is being sent; reports between them are passed over."""
        while not self.chunks or self.chunks[-1].first + self.chunks[-1].samples.size < self.chunks[-1].whole:
            self._one()
        return self.chunks

    def messages(self) -> Iterator[Report]:
        """Reports as they come; chunks are put aside."""
        while True:
            if (report := self._one()) is not None:
                yield report

    def _one(self) -> Report | None:
        letter, low, high = self._read(3)
        body = self._read(low + 256 * high)
        if letter == ord("W"):
            report, first, n, whole, on_alarm = np.frombuffer(body[:20], "<u4").tolist()
            self.chunks.append(Chunk(report, first, whole, bool(on_alarm), np.frombuffer(body[20:], "<i2", n)))
            return None
        assert letter == ord("R")
        return _report(body)

    def _read(self, n: int) -> bytes:
        data = b""
        while len(data) < n:
            part = self._node.link.recv(n - len(data))
            assert part, self._node.errors()
            data += part
        return data


def _report(body: bytes) -> Report:
    w = np.frombuffer(body[:60], "<i4").tolist()
    score, threshold, probability, _ = np.frombuffer(body[60:76], "<f4").tolist()
    features = np.frombuffer(body[76:], "<f4", len(NODE.features))
    verdict = Verdict(State(w[6]), score if w[7] else None, threshold or None, _CHANGES[w[9]], w[10], probability)
    return Report(
        number=w[0],
        time_ms=w[1] % 2**32,
        faults=w[2],
        missing=w[3],
        dropped=w[4],
        reports_dropped=w[5],
        commissioned=bool(w[8]),
        has_features=bool(w[11]),
        boots=w[13],
        reset_reason=w[14],
        verdict=verdict,
        features=features,
    )
