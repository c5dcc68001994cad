"""The node's verdicts against the service's own scaler, tail and alarm, on made windows and on all of CWRU's."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import chain
from numpy.typing import NDArray
from tflite_making import Node, constant, value, write_tflite
from watching import Watching, build_watching, linear_autoencoder

from edge.node.reference import CHOSEN, Network, NodeConfig, State, Verdict, reference_verdicts
from features.contract import NODE, WATCHED
from features.errors import ArtifactError, ParameterError
from features.extraction import extract
from models.alarm import AlarmConfig
from models.datasets import cwru
from models.scaler import Scaler

N, STEP_G = 2048, 1.0 / 2048.0
# Single precision against double. Where a scaled feature lies halfway between two steps of int8, the two may round it
# to other sides, and the network answers a step differently: rare, small, and no verdict may hang on it.
SCORE_RTOL, THRESHOLD_RTOL, PROBABILITY_ATOL = 2e-4, 2e-3, 1e-6
ROUNDED_ASIDE_SHARE, ROUNDED_ASIDE_RTOL = 0.02, 2e-2


def toy_kinds(rng: np.random.Generator, *, n: int = 64, classes: int = 4) -> bytes:
    """A softmax over a dense layer of the standardised samples."""
    weights = rng.integers(-127, 128, (classes, n))
    values = [
        value((1, n), 4.0 / 127.0),
        constant(weights, 0.01),
        constant(np.zeros(classes), 0.01 * 4.0 / 127.0, dtype=np.int32),
        value((1, classes), 0.25),
        value((1, classes), 1.0 / 256.0, -128),
    ]
    nodes = [Node("FULLY_CONNECTED", (0, 1, 2), (3,)), Node("SOFTMAX", (3,), (4,), {"beta": 1.0})]
    return write_tflite(values, nodes, inputs=[0], outputs=[4])


def machine(rng: np.random.Generator, n: int, *, k: int = 12) -> NDArray[np.float32]:
    """Features of a healthy machine: levels far above zero, values that hug it, a constant, one near -1,000."""
    hidden = rng.normal(size=(n, 3))
    mixed = hidden @ rng.normal(size=(3, k)) + 0.3 * rng.normal(size=(n, k))
    mixed[:, :6] = np.exp(0.1 * mixed[:, :6] + np.arange(6))
    mixed[:, 6] = 7.5
    mixed[:, 7] -= 1000.0
    return mixed.astype(np.float32)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Watching, bytes, bytes]:
    rng = np.random.default_rng(7)
    other = machine(rng, 300)
    health = linear_autoencoder(Scaler.learn(other).apply(other), n_code=3)
    kinds = toy_kinds(rng)
    return build_watching(tmp_path_factory.mktemp("made"), health=health, kinds=kinds), health, kinds


def assert_same(found: list[Verdict], wanted: list[Verdict]) -> None:
    said = [(v.state, v.change, v.kind, v.score is None, v.threshold is None) for v in wanted]
    assert [(v.state, v.change, v.kind, v.score is None, v.threshold is None) for v in found] == said
    scores, thresholds, probabilities = (
        np.array([[getattr(v, name) or 0.0 for v in side] for side in (found, wanted)])
        for name in ("score", "threshold", "probability")
    )
    np.testing.assert_allclose(*scores, rtol=ROUNDED_ASIDE_RTOL)
    assert np.mean(~np.isclose(*scores, rtol=SCORE_RTOL, atol=0.0)) <= ROUNDED_ASIDE_SHARE
    np.testing.assert_allclose(*thresholds, rtol=THRESHOLD_RTOL)
    np.testing.assert_allclose(*probabilities, rtol=0.0, atol=PROBABILITY_ATOL)


def test_a_life_with_two_faults_and_repair(made: tuple[Watching, bytes, bytes], rng: np.random.Generator) -> None:
    watching, health, kinds = made
    features = machine(rng, 400)
    features[200:240, 2] *= 8.0
    features[300:312, 8:10] += np.float32([60.0, -60.0])
    features[350, 1] = -1.0  # a level that is not there
    windows = rng.integers(-3000, 3000, (400, 100)).astype(np.int16)
    windows[205] = 17  # nothing moves: no class
    config = NodeConfig(n_scale=70, n_tail=60)
    wanted = reference_verdicts(features, windows, health=Network(health), kinds=Network(kinds), config=config)
    changes = [v.change for v in wanted if v.change]
    assert changes == ["raised", "cleared"] * 2
    assert_same(watching.run(features, windows, config=config), wanted)


@pytest.mark.parametrize("n_tail", [30, 31, 47, 64, 101, 256])
@pytest.mark.parametrize("rate", [0.1, 1e-3, 1e-5])
def test_thresholds_of_any_number_of_scores(
    n_tail: int, rate: float, made: tuple[Watching, bytes, bytes], rng: np.random.Generator
) -> None:
    """Heavy tails and light ones: the machine's features are drawn anew for each."""
    watching, health, _ = made
    features = machine(rng, 30 + n_tail + 20)
    features[30 + n_tail // 2] *= 1.0 + rate
    windows = rng.integers(-99, 99, (len(features), 64)).astype(np.int16)
    config = NodeConfig(n_scale=30, n_tail=n_tail, false_alarm_rate=rate, alarm=AlarmConfig(1, 1, 1.0))
    wanted = reference_verdicts(features, windows, health=Network(health), config=config)
    found = [replace(v, kind=-1, probability=0.0) for v in watching.run(features, windows, config=config)]
    assert_same(found, wanted)


def test_a_baseline_outlives_a_loss_of_power_and_an_alarm_is_raised_anew(
    made: tuple[Watching, bytes, bytes], rng: np.random.Generator
) -> None:
    watching, _, _ = made
    features = machine(rng, 160)
    features[140:, 3] *= 3.0
    windows = rng.integers(-99, 99, (160, 64)).astype(np.int16)
    config = NodeConfig(n_scale=64, n_tail=64)
    whole = watching.run(features, windows, config=config)
    cut = watching.run(features, windows, config=config, cut_behind=150)
    assert [v.score for v in cut] == [v.score for v in whole]
    assert [i for i, v in enumerate(cut) if v.change == "raised"] == [142, 152]
    assert whole[-1].state == cut[-1].state == State.ALARM


def test_scores_that_are_all_alike_set_no_threshold(
    made: tuple[Watching, bytes, bytes], rng: np.random.Generator
) -> None:
    """A sensor that is not connected gives the same window for ever: commissioning begins again, and says nothing."""
    watching, health, _ = made
    features = np.repeat(machine(rng, 1), 300, axis=0)
    windows = np.zeros((300, 64), np.int16)
    config = NodeConfig()
    assert {v.state for v in watching.run(features, windows, config=config)} == {State.COMMISSIONING}
    with pytest.raises(ParameterError, match="scores must vary"):
        reference_verdicts(features, windows, health=Network(health), config=config)
    features[150:] = machine(rng, 150)
    assert watching.run(features, windows, config=config)[127 + 128].state == State.WATCHING


@pytest.mark.parametrize(
    ("config", "status"),
    [
        (NodeConfig(n_scale=1), 1),
        (NodeConfig(n_tail=29), 1),
        (NodeConfig(n_tail=257), 1),
        (NodeConfig(false_alarm_rate=0.0), 2),
        (NodeConfig(false_alarm_rate=0.21), 2),
        (NodeConfig(false_alarm_rate=float("nan")), 2),
    ],
)
def test_what_cannot_be_learned_is_refused(
    config: NodeConfig, status: int, made: tuple[Watching, bytes, bytes], rng: np.random.Generator
) -> None:
    watching, _, _ = made
    windows = np.zeros((1, 64), np.int16)
    assert watching.run(machine(rng, 1), windows, config=config, status=status) == []


def test_a_network_of_another_form_is_refused() -> None:
    features = np.zeros((10, 12), np.float32)
    floats = write_tflite(
        [value((1, 4), dtype=np.float32), value((1, 4), dtype=np.float32)],
        [Node("RELU", (0,), (1,))],
        inputs=[0],
        outputs=[1],
    )
    with pytest.raises(ArtifactError, match="int8 inputs and outputs are wanted"):
        Network(floats)
    with pytest.raises(ParameterError, match="128 are learned from"):
        reference_verdicts(features, np.zeros((10, 64), np.int16), health=Network(chain(1).model), config=NodeConfig())


def test_health_is_learned_from_what_every_window_has() -> None:
    names = [NODE.names[i] for i in CHOSEN]
    assert set(names) == set(NODE.names) & set(WATCHED.names)
    assert not {feature.needs for feature in NODE.features if feature.name in names} - {()}


@functools.cache
def cwru_windows(folder: Path) -> dict[str, NDArray[np.int16]]:
    """All records at 12 kHz in steps of an ADC, cut to windows; healthy ones first, by load."""
    records = sorted(cwru.records(folder, rate_hz=12_000.0), key=lambda r: (r.kind != "normal", r.load_hp, r.name))
    cuts = {}
    for record in records:
        steps = np.round(record.read().samples[0] / STEP_G)
        x = np.clip(steps, -32767, 32767).astype(np.int16)
        cuts[record.name] = x[: len(x) // N * N].reshape(-1, N)
    return cuts


def test_all_of_cwru_is_judged_as_the_service_would(data_dir: Path, tmp_path: Path) -> None:
    """Commissioned on the healthy bearing; then its remaining windows and all damaged bearings, one after another."""
    cuts = cwru_windows(data_dir / "cwru")
    windows = np.concatenate(list(cuts.values()))
    samples = windows.astype(np.float32) * np.float32(STEP_G)
    features = _features(samples)
    learned = features[:128]
    health = linear_autoencoder(Scaler.learn(learned).apply(learned), n_code=8)
    kinds = toy_kinds(np.random.default_rng(3), n=1024, classes=10)
    config = NodeConfig()
    wanted = reference_verdicts(features, windows, health=Network(health), kinds=Network(kinds), config=config)
    assert len(wanted) > 3500
    assert {v.state for v in wanted} == {State.COMMISSIONING, State.WATCHING, State.ALARM}
    watching = build_watching(tmp_path / "cwru", health=health, kinds=kinds)
    assert_same(watching.run(features, windows, config=config), wanted)


def _features(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    unaided = NODE.knowing()
    found = extract(samples, 12_000.0, profile=unaided, unit="g")
    return found[:, [unaided.index(NODE.names[i]) for i in CHOSEN]]
