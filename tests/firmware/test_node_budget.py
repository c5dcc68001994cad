"""What a whole node costs: its parts add up to what other tools say; what passes a limit is refused in one sentence."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from tflite_making import constant, one_operator, value
from watching import linear_autoencoder

from app.cli import _Raceway
from app.commands.edge_budget import budget
from edge.compiler.compilation import compile_model
from edge.emulator.running import run_on_m4
from edge.emulator.toolchain import Toolchain, find_toolchain, run_tool
from edge.node.factory import write_factory
from edge.node.frontend import Setup, frontend_cases, frontend_library
from edge.node.limits import NodeBudgetError, NodeLimits, check_node, read_node_limits
from edge.node.measuring import NodeCost, NodeSetup, build_node, measure_node
from edge.node.parts import PARTS, pieces_of
from edge.node.reference import CHOSEN
from features.contract import NODE
from features.errors import ArtifactError, ParameterError, ToolchainError
from features.extraction import extract
from models.scaler import Scaler

SETUP = NodeSetup(n=256, n_scale=10, n_tail=30)
LEARNED, CLASSES, STACK_SET_ASIDE = 40, 4, 8192
LIMITS = NodeLimits(flash_bytes=100, ram_bytes=60, idle_fraction=0.9)


def machine(rng: np.random.Generator, n: int, *, ringing: float = 0.0) -> NDArray[np.int16]:
    t = np.arange(n * SETUP.n) / SETUP.rate_hz
    x = 0.3 * np.sin(2 * np.pi * 29.0 * t) + 0.05 * rng.normal(size=t.size)
    x += ringing * np.exp(-(t % (1 / 107.0)) * 800.0) * np.sin(2 * np.pi * 3000.0 * t)
    return np.round(x / SETUP.scale).astype(np.int16).reshape(n, SETUP.n)


def features_of(windows: NDArray[np.int16]) -> NDArray[np.float32]:
    unaided = NODE.knowing()
    found = extract(windows.astype(np.float32) * np.float32(SETUP.scale), SETUP.rate_hz, profile=unaided, unit="g")
    return found[:, [unaided.index(NODE.names[i]) for i in CHOSEN]]


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    try:
        return find_toolchain()
    except ToolchainError as error:
        pytest.skip(f"no emulated Cortex-M4: {error}")


@pytest.fixture(scope="module")
def windows() -> NDArray[np.int16]:
    rng = np.random.default_rng(5)
    return np.concatenate([machine(rng, LEARNED + 3), machine(rng, 6, ringing=0.5)])


@pytest.fixture(scope="module")
def models(windows: NDArray[np.int16]) -> dict[str, bytes]:
    features = features_of(windows[:LEARNED])
    weights = np.random.default_rng(6).integers(-127, 128, (CLASSES, SETUP.n))
    kinds = one_operator(
        "FULLY_CONNECTED",
        value((1, SETUP.n), 0.05),
        value((1, CLASSES), 0.5),
        constants=[constant(weights, 0.01), constant(np.zeros(CLASSES), 0.05 * 0.01, dtype=np.int32)],
    )
    return {"health": linear_autoencoder(Scaler.learn(features).apply(features), n_code=6), "kinds": kinds}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("budget")


@pytest.fixture(scope="module")
def networks(models: dict[str, bytes], folder: Path) -> tuple[list[Path], list[Path]]:
    return write_factory(folder / "networks", health=models["health"], kinds=models["kinds"])


@pytest.fixture(scope="module")
def cost(
    networks: tuple[list[Path], list[Path]], windows: NDArray[np.int16], folder: Path, toolchain: Toolchain
) -> NodeCost:
    return measure_node(SETUP, networks, windows, folder / "node", toolchain=toolchain)


def test_the_parts_of_flash_and_ram_are_what_size_says_of_the_whole(
    cost: NodeCost, networks: tuple[list[Path], list[Path]], folder: Path, toolchain: Toolchain
) -> None:
    firmware = build_node(SETUP, networks, folder / "node", toolchain=toolchain)
    lines = run_tool([toolchain.size, str(firmware.elf)]).stdout.splitlines()
    text, data, bss = (int(word) for word in lines[1].split()[:3])
    assert sum(cost.flash.values()) == text + data == firmware.flash_bytes
    assert sum(cost.ram.values()) == data + bss - STACK_SET_ASIDE == firmware.ram_bytes - STACK_SET_ASIDE
    assert cost.totals["flash_bytes"] == text + data
    assert all(cost.flash[part] > 0 for part in PARTS)
    assert 0 < cost.stack_bytes < STACK_SET_ASIDE


def test_the_counts_of_the_front_end_and_of_the_networks_are_those_of_each_alone(
    cost: NodeCost, models: dict[str, bytes], windows: NDArray[np.int16], toolchain: Toolchain, tmp_path: Path
) -> None:
    """Front end and networks as libraries in the harness of the compiler, which counts by another function."""
    setup = Setup(rate_hz=SETUP.rate_hz, scale=SETUP.scale, unit="g")
    alone = run_on_m4(
        frontend_library(tmp_path / "frontend", n=SETUP.n),
        frontend_cases(windows[LEARNED:], setup),
        toolchain=toolchain,
    )
    assert alone.instructions_smallest * 0.99 < cost.instructions["front end"] < alone.instructions * 1.01
    for name, model in models.items():
        library = compile_model(model, name=name, folder=tmp_path / name)
        given = np.zeros((1, library.input_bytes), np.int8)
        network = run_on_m4(library, given, toolchain=toolchain)
        assert cost.instructions[name] == pytest.approx(network.instructions, rel=0.05)
        assert cost.cycles[name] == pytest.approx(network.cycles, rel=0.05)


def test_a_window_beyond_the_threshold_costs_the_second_network_too(cost: NodeCost, windows: NDArray[np.int16]) -> None:
    cycles = sum(cost.cycles.values())
    assert cost.cycles["kernels"] == 0, "they were dealt out to the networks"
    assert cycles > cost.cycles_watching > cost.cycles["front end"]
    assert cycles - cost.cycles_watching >= cost.cycles["kinds"] > 0
    assert (cost.windows, cost.windows_in_alarm) == (len(windows) - LEARNED, 6)
    assert cost.idle_fraction == pytest.approx(1.0 - cycles / 80e6 / (256 / 12e3), rel=1e-12)


def test_windows_that_measure_nothing_are_refused(
    networks: tuple[list[Path], list[Path]], windows: NDArray[np.int16], folder: Path, toolchain: Toolchain
) -> None:
    with pytest.raises(ParameterError, match=r"shape \(40, 256\), were given; int16 of shape \(n, 256\), n above 40"):
        measure_node(SETUP, networks, windows[:LEARNED], folder / "node", toolchain=toolchain)
    with pytest.raises(ParameterError, match="0 of 3 windows were beyond the threshold"):
        measure_node(SETUP, networks, windows[: LEARNED + 3], folder / "node", toolchain=toolchain)


def made_cost() -> NodeCost:
    """At every limit."""
    of = dict.fromkeys(PARTS, 0)
    return NodeCost(
        flash=of | {"front end": 60, "link": 40},
        ram=of | {"rest": 50},
        stack_bytes=10,
        instructions=of | {"front end": 700},
        cycles=of | {"front end": 1000},
        cycles_watching=900,
        windows=5,
        windows_in_alarm=2,
        idle_fraction=0.9,
    )


def test_a_node_at_its_limits_passes_and_one_above_is_refused() -> None:
    check_node(made_cost(), LIMITS)
    above = replace(made_cost(), stack_bytes=15, idle_fraction=0.5)
    said = (
        r"the node exceeds its budget with 65 bytes of RAM and stack \(5 above the 60 allowed\), 50\.0% idle "
        r"\(90\.0% wanted\); .*\[node\]"
    )
    with pytest.raises(NodeBudgetError, match=said) as caught:
        check_node(above, LIMITS)
    assert (caught.value.resource, caught.value.reached, caught.value.allowed) == ("bytes of RAM and stack", 65, 60)
    with pytest.raises(NodeBudgetError, match=r"110 flash bytes \(10 above the 100 allowed\);"):
        check_node(replace(made_cost(), flash={"link": 110}), LIMITS)


def test_the_committed_limits_are_those_of_the_node() -> None:
    assert read_node_limits() == NodeLimits(128 * 1024, 64 * 1024, 0.8)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[node", "is no TOML"),
        ("", "limits nothing; flash_bytes, ram_bytes, idle_fraction are wanted"),
        ("[node]\nflash_bytes = 1\nram_bytes = 1\n", r"limits \['flash_bytes', 'ram_bytes'\]"),
        ("[node]\nflash_bytes = 0\nram_bytes = 1\nidle_fraction = 0.5\n", "positive integers"),
        ("[node]\nflash_bytes = 1\nram_bytes = 1\nidle_fraction = 80\n", "a share from 0 to 1"),
    ],
)
def test_limits_that_say_nothing_clear_are_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "budget.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ArtifactError, match=said):
        read_node_limits(tmp_path / "budget.toml")


def test_a_map_without_sections_and_limits_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="map has no sections"):
        pieces_of("nothing")
    with pytest.raises(ArtifactError, match="cannot be read: No such file"):
        read_node_limits(tmp_path / "none.toml")


class _Alone(_Raceway):
    """`raceway` with this one subcommand, so that refusals become what they become there."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        return budget if cmd_name == "budget" else None


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, toolchain: Toolchain) -> None:
    """The command with all that takes long replaced; it is tried as a whole by hand, with CWRU."""
    del toolchain
    monkeypatch.setattr("edge.node.default.default_windows", lambda *_: np.zeros((1, 1), np.int16))
    monkeypatch.setattr("edge.node.default.default_networks", lambda *_, **__: (b"", b""))
    monkeypatch.setattr("edge.node.factory.write_factory", lambda *_, **__: ([], []))
    monkeypatch.setattr("edge.node.measuring.measure_node", lambda *_, **__: made_cost())


def run(*arguments: str) -> Result:
    return CliRunner().invoke(_Alone(), ["budget", *arguments])


@pytest.mark.usefixtures("told")
def test_the_command_tells_figures_and_a_table() -> None:
    shown = run("--json")
    assert shown.exit_code == 0, shown.output
    figures = json.loads(shown.output)
    assert {name: figures[name] for name in made_cost().totals} == {
        "flash_bytes": 100,
        "ram_bytes": 50,
        "stack_bytes": 10,
        "instructions_per_window": 700,
        "cycles_per_window": 1000,
        "idle_fraction": 0.9,
    }
    table = run().output
    assert re.search(r"^front end +60 +0 +700 +1,000$", table, re.MULTILINE)
    assert re.search(r"^all +100 +50 +700 +1,000$", table, re.MULTILINE)
    assert "RAM 60 of 65,536 bytes, 10 of them stack." in table


@pytest.mark.usefixtures("told")
def test_the_command_refuses_what_exceeds_the_budget_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "budget.toml"
    path.write_text("[node]\nflash_bytes = 99\nram_bytes = 60\nidle_fraction = 0.9\n", encoding="utf-8")
    shown = run("--budget", str(path))
    assert shown.exit_code == 2
    assert "the node exceeds its budget with 100 flash bytes (1 above the 99 allowed);" in shown.output
