"""Where tensors lie in memory: each has its place for as long as it is needed, and places are shared over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.compiler.step import Step
from edge.tflite.graph import Graph

__all__ = ["ALIGNMENT", "Plan", "Request", "place", "plan_memory"]

# Expanded inputs are read two words at a time.
ALIGNMENT = 8


@dataclass(frozen=True)
class Request:
    """Bytes that are needed from one step to another, both included."""

    size: int
    first: int
    last: int


@dataclass(frozen=True)
class Plan:
    """Offsets into the arena.

    Attributes
    ----------
    tensors : dict of int to int
        Offset of each computed tensor, by its number; aliases have that of what they stand for.
    scratch : tuple of int
        Offset of each step's scratch memory.
    arena_bytes : int
        Size of all.
    """

    tensors: dict[int, int]
    scratch: tuple[int, ...]
    arena_bytes: int


def place(requests: Sequence[Request]) -> tuple[list[int], int]:
    """Give each request an offset such that none overlaps another at the same time.

    Parameters
    ----------
    requests : sequence of Request
        Sizes in bytes.

    Returns
    -------
    offsets : list of int
        In bytes, multiples of `ALIGNMENT`, in the order of the requests.
    size : int
        Bytes that all take together.

    Notes
    -----
    Each goes to the lowest place that is free while it lives; of the orders by size, by length of life and by time, the
    one that needs least is kept. The problem is NP-hard; Pisarchyk and Lee, 2020, compare such orders.

    Examples
    --------
    >>> place([Request(100, 0, 1), Request(50, 1, 2), Request(100, 2, 3)])
    ([0, 104, 0], 154)
    """
    orders = [
        sorted(range(len(requests)), key=lambda i: (-requests[i].size, requests[i].first)),
        sorted(range(len(requests)), key=lambda i: (requests[i].first - requests[i].last, -requests[i].size)),
        sorted(range(len(requests)), key=lambda i: (requests[i].first, -requests[i].size)),
    ]
    return min((_place_in(requests, order) for order in orders), key=lambda placed: placed[1])


def _place_in(requests: Sequence[Request], order: Sequence[int]) -> tuple[list[int], int]:
    offsets: dict[int, int] = {}
    for i in order:
        beside = sorted((offsets[j], offsets[j] + requests[j].size) for j in offsets if _meet(requests[i], requests[j]))
        offset = 0
        for begin, end in beside:
            if offset + requests[i].size <= begin:
                break
            offset = max(offset, _aligned(end))
        offsets[i] = offset
    size = max((offsets[i] + requests[i].size for i in offsets), default=0)
    return [offsets[i] for i in range(len(requests))], size


def _meet(a: Request, b: Request) -> bool:
    return a.first <= b.last and b.first <= a.last


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT


def plan_memory(graph: Graph, steps: Sequence[Step], aliases: dict[int, int]) -> Plan:
    """Place the input, what each step writes and each step's scratch memory.

    Parameters
    ----------
    graph : Graph
        Of one input and one output.
    steps : sequence of Step
        In the order of execution.
    aliases : dict of int to int
        Tensors that are others in another shape, by number.

    Returns
    -------
    Plan
        Input and output are there before the first and after the last step.
    """
    first: dict[int, int] = {_root(graph.inputs[0], aliases): 0}
    last: dict[int, int] = {}
    for i, step in enumerate(steps):
        first.setdefault(_root(step.output, aliases), i)
        for tensor in (*step.inputs, step.output):
            last[_root(tensor, aliases)] = i
    last[_root(graph.outputs[0], aliases)] = len(steps)
    tensors = list(first)
    requests = [Request(graph.tensors[t].n_bytes, first[t], last.get(t, 0)) for t in tensors]
    requests += [Request(step.scratch_bytes, i, i) for i, step in enumerate(steps)]
    offsets, size = place(requests)
    places = dict(zip(tensors, offsets, strict=False))
    places.update({alias: places[_root(alias, aliases)] for alias in aliases if _root(alias, aliases) in places})
    return Plan(places, tuple(offsets[len(tensors) :]), _aligned(size))


def _root(tensor: int, aliases: dict[int, int]) -> int:
    while tensor in aliases:
        tensor = aliases[tensor]
    return tensor
