"""Packing of an int8 `.tflite` as data that firmware runs in place, bit for bit as if compiled; refuses what it lacks.

`docs/MODEL_FORMAT.md` has every byte; the loader is `edge/runtime/rw_model.c`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeGuard

import numpy as np

from edge.compiler.firmware import Firmware, default_firmware
from edge.compiler.layouts import layout_of, number_named
from edge.compiler.lowering import lower
from edge.compiler.memory import ALIGNMENT, Plan, plan_memory
from edge.compiler.step import Form, Record, Step, Table
from edge.tflite.graph import Graph, Tensor
from edge.tflite.reading import read_tflite
from features.errors import ArtifactError

__all__ = ["form_id", "kernel_id", "pack_model"]

_WORD_BYTES = 4
_PLACE = re.compile(r"\{(\w+)\}(?: \+ (\d+))?")
_ROLE = re.compile(r"\{(\w+)\}")
_EXACT = "rw_exact"
_ELEMENTS = {"int8_t": "i1", "uint8_t": "u1", "int16_t": "<i2", "uint16_t": "<u2", "int32_t": "<i4", "uint32_t": "<u4"}


def kernel_id(kernel: str) -> int:
    """The number of a kernel's C function in packed models.

    Examples
    --------
    >>> kernel_id("rw_add")
    1
    """
    return number_named(f"RW_MODEL_ID_{kernel.removeprefix('rw_').upper()}")


def form_id(form: Form) -> int:
    """The number of a form of the product in packed models.

    Examples
    --------
    >>> hex(form_id(Form(4, False, False, True, False, False)))
    '0x124'
    """
    flags = (form.sparse, form.pooled, form.one_segment, form.per_row, form.clamped)
    return 256 | form.rows | sum(flag << 3 + i for i, flag in enumerate(flags))


def pack_model(model: bytes, *, firmware: Firmware | None = None) -> bytes:
    """Pack a `.tflite`.

    Parameters
    ----------
    model : bytes
        An int8 network of one input and one output, of the operators in `edge.compiler.lowering.COMPUTED`.
    firmware : Firmware or None
        What the firmware has; what one has that names nothing of its own, where it is not given.

    Returns
    -------
    bytes
        The packed model. The same model and firmware give the same bytes.

    Raises
    ------
    ArtifactError
        If the file is damaged or holds what is not computed, or the firmware lacks a kernel or a form for it.
    """
    has = firmware or default_firmware()
    graph = read_tflite(model)
    lowered = lower(graph, firmware=has)
    _refuse_lacking(lowered.steps, has)
    packed = _packed(graph, lowered.steps, plan_memory(graph, lowered.steps, lowered.aliases))
    most = number_named("RW_MODEL_LARGEST")
    if len(packed) > most:
        raise ArtifactError(f"a packed model of {len(packed):,} bytes is more than a firmware opens; {most:,} are most")
    return packed


def _refuse_lacking(steps: Sequence[Step], firmware: Firmware) -> None:
    """Forms were chosen of those that are there; what else is needed is not."""
    lacking = {call.kernel for step in steps for call in step.calls} - firmware.kernels
    if lacking:
        names = sorted(
            {name for step in steps for call in step.calls if call.kernel in lacking for name in step.operators}
        )
        raise ArtifactError(
            f"{', '.join(names)} cannot be packed: the firmware lacks {', '.join(sorted(lacking))}; "
            "add it to RW_MODEL_KERNELS of its header"
        )


def _needs(steps: Sequence[Step]) -> list[int]:
    kernels = {kernel_id(call.kernel) for step in steps for call in step.calls}
    exact = any(_EXACT in (fields.get("run") for fields in _elements(c)) for c in _records(steps))
    return sorted(kernels | {form_id(form) for step in steps for form in step.forms} | {*[kernel_id(_EXACT)] * exact})


def _records(steps: Sequence[Step]) -> Iterator[Record]:
    return (constant for step in steps for constant in step.constants.values() if isinstance(constant, Record))


def _elements(record: Record) -> tuple[Mapping[str, int | str], ...]:
    return (record.fields, *record.more)


@dataclass
class _Body:
    """What lies behind the lists, and where; the same bytes are kept once."""

    begin: int
    content: bytearray = field(default_factory=bytearray)
    known: dict[bytes, int] = field(default_factory=dict)

    def put(self, part: bytes) -> int:
        """Append a part at a multiple of four, and return its offset into the model."""
        if part not in self.known:
            self.content += b"\0" * (-len(self.content) % _WORD_BYTES)
            self.known[part] = self.begin + len(self.content)
            self.content += part
        return self.known[part]


def _packed(graph: Graph, steps: Sequence[Step], plan: Plan) -> bytes:
    needs = _needs(steps)
    header = layout_of("rw_model_header")
    call_bytes = layout_of("rw_model_call").n_bytes
    calls_at = header.n_bytes + _WORD_BYTES * len(needs)
    n_calls = sum(len(step.calls) for step in steps)
    body = _Body(calls_at + call_bytes * n_calls)
    calls = b"".join(part for i, step in enumerate(steps) for part in _calls(step, plan, plan.scratch[i], body))
    lists = np.array(needs, dtype="<u4").tobytes() + calls
    content = lists + bytes(body.content)
    content += b"\0" * (-(header.n_bytes + len(content)) % ALIGNMENT)
    values: dict[str, int | float] = {
        "magic": number_named("RW_MODEL_MAGIC"),
        "version": number_named("RW_MODEL_VERSION"),
        "bytes": header.n_bytes + len(content),
        "arena_bytes": plan.arena_bytes,
        "n_needs": len(needs),
        "needs": header.n_bytes,
        "n_steps": n_calls,
        "steps": calls_at,
        **_end("input", graph.tensors[graph.inputs[0]], plan),
        **_end("output", graph.tensors[graph.outputs[0]], plan),
    }
    return header.pack(values) + content


def _end(which: str, tensor: Tensor, plan: Plan) -> dict[str, int | float]:
    if tensor.dtype not in (np.int8, np.float32):
        raise ArtifactError(f"an {which} of {tensor.dtype} is not packed; int8 and float32 are")
    floats = tensor.dtype == np.float32
    return {
        f"{which}.place": plan.tensors[tensor.index],
        f"{which}.bytes": tensor.n_bytes,
        f"{which}.type": number_named("RW_MODEL_FLOAT32" if floats else "RW_MODEL_INT8"),
        f"{which}.scale": 1.0 if floats else tensor.quantised.scale,
        f"{which}.zero": 0 if floats else tensor.quantised.zero_point,
    }


def _calls(step: Step, plan: Plan, scratch: int, body: _Body) -> Iterator[bytes]:
    placed: dict[str, int] = {form.role: form_id(form) for form in step.forms}
    for role, constant in step.constants.items():
        placed[role] = body.put(_table(constant) if isinstance(constant, Table) else _record(constant, placed))
    # A constant that is read as a tensor is told from one in the arena.
    constant_bit = number_named("RW_MODEL_CONSTANT")
    tensors = {role: at | constant_bit for role, at in placed.items() if role.startswith("operand")}
    places = placed | tensors | {f"in{i}": plan.tensors[tensor] for i, tensor in enumerate(step.inputs)}
    places |= {"out": plan.tensors[step.output], "scratch": scratch}
    bands = sum(len(_elements(constant)) for constant in step.constants.values() if _is_band(constant))
    layout = layout_of("rw_model_call")
    for call in step.calls:
        arguments = {f"arguments[{i}]": _argument(argument, places) for i, argument in enumerate(call.arguments)}
        yield layout.pack({"kernel": kernel_id(call.kernel), "bands": bands, **arguments})


def _is_band(constant: Table | Record) -> TypeGuard[Record]:
    return isinstance(constant, Record) and constant.struct == "struct rw_band"


def _argument(argument: str | int, places: Mapping[str, int]) -> int:
    if isinstance(argument, int):
        return argument
    found = _PLACE.fullmatch(argument)
    assert found is not None, argument
    return places[found[1]] + int(found[2] or 0)


def _table(table: Table) -> bytes:
    return np.ascontiguousarray(table.values).astype(_ELEMENTS[table.ctype]).tobytes()


def _record(record: Record, placed: Mapping[str, int]) -> bytes:
    layout = layout_of(record.struct.removeprefix("struct "))
    return b"".join(
        layout.pack({name: _number(value, placed) for name, value in fields.items()}) for fields in _elements(record)
    )


def _number(value: int | str, placed: Mapping[str, int]) -> int | float:
    """A number of a record, however the C text says it."""
    if isinstance(value, int):
        return value
    if role := _ROLE.fullmatch(value):
        return placed[role[1]]
    if value.endswith("f") and value.startswith("0x"):
        return float.fromhex(value.removesuffix("f"))
    return kernel_id(value) if value == _EXACT else number_named(value)
