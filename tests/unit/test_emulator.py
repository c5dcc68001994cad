"""Libraries written by hand, whose outputs, counts, sizes and stack are known, on the emulated Cortex-M4."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.compiler.library import Library
from edge.emulator.building import build_image
from edge.emulator.running import M4Run, run_on_m4
from edge.emulator.toolchain import Toolchain, find_toolchain, run_tool
from features.errors import ArtifactError, ParameterError, ToolchainError

HEADER = """
#include <stdint.h>
#define RW_TOY_ARENA_BYTES 16u
#define RW_TOY_INPUT_BYTES 8u
#define RW_TOY_OUTPUT_BYTES 4u
int8_t *rw_toy_input(void *arena);
void rw_toy_run(void *arena);
const int8_t *rw_toy_output(const void *arena);
"""

# The input lies at 0, the output at 8. Without a return in the naked functions, only what is written is executed.
FRAME = """
#include "rw_toy.h"
#define ASSEMBLY __attribute__((naked, noinline, used))
#define C_CODE __attribute__((noinline))
int8_t *rw_toy_input(void *arena) { return arena; }
const int8_t *rw_toy_output(const void *arena) { return (const int8_t *)arena + 8; }
"""

# push 3, mov 1, bl 3, mov 1, bl 3, pop with pc 5: 6 instructions, 16 cycles.
RUN = """
ASSEMBLY void rw_toy_run(void *arena)
{
    (void)arena;
    __asm__("push {r4, lr}\\n mov r4, r0\\n bl rw_toy_op_00\\n mov r0, r4\\n bl rw_toy_op_01\\n pop {r4, pc}");
}
"""
RUN_COST = (6, 16)

RETURN = 'ASSEMBLY static void rw_toy_op_{:02d}(void) {{ __asm__("bx lr"); }}\n'
RETURN_COST = (1, 3)


def assembly(index: int, *lines: str) -> str:
    text = "\\n".join(lines)
    return f'ASSEMBLY static void rw_toy_op_{index:02d}(void) {{ __asm__("{text}"); }}\n'


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    try:
        return find_toolchain()
    except ToolchainError as error:
        pytest.skip(f"no emulated Cortex-M4: {error}")


@pytest.fixture
def inputs() -> NDArray[np.int8]:
    return np.arange(24, dtype=np.int8).reshape(3, 8)


def toy(place: Path, code: str, **changed: object) -> Library:
    (place / "rw_toy.h").write_text(HEADER)
    (place / "rw_toy.c").write_text(FRAME + code)
    library = Library(
        place, "toy", input_bytes=8, output_bytes=4, arena_bytes=16, model_bytes=0, operators=("FIRST", "SECOND")
    )
    return Library(**{**vars(library), **changed})  # type: ignore[arg-type]


def measured(run: M4Run) -> list[tuple[int, int]]:
    return [(operator.instructions, operator.cycles) for operator in run.operators]


def test_a_loop_counted_by_hand(tmp_path: Path, toolchain: Toolchain, inputs: NDArray[np.int8]) -> None:
    """movs 1, ten times subs 1, nine branches of 3 and a last of 1, bx 3."""
    code = assembly(0, "movs r1, #10", "1: subs r1, #1", "bne 1b", "bx lr") + RETURN.format(1) + RUN
    run = run_on_m4(toy(tmp_path, code), inputs, toolchain=toolchain)
    loop = (1 + 10 + 10 + 1, 1 + 10 + (9 * 3 + 1) + 3)
    assert measured(run) == [loop, RETURN_COST]
    assert (run.instructions, run.cycles) == tuple(sum(part) for part in zip(loop, RETURN_COST, RUN_COST, strict=True))
    assert run.instructions_smallest == run.instructions
    assert [operator.name for operator in run.operators] == ["FIRST", "SECOND"]


def test_what_a_condition_leaves_out_is_counted(tmp_path: Path, toolchain: Toolchain, inputs: NDArray[np.int8]) -> None:
    code = assembly(0, "cmp r0, #0", "itt eq", "addeq r1, r1, #1", "bxeq lr", "nop", "bx lr") + RETURN.format(1) + RUN
    run = run_on_m4(toy(tmp_path, code), inputs, toolchain=toolchain)
    assert measured(run)[0] == (6, 5 + 3)
    taken = assembly(0, "cmp r0, #0", "itt ne", "addne r1, r1, #1", "bxne lr", "nop", "bx lr") + RETURN.format(1) + RUN
    run = run_on_m4(toy(tmp_path, taken), inputs, toolchain=toolchain)
    assert measured(run)[0] == (4, 3 + 3)


def test_a_long_row_is_one_row_though_the_emulator_splits_it(
    tmp_path: Path, toolchain: Toolchain, inputs: NDArray[np.int8]
) -> None:
    """3,000 loads span six pages of 1 KB; the first costs 2, the others 1."""
    code = assembly(0, ".rept 3000", "ldr r1, [r0]", ".endr", "bx lr") + RETURN.format(1) + RUN
    run = run_on_m4(toy(tmp_path, code), inputs, toolchain=toolchain)
    assert measured(run)[0] == (3001, 3001 + 3)


def test_the_longest_inference_is_reported_and_the_shortest_named(tmp_path: Path, toolchain: Toolchain) -> None:
    """The first operator loops as often as the first input says; a kernel counts where it was called from."""
    kernel = 'ASSEMBLY static void kernel(void) { __asm__("1: subs r1, #1\\n bne 1b\\n bx lr"); }\n'
    first = assembly(0, "ldrsb r1, [r0]", "b kernel")
    second = assembly(1, "movs r1, #1", "b kernel")
    inputs = np.zeros((3, 8), np.int8)
    inputs[:, 0] = [5, 50, 20]
    run = run_on_m4(toy(tmp_path, kernel + first + second + RUN), inputs, toolchain=toolchain)
    assert measured(run) == [(2 + 2 * 50 + 1, 2 + 3 + 50 + 49 * 3 + 1 + 3), (2 + 2 + 1, 1 + 3 + 1 + 1 + 3)]
    assert run.instructions - run.instructions_smallest == 2 * (50 - 5)


C_MODEL = """
static const int8_t factors[8] = {1, 2, 3, 4, 5, 6, 7, 8};
C_CODE static void rw_toy_op_00(int8_t *x)
{
    for (int i = 0; i < 8; i++) { x[i] = (int8_t)(x[i] * factors[i]); }
}
C_CODE static void rw_toy_op_01(int8_t *x)
{
    for (int i = 0; i < 4; i++) { x[8 + i] = (int8_t)(x[i] + x[i + 4]); }
}
void rw_toy_run(void *arena)
{
    rw_toy_op_00(arena);
    rw_toy_op_01(arena);
}
"""


def test_outputs_come_back_for_every_input(tmp_path: Path, toolchain: Toolchain, rng: np.random.Generator) -> None:
    inputs = rng.integers(-128, 128, (200, 8)).astype(np.int8)
    library = toy(tmp_path, C_MODEL)
    run = run_on_m4(library, inputs, toolchain=toolchain)
    products = (inputs * np.arange(1, 9)).astype(np.int8)
    np.testing.assert_array_equal(run.outputs, (products[:, :4].astype(int) + products[:, 4:]).astype(np.int8))
    assert run.model_bytes == 8
    again = run_on_m4(library, inputs, toolchain=toolchain)
    assert (again.instructions, again.cycles, again.operators) == (run.instructions, run.cycles, run.operators)


def stepped(library: Library, inputs: NDArray[np.int8], folder: Path, toolchain: Toolchain) -> list[int]:
    """Instructions of each inference by QEMU's own log, one translation block for each instruction."""
    image = build_image(library, folder, toolchain=toolchain)
    (folder / "inputs.bin").write_bytes(len(inputs).to_bytes(8, "little") + inputs.tobytes())
    one_each = "-singlestep" in run_tool([toolchain.qemu, "--help"]).stdout
    options = ["-singlestep"] if one_each else ["-accel", "tcg,one-insn-per-tb=on"]
    board = ["-M", "mps2-an386", "-display", "none", "-monitor", "none", "-serial", "none"]
    files = ["-device", "loader,file=inputs.bin,addr=0x21000000,force-raw=on", "-kernel", image.path.name]
    log = ["-semihosting-config", "enable=on,target=native", "-d", "exec,nochain", "-D", "log.txt"]
    assert run_tool([toolchain.qemu, *board, *files, *log, *options], folder=folder).returncode == 0
    trace = re.findall(r"^Trace \d+: \S+ \[[0-9a-f]+/([0-9a-f]+)/", (folder / "log.txt").read_text(), re.MULTILINE)
    addresses = [int(address, 16) for address in trace]
    starts = [place for place, address in enumerate(addresses) if address == image.run.start]
    # The harness calls through a register, with 2 bytes: the run is over when control is behind them.
    return [addresses.index(addresses[start - 1] + 2, start) - start for start in starts]


def test_an_emulator_that_steps_counts_the_same(tmp_path: Path, toolchain: Toolchain, rng: np.random.Generator) -> None:
    """Loops, conditions, a division, a call of libc and code across pages, compiled; two emulations of one image."""
    code = """
    #include <string.h>
    C_CODE static void rw_toy_op_00(int8_t *x)
    {
        int32_t sum = 0;
        for (int i = 0; i < 8; i++) { sum += x[i] > 0 ? x[i] * x[i] : -x[i]; }
        memset(x + 8, sum / (1 + (x[0] & 15)), (size_t)(x[1] & 7));
        __asm__ volatile(".rept 700\\n ldr r3, [%0]\\n .endr" : : "r"(x) : "r3");
    }
    C_CODE static void rw_toy_op_01(int8_t *x)
    {
        for (int i = 0; i < (x[2] & 31); i++) { x[8] = (int8_t)(x[8] < x[3] ? x[8] + 3 : x[8] ^ x[4]); }
    }
    """
    inputs = rng.integers(-128, 128, (4, 8)).astype(np.int8)
    library = toy(tmp_path, code + C_MODEL[C_MODEL.index("void rw_toy_run") :])
    run = run_on_m4(library, inputs, toolchain=toolchain)
    folder = tmp_path / "stepped"
    folder.mkdir()
    counted = stepped(library, inputs, folder, toolchain)
    assert len(set(counted)) > 1
    assert (run.instructions, run.instructions_smallest) == (max(counted), min(counted))


def test_a_folder_may_be_relative(
    tmp_path: Path, toolchain: Toolchain, inputs: NDArray[np.int8], monkeypatch: pytest.MonkeyPatch
) -> None:
    library = toy(tmp_path, C_MODEL, folder=Path())
    monkeypatch.chdir(tmp_path)
    assert run_on_m4(library, inputs, count=False, toolchain=toolchain).model_bytes == 8


def test_nothing_is_counted_where_none_is_asked_for(
    tmp_path: Path, toolchain: Toolchain, inputs: NDArray[np.int8]
) -> None:
    library = toy(tmp_path, C_MODEL)
    run = run_on_m4(library, inputs, count=False, toolchain=toolchain)
    counted = run_on_m4(library, inputs, toolchain=toolchain)
    np.testing.assert_array_equal(run.outputs, counted.outputs)
    assert (run.instructions, run.cycles, run.operators) == (0, 0, ())
    assert run.flash_bytes == counted.flash_bytes


def test_sizes_are_those_of_the_library_alone(tmp_path: Path, toolchain: Toolchain, inputs: NDArray[np.int8]) -> None:
    """Every part has a size set by hand: code of assembly, constants, a table with initial values and an empty one."""
    empty = run_on_m4(toy(tmp_path, RETURN.format(0) + RETURN.format(1) + RUN), inputs, toolchain=toolchain)
    assert (empty.model_bytes, empty.ram_bytes) == (0, 16)
    tables = """
    __attribute__((used)) static const uint32_t constants[25] = {1};
    __attribute__((used)) static uint32_t values[10] = {1};
    __attribute__((used)) static uint32_t zeros[30];
    """
    use = "ldr r1, =constants\\n ldr r1, =values\\n ldr r1, =zeros\\n bx lr\\n .ltorg"
    first = f'ASSEMBLY static void rw_toy_op_00(void) {{ __asm__("{use}"); }}\n'
    full = run_on_m4(toy(tmp_path, tables + first + RETURN.format(1) + RUN), inputs, toolchain=toolchain)
    assert full.model_bytes == 100
    assert full.ram_bytes == 16 + 40 + 120
    # Functions begin at multiples of 4: the empty operator's 2 bytes take 4; this one has 3 loads and 3 literals.
    assert full.flash_bytes - empty.flash_bytes == 100 + 40 + (3 * 2 + 2 + 3 * 4) - 4


def test_what_the_library_pulls_in_of_libc_is_its_own(
    tmp_path: Path, toolchain: Toolchain, inputs: NDArray[np.int8]
) -> None:
    plain = run_on_m4(toy(tmp_path, C_MODEL), inputs, toolchain=toolchain)
    code = "#include <string.h>\n" + C_MODEL.replace(
        "for (int i = 0; i < 8", "memset(x + 8, 0, (size_t)(x[0] & 7)); for (int i = 0; i < 8"
    )
    run = run_on_m4(toy(tmp_path, code), inputs, toolchain=toolchain)
    assert run.flash_bytes > plain.flash_bytes
    np.testing.assert_array_equal(run.outputs, plain.outputs)


@pytest.mark.parametrize("depth", [0, 8, 1000, 40000])
def test_stack_is_what_the_run_wrote_to(
    depth: int, tmp_path: Path, toolchain: Toolchain, inputs: NDArray[np.int8]
) -> None:
    """The run itself pushes 8 bytes; an operator that goes deeper writes its lowest word."""
    deeper = assembly(0, f"movw r1, #{depth}", "sub sp, sp, r1", "str r0, [sp]", "add sp, sp, r1", "bx lr")
    code = (deeper if depth else RETURN.format(0)) + RETURN.format(1) + RUN
    assert run_on_m4(toy(tmp_path, code), inputs, toolchain=toolchain).stack_bytes == 8 + depth


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("udf #0",), r"faulted at 0x[0-9a-f]{8} in rw_toy_op_00 \(fault status 0x00010000\)"),
        (("mov r1, #0x60000000", "str r0, [r1]", "bx lr"), "faulted at 0x[0-9a-f]{8} in rw_toy_op_00"),
        (("mov r1, #16", "str r0, [r1]", "bx lr"), "faulted at 0x[0-9a-f]{8} in rw_toy_op_00"),
        (("1: push {r0-r7}", "b 1b"), "overflowed the stack"),
        (("str r0, [r0, #16]", "bx lr"), "wrote outside its arena of 16 bytes"),
        (("str r0, [r0, #-4]", "bx lr"), "wrote outside its arena of 16 bytes"),
        (("1: b 1b",), r"did not end its runs within 0\.5 s"),
    ],
)
def test_a_library_that_goes_wrong_is_an_error(
    lines: tuple[str, ...], message: str, tmp_path: Path, toolchain: Toolchain, inputs: NDArray[np.int8]
) -> None:
    library = toy(tmp_path, assembly(0, *lines) + RETURN.format(1) + RUN)
    # On a busy machine the emulator itself may take longer to start than what never ends is given.
    patience_s = 0.5 if "did not end" in message else 60.0
    with pytest.raises(ArtifactError, match=f"the library toy {message}"):
        run_on_m4(library, inputs, timeout_s=patience_s, toolchain=toolchain)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("int wrong(", "the library toy does not compile: .*error"),
        (RETURN.format(0) + RUN, "the library toy does not link: .*rw_toy_op_01"),
        ("void rw_toy_run(void *arena) { (void)arena; }", "names 2 operators, but .* for 0"),
    ],
)
def test_a_library_that_does_not_build_is_an_error(
    code: str, message: str, tmp_path: Path, toolchain: Toolchain, inputs: NDArray[np.int8]
) -> None:
    with pytest.raises(ArtifactError, match=message):
        run_on_m4(toy(tmp_path, code), inputs, toolchain=toolchain)


def test_a_description_that_is_not_the_header_s_is_an_error(
    tmp_path: Path, toolchain: Toolchain, inputs: NDArray[np.int8]
) -> None:
    with pytest.raises(ArtifactError, match="arena bytes of the header are not those given"):
        run_on_m4(toy(tmp_path, C_MODEL, arena_bytes=24), inputs, toolchain=toolchain)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((2, 7), np.int8), r"shape \(2, 7\)"),
        (np.zeros((2, 8), np.int16), "int16"),
        (np.zeros((0, 8), np.int8), "n at least 1"),
        (np.zeros((1 << 21, 8), np.int8), "16777216 bytes of inputs do not fit"),
    ],
)
def test_inputs_of_another_form_are_refused(wrong: NDArray[np.int8], message: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=message):
        run_on_m4(toy(tmp_path, C_MODEL), wrong)
