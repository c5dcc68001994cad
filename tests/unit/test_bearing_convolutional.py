"""Convolutional systems tell what differs in spectrum and repeat; their fronts, hierarchy and search do as they say."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray
from one_pass import one_pass

from features.bearing import bearing_named
from features.errors import ParameterError
from models.bearing import depth_width, hierarchy
from models.bearing.convolutional import (
    STATISTICS,
    convolutional,
    line_amplitudes,
    statistics_image,
    window_statistics,
)
from models.bearing.depth_width import (
    Design,
    SearchedNetwork,
    later_half,
    search_depth_width,
    spectrogram_image,
)
from models.bearing.hierarchy import AdaptiveNetwork, TypeThenSeverity, adapted, folded
from models.bearing.network import Training
from models.bearing.standardised import Standardised
from models.bearing.windows import BearingWindows, FaultClassifier
from models.systems.state import networks_of

_RATE_HZ = 12_000.0
_TONES_HZ = {"normal": 350.0, "inner": 1550.0, "outer": 3050.0, "ball": 4550.0}


def _given(samples: NDArray[np.floating]) -> BearingWindows:
    orders = bearing_named("6205-2RS").orders
    return BearingWindows(samples.astype(np.float32), _RATE_HZ, np.full(len(samples), 30.0), orders)


def _windows(rng: np.random.Generator, *, n: int, each: int) -> tuple[BearingWindows, NDArray[np.str_]]:
    labels = np.repeat(list(_TONES_HZ), each)
    tones = np.repeat(list(_TONES_HZ.values()), each)[:, None]
    phases = rng.uniform(0.0, 6.3, (labels.size, 1))
    x = np.sin(2.0 * np.pi * tones * np.arange(n) / _RATE_HZ + phases) + 0.3 * rng.standard_normal((labels.size, n))
    return _given(x), labels


@pytest.fixture
def _one_design(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single design is searched, since each takes seconds; which ones are otherwise is tested further below."""
    monkeypatch.setattr(depth_width, "search_depth_width", partial(search_depth_width, depths=(2,), widths=(8,)))


@pytest.mark.usefixtures("_one_design")
@pytest.mark.parametrize("system", convolutional(), ids=lambda system: system.name)
def test_each_system_beats_chance_on_windows_it_has_not_seen(rng: np.random.Generator, system: FaultClassifier) -> None:
    train, labels = _windows(rng, n=system.n_samples, each=60)
    test, truth = _windows(rng, n=system.n_samples, each=10)
    named = system.fit(train, labels, seed=1).predict(test)
    assert named.shape == truth.shape
    assert np.mean(named == truth) > 0.6


@pytest.mark.usefixtures("_one_design")
@pytest.mark.parametrize("system", convolutional(), ids=lambda system: system.name)
def test_each_system_repeats_under_a_seed(rng: np.random.Generator, system: FaultClassifier) -> None:
    """Bit for bit, weight for weight, in one pass of two batches: all that is drawn is drawn in it."""
    windows, labels = _windows(rng, n=system.n_samples, each=17)
    x = system.front(windows)
    with one_pass():
        first, again, other = (
            [
                weights
                for network in networks_of(system.learner(seed).fit(x, labels))
                for weights in network.get_weights()
            ]
            for seed in (1, 1, 2)
        )
    assert first
    np.testing.assert_equal(again, first)
    assert any(a.shape != b.shape or (a != b).any() for a, b in zip(first, other, strict=False))


def test_systems_cite_what_they_follow() -> None:
    assert [system.name for system in convolutional()] == ["Chen 2015", "Janssens 2016", "Guo 2016", "Weimer 2016"]
    for system in convolutional():
        assert system.name.split()[0] in system.source
        assert system.name.split()[1] in system.source


def test_statistics_of_time_are_those_of_scipy(rng: np.random.Generator) -> None:
    x = rng.gamma(2.0, 1.0, (3, 1000))
    found = window_statistics(x)
    assert found.shape == (3, STATISTICS)
    expected = [x.std(axis=-1), scipy.stats.skew(x, axis=-1), scipy.stats.kurtosis(x, axis=-1, fisher=False)]
    np.testing.assert_allclose(found[:, :3], np.stack(expected, axis=-1), rtol=1e-9)


@pytest.mark.parametrize("n", [506, 1001, 4096])
def test_bands_hold_the_whole_variance(rng: np.random.Generator, n: int) -> None:
    found = window_statistics(rng.standard_normal((2, n)) + 5.0)
    np.testing.assert_allclose((found[:, 3:] ** 2).sum(axis=-1), found[:, 0] ** 2, rtol=1e-9)


def test_a_sine_is_in_its_band_alone() -> None:
    bin_of_sine, n = 1300, 4096
    bands = window_statistics(np.sin(2.0 * np.pi * bin_of_sine * np.arange(n) / n))[3:]
    assert bands.argmax() == int((bin_of_sine - 1) / (n / 2) * bands.size)
    assert bands.max() == pytest.approx(np.sqrt(0.5))
    assert np.sort(bands)[-2] < 1e-9


def test_each_sensor_is_a_plane(rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 3, 600))
    image = statistics_image(x)
    assert image.shape == (2, 16, 16, 3)
    np.testing.assert_allclose(image[1, :, :, 2].ravel(), window_statistics(x[1, 2]), rtol=1e-9)


def test_too_few_samples_for_256_statistics_are_refused() -> None:
    with pytest.raises(ParameterError, match="windows of 505 samples were given; 253 bands want at least 506"):
        window_statistics(np.zeros(505))


def test_a_sine_is_one_line_of_its_amplitude() -> None:
    n, line = 2048, 300
    found = line_amplitudes(_given(3.0 * np.sin(2.0 * np.pi * line * np.arange(n) / n)[None]))
    assert found.shape == (1, n // 2, 1)
    assert found[0, :, 0].argmax() == line - 1
    assert found.max() == pytest.approx(3.0, rel=1e-5)


def test_unfolding_gives_the_window(rng: np.random.Generator) -> None:
    windows = _given(rng.standard_normal((3, 1024)))
    image = folded(windows)
    assert image.shape == (3, 32, 32, 1)
    np.testing.assert_array_equal(image.reshape(3, 1024), windows.samples)
    np.testing.assert_array_equal(image[0, 1, :, 0], windows.samples[0, 32:64])


def test_what_makes_no_image_is_refused() -> None:
    with pytest.raises(ParameterError, match="windows of 1000 samples were given; a square number"):
        folded(_given(np.zeros((1, 1000))))
    with pytest.raises(ParameterError, match="windows of 1024 samples were given; 4096 make an image"):
        spectrogram_image(_given(np.zeros((1, 1024))))


def test_a_burst_of_a_tone_is_in_its_stretch_and_band() -> None:
    x = np.zeros(4096)
    x[5 * 128 : 6 * 128] = np.sin(2.0 * np.pi * 20 * np.arange(128) / 128)
    image = spectrogram_image(_given(x[None]))
    assert image.shape == (1, 32, 32, 1)
    # Bins 19 and 20 of a stretch, DC left out.
    assert np.unravel_index(image.argmax(), image.shape) == (0, 5, 9, 0)
    assert (image[0, :5] == -12.0).all()


def test_scales_come_of_the_training_windows_and_silence_stays_silent(rng: np.random.Generator) -> None:
    seen: list[NDArray[np.float32]] = []

    class Noting:
        def fit(self, x: NDArray[np.float32], labels: NDArray[np.str_]) -> Noting:
            assert len(labels) == len(x)
            seen.append(x)
            return self

        def predict(self, x: NDArray[np.float32]) -> NDArray[np.str_]:
            seen.append(x)
            return np.full(len(x), "a")

    x = rng.normal(3.0, 2.0, (50, 4))
    x[:, 3] = 7.0
    model = Standardised(Noting()).fit(x, np.full(50, "a"))
    model.predict(x[:5] + 100.0)
    np.testing.assert_allclose(seen[0].mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(seen[0].std(axis=0), [1.0, 1.0, 1.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(seen[1][:, :3], seen[0][:5, :3] + 100.0 / x[:, :3].std(axis=0), rtol=1e-5)
    together = Standardised(Noting(), together=True).fit(x, np.full(50, "a"))
    together.predict(x[:5])
    np.testing.assert_allclose(seen[3], (x[:5] - x.mean()) / x.std(), rtol=1e-5, atol=1e-6)


class _ByMean:
    """Names the label whose training images have the nearest mean; notes what it was given."""

    made: list[_ByMean]

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.made.append(self)

    def fit(self, x: NDArray[np.floating], labels: NDArray[np.str_]) -> _ByMean:
        self.labels = np.unique(labels)
        self.means = np.array([x[labels == label].mean() for label in self.labels])
        return self

    def predict(self, x: NDArray[np.floating]) -> NDArray[np.str_]:
        means = x.reshape(len(x), -1).mean(axis=1)
        self.asked += means.tolist()
        return self.labels[np.abs(means[:, None] - self.means).argmin(axis=1)]


_LEVELS = {"ball 0.007": 1.0, "ball 0.014": 2.0, "inner 0.007": 11.0, "inner 0.014": 12.0, "normal": 30.0}


def _levelled() -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    labels = np.repeat(list(_LEVELS), 3)
    return np.repeat(list(_LEVELS.values()), 3)[:, None, None, None] * np.ones((1, 4, 4, 1)), labels


def test_severity_networks_see_their_type_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ByMean, "made", [], raising=False)
    monkeypatch.setattr(TypeThenSeverity, "_learner", lambda _: _ByMean())
    x, labels = _levelled()
    model = TypeThenSeverity(1).fit(x, labels)
    assert model.types.labels.tolist() == ["ball", "inner", "normal"]
    assert {kind: network.labels.tolist() for kind, network in model.severities.items()} == {
        "ball": ["ball 0.007", "ball 0.014"],
        "inner": ["inner 0.007", "inner 0.014"],
    }
    assert (model.predict(x) == labels).all()
    assert set(model.severities["ball"].asked) == {1.0, 2.0}
    assert set(model.severities["inner"].asked) == {11.0, 12.0}


def test_kinds_alone_need_one_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ByMean, "made", [], raising=False)
    monkeypatch.setattr(TypeThenSeverity, "_learner", lambda _: _ByMean())
    x, labels = _levelled()
    kinds = np.array([label.split()[0] for label in labels])
    assert (TypeThenSeverity(1).fit(x, kinds).predict(x) == kinds).all()
    assert len(_ByMean.made) == 1


def test_a_type_of_one_severity_is_named_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ByMean, "made", [], raising=False)
    monkeypatch.setattr(TypeThenSeverity, "_learner", lambda _: _ByMean())
    x, labels = _levelled()
    kept = labels != "ball 0.014"
    assert (TypeThenSeverity(1).fit(x[kept], labels[kept]).predict(x[kept]) == labels[kept]).all()
    assert len(_ByMean.made) == 2


def test_the_learning_rate_follows_the_loss(rng: np.random.Generator) -> None:
    x, labels = rng.standard_normal((40, 32, 32, 1)), np.repeat(["a", "b"], 20)
    network = AdaptiveNetwork(1, build=hierarchy._lenet, training=Training(epochs=5, batch=20, rate=0.3)).fit(x, labels)
    assert len(network.losses) == len(network.rates) == 5
    # One loss alone says nothing of its course.
    assert network.rates[:2] == [0.3, 0.3]
    for i in range(2, 5):
        fell = network.losses[i - 1] < network.losses[i - 2]
        assert network.rates[i] == pytest.approx(network.rates[i - 1] * (1.05 if fell else 0.7))


def test_the_first_step_is_taken_at_the_rate_given(rng: np.random.Generator) -> None:
    """Adam's first step moves a weight by the rate, whatever its gradient."""
    import keras

    x, labels = rng.standard_normal((20, 32, 32, 1)), np.repeat(["a", "b"], 10)
    network = AdaptiveNetwork(1, build=hierarchy._lenet, training=Training(epochs=1, batch=20, rate=0.01))
    keras.utils.set_random_seed(1)
    before = hierarchy._lenet(keras, (32, 32, 1), 2).get_weights()
    after = network.fit(x, labels).model.get_weights()
    np.testing.assert_allclose(np.abs(after[-1] - before[-1]), 0.01, rtol=1e-3)


def test_a_network_stops_once_it_has_learned(rng: np.random.Generator) -> None:
    labels = np.repeat(["a", "b"], 30)
    x = rng.standard_normal((60, 32, 32, 1)) * np.where(labels == "a", 0.1, 3.0)[:, None, None, None]
    training = Training(epochs=200, batch=20, rate=2e-3)
    network = AdaptiveNetwork(1, build=hierarchy._lenet, training=training).fit(x, labels)
    assert len(network.rates) == len(network.losses) < 200
    assert network.losses[-1] < 0.005 <= min(network.losses[:-1])
    assert (network.predict(x) == labels).all()


def test_a_loss_that_stays_brakes() -> None:
    assert adapted(0.1, before=1.0, now=1.0) == pytest.approx(0.07)


def test_what_the_hierarchy_cannot_do_is_refused() -> None:
    with pytest.raises(ParameterError, match="before any was learned"):
        TypeThenSeverity(1).predict(np.zeros((1, 32, 32, 1)))
    with pytest.raises(ParameterError, match=r"windows of \['ball'\] alone"):
        AdaptiveNetwork(1, build=hierarchy._lenet, training=Training(1, 1, 0.1)).fit(
            np.zeros((2, 32, 32, 1)), np.repeat("ball", 2)
        )


@pytest.mark.parametrize(
    ("best", "scored"),
    [
        (Design(3, 4), [(1, 8), (2, 8), (3, 8), (3, 4), (3, 16)]),
        (Design(1, 16), [(1, 8), (2, 8), (3, 8), (1, 4), (1, 16)]),
        (Design(2, 8), [(1, 8), (2, 8), (3, 8), (2, 4), (2, 16)]),
    ],
)
def test_the_search_finds_the_better_design_of_a_made_up_table(best: Design, scored: list[tuple[int, int]]) -> None:
    def score(design: Design) -> float:
        return -abs(design.depth - best.depth) - 0.1 * abs(np.log2(design.width / best.width))

    chosen, table = search_depth_width(score)
    assert chosen == best
    assert list(table) == [Design(*size) for size in scored]
    assert table[chosen] == max(table.values())


def test_among_equals_the_smallest_is_chosen() -> None:
    assert search_depth_width(lambda _: 0.5)[0] == Design(1, 4)


def test_an_empty_search_is_refused() -> None:
    with pytest.raises(ParameterError, match="0 depths and 3 widths were given"):
        search_depth_width(lambda _: 0.0, depths=())


def test_the_search_is_judged_on_windows_it_did_not_learn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[list[float]] = []
    judged: list[list[float]] = []

    class Noting:
        def fit(self, x: NDArray[np.floating], labels: NDArray[np.str_]) -> Noting:
            assert len(labels) == len(x)
            learned.append(x.tolist())
            return self

        def predict(self, x: NDArray[np.floating]) -> NDArray[np.str_]:
            judged.append(x.tolist())
            return np.full(len(x), "a")

    monkeypatch.setattr(SearchedNetwork, "_network", lambda *_: Noting())
    labels = np.array(["a", "b", "a", "b", "b", "b"])
    model = SearchedNetwork(1).fit(np.arange(6.0), labels)
    assert later_half(labels).tolist() == [False, False, True, False, True, True]
    assert learned == [[0.0, 1.0, 3.0]] * 5 + [[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]]
    assert judged == [[2.0, 4.0, 5.0]] * 5
    # One class named always: half of both is right.
    assert set(model.table.values()) == {0.5}
    assert model.design == Design(1, 4)


def test_what_cannot_be_searched_is_refused() -> None:
    with pytest.raises(ParameterError, match="class b has one window; two are wanted"):
        SearchedNetwork(1).fit(np.zeros((3, 32, 32, 1)), np.array(["a", "a", "b"]))
    with pytest.raises(ParameterError, match="before it had learned"):
        SearchedNetwork(1).predict(np.zeros((1, 32, 32, 1)))
