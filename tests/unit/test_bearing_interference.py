"""Networks trained under interference tell tones apart and repeat; kernels are dropped as stated, votes are counted."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from one_pass import one_pass

from features.bearing import bearing_named
from features.errors import ParameterError
from models.bearing import interference as voting
from models.bearing.interference import (
    DROPPED,
    VOTERS,
    VotingNetworks,
    build_ticnn,
    interference,
    kernel_dropout,
    majority_vote,
    standardised,
)
from models.bearing.network import Training
from models.bearing.windows import BearingWindows

_RATE_HZ = 12_000.0
_TONES_HZ = {"normal": 350.0, "inner": 1550.0, "outer": 3050.0, "ball": 4550.0}


def _windows(rng: np.random.Generator, *, each: int) -> tuple[BearingWindows, NDArray[np.str_]]:
    labels = np.repeat(list(_TONES_HZ), each)
    tones = np.repeat(list(_TONES_HZ.values()), each)[:, None]
    phases = rng.uniform(0.0, 6.3, (labels.size, 1))
    x = np.sin(2.0 * np.pi * tones * np.arange(2048) / _RATE_HZ + phases)
    x += 0.5 * rng.standard_normal(x.shape)
    orders = bearing_named("6205-2RS").orders
    return BearingWindows(x.astype(np.float32), _RATE_HZ, np.full(labels.size, 30.0), orders), labels


def _layer(dropped: tuple[float, float]) -> Any:
    layer = kernel_dropout()(16, 64, 8, dropped)
    layer.build((None, 2048, 1))
    return layer


def _dense(keras: Any, shape: tuple[int, ...], n_classes: int) -> Any:
    return keras.Sequential([keras.layers.Input(shape), keras.layers.Dense(n_classes, activation="softmax")])


def test_the_system_beats_chance_on_windows_it_has_not_seen(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One voter alone, which is the harder case."""
    (system,) = interference()
    assert len(system.learner(1).networks) == VOTERS
    monkeypatch.setattr(voting, "VOTERS", 1)
    train, labels = _windows(rng, each=50)
    test, truth = _windows(rng, each=10)
    named = system.fit(train, labels, seed=1).predict(test)
    assert np.mean(named == truth) > 0.6
    assert len(system._learned.networks) == 1


def test_networks_repeat_under_a_seed_and_differ_from_each_other(rng: np.random.Generator) -> None:
    windows, labels = _windows(rng, each=5)
    x = standardised(windows)
    training = Training(epochs=1, batch=10, rate=1e-3)
    with one_pass():
        first, again, other = (
            VotingNetworks(seed, build=build_ticnn, training=training, voters=1).fit(x, labels).networks[0]
            for seed in (3, 3, 4)
        )
        np.testing.assert_equal(again.model.get_weights(), first.model.get_weights())
        assert (again.probabilities(x) == first.probabilities(x)).all()
        assert (other.probabilities(x) != first.probabilities(x)).any()
    seeds = {network.seed for network in VotingNetworks(3, build=build_ticnn, training=training, voters=4).networks}
    assert len(seeds) == 4


def test_the_kernel_is_untouched_outside_training(rng: np.random.Generator) -> None:
    layer = _layer(DROPPED)
    x = rng.standard_normal((2, 2048, 1)).astype(np.float32)
    kernel = np.asarray(layer.kernel)[:, 0]
    padded = np.pad(x[..., 0], ((0, 0), (28, 28)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, 64, axis=-1)[:, ::8]
    np.testing.assert_allclose(np.asarray(layer(x, training=False)), frames @ kernel, atol=1e-4)
    assert (np.asarray(layer(x, training=True)) != np.asarray(layer(x, training=False))).any()
    assert (np.asarray(layer.kernel)[:, 0] == kernel).all()


def test_the_share_dropped_is_drawn_anew_from_its_range() -> None:
    layer = _layer(DROPPED)
    shares = np.array([np.mean(np.asarray(layer.interfered()) == 0.0) for _ in range(200)])
    # Of 1,024 weights a share strays from its rate by at most 0.016 (one deviation).
    assert DROPPED[0] - 0.06 < shares.min() < DROPPED[0] + 0.1
    assert DROPPED[1] - 0.1 < shares.max() < DROPPED[1] + 0.06
    # Uniform: mean of the ends, deviation of the width over the root of twelve.
    assert shares.mean() == pytest.approx(0.5, abs=0.07)
    assert shares.std() == pytest.approx(0.8 / np.sqrt(12.0), abs=0.05)


def test_what_is_kept_is_divided_by_the_share_kept() -> None:
    layer = _layer((0.75, 0.75))
    kernel, interfered = np.asarray(layer.kernel), np.asarray(layer.interfered())
    kept = interfered != 0.0
    assert 0.15 < kept.mean() < 0.35
    np.testing.assert_allclose(interfered[kept], 4.0 * kernel[kept], rtol=1e-5)


def test_the_layer_comes_back_from_its_settings() -> None:
    import keras

    layer = _layer((0.2, 0.4))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert (again.filters, again.size, again.stride, tuple(again.dropped)) == (16, 64, 8, (0.2, 0.4))


@pytest.mark.parametrize("dropped", [(0.5, 0.1), (-0.1, 0.5), (0.5, 1.0)])
def test_rates_that_leave_no_kernel_are_refused(dropped: tuple[float, float]) -> None:
    with pytest.raises(ParameterError, match="0 to below 1 is wanted"):
        kernel_dropout()(16, 64, 8, dropped)


def test_strides_that_do_not_divide_the_kernel_are_refused() -> None:
    with pytest.raises(ParameterError, match="a kernel of 64 every 7 samples"):
        kernel_dropout()(16, 64, 7, DROPPED)


def test_layers_are_six_convolutions_and_a_hundred_neurons() -> None:
    import keras

    model = build_ticnn(keras, (2048,), 10)
    pooled = [layer.output.shape[1:] for layer in model.layers if isinstance(layer, keras.layers.MaxPooling1D)]
    assert pooled == [(128, 16), (64, 32), (32, 64), (16, 64), (8, 64), (3, 64)]
    assert [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)] == [100, 10]


def test_the_majority_is_what_counting_finds(rng: np.random.Generator) -> None:
    probabilities = rng.dirichlet(np.ones(4), size=(5, 60))
    named = majority_vote(probabilities)
    tied = 0
    for i, found in enumerate(named):
        counts = Counter(int(p.argmax()) for p in probabilities[:, i])
        most = [c for c, n in counts.items() if n == max(counts.values())]
        tied += len(most) > 1
        assert found == max(most, key=lambda c: probabilities[:, i, c].sum())
    assert 0 < tied < 60


def test_networks_name_what_most_of_them_name(rng: np.random.Generator) -> None:
    x = rng.standard_normal((30, 2))
    labels = np.where(x[:, 0] > 0.0, "inner", "outer")
    voting = VotingNetworks(1, build=_dense, training=Training(epochs=2, batch=10, rate=1e-2), voters=3)
    named = voting.fit(x, labels).predict(x)
    each = [network.predict(x) for network in voting.networks]
    assert any((one != each[0]).any() for one in each[1:])
    for i, found in enumerate(named):
        assert found == Counter(one[i] for one in each).most_common(1)[0][0]


def test_windows_are_standardised_each_and_silence_stays(rng: np.random.Generator) -> None:
    orders = bearing_named("6205-2RS").orders
    samples = np.stack([5.0 + 0.1 * rng.standard_normal(2048), np.full(2048, 0.0)]).astype(np.float32)
    x = standardised(BearingWindows(samples, _RATE_HZ, np.ones(2), orders))
    assert x[0].mean() == pytest.approx(0.0, abs=1e-4)
    assert x[0].std() == pytest.approx(1.0, abs=1e-4)
    assert (x[1] == 0.0).all()


def test_no_voter_is_refused() -> None:
    with pytest.raises(ParameterError, match="0 networks were asked to vote"):
        VotingNetworks(1, build=_dense, training=Training(epochs=1, batch=10, rate=1e-3), voters=0)
