"""The cycle model on snippets whose cycles were counted by hand, by the rules that the module states."""

from __future__ import annotations

import pytest

from edge.emulator.cycles import Cost, block_cost, costs, parse_disassembly


def listing(*lines: str) -> str:
    """A disassembly of 16-bit instructions from address 0 on."""
    return "".join(f"{2 * i:8x}:\t0000      \t{line}\n" for i, line in enumerate(lines))


def cost(*lines: str) -> Cost:
    return block_cost(costs(parse_disassembly(listing(*lines))), 0, 2 * len(lines))


@pytest.mark.parametrize(
    ("line", "cycles"),
    [
        ("adds\tr0, r1, r2", 1),
        ("smlad\tr0, r1, r2, r3", 1),
        ("sxtb16\tr0, r1, ror #8", 1),
        ("bic.w\tr0, r1, r2", 1),
        ("bfi\tr0, r1, #0, #8", 1),
        ("ldr\tr0, [r1, #4]", 2),
        ("ldrsb.w\tr0, [r1], #1", 2),
        ("str\tr0, [r1, #4]", 1),
        ("ldrd\tr0, r1, [r2]", 3),
        ("strd\tr0, r1, [r2]", 3),
        ("push\t{r4, r5, lr}", 4),
        ("pop\t{r4, r5}", 3),
        ("pop\t{r4, pc}", 5),
        ("ldmia.w\tr0!, {r1, r2, r3, r4}", 5),
        ("ldmia.w\tsp!, {r4, r5, pc}", 6),
        ("stmdb\tsp!, {r4, r5, r6, lr}", 5),
        ("vpush\t{d8-d9}", 5),
        ("vldmia\tr0!, {s16-s19}", 5),
        ("vpop\t{d8}", 3),
        ("vldr\ts0, [r0]", 2),
        ("vldr\td0, [r0]", 3),
        ("vstr\ts0, [r0]", 2),
        ("udiv\tr0, r1, r2", 8),
        ("sdiv\tr0, r1, r2", 8),
        ("vdiv.f32\ts0, s1, s2", 14),
        ("vsqrt.f32\ts0, s1", 14),
        ("vfma.f32\ts0, s1, s2", 3),
        ("vadd.f32\ts0, s1, s2", 1),
        ("b.n\t0 <here>", 3),
        ("bl\t0 <here>", 3),
        ("blx\tr3", 3),
        ("bx\tlr", 3),
        ("mov\tpc, r3", 3),
        ("ldr.w\tpc, [r1, r2, lsl #2]", 4),
        ("tbb\t[pc, r3]", 4),
    ],
)
def test_an_instruction_costs(line: str, cycles: int) -> None:
    assert cost(line) == Cost(2, cycles, cycles, 0)


@pytest.mark.parametrize("line", ["bne.n\t0 <here>", "bls.w\t0 <here>", "blt.n\t0 <here>", "cbz\tr0, 0 <here>"])
def test_a_conditional_branch_costs_two_more_when_taken(line: str) -> None:
    assert cost(line) == Cost(2, 1, 1, 2)


def test_loads_in_a_row_cost_one_each_after_the_first() -> None:
    assert cost("ldr\tr0, [r4, #0]", "ldrb\tr1, [r4, #4]", "ldrsh\tr2, [r4, #8]", "adds\tr0, r0, r1").cycles == 5


def test_a_load_behind_anything_else_costs_two() -> None:
    assert cost("ldr\tr0, [r4, #0]", "adds\tr0, r0, r1", "ldr\tr1, [r4, #4]").cycles == 5
    assert cost("ldrd\tr0, r1, [r4]", "ldr\tr2, [r4, #8]").cycles == 5
    assert cost("pop\t{r4}", "ldr\tr2, [r4, #8]").cycles == 4


def test_a_load_that_a_branch_led_to_costs_two() -> None:
    of = costs(parse_disassembly(listing("ldr\tr0, [r4]", "ldr\tr1, [r4]", "subs\tr2, #1", "bne.n\t2 <here>")))
    assert block_cost(of, 2, 8) == Cost(6, 3, 4, 2)


def test_a_literal_pool_ends_a_row_of_loads() -> None:
    lines = (
        "   0:\t6801      \tldr\tr1, [r0]",
        "   2:\t00001234 \t.word\t0x00001234",
        "   6:\t6801      \tldr\tr1, [r0]",
    )
    of = costs(parse_disassembly("\n".join(lines)))
    assert sorted(of) == [0, 6]
    assert of[6].cycles == 2


def test_inside_an_it_block_an_instruction_costs_one() -> None:
    lines = ("itet\tne", "ldrne\tr0, [r1]", "moveq\tr0, #0", "sdivne\tr0, r1, r2", "ldr\tr3, [r0]")
    assert cost(*lines).cycles == 1 + 3 + 2


def test_a_conditional_return_costs_what_it_does_only_when_taken() -> None:
    assert cost("it\teq", "popeq\t{r4, r5, pc}") == Cost(4, 2, 2, 5)
    assert cost("it\teq", "bxeq\tlr") == Cost(4, 2, 2, 2)


def test_a_loop_counted_by_hand() -> None:
    """Eight bytes: four loads of which three are cheap, two products that accumulate, count and branch."""
    body = (
        "ldr\tr4, [r0, #0]",
        "ldr\tr5, [r0, #4]",
        "ldr\tr6, [r1, #0]",
        "ldr\tr7, [r1, #4]",
        "smlad\tr2, r4, r6, r2",
        "smlad\tr2, r5, r7, r2",
        "subs\tr3, #1",
        "bne.n\t0 <here>",
    )
    once = cost(*body)
    assert once.cycles_at_target == 2 + 1 + 1 + 1 + 1 + 1 + 1 + 1
    assert 10 * once.cycles_at_target + 9 * once.cycles_if_taken == 90 + 18


def test_widths_addresses_and_symbols_are_read() -> None:
    lines = (
        "image.elf:     file format elf32-littlearm\n\n00000388 <rw_m_run>:",
        "     388:\tf912 cf01 \tldrsb.w\tip, [r2, #1]!",
        "     38c:\td1fc      \tbne.n\t388 <rw_m_run>",
        "     38e:\tbf00      \tnop",
    )
    first, second, third = parse_disassembly("\n".join(lines))
    assert (third.address, third.mnemonic, third.operands) == (0x38E, "nop", "")
    assert (first.address, first.size, first.mnemonic, first.operands) == (0x388, 4, "ldrsb", "ip, [r2, #1]!")
    assert (second.address, second.size, second.mnemonic, second.operands) == (0x38C, 2, "bne", "388")


def test_code_that_is_not_there_is_refused() -> None:
    with pytest.raises(KeyError, match="2"):
        block_cost(costs(parse_disassembly(listing("nop"))), 0, 4)
