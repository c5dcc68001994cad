"""The C text of a compiled model: constants, a function for each step, and the three functions a caller sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge.compiler.library import Library
from edge.compiler.memory import ALIGNMENT, Plan
from edge.compiler.step import Call, Form, Record, Step, Table
from edge.tflite.graph import Graph, Tensor

__all__ = ["emit"]

_WIDTH = 118


def emit(graph: Graph, steps: Sequence[Step], plan: Plan, library: Library) -> dict[str, str]:
    """Write the two files of a model.

    Returns
    -------
    dict of str to str
        `rw_<name>.h` and `rw_<name>.c`, in ASCII.
    """
    name = library.name
    return {
        f"rw_{name}.h": _header(graph, library),
        f"rw_{name}.c": "\n".join(_source(graph, steps, plan, library)),
    }


def _header(graph: Graph, library: Library) -> str:
    name, upper = library.name, library.name.upper()
    entry, out = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    return f"""/* A network compiled by Raceway; made, not written.
 *
 * Input: {_described(entry)}.
 * Output: {_described(out)}.
 * Input, output and scratch lie in one arena of the caller, aligned to {ALIGNMENT} bytes;
 * a run overwrites the input. */
#ifndef RW_{upper}_H
#define RW_{upper}_H

#include <stdint.h>

#define RW_{upper}_ARENA_BYTES {library.arena_bytes}u
#define RW_{upper}_INPUT_BYTES {library.input_bytes}u
#define RW_{upper}_OUTPUT_BYTES {library.output_bytes}u

#ifdef __cplusplus
extern "C" {{
#endif

int8_t *rw_{name}_input(void *arena);
void rw_{name}_run(void *arena);
const int8_t *rw_{name}_output(const void *arena);

#ifdef __cplusplus
}}
#endif

#endif
"""


def _described(tensor: Tensor) -> str:
    shape = " x ".join(str(size) for size in tensor.shape)
    if tensor.quantisation is None:
        return f"{shape} {tensor.dtype}"
    quantised = tensor.quantisation
    return f"{shape} {tensor.dtype}, number = {quantised.scale!r} * (integer - {quantised.zero_point})".replace(
        "- -", "+ "
    )


def _source(graph: Graph, steps: Sequence[Step], plan: Plan, library: Library) -> list[str]:
    prefix = f"rw_{library.name}"
    headers = sorted({source.replace(".c", ".h") for step in steps for source in step.sources})
    forms = {form.role: form for step in steps for form in step.forms}
    lines = [f"/* {prefix}.h says what this computes; made, not written. */", f'#include "{prefix}.h"', ""]
    lines += [f'#include "{header}"' for header in headers]
    lines += [line for role in sorted(forms) for line in _form(prefix, forms[role])]
    for i, step in enumerate(steps):
        lines += _step(prefix, i, step, plan)
    lines += ["", f"int8_t *{prefix}_input(void *arena)", "{", f"    return {_at(plan, graph.inputs[0])};", "}"]
    lines += ["", f"void {prefix}_run(void *arena)", "{"]
    # A network that only changes shapes has no steps.
    lines += [f"    {prefix}_op_{i:02d}(arena);" for i in range(len(steps))] or ["    (void)arena;"]
    lines += ["}", "", f"const int8_t *{prefix}_output(const void *arena)", "{"]
    return [*lines, f"    return (const int8_t *)arena + {plan.tensors[graph.outputs[0]]};", "}", ""]


def _at(plan: Plan, tensor: int) -> str:
    return f"(int8_t *)arena + {plan.tensors[tensor]}"


def _form(prefix: str, form: Form) -> list[str]:
    truth = {True: "true", False: "false"}
    flags = (form.sparse, form.pooled, form.one_segment, form.per_row, form.clamped)
    fields = ", ".join([str(form.rows), *(truth[flag] for flag in flags)])
    return [
        "",
        f"RW_KERNEL static void {prefix}_{form.role}(const struct rw_band *band, const struct rw_window *window,",
        "    int8_t *out)",
        "{",
        f"    rw_tiles(band, window, out, (struct rw_form){{{fields}}});",
        "}",
    ]


def _step(prefix: str, index: int, step: Step, plan: Plan) -> list[str]:
    plain = {role: f"{prefix}_{index:02d}_{role}" for role in step.constants}
    names = {role: f"{_address(constant)}{plain[role]}" for role, constant in step.constants.items()}
    names |= {form.role: f"{prefix}_{form.role}" for form in step.forms}
    lines = ["", f"/* {', '.join(step.operators)} */"]
    for role, constant in step.constants.items():
        if isinstance(constant, Table):
            lines += _table(plain[role], constant)
        else:
            lines += _record(plain[role], names, constant)
    places = {f"in{i}": _at(plan, tensor) for i, tensor in enumerate(step.inputs)}
    places |= {"out": _at(plan, step.output), "scratch": f"(void *)((int8_t *)arena + {plan.scratch[index]})"}
    calls = [_call(call, {**names, **places}) for call in step.calls]
    return [
        *lines,
        "",
        f"static __attribute__((noinline)) void {prefix}_op_{index:02d}(void *arena)",
        "{",
        *(f"    {call}" for call in calls),
        "}",
    ]


def _address(constant: Table | Record) -> str:
    """What makes an address of a constant's name: arrays are theirs already."""
    return "&" if isinstance(constant, Record) and not constant.more else ""


def _call(call: Call, names: Mapping[str, str]) -> str:
    given = [f"{part}u" if isinstance(part, int) else part.format_map(names) for part in call.arguments]
    return f"{call.kernel}({', '.join(given)});"


def _table(name: str, table: Table) -> list[str]:
    values = [_number(int(value), table.ctype) for value in table.values.reshape(-1)]
    lines, line = [f"static const {table.ctype} {name}[{len(values)}] = {{"], "   "
    for value in values:
        if len(line) + len(value) + 2 > _WIDTH:
            lines.append(line)
            line = "   "
        line += f" {value},"
    return [*lines, line, "};"]


def _number(value: int, ctype: str) -> str:
    if ctype == "uint32_t":
        return f"{value & 0xFFFFFFFF:#x}u"
    # The least int32 cannot be written as one literal.
    return "INT32_MIN" if value == -(1 << 31) else str(value)


def _record(name: str, names: Mapping[str, str], record: Record) -> list[str]:
    if not record.more:
        return [f"static const {record.struct} {name} = {{", *_fields(names, record.fields), "};"]
    lines = [f"static const {record.struct} {name}[{1 + len(record.more)}] = {{"]
    for fields in (record.fields, *record.more):
        lines += ["    {", *(f"    {line}" for line in _fields(names, fields)), "    },"]
    return [*lines, "};"]


def _fields(names: Mapping[str, str], fields: Mapping[str, int | str]) -> list[str]:
    return [f"    .{key} = {str(value).format_map(names)}," for key, value in fields.items()]
