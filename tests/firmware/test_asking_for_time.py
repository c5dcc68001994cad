"""How often a node asks for the time, on a clock that is set at will."""

from __future__ import annotations

from pathlib import Path

from c_programs import DRIVERS, FIRMWARE, build_program, run_program


def test_the_time_is_asked_for_once_until_it_is_due_again_also_where_the_clock_stands_at_0(tmp_path: Path) -> None:
    """At 0 ms it used to be asked for in each step; then after 10 s without an answer, and 600 s behind one."""
    sources = [DRIVERS / "asking.c", *(FIRMWARE / "node" / f"rw_{name}.c" for name in ("speaker", "updating"))]
    sources += [path for part in ("link", "update", "crypto") for path in sorted((FIRMWARE / part).glob("*.c"))]
    places = [f"-I{FIRMWARE / part}" for part in ("frontend", "port")]
    program = build_program(sources, tmp_path, flags=places)
    assert run_program(program, b"").split() == [b"1", b"1", b"2", b"2", b"2", b"3"]
