"""Builds rw_watch with compiled networks for this machine, under sanitisers, and runs it over windows."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tflite_making import Node, constant, value, write_tflite

from edge.node.building import FIRMWARE
from edge.node.factory import write_factory
from edge.node.reference import NodeConfig, State, Verdict

__all__ = ["Watching", "build_watching", "linear_autoencoder", "write_networks"]

_SANITISED = ("-std=c11", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-math-errno")
_STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror")
_SPREAD = 12.0  # deviations that the int8 input covers
_CHANGES = (None, "raised", "cleared")


def linear_autoencoder(scaled: NDArray[np.float32], *, n_code: int) -> bytes:
    """The best linear autoencoder of scaled features, by their principal components, in int8."""
    _, _, components = np.linalg.svd(scaled - scaled.mean(axis=0), full_matrices=False)
    basis = components[:n_code]
    code = scaled @ basis.T
    given, inner = _SPREAD / 127.0, float(np.abs(code).max()) / 100.0
    weight = float(np.abs(basis).max()) / 127.0
    first, second = np.round(basis / weight), np.round(basis.T / weight)
    k = scaled.shape[1]
    values = [
        value((1, k), given),
        constant(first, weight),
        constant(np.zeros(n_code), given * weight, dtype=np.int32),
        value((1, n_code), inner),
        constant(second, weight),
        constant(np.zeros(k), inner * weight, dtype=np.int32),
        value((1, k), given),
    ]
    nodes = [Node("FULLY_CONNECTED", (0, 1, 2), (3,)), Node("FULLY_CONNECTED", (3, 4, 5), (6,))]
    return write_tflite(values, nodes, inputs=[0], outputs=[6])


_HEADER = """
#include "rw_factory.h"
#define rw_health (*rw_factory_health())
#define rw_kinds rw_factory_kinds()
"""


@dataclass(frozen=True)
class Watching:
    """A program that watches."""

    program: Path

    def run(
        self,
        features: NDArray[np.float32],
        windows: NDArray[np.int16],
        *,
        config: NodeConfig,
        cut_behind: int = 0,
        status: int = 0,
    ) -> list[Verdict]:
        """Verdicts of all windows; a status other than 0 is rw_watch_init's, without its sign."""
        alarm = config.alarm
        words = [features.shape[1], config.n_scale, config.n_tail, alarm.raise_after, alarm.clear_after]
        head = np.array([*words, windows.shape[1]], "<u4").tobytes()
        head += np.array([config.false_alarm_rate, alarm.clear_ratio], "<f4").tobytes()
        rows = [f.astype("<f4").tobytes() + w.astype("<i2").tobytes() for f, w in zip(features, windows, strict=True)]
        given, found = self.program.with_suffix(".in"), self.program.with_suffix(".out")
        given.write_bytes(head + b"".join(rows))
        command = [str(self.program), str(given), str(found), str(cut_behind)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == status, done.stderr[-2000:]
        raw = np.frombuffer(found.read_bytes(), "<i4").reshape(-1, 8)
        return [_verdict(row, row[5:].view("<f4")) for row in raw]


def _verdict(words: NDArray[np.int32], floats: NDArray[np.float32]) -> Verdict:
    state, scored, _, change, kind = (int(word) for word in words[:5])
    score, threshold, probability = (float(number) for number in floats)
    return Verdict(State(state), score if scored else None, threshold or None, _CHANGES[change], kind, probability)


def write_networks(folder: Path, *, health: bytes, kinds: bytes | None = None) -> tuple[list[Path], list[Path]]:
    """Compile networks; their C files with what gives them the node's form, and the folders of their headers."""
    written, places = write_factory(folder, health=health, kinds=kinds)
    (folder / "networks.h").write_text(_HEADER)
    return written, [folder, *places]


def build_watching(folder: Path, *, health: bytes, kinds: bytes | None = None) -> Watching:
    """Compile networks and what watches with them."""
    written, places = write_networks(folder, health=health, kinds=kinds)
    own = [Path(__file__).parent / "firmware" / "watching.c"]
    own += [FIRMWARE / "node" / f"rw_{name}.c" for name in ("watch", "scaler", "tail", "diagnosis", "logarithm")]
    flags = [*_SANITISED, *_STRICT, *(f"-I{place}" for place in [*places, FIRMWARE / "node"])]
    program = folder / "watching"
    command = ["gcc", *flags, *map(str, [*own, *written]), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return Watching(program)
