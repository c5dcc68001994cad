"""The loader of packed models under sanitisers: what it says of a model, and what it makes of damage."""

from __future__ import annotations

import hashlib
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from c_programs import DRIVERS, build_program, run_program
from networks import KERNELS, Draft, chain, one_kernel
from tflite_making import Made, value

from edge.compiler.firmware import Firmware, default_firmware, read_firmware
from edge.compiler.layouts import RUNTIME, layout_of
from edge.compiler.packed import PackedEnd, describe
from edge.compiler.packing import form_id, kernel_id, pack_model
from edge.compiler.step import Form
from edge.oracle import ends_of, run_tflm
from edge.tflite.reading import read_tflite
from features.errors import ArtifactError

_STATUSES = {
    name: int(value)
    for name, value in re.findall(r"^ +X\((\w+), (-?\d+), ", (RUNTIME / "rw_model.h").read_text(), re.MULTILINE)
}
_HEADER = layout_of("rw_model_header")
_END = "<IIIfi"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sources = [*sorted(RUNTIME.glob("*.c")), DRIVERS / "model_driver.c"]
    return build_program(sources, tmp_path_factory.mktemp("models"), flags=["-O1"])


def _case(kind: bytes, packed: bytes, a: int = 0, b: int = 0, more: bytes = b"") -> bytes:
    return kind + struct.pack("=3I", len(packed), a, b) + packed + more


def _run(program: Path, packed: bytes, case: Made) -> bytes:
    given = np.ascontiguousarray(case.inputs).reshape(len(case.inputs), -1).view(np.uint8)
    return run_program(program, _case(b"r", packed, *given.shape, given.tobytes()))


def _status(program: Path, packed: bytes) -> int:
    return int(np.frombuffer(run_program(program, _case(b"r", packed)), "<i4")[0])


def _wanted(case: Made) -> bytes:
    return np.ascontiguousarray(run_tflm(case.model, case.inputs)).tobytes()


def _changed(packed: bytes, **fields: int) -> bytes:
    """A packed model with other numbers in its header."""
    changed = bytearray(packed)
    for name, number in fields.items():
        place = 4 * [known for known, _ in _HEADER.numbers].index(name.replace("__", "."))
        changed[place : place + 4] = struct.pack("<I", number & 0xFFFFFFFF)
    return bytes(changed)


def _numbers(packed: bytes) -> dict[str, int]:
    values = struct.unpack_from("<" + _HEADER.format, packed)
    return {name: value for (name, _), value in zip(_HEADER.numbers, values, strict=True)}


def test_the_loader_and_python_say_the_same_of_a_model(program: Path) -> None:
    for case in (chain(3), one_kernel("QUANTIZE of floats", 1), one_kernel("DEQUANTIZE", 1)):
        packed = pack_model(case.model)
        found = _run(program, packed, case)
        said = describe(packed)
        assert struct.unpack_from("<i", found)[0] == _STATUSES["OK"]
        assert struct.unpack_from("<I", found, 8)[0] == said.arena_bytes
        graph = read_tflite(case.model)
        for end, tensor, at in zip((said.input, said.output), ends_of(graph), (12, 32), strict=True):
            _, n_bytes, kind, scale, zero = struct.unpack_from(_END, found, at)
            assert PackedEnd(n_bytes, ("int8", "float32")[kind], scale, zero) == end
            assert (end.n_bytes, end.dtype) == (tensor.n_bytes, tensor.dtype.name)
            if tensor.dtype == np.int8:
                assert (end.scale, end.zero_point) == (tensor.quantised.scale, tensor.quantised.zero_point)
        (n_needs,) = struct.unpack_from("<I", found, 52)
        assert struct.unpack_from(f"<{n_needs}I", found, 56) == said.needs
        assert found.endswith(_wanted(case))


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"magic": 0x444D5753}, "BAD_MAGIC"),
        ({"version": 2}, "BAD_VERSION"),
        ({"bytes": 8}, "BAD_LENGTH"),
        ({"arena_bytes": 1 << 24}, "BAD_HEADER"),
        ({"input__place": 1 << 20}, "BAD_HEADER"),
        ({"output__bytes": 0}, "BAD_HEADER"),
        ({"output__type": 2}, "BAD_HEADER"),
        ({"input__scale": 0x7FC00000}, "BAD_HEADER"),
        ({"input__zero": 128}, "BAD_HEADER"),
        ({"needs": 0xFFFFFFFC}, "BAD_OFFSET"),
        ({"steps": 0}, "LACKS"),
        ({"n_steps": 1 << 28}, "BAD_OFFSET"),
    ],
)
def test_a_damaged_header_is_refused_with_its_reason(program: Path, fields: dict[str, int], status: str) -> None:
    packed = pack_model(chain(3).model)
    assert _status(program, packed) == _STATUSES["OK"]
    assert _status(program, _changed(packed, **fields)) == _STATUSES[status]


def test_a_model_that_is_cut_off_is_refused_wherever_it_is_cut(program: Path) -> None:
    packed = pack_model(chain(3).model)
    cases = [_case(b"r", packed[:n]) for n in range(0, len(packed), 7)]
    cases += [_case(b"r", _changed(packed[:n], bytes=n)) for n in range(_HEADER.n_bytes, len(packed) - 8, 7)]
    found = np.frombuffer(run_program(program, b"".join(cases)), "<i4")[::2]
    assert len(found) == len(cases)
    assert (found < 0).all()
    assert {_STATUSES["BAD_LENGTH"], _STATUSES["BAD_OFFSET"], _STATUSES["BAD_TABLE"]} <= set(found.tolist())


def test_thousands_of_damaged_models_read_and_write_nothing_outside(program: Path) -> None:
    """Those that open are run, too: the sanitisers end the program at the first byte beyond, or at an overflow."""
    trials = 1500
    cases = [one_kernel(name, seed) for name in KERNELS for seed in (0, 1)] + [chain(seed) for seed in range(12)]
    given = [_case(b"m", pack_model(case.model), trials, seed) for seed, case in enumerate(cases)]
    counts = np.frombuffer(run_program(program, b"".join(given)), "<u4").reshape(len(cases), -1)
    assert (counts.sum(axis=1) == trials).all()
    assert (counts[:, 0] > trials // 20).all()
    reached = {-value for value in _STATUSES.values()} - {-_STATUSES["BAD_ALIGNMENT"], -_STATUSES["BAD_MEMORY"]}
    reached -= {-_STATUSES["BAD_MAGIC"], -_STATUSES["BAD_VERSION"]}
    assert {int(i) for i in np.flatnonzero(counts.sum(axis=0))} >= reached


def test_what_a_firmware_lacks_is_told_by_its_number(program: Path) -> None:
    packed = pack_model(chain(3).model)
    at = _numbers(packed)["needs"]
    for number in (127, 0x1F7, 0xFFFFFFFF):
        changed = packed[:at] + struct.pack("<I", number) + packed[at + 4 :]
        lacking, memory, status = struct.unpack("<IIi", run_program(program, _case(b"l", changed)))
        assert (lacking, memory, status) == (number, 0, _STATUSES["LACKS"])
    lacking, memory, status = struct.unpack("<IIi", run_program(program, _case(b"l", packed)))
    assert (lacking, status) == (0, _STATUSES["BAD_MEMORY"])
    assert memory >= describe(packed).memory_bytes


def test_a_firmware_of_few_forms_is_packed_for_with_those(program: Path) -> None:
    """One form for each tile, which computes all: the same outputs, by none but those forms."""
    few = frozenset(form for form in default_firmware().forms if not form.one_segment and form.rows != 2)
    assert len(few) == 4
    firmware = Firmware(default_firmware().kernels, few, exact=True)
    others = 0
    for seed in range(40):
        case = chain(seed)
        packed = pack_model(case.model, firmware=firmware)
        forms = {need for need in describe(packed).needs if need >= 256}
        assert forms <= {form_id(form) for form in few}
        others += len(set(describe(pack_model(case.model)).needs) - set(describe(packed).needs))
        assert _run(program, packed, case).endswith(_wanted(case)), case.label
    assert others > 20


def test_a_firmware_without_pooled_forms_pools_by_itself(program: Path) -> None:
    forms = frozenset(form for form in default_firmware().forms if not form.pooled)
    firmware = Firmware(default_firmware().kernels, forms, exact=True)
    pooled = [seed for seed in range(300) if "CONV_2D" in (label := chain(seed).label) and "MAX_POOL" in label]
    separate = 0
    for seed in pooled[:25]:
        try:
            packed = pack_model(chain(seed).model, firmware=firmware)
        except ArtifactError:
            continue  # several kernel rows, for which every form of this firmware is pooled
        separate += kernel_id("rw_max_pool") in describe(packed).needs
        assert _run(program, packed, chain(seed)).endswith(_wanted(chain(seed)))
    assert separate > 3


def test_what_the_firmware_lacks_is_refused_by_name() -> None:
    has = default_firmware()
    softmax = one_kernel("SOFTMAX", 0).model
    with pytest.raises(ArtifactError, match=r"SOFTMAX cannot be packed: the firmware lacks rw_softmax"):
        pack_model(softmax, firmware=Firmware(has.kernels - {"rw_softmax"}, has.forms, has.exact))
    dense = next(case for case in map(chain, range(100)) if "FULLY_CONNECTED" in case.label)
    with pytest.raises(ArtifactError, match=r"cannot be computed by the forms that the firmware has: \d+ rows"):
        pack_model(dense.model, firmware=Firmware(has.kernels, frozenset(), has.exact))


def test_a_firmwares_header_chooses_what_is_linked(tmp_path: Path) -> None:
    header = """
#define RW_MODEL_KERNELS(X) X(convolve) X(lookup)
#define RW_MODEL_FORMS(X) X(1, 1, 1, 0, 1, 1)
#define RW_MODEL_EXACT 0
"""
    (tmp_path / "own.h").write_text(header)
    program = build_program(
        [*sorted(RUNTIME.glob("*.c")), DRIVERS / "model_driver.c"],
        tmp_path,
        flags=["-O1", '-DRW_MODEL_HAS="own.h"', f"-I{tmp_path}"],
    )
    firmware = read_firmware(header)
    assert (firmware.kernels, firmware.exact) == ({"rw_convolve", "rw_lookup"}, False)
    assert firmware.forms == {Form(rows=1, sparse=True, pooled=True, one_segment=False, per_row=True, clamped=True)}
    case = one_kernel("TANH", 0)
    assert _run(program, pack_model(case.model, firmware=firmware), case).endswith(_wanted(case))
    packed = pack_model(one_kernel("SOFTMAX", 0).model)
    lacking, _, status = struct.unpack("<IIi", run_program(program, _case(b"l", packed)))
    assert (lacking, status) == (kernel_id("rw_softmax"), _STATUSES["LACKS"])


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("#define RW_MODEL_FORMS(X) X(4, 0, 0, 1, 0, 0)", "the header given lacks one"),
        (
            "#define RW_MODEL_KERNELS(X) X(add)\n#define RW_MODEL_FORMS(X) X(2, 0, 0, 1, 0, 0)\n"
            "#define RW_MODEL_EXACT 1",
            "dense_2_one_segment",
        ),
        (
            "#define RW_MODEL_KERNELS(X) X(add)\n#define RW_MODEL_FORMS(X) X(4, 0, 0, 1, 0)\n#define RW_MODEL_EXACT 1",
            "forms that the product has not",
        ),
    ],
)
def test_what_is_no_firmwares_header_is_refused(header: str, sentence: str) -> None:
    with pytest.raises(ArtifactError, match=sentence):
        read_firmware(header)


def test_packing_repeats_itself_and_keeps_the_same_bytes_once() -> None:
    model = chain(5).model
    assert pack_model(model) == pack_model(model)
    draft = Draft(np.random.default_rng(0), [value((1, 300), 0.05, -128)])
    append, _ = KERNELS["RELU6"]
    append(draft)
    once = len(pack_model(draft.made().model))
    append(draft)
    # Another call, and no other table.
    assert len(pack_model(draft.made().model)) - once == 4 * 8


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "no packed model was given"),
        (b"TFL3" * 40, "no packed model was given"),
        (pack_model(one_kernel("TANH", 0).model)[:-8], "cut off or of another version"),
        (_changed(pack_model(one_kernel("TANH", 0).model), n_steps=1 << 20), "lists lie outside of it"),
    ],
)
def test_what_is_no_packed_model_is_not_described(content: bytes, sentence: str) -> None:
    with pytest.raises(ArtifactError, match=sentence):
        describe(content)


def test_a_struct_that_changes_asks_for_a_new_version() -> None:
    """Firmware in the field reads records of the version that it knows: they change with RW_MODEL_VERSION only."""
    names = ["add", "multiply", "band", "convolution", "plain_convolution", "depthwise", "pool", "mean", "quantise"]
    names += ["softmax", "model_header", "model_call"]
    text = repr([layout_of(f"rw_{name}") for name in names])
    version = re.search(r"#define RW_MODEL_VERSION (\d+)u", (RUNTIME / "rw_model.h").read_text())
    assert version is not None
    assert {hashlib.sha256(text.encode()).hexdigest()[:16]: int(version[1])} == {"2545b1c945835218": 1}
