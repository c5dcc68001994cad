"""Learned networks: the same in Keras and LiteRT, sealed in bundles, refused when damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from edge.convert import to_tflite
from features.errors import ArtifactError, ContractError, ParameterError
from features.faultmap import MAP_HASH
from models.autoencoder import Baseline, learn_baseline, write_baseline
from models.bundle import load_bundle
from models.diagnosis import CLASSES, Diagnosis, balanced_accuracy, learn_diagnosis, simulated_maps, write_diagnosis
from models.scaler import LIMIT, Scaler
from models.serving import Diagnoser, Network, Scorer

_PROVENANCE = {"rate_hz": 12_000.0}


def _features(n: int = 64) -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.exp(rng.standard_normal((n, 2)) @ rng.standard_normal((2, 10)) * 0.1).astype(np.float32)


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return learn_baseline(_features(), convert=to_tflite, seed=1, epochs=60)


@pytest.fixture(scope="module")
def diagnosis() -> tuple[Diagnosis, np.ndarray]:
    maps, kinds = simulated_maps(np.random.default_rng(1), n=1000)
    return learn_diagnosis(maps, kinds, convert=to_tflite, seed=1, epochs=4), maps


@pytest.fixture
def folder(baseline: Baseline, tmp_path: Path) -> Path:
    return write_baseline(tmp_path, baseline, bundle_id="b", contract="c", seed=1, provenance=_PROVENANCE)


def test_litert_gives_what_keras_gives(baseline: Baseline, diagnosis: tuple[Diagnosis, np.ndarray]) -> None:
    scaled = baseline.scaler.apply(_features())
    np.testing.assert_allclose(Network(baseline.network)(scaled), baseline.model.predict(scaled, verbose=0), atol=1e-5)
    network, maps = diagnosis
    served = Network(network.network)(maps[:50])
    np.testing.assert_allclose(served, network.model.predict(maps[:50], verbose=0), atol=1e-5)
    np.testing.assert_allclose(served.sum(axis=-1), 1.0, atol=1e-5)


def test_learning_repeats_under_a_seed_and_tells_health_from_change(baseline: Baseline) -> None:
    again = learn_baseline(_features(), convert=to_tflite, seed=1, epochs=60)
    assert again.threshold == pytest.approx(baseline.threshold, rel=1e-4)

    # Of 64 errors the 13 highest are the tail, which is bounded here and so taken as exponential.
    ordered = np.sort(baseline.held_out)
    excesses = ordered[-13:] - ordered[-14]
    assert baseline.tail.shape == 0.0
    level = ordered[-14] + scipy.stats.expon.isf(1e-3 * 64 / 13, scale=excesses.mean())
    assert baseline.threshold == pytest.approx(level)


def test_the_bundle_says_what_the_threshold_stands_for(baseline: Baseline, folder: Path) -> None:
    manifest = load_bundle(folder).manifest
    assert manifest.thresholds["score"] == baseline.threshold
    assert manifest.metrics["false_alarm_rate"] == 1e-3
    tail = (manifest.metrics["tail_shape"], manifest.metrics["tail_scale"])
    assert tail == (baseline.tail.shape, baseline.tail.scale)


def test_a_lower_rate_means_a_higher_threshold_and_an_absurd_one_is_refused(baseline: Baseline) -> None:
    stricter = learn_baseline(_features(), convert=to_tflite, seed=1, epochs=60, false_alarm_rate=1e-5)
    assert stricter.threshold == pytest.approx(baseline.tail.level(1e-5), rel=1e-4)
    assert stricter.threshold > baseline.threshold
    for rate in (0.0, 0.3):
        with pytest.raises(ParameterError, match=r"rate of \S+ was given; above 0, at most 0\.2"):
            learn_baseline(_features(), convert=to_tflite, seed=1, false_alarm_rate=rate)


def test_scoring_does_not_learn(folder: Path) -> None:
    scorer = Scorer(load_bundle(folder), contract="c")
    x = _features()
    first = scorer.score(x)
    scorer.score(3.0 * x)
    np.testing.assert_array_equal(scorer.score(x), first)
    assert (first < scorer.threshold).all()
    assert (scorer.score(3.0 * x) > scorer.threshold).all()
    np.testing.assert_allclose(scorer.evidence(x).sum(axis=-1), 1.0)


def test_kinds_of_simulated_machines_are_learned(diagnosis: tuple[Diagnosis, np.ndarray], tmp_path: Path) -> None:
    network, maps = diagnosis
    # Chance is a quarter; a few epochs on few windows already tell the kinds apart.
    assert network.validation["validation_balanced_accuracy"] > 0.4
    folder = write_diagnosis(tmp_path, network, bundle_id="d", seed=1, n=1000)
    diagnoser = Diagnoser(load_bundle(folder), contract=MAP_HASH)
    assert diagnoser.classes == CLASSES
    assert diagnoser.probabilities(maps[:3]).shape == (3, 4)
    with pytest.raises(ParameterError, match="do not belong together"):
        learn_diagnosis(maps[:, :5], np.zeros(1000, int), convert=to_tflite, seed=1, epochs=1)
    with pytest.raises(ParameterError, match="not all of 4 classes"):
        learn_diagnosis(maps, np.zeros(1000, int), convert=to_tflite, seed=1, epochs=1)


@pytest.mark.parametrize("name", ["manifest.json", "model.tflite", "arrays.npz"])
@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_a_damaged_bundle_is_refused(folder: Path, name: str, damage: str) -> None:
    file = folder / name
    content = file.read_bytes()
    file.unlink()
    if damage == "truncated":
        file.write_bytes(content[: len(content) // 2])
    with pytest.raises(ArtifactError, match="train it again"):
        load_bundle(folder)


def test_another_contract_or_role_is_refused(folder: Path) -> None:
    with pytest.raises(ContractError, match="contract x were offered to a model of contract c"):
        Scorer(load_bundle(folder), contract="x")
    with pytest.raises(ArtifactError, match="has the role baseline"):
        Diagnoser(load_bundle(folder), contract="c")


def test_no_draft_is_left_behind(folder: Path) -> None:
    assert [path.name for path in folder.parent.iterdir()] == ["b"]


def test_a_scaler_centres_what_it_learned() -> None:
    x = _features(500)
    scaled = Scaler.learn(x).apply(x)
    np.testing.assert_allclose(scaled.mean(axis=0), 0.0, atol=1e-3)
    np.testing.assert_allclose(scaled.std(axis=0), 1.0, atol=1e-2)
    assert np.abs(Scaler.learn(x).apply(1e30 * x)).max() == LIMIT


def test_too_short_a_start_is_refused() -> None:
    with pytest.raises(ParameterError, match="given 10 windows; at least 32"):
        learn_baseline(_features(10), convert=to_tflite, seed=1)
    with pytest.raises(ParameterError, match="two or more rows"):
        Scaler.learn(np.array([[1.0], [np.nan]]))


def test_balanced_accuracy_weighs_kinds_alike() -> None:
    assert balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0])) == 0.5


def test_a_column_that_hugs_zero_takes_no_logarithm(rng: np.random.Generator) -> None:
    """Positive in all healthy windows by chance, negative in the next: it must not stand alone for all others."""
    healthy = np.abs(rng.standard_normal((90, 2))) + np.array([1e-6, 20.0])
    scaler = Scaler.learn(healthy)
    assert scaler.logarithmic.tolist() == [False, True]
    assert np.abs(scaler.apply(np.array([[-0.1, 20.5]]))).max() < 5.0


def test_a_level_that_is_gone_is_far_but_finite(rng: np.random.Generator) -> None:
    scaler = Scaler.learn(np.exp(0.1 * rng.standard_normal((90, 1))))
    assert scaler.logarithmic.all()
    assert scaler.apply(np.array([[0.0], [-1.0]])).tolist() == [[-10.0], [-10.0]]
