"""The node's two halves of samples against an obvious twin, under any order of putting, losing and taking."""

from __future__ import annotations

import ctypes
import subprocess
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.node.building import FIRMWARE

_SERVE = """
#include "rw_sampler.h"
#include <stdlib.h>
struct rw_sampler *make(uint32_t n)
{
    struct rw_sampler *s = malloc(sizeof *s);
    rw_sampler_init(s, malloc(2u * n * sizeof(int16_t)), n);
    return s;
}
void end(struct rw_sampler *s) { free(s->halves); free(s); }
uint32_t missing(struct rw_sampler *s) { return s->missing; }
uint32_t dropped(struct rw_sampler *s) { return s->dropped; }
uint32_t idled(struct rw_sampler *s) { return s->idled; }
uint32_t gaps(struct rw_sampler *s) { return s->gaps; }
uint32_t taken(struct rw_sampler *s) { return s->taken; }
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("sampler")
    (folder / "serve.c").write_text(_SERVE)
    sources = [folder / "serve.c", FIRMWARE / "node" / "rw_sampler.c"]
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fPIC", "-shared"]
    flags += ["-fsanitize=undefined", "-fno-sanitize-recover=all", f"-I{FIRMWARE / 'node'}"]
    command = ["gcc", *flags, *map(str, sources), "-o", str(folder / "sampler.so")]
    subprocess.run(command, check=True, timeout=60)
    loaded = ctypes.CDLL(str(folder / "sampler.so"))
    loaded.make.restype = ctypes.c_void_p
    loaded.rw_sampler_put.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    loaded.rw_sampler_put.restype = ctypes.c_size_t
    loaded.rw_sampler_lost.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    loaded.rw_sampler_window.argtypes, loaded.rw_sampler_window.restype = [ctypes.c_void_p], ctypes.c_void_p
    loaded.rw_sampler_set_idle.argtypes = [ctypes.c_void_p, ctypes.c_bool]
    for name in ("end", "missing", "dropped", "idled", "gaps", "taken", "rw_sampler_release"):
        getattr(loaded, name).argtypes = [ctypes.c_void_p]
    return loaded


@dataclass
class Twin:
    """Lists instead of halves."""

    n: int
    part: list[int] = field(default_factory=list)
    windows: list[list[int]] = field(default_factory=list)
    missing: int = 0
    dropped: int = 0
    idled: int = 0
    gaps: int = 0
    taken: int = 0
    idle: bool = False

    def put(self, samples: list[int]) -> int:
        done = 0
        if self.idle:
            self.dropped, self.part = self.dropped + len(self.part), []
            self.idled, done = self.idled + len(samples), len(samples)
        while done < len(samples) and len(self.windows) < 2:
            self.part.append(samples[done])
            done += 1
            if len(self.part) == self.n:
                self.windows.append(self.part)
                self.part = []
        self.taken += done
        return done

    def lost(self, n: int) -> None:
        self.dropped, self.part = self.dropped + len(self.part), []
        self.missing, self.gaps = self.missing + n, self.gaps + 1


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.lists(st.integers(-32767, 32767), min_size=1, max_size=40)),
        st.tuples(st.just("lost"), st.integers(1, 1000)),
        st.tuples(st.just("take"), st.none()),
        st.tuples(st.just("idle"), st.booleans()),
    ),
    max_size=60,
)


@given(n=st.integers(1, 16), actions=ACTIONS)
@settings(max_examples=200, deadline=None)
def test_windows_are_whole_in_order_and_everything_is_counted(
    library: ctypes.CDLL, n: int, actions: list[tuple[str, object]]
) -> None:
    sampler, twin = library.make(n), Twin(n)
    for name, value in actions:
        if name == "put":
            assert isinstance(value, list)
            raw = np.array(value, "<i2").tobytes()
            assert library.rw_sampler_put(sampler, raw, len(value)) == twin.put(value)
        elif name == "lost":
            assert isinstance(value, int)
            library.rw_sampler_lost(sampler, value)
            twin.lost(value)
        elif name == "idle":
            library.rw_sampler_set_idle(sampler, value)
            twin.idle = bool(value)
        else:
            where = library.rw_sampler_window(sampler)
            assert (where is not None) == bool(twin.windows)
            if where is not None:
                assert np.frombuffer(ctypes.string_at(where, 2 * n), "<i2").tolist() == twin.windows.pop(0)
                library.rw_sampler_release(sampler)
        for counter in ("missing", "dropped", "idled", "gaps", "taken"):
            assert getattr(library, counter)(sampler) == getattr(twin, counter), counter
    library.end(sampler)
