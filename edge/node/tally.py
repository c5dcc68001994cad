"""Nodes that run as processes by the dozen, write down what they report, and have faults on their lines.

What a node made is known apart from what arrives of it. Tallies that are cut off within an entry are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.node.building import NODE_FOLDERS, PORT, Source, node_sources
from edge.node.host import build_host_firmware
from features.errors import RecordingError

__all__ = ["Faults", "Tally", "build_tallying_node", "read_tally", "tallying_command"]

_ENTRY = np.dtype([("number", "<u4"), ("given_up", "<u4"), ("time_ns", "<u8")])
# Features are what is reported; no network is needed to count reports.
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


@dataclass(frozen=True)
class Faults:
    """What goes wrong on the line of one node.

    Attributes
    ----------
    frame_loss : float
        Share of the frames that are lost, each way.
    byte_loss : float
        Share of the bytes that are lost, each way.
    up_ms, down_ms : int
        The line works for so long, then it loses everything for so long, in turn; it works all the time where the
        second is 0.
    hangs_up : bool
        Whether the line is closed while it does not work.
    seed : int
        Of what is lost.
    """

    frame_loss: float = 0.0
    byte_loss: float = 0.0
    up_ms: int = 0
    down_ms: int = 0
    hangs_up: bool = False
    seed: int = 1

    def arguments(self) -> list[str]:
        """As the port of the host takes them.

        Examples
        --------
        >>> Faults(frame_loss=0.01, up_ms=3000, down_ms=500).arguments()
        ['lose-frames=10000', 'lose-ppm=0', 'up=3000', 'down=500', 'hang=0', 'seed=1']
        """
        shares = [f"lose-frames={round(1e6 * self.frame_loss)}", f"lose-ppm={round(1e6 * self.byte_loss)}"]
        return [*shares, f"up={self.up_ms}", f"down={self.down_ms}", f"hang={int(self.hangs_up)}", f"seed={self.seed}"]

    def drops_within(self, duration_s: float) -> int:
        """How often the line stops working in the first seconds of a node.

        Examples
        --------
        >>> Faults(up_ms=3000, down_ms=500).drops_within(10.0)
        3
        """
        left_ms = 1000.0 * duration_s - self.up_ms
        return 0 if self.down_ms == 0 or left_ms < 0.0 else 1 + int(left_ms // (self.up_ms + self.down_ms))


@dataclass(frozen=True)
class Tally:
    """Reports that a node has made, in order.

    Attributes
    ----------
    made_ns : dict of (int, int) to int
        From start of the node, counted from 1, and number of the report to nanoseconds since the epoch.
    given_up : int
        Reports of the latest start that gave way to later ones in the node, for want of room.
    """

    made_ns: dict[tuple[int, int], int]
    given_up: int


def read_tally(path: Path) -> Tally:
    """Read what a node has written down so far.

    Parameters
    ----------
    path : Path
        Of a node that may still run; where there is no file yet, it has made nothing.

    Raises
    ------
    RecordingError
        If an entry is not whole.
    """
    data = path.read_bytes() if path.exists() else b""
    if len(data) % _ENTRY.itemsize:
        raise RecordingError(f"{path} ends within an entry of {_ENTRY.itemsize} bytes; it is no tally of reports")
    made_ns: dict[tuple[int, int], int] = {}
    entries = np.frombuffer(data, _ENTRY)
    start = 0
    for number, _, time_ns in entries.tolist():
        start += number == 0
        made_ns[start, number] = time_ns
    return Tally(made_ns, int(entries["given_up"][-1]) if entries.size else 0)


def build_tallying_node(
    folder: Path, *, rate_hz: float, n_samples: int, period_ms: int, sanitise: bool = False
) -> Path:
    """Build the node, without networks, as a process that writes down each report in the file RW_TALLY.

    Parameters
    ----------
    folder : Path
        Takes objects and program.
    rate_hz : float
        Of the samples.
    n_samples : int
        Of a window.
    period_ms : int
        From report to report.
    sanitise : bool
        As in `edge.node.host.build_host_firmware`.

    Returns
    -------
    Path
        The program, for `tallying_command`.

    Raises
    ------
    ToolchainError
        If it does not compile.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "factory.c").write_text(_NO_NETWORKS, encoding="ascii")
    main = (f"RW_NODE_RATE_HZ={rate_hz!r}f", "RW_NODE_SCALE=0.001f", f"RW_NODE_SAMPLES={n_samples}u")
    definitions = {
        "rw_main.c": (*main, f"RW_NODE_PERIOD_MS={period_ms}u"),
        "rw_node.c": ("rw_outbox_report=rw_tally_report",),
    }
    own = [Source(path, definitions=definitions.get(path.name, ())) for path in node_sources()]
    sources = [*own, Source(folder / "factory.c"), Source(PORT / "host" / "rw_tally.c")]
    return build_host_firmware(sources, folder, includes=NODE_FOLDERS, sanitise=sanitise)


def tallying_command(program: Path, folder: Path, name: str, *, rate_hz: float, faults: Faults) -> Sequence[str]:
    """Give what starts a node that plays `name`.i2 of a folder over and over and serves its link at `name`.sock there.

    Its reports begin when a peer has connected.
    """
    own = [f"name={name}", f"link={folder / name}.sock", f"replay={folder / name}.i2", f"flash={folder / name}.flash"]
    return [str(program), *own, f"rate={round(rate_hz)}", "wait=1", *faults.arguments()]
