"""Tensors that are needed at the same time never share memory, whatever their sizes and lives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.compiler.memory import ALIGNMENT, Request, place

_spans = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(sorted)
requests_of_a_graph = st.lists(
    st.builds(lambda size, span: Request(size, span[0], span[1]), st.integers(1, 5000), _spans), max_size=12
)


@given(requests=requests_of_a_graph)
def test_nothing_overlaps_what_lives_beside_it(requests: list[Request]) -> None:
    offsets, size = place(requests)
    for i, a in enumerate(requests):
        assert offsets[i] >= 0
        assert offsets[i] % ALIGNMENT == 0
        assert offsets[i] + a.size <= size
        for j in range(i):
            b = requests[j]
            together = a.first <= b.last and b.first <= a.last
            apart = offsets[i] + a.size <= offsets[j] or offsets[j] + b.size <= offsets[i]
            assert apart or not together


@given(requests=requests_of_a_graph)
def test_memory_is_between_the_fullest_moment_and_the_sum(requests: list[Request]) -> None:
    _, size = place(requests)
    at_once = [sum(r.size for r in requests if r.first <= t <= r.last) for t in range(13)]
    assert max(at_once) <= size <= sum(r.size + ALIGNMENT for r in requests)
