"""One step of a compiled model: the calls of kernels that run an operator, and the constants they read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["TILES", "Call", "Form", "Record", "Step", "Table"]

# Rows of a tile, and whether it is sparse: what `rw_tiles` (`edge/runtime/rw_product.h`) computes.
TILES = frozenset({(4, False), (1, False), (4, True), (2, True), (1, True)})


@dataclass(frozen=True)
class Table:
    """A constant array in flash.

    Attributes
    ----------
    ctype : str
        Of an element, for example `int8_t`.
    values : ndarray of integers, shape (n,)
        At least one.
    """

    ctype: str
    values: NDArray[np.integer]

    @property
    def n_bytes(self) -> int:
        """Bytes in flash, without padding."""
        return int(self.values.size) * {"8": 1, "6": 2, "2": 4}[self.ctype.removesuffix("_t")[-1]]


@dataclass(frozen=True)
class Record:
    """A constant struct in flash, or an array of them.

    Attributes
    ----------
    struct : str
        Its C type, for example `struct rw_add`.
    fields : mapping of str to int or str
        A number, or `{role}` for the address of another constant of the step.
    more : tuple of such mappings
        The further elements of an array.
    """

    struct: str
    fields: Mapping[str, int | str]
    more: tuple[Mapping[str, int | str], ...] = ()


@dataclass(frozen=True)
class Form:
    """A form of `rw_tiles` (`edge/runtime/rw_product.h`) that a step needs as a function of its own."""

    rows: int
    sparse: bool
    pooled: bool
    one_segment: bool
    per_row: bool
    clamped: bool

    @property
    def role(self) -> str:
        """Its name, which a `Record` refers to as `{role}`."""
        parts = ["sparse" if self.sparse else "dense", str(self.rows)]
        parts += [name for name in ("pooled", "one_segment", "per_row", "clamped") if getattr(self, name)]
        return "_".join(parts)


@dataclass(frozen=True)
class Call:
    """A call of a kernel.

    Attributes
    ----------
    kernel : str
        The C function, for example `rw_add`.
    arguments : tuple of str or int
        In the order of its parameters. A count, or a place: `{in0}`, `{in1}`, ... and `{out}` are the tensors of the
        step, `{scratch}` its memory, `{role}` a constant of it; bytes may be added to a tensor (`{out} + 12`).
    """

    kernel: str
    arguments: tuple[str | int, ...]


@dataclass(frozen=True)
class Step:
    """What runs one operator, or several that are computed at once.

    Attributes
    ----------
    operators : tuple of str
        TensorFlow Lite's names of what is computed here, in their order.
    inputs : tuple of int
        The tensors that are read.
    output : int
        The tensor that is written.
    calls : tuple of Call
        In the order in which they run.
    sources : tuple of str
        The files of the runtime that it needs, for example `rw_add.c`.
    constants : mapping of str to Table or Record
        By role, each after those it refers to.
    scratch_bytes : int
        Memory that is needed during the call only.
    forms : tuple of Form
        What it needs of the product kernel.
    """

    operators: tuple[str, ...]
    inputs: tuple[int, ...]
    output: int
    calls: tuple[Call, ...]
    sources: tuple[str, ...]
    constants: Mapping[str, Table | Record] = field(default_factory=dict)
    scratch_bytes: int = 0
    forms: tuple[Form, ...] = ()
