"""What docs/MODEL_FORMAT.md says of packed models is what packer and loader do."""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path

import pytest
from networks import chain

from edge.compiler.layouts import RUNTIME, layout_of, number_named
from edge.compiler.packed import describe
from edge.compiler.packing import form_id, kernel_id, pack_model
from edge.compiler.step import Form
from edge.emulator.toolchain import find_toolchain
from features.errors import ToolchainError

_PAGE = (RUNTIME.parents[1] / "docs" / "MODEL_FORMAT.md").read_text(encoding="utf-8")


def _fenced(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", _PAGE, flags=re.DOTALL)
    return str(found)


def test_the_header_is_the_structs() -> None:
    rows = re.findall(r"^\| (\d+) \| (\w+) \| `([\w.]+)` \|", _PAGE, flags=re.MULTILINE)
    numbers = layout_of("rw_model_header").numbers
    wanted = [(str(4 * i), ctype.removesuffix("_t"), name) for i, (name, ctype) in enumerate(numbers)]
    assert rows == wanted
    assert f"0x{number_named('RW_MODEL_MAGIC'):X}, the letters RWMD" in _PAGE
    assert number_named("RW_MODEL_MAGIC").to_bytes(4, "little") == b"RWMD"
    assert f"The format, version {number_named('RW_MODEL_VERSION')}\n" in _PAGE
    assert f"{number_named('RW_MODEL_LARGEST'):,} at most" in _PAGE


def test_the_kernels_have_their_numbers_and_parameters() -> None:
    rows = re.findall(r"^\| (\d+) \| `(rw_\w+)` \| (.+?) \| (?:`(\w+)` )?\|$", _PAGE, flags=re.MULTILINE)
    assert len(rows) == len(re.findall(r"RW_MODEL_ID_\w+ = ", (RUNTIME / "rw_model_parts.h").read_text())) == 14
    declared = "\n".join(path.read_text() for path in RUNTIME.glob("rw_*.h"))
    for number, kernel, arguments, record in rows:
        assert kernel_id(kernel) == int(number)
        (parameters,) = re.findall(rf"^void {kernel}\((.*?)\);", declared, flags=re.MULTILINE | re.DOTALL)
        if kernel != "rw_exact":
            assert len(arguments.split(", ")) == len(parameters.split(","))
            assert (f"const struct {record} *op" in parameters) == bool(record)


def test_a_forms_number_is_made_of_its_parts() -> None:
    plain = Form(4, sparse=False, pooled=False, one_segment=False, per_row=False, clamped=False)
    whole = Form(4, sparse=True, pooled=True, one_segment=True, per_row=True, clamped=True)
    named = re.search(
        r"is 256, plus the rows of a tile, plus (\d+) where it is sparse, (\d+) pooled, (\d+) of one segment, (\d+)\s+"
        r"with a scale for each row, (\d+) clamped",
        _PAGE,
    )
    assert named is not None
    assert form_id(plain) == 260
    assert form_id(whole) - form_id(plain) == sum(map(int, named.groups()))


def test_the_table_of_reasons_is_the_headers() -> None:
    text = (RUNTIME / "rw_model.h").read_text()
    words = re.findall(r'X\((\w+), (-?\d+), "([^"]+)"\)', text)
    rows = re.findall(r"^\| (-?\d+) \| `([A-Z_]+)` \| (.+) \|$", _PAGE, flags=re.MULTILINE)
    assert rows == [(code, name, meaning) for name, code, meaning in words]


def test_calls_and_lists_lie_as_the_page_says() -> None:
    """A model read by hand: lists behind the header, each call seven words, each record at a multiple of four."""
    packed = pack_model(chain(3).model)
    fields = dict(zip((name for name, _ in layout_of("rw_model_header").numbers),
                      struct.unpack_from("<8I3Ifi3Ifi", packed), strict=True))  # fmt: skip
    assert fields["needs"] == 72
    assert fields["steps"] == 72 + 4 * fields["n_needs"]
    needs = struct.unpack_from(f"<{fields['n_needs']}I", packed, fields["needs"])
    assert needs == describe(packed).needs == tuple(sorted(set(needs)))
    calls = list(struct.iter_unpack("<7I", packed[fields["steps"] : fields["steps"] + 28 * fields["n_steps"]]))
    assert {call[0] for call in calls} == {need for need in needs if need < 128}
    assert len(packed) % 8 == 0
    for kernel, bands, *arguments in calls:
        assert (bands > 0) == (kernel == kernel_id("rw_convolve"))
        assert arguments[0] % 4 == 0


def test_the_python_snippet_runs() -> None:
    given: dict[str, object] = {"packed": pack_model(chain(3).model)}
    exec(compile(_fenced("python"), "MODEL_FORMAT.md", "exec"), given)
    said = describe(pack_model(chain(3).model))
    assert (given["operators"], given["memory_bytes"]) == (said.needs, said.memory_bytes + said.arena_bytes)


def test_the_c_snippet_builds_without_a_warning(tmp_path: Path) -> None:
    try:
        gcc = find_toolchain().gcc
    except ToolchainError as error:
        pytest.skip(f"no compiler for the node: {error}")
    (tmp_path / "snippet.c").write_text(
        "const signed char *infer(const void *, unsigned, void *, unsigned, void *, unsigned, const signed char *);\n"
        + _fenced("c")
    )
    flags = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror", f"-I{RUNTIME}", "-c")
    done = subprocess.run([gcc, *flags, "snippet.c"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
