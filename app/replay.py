"""Recordings played as if live: cut into blocks whose time stamps advance with the samples."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from app.wire import About, Block
from features.errors import ParameterError, RecordingError
from models.recordings import Recording

__all__ = ["Track", "blocks_of", "play"]


@dataclass(frozen=True, eq=False)
class Track:
    """What one point plays.

    Attributes
    ----------
    about : About
    recordings : sequence of Recording
        One after the other; of one rate, unit and set of channels.
    """

    about: About
    recordings: Sequence[Recording]

    def __post_init__(self) -> None:
        kinds = {(r.rate_hz, r.unit, r.channels) for r in self.recordings}
        if len(kinds) != 1:
            shown = "; ".join(f"{rate:g} Hz, {unit}, {' '.join(names)}" for rate, unit, names in sorted(kinds))
            raise RecordingError(
                f"recordings of one point must agree in rate, unit and channels, not {shown or 'none'}"
            )


def blocks_of(
    track: Track, *, start_ns: int, block_samples: int, first_sequence: int = 0, loop: bool = False
) -> Iterator[Block]:
    """Cut a track into blocks; what is left at the end of a recording is joined to the next.

    Parameters
    ----------
    track : Track
    start_ns : int
        Time stamp of the first sample.
    block_samples : int
        Samples in each block; a shorter rest at the very end is dropped.
    first_sequence : int
    loop : bool
        Whether to begin again after the last recording.

    Yields
    ------
    Block
        Of float32 samples.
    """
    if block_samples < 2:
        raise ParameterError(f"blocks of {block_samples} samples; 2 or more are wanted")
    rate_hz = track.recordings[0].rate_hz
    rest = np.empty((len(track.recordings[0].channels), 0), dtype=np.float32)
    sequence, sent = first_sequence, 0
    while True:
        for recording in track.recordings:
            samples = np.concatenate([rest, recording.samples], axis=1)
            for first in range(0, samples.shape[1] - block_samples + 1, block_samples):
                yield Block(
                    point=track.about.point,
                    sequence=sequence,
                    start_ns=start_ns + round(sent * 1e9 / rate_hz),
                    rate_hz=rate_hz,
                    unit=recording.unit,
                    channels=recording.channels,
                    samples=samples[:, first : first + block_samples],
                    scale=1.0,
                    shaft_hz=recording.shaft_hz,
                )
                sequence, sent = sequence + 1, sent + block_samples
            rest = samples[:, samples.shape[1] - samples.shape[1] % block_samples :]
        if not loop:
            return


def play(
    tracks: Sequence[Track],
    send: Callable[[Block], None],
    *,
    start_ns: int,
    block_samples: int,
    speed: float,
    loop: bool = False,
    stopped: Callable[[float], bool],
    progress: Callable[[int], None] | None = None,
) -> int:
    """Play tracks side by side, in the order of their time stamps.

    Parameters
    ----------
    tracks : sequence of Track
    send : callable
        Takes each block.
    start_ns : int
        Time stamp of the first samples.
    block_samples : int
    speed : float
        1 plays in real time, 10 ten times as fast, 0 without waiting.
    loop : bool
    stopped : callable
        Waits the seconds it is given and says whether to stop.
    progress : callable, optional
        Told the blocks sent so far.

    Returns
    -------
    int
        Blocks sent.
    """
    if speed < 0.0:
        raise ParameterError(f"a speed of {speed}; 0 (no waiting) or more is wanted")
    streams = [blocks_of(t, start_ns=start_ns, block_samples=block_samples, loop=loop) for t in tracks]
    heads = [next(stream, None) for stream in streams]
    began_s, sent = time.monotonic(), 0
    while True:
        waiting = [(block.end_ns, i) for i, block in enumerate(heads) if block is not None]
        if not waiting:
            return sent
        end_ns, i = min(waiting)
        due_s = began_s + (end_ns - start_ns) / 1e9 / speed if speed else 0.0
        pause_s = due_s - time.monotonic()
        if pause_s > 0.0 and stopped(pause_s):
            return sent
        block = heads[i]
        assert block is not None
        send(block)
        sent += 1
        if progress is not None:
            progress(sent)
        heads[i] = next(streams[i], None)
