"""The page of the front end says what it takes, how near it comes, and shows code that runs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from edge.node.contract import FRONTEND, LARGEST_WINDOW, SMALLEST_WINDOW
from edge.node.frontend import HostFrontend, Setup, build_host_frontend
from edge.node.parity import FLOORS
from features.contract import NODE

_PAGE = (Path(__file__).parents[2] / "docs" / "FRONTEND.md").read_text(encoding="utf-8")


def test_the_example_prints_what_the_page_says(tmp_path: Path) -> None:
    (example,) = re.findall(r"```c\n(.*?)```", _PAGE, flags=re.DOTALL)
    (tmp_path / "main.c").write_text(example)
    program = tmp_path / "main"
    sources = [tmp_path / "main.c", *FRONTEND.glob("*.c")]
    command = ["gcc", "-std=c11", "-O1", "-Wall", "-Wextra", f"-I{FRONTEND}", *sources, "-o", program, "-lm"]
    subprocess.run(command, check=True)
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout.strip()
    assert f"It prints `{printed}`." in _PAGE


def test_the_floors_are_those_of_the_code() -> None:
    rows = dict(re.findall(r"^\| `(\w+)`.* \| ([\d.]+) \|$", _PAGE, flags=re.MULTILINE))
    packets = {name for name in FLOORS if name.startswith("packet_share_")}
    assert {float(rows["packet_share_00"])} == {FLOORS[name] for name in packets}
    others = {name: FLOORS[name] for name in FLOORS.keys() - packets}
    assert {name: float(rows[name]) for name in rows.keys() - packets} == others


def test_the_memory_is_what_the_front_end_asks_for(tmp_path: Path) -> None:
    frontend: HostFrontend = build_host_frontend(tmp_path)
    rows = re.findall(r"^\| (\d+) \| ([\d,]+) \| [\d,]+ \| ([\d,]+) \| ([\d.]+) % \|$", _PAGE, flags=re.MULTILINE)
    lengths = [int(n) for n, *_ in rows]
    assert (lengths[0], lengths[-1]) == (SMALLEST_WINDOW, LARGEST_WINDOW)
    for n, stated, cycles, share in rows:
        assert frontend.bytes_for(Setup(12_000.0, 0.001, "g"), int(n)) == int(stated.replace(",", ""))
        wanted = 100.0 * int(cycles.replace(",", "")) / (80e6 * int(n) / 12_000.0)
        assert float(share) == pytest.approx(wanted, abs=0.051)


def test_the_number_of_features_is_counted() -> None:
    assert f"the {len(NODE.features)} features of the profile `node`" in _PAGE.replace("\n", " ")
