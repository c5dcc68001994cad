"""A model of what instructions cost on a Cortex-M4 without wait states, from `objdump -d`; it measures no silicon.

The tables of cycles in the Cortex-M4 Technical Reference Manual (Arm DDI 0439), as simple rules. An instruction costs
1; a load 2, right behind another load 1; a store 1; two words at once 3; several registers 1 + their number; a taken
branch 3, one that is not taken 1; an integer division 8. In floating point a load or store costs 2 (3 of a double), a
division or root 14, a multiplication with accumulation 3. What loads the program counter costs 2 more than it would.
Inside an IT block an instruction costs 1, since whether its condition held is not counted; a branch there is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Cost", "Instruction", "block_cost", "costs", "parse_disassembly"]

_REFILL = 2  # cycles of refilling the pipeline behind a taken branch
_CONDITION = "(?:eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le|al)"
_BRANCH = re.compile(rf"(?:b|bl|bx|blx)({_CONDITION})?")
_COMPARE_AND_BRANCH = ("cbz", "cbnz")
_TABLE_BRANCH = ("tbb", "tbh")
_SEVERAL = re.compile(r"(?:push|pop|ldm|stm|vpush|vpop|vldm|vstm)")
_LINE = re.compile(r"^ *([0-9a-f]+):\t([0-9a-f ]+?) *\t(\S+)(?:\t([^;@<\n]*))?", re.MULTILINE)
_IT = re.compile(r"it[te]{0,3}")


@dataclass(frozen=True)
class Instruction:
    """One line of a disassembly.

    Attributes
    ----------
    address, size : int
        In bytes.
    mnemonic : str
        Without the width suffix `.n` or `.w`.
    operands : str
        As printed.
    """

    address: int
    size: int
    mnemonic: str
    operands: str


@dataclass(frozen=True)
class Cost:
    """Cycles of one instruction.

    Attributes
    ----------
    size : int
        Bytes, which lead to the next instruction.
    cycles : int
        Behind the instruction before it in memory; without a taken branch unless it always branches.
    cycles_at_target : int
        Where a branch led here.
    cycles_if_taken : int
        What is added each time that it branches; 0 for what always does.
    """

    size: int
    cycles: int
    cycles_at_target: int
    cycles_if_taken: int


def parse_disassembly(text: str) -> tuple[Instruction, ...]:
    r"""Instructions of `objdump -d`, literal pools left out.

    Parameters
    ----------
    text : str
        What `arm-none-eabi-objdump -d` printed.

    Returns
    -------
    tuple of Instruction
        In order of address.

    Examples
    --------
    >>> parse_disassembly("   8:\tf8d1 0004 \tldr.w\tr0, [r1, #4]\n")
    (Instruction(address=8, size=4, mnemonic='ldr', operands='r0, [r1, #4]'),)
    """
    return tuple(
        Instruction(
            int(address, 16), len(code.replace(" ", "")) // 2, re.sub(r"\.[nw]$", "", mnemonic), operands.strip()
        )
        for address, code, mnemonic, operands in _LINE.findall(text)
        if not mnemonic.startswith(".")
    )


def costs(instructions: Sequence[Instruction]) -> dict[int, Cost]:
    r"""What each instruction costs, by address.

    Parameters
    ----------
    instructions : sequence of Instruction
        In order of address.

    Returns
    -------
    dict of int to Cost
        Cycles of each.

    Examples
    --------
    >>> of = costs(parse_disassembly("   0:\t6801 \tldr\tr1, [r0, #0]\n   2:\t6842 \tldr\tr2, [r0, #4]\n"))
    >>> of[0].cycles, of[2].cycles, of[2].cycles_at_target
    (2, 1, 2)
    """
    found: dict[int, Cost] = {}
    behind_load, conditional = False, 0
    end = -1
    for instruction in instructions:
        behind_load = behind_load and instruction.address == end
        found[instruction.address] = _cost(instruction, behind_load=behind_load, conditional=conditional > 0)
        behind_load = _is_load(instruction) and not conditional
        is_it = _IT.fullmatch(instruction.mnemonic) is not None
        conditional = len(instruction.mnemonic) - 1 if is_it else max(conditional - 1, 0)
        end = instruction.address + instruction.size
    return found


def block_cost(cost_of: Mapping[int, Cost], start: int, end: int) -> Cost:
    """Cycles of the instructions from one address to another, of which only the last may branch.

    Parameters
    ----------
    cost_of : mapping of int to Cost
        From `costs`.
    start, end : int
        First address, and the first one behind.

    Returns
    -------
    Cost
        Of the whole; its size is `end - start`.

    Raises
    ------
    KeyError
        If no instruction begins at `start`, or where the one before ends.
    """
    first = last = cost_of[start]
    cycles, address = first.cycles, start + first.size
    while address < end:
        last = cost_of[address]
        cycles, address = cycles + last.cycles, address + last.size
    at_target = cycles - first.cycles + first.cycles_at_target
    return Cost(end - start, cycles, at_target, last.cycles_if_taken)


def _cost(instruction: Instruction, *, behind_load: bool, conditional: bool) -> Cost:
    full, branches = _cycles(instruction), _branches(instruction)
    refill = _REFILL if branches else 0
    if conditional:  # only what it adds when it branches shows that its condition held
        return Cost(instruction.size, 1, 1, full - 1 + refill if branches else 0)
    if _is_conditional_branch(instruction):
        return Cost(instruction.size, full, full, refill)
    saved = 1 if behind_load and _is_load(instruction) else 0
    return Cost(instruction.size, full + refill - saved, full + refill, 0)


def _cycles(instruction: Instruction) -> int:
    """Cycles of an instruction by itself, no branch taken."""
    name = instruction.mnemonic
    if _SEVERAL.match(name):
        return 1 + _words(instruction.operands)
    if name.startswith(("ldrd", "strd")):
        return 3
    if name.startswith(("vldr", "vstr")):
        return 3 if re.match(r"d\d", instruction.operands) else 2
    if _is_load(instruction) or name in _TABLE_BRANCH:
        return 2
    return _arithmetic_cycles(name)


def _arithmetic_cycles(name: str) -> int:
    if name.startswith(("sdiv", "udiv")):
        return 8
    if name.startswith(("vdiv", "vsqrt")):
        return 14
    if name.startswith(("vfma", "vfms", "vfnma", "vfnms", "vmla", "vmls", "vnmla", "vnmls")):
        return 3
    return 1


def _is_load(instruction: Instruction) -> bool:
    return instruction.mnemonic.startswith("ldr") and not instruction.mnemonic.startswith("ldrd")


def _is_conditional_branch(instruction: Instruction) -> bool:
    match = _BRANCH.fullmatch(instruction.mnemonic)
    return instruction.mnemonic in _COMPARE_AND_BRANCH or (match is not None and match[1] is not None)


def _branches(instruction: Instruction) -> bool:
    """Whether it writes the program counter."""
    name, operands = instruction.mnemonic, instruction.operands
    if _BRANCH.fullmatch(name) or name in _COMPARE_AND_BRANCH or name in _TABLE_BRANCH:
        return True
    if _SEVERAL.match(name):
        return not name.startswith(("push", "stm")) and re.search(r"\bpc\b", operands) is not None
    return name.startswith(("mov", "add", "ldr")) and re.match(r"pc\b", operands) is not None


def _words(operands: str) -> int:
    """Words that a list such as `{r4, r5, lr}`, `{s16-s19}` or `{d8-d9}` moves."""
    words = 0
    for part in operands[operands.index("{") + 1 : operands.index("}")].split(","):
        numbers = [int(number) for number in re.findall(r"\d+", part)]
        registers = numbers[-1] - numbers[0] + 1 if len(numbers) == 2 else 1
        words += registers * (2 if part.strip().startswith("d") else 1)
    return words
