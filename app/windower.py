"""Blocks into overlapping windows: in order, without gaps; a gap, a clock step or a restart begins anew."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.wire import Block, PointId
from features.errors import ParameterError
from features.window import Window

__all__ = ["Tally", "Windower", "WindowerConfig"]


@dataclass(frozen=True, slots=True)
class WindowerConfig:
    """How windows are cut.

    Attributes
    ----------
    window_samples : int
        Samples of a window, a multiple of 16 from 128 on.
    overlap : float
        Share of a window that the next one repeats, 0 <= overlap < 1.
    max_held : int
        Blocks kept waiting for a missing one before it is given up.
    """

    window_samples: int
    overlap: float
    max_held: int = 8

    def __post_init__(self) -> None:
        if self.window_samples < 128 or self.window_samples % 16:
            raise ParameterError(f"a window of {self.window_samples} samples; a multiple of 16 from 128 on is wanted")
        if not 0.0 <= self.overlap < 1.0:
            raise ParameterError(f"an overlap of {self.overlap}; 0 to below 1 is wanted")

    @property
    def hop(self) -> int:
        """Samples from one window's start to the next."""
        return max(1, round(self.window_samples * (1.0 - self.overlap)))


@dataclass(slots=True)
class Tally:
    """What the windower met since it was last asked.

    Attributes
    ----------
    late : int
        Blocks that came after their place had been passed; stored, but in no window.
    gaps : int
        Times a block was missing, so that windows began anew.
    steps : int
        Times the clock stepped back inside a sequence. (A step forward is a pause, as of sensors that send bursts.)
    restarts : int
        Times the sequence began anew.
    """

    late: int = 0
    gaps: int = 0
    steps: int = 0
    restarts: int = 0


class Windower:
    """The windows of one measuring point.

    Blocks follow each other where the sequence counts up by one and the start lies within half a block of the end of
    the one before; after a pause or a step of the clock, windows begin anew. A block from further ahead waits until the
    missing ones arrive, or until `max_held` wait: then the missing ones are given up. A block from behind is late,
    unless it starts after everything seen, which is a sensor that restarted its count.

    Parameters
    ----------
    config : WindowerConfig
    """

    def __init__(self, config: WindowerConfig) -> None:
        self._config = config
        self._tail: NDArray[np.float32] | None = None
        self._next_sequence: int | None = None
        self._end_ns = 0
        self._held: dict[int, Block] = {}
        self.tally = Tally()

    def update(self, block: Block) -> list[Window]:
        """Take the next block as it arrived and give the windows it completes.

        Parameters
        ----------
        block : Block
            Not seen before (redeliveries are dropped earlier), of the same rate, unit and channels as the others.

        Returns
        -------
        list of Window
            In time order.
        """
        expected = self._next_sequence
        if expected is None or block.sequence == expected:
            return self._take(block) + self._release()
        if block.sequence > expected:
            self._held[block.sequence] = block
            return self._give_up() if len(self._held) > self._config.max_held else []
        if block.start_ns >= self._end_ns:
            windows = self._flush_held()
            self.tally.restarts += 1
            self._tail = None
            return windows + self._take(block)
        self.tally.late += 1
        return []

    def reset(self) -> None:
        """Forget all samples and the place in the sequence."""
        self._tail, self._next_sequence, self._end_ns = None, None, 0
        self._held.clear()

    def _release(self) -> list[Window]:
        windows: list[Window] = []
        while self._next_sequence in self._held:
            assert self._next_sequence is not None
            windows += self._take(self._held.pop(self._next_sequence))
        return windows

    def _give_up(self) -> list[Window]:
        """Pass over what is missing before the first waiting block."""
        self.tally.gaps += 1
        self._tail = None
        first = min(self._held)
        return self._take(self._held.pop(first)) + self._release()

    def _flush_held(self) -> list[Window]:
        windows: list[Window] = []
        while self._held:
            windows += self._give_up()
        return windows

    def _take(self, block: Block) -> list[Window]:
        samples = block.physical()
        half_ns = (block.end_ns - block.start_ns) // 2
        if self._tail is not None and abs(block.start_ns - self._end_ns) > half_ns:
            self.tally.steps += block.start_ns < self._end_ns
            self._tail = None
        kept = 0 if self._tail is None else self._tail.shape[1]
        if self._tail is not None and kept:
            samples = np.concatenate([self._tail, samples], axis=1)
        # Each block anchors the time anew, so that the drift between sample clock and time stamps does not add up.
        start_ns = block.start_ns - round(kept * 1e9 / block.rate_hz)
        self._next_sequence = block.sequence + 1
        self._end_ns = block.end_ns
        return self._cut(block, samples, start_ns)

    def _cut(self, block: Block, samples: NDArray[np.float32], start_ns: int) -> list[Window]:
        n, hop = self._config.window_samples, self._config.hop
        firsts = range(0, samples.shape[1] - n + 1, hop)
        windows = [
            Window(
                samples=samples[:, first : first + n],
                rate_hz=block.rate_hz,
                unit=block.unit,
                start_ns=start_ns + round(first * 1e9 / block.rate_hz),
                point=str(block.point),
                shaft_hz=block.shaft_hz,
                load=block.load,
            )
            for first in firsts
        ]
        self._tail = samples[:, len(firsts) * hop :].copy()
        return windows

    def snapshot(self) -> bytes:
        """Give the state as bytes, to be restored after a restart."""
        held = [_described(block) for block in self._held.values()]
        head = json.dumps({"next": self._next_sequence, "end": self._end_ns, "held": held}).encode()
        stream = io.BytesIO()
        stream.write(len(head).to_bytes(4, "little") + head)
        arrays = [block.samples for block in self._held.values()] + ([] if self._tail is None else [self._tail])
        for array in arrays:
            np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
        return stream.getvalue()

    @classmethod
    def restore(cls, config: WindowerConfig, state: bytes) -> Windower:
        """Make a windower that goes on where the one of the snapshot stood."""
        windower = cls(config)
        stream = io.BytesIO(state)
        head = json.loads(stream.read(int.from_bytes(stream.read(4), "little")))
        windower._next_sequence, windower._end_ns = head["next"], head["end"]
        for entry in head["held"]:
            samples = np.lib.format.read_array(stream, allow_pickle=False)
            block = Block(
                **{**entry, "point": PointId.parse(entry["point"]), "channels": tuple(entry["channels"])},
                samples=samples,
            )
            windower._held[block.sequence] = block
        if stream.tell() < len(state):
            windower._tail = np.lib.format.read_array(stream, allow_pickle=False)
        return windower


def _described(block: Block) -> dict[str, object]:
    """Everything of a block but its samples."""
    return {
        "point": str(block.point),
        "sequence": block.sequence,
        "start_ns": block.start_ns,
        "rate_hz": block.rate_hz,
        "unit": block.unit,
        "channels": list(block.channels),
        "scale": block.scale,
        "shaft_hz": block.shaft_hz,
        "load": block.load,
        "temperature_c": block.temperature_c,
    }
