"""Pre-trained systems tell what differs, and their parts agree with closed forms, differences and lstsq."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import rel_entr

from features.bearing import bearing_named
from features.contract import BASELINE
from features.errors import ParameterError
from models.bearing.autoencoders import autoencoders, one_sensor, spectrum_lines
from models.bearing.classical import baseline_features
from models.bearing.deep_belief import Contrastive, FusedBelief, Rbm, _contrast, learn_rbm, sensor_features
from models.bearing.extreme_learning import AutoencoderElm, elm_code, output_weights
from models.bearing.finetuning import PretrainedClassifier, classification_loss, fine_tune
from models.bearing.network import Training
from models.bearing.pretraining import (
    Layer,
    Recipe,
    autoencoder_loss,
    divergence,
    encode,
    greedy,
    learn_autoencoder,
    logistic,
)
from models.bearing.windows import BearingWindows, FaultClassifier

_N, _RATE_HZ = 1024, 12_000.0
_TONES_HZ = {"normal": 350.0, "inner": 1550.0, "outer": 3050.0, "ball": 4550.0}
_SYSTEMS = autoencoders()


def _windows(rng: np.random.Generator, *, each: int) -> tuple[BearingWindows, NDArray[np.str_]]:
    labels = np.repeat(list(_TONES_HZ), each)
    tones = np.repeat(list(_TONES_HZ.values()), each)[:, None]
    phases = rng.uniform(0.0, 6.3, (labels.size, 1))
    x = np.sin(2.0 * np.pi * tones * np.arange(_N) / _RATE_HZ + phases) + 0.5 * rng.standard_normal((labels.size, _N))
    orders = bearing_named("6205-2RS").orders
    return BearingWindows(x.astype(np.float32), _RATE_HZ, np.full(labels.size, 30.0), orders), labels


def _curve(rng: np.random.Generator, *, n: int = 300) -> NDArray[np.float64]:
    """Twelve inputs between 0 and 1 that follow two hidden ones, so that few units can give them back."""
    hidden = rng.standard_normal((n, 2))
    return logistic(hidden @ rng.standard_normal((2, 12)) * 1.5)


@pytest.mark.parametrize("system", _SYSTEMS, ids=lambda system: system.name)
def test_each_system_beats_chance_on_windows_it_has_not_seen_and_repeats(
    rng: np.random.Generator, system: FaultClassifier
) -> None:
    train, labels = _windows(rng, each=60)
    test, truth = _windows(rng, each=10)
    named = system.fit(train, labels, seed=1).predict(test)
    assert named.shape == truth.shape
    assert np.mean(named == truth) > 0.6
    noise = BearingWindows(rng.standard_normal((50, _N)).astype(np.float32), _RATE_HZ, np.ones(50), train.orders)
    first = system.predict(noise)
    assert (system.fit(train, labels, seed=1).predict(noise) == first).all()


def test_the_figures_of_other_machines_say_so() -> None:
    wang = next(system for system in _SYSTEMS if system.name.startswith("Wang"))
    assert "transformers" in wang.source
    assert "no bearings" in wang.published


def test_lines_show_a_tone_where_it_is(rng: np.random.Generator) -> None:
    windows, labels = _windows(rng, each=1)
    lines = spectrum_lines(windows)
    assert lines.shape == (4, 512)
    for row, label in zip(lines, labels, strict=True):
        assert abs(row.argmax() - _TONES_HZ[label] / (_RATE_HZ / 2.0) * 512) < 2.0


def test_features_are_those_of_each_sensor(rng: np.random.Generator) -> None:
    windows, _ = _windows(rng, each=2)
    two = sensor_features(windows.samples.reshape(4, 2, _N), _RATE_HZ)
    assert two.shape == (4, 2 * len(BASELINE.features))
    np.testing.assert_allclose(two.reshape(8, -1), one_sensor(windows), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(one_sensor(windows), baseline_features(windows))


def test_the_divergence_is_that_of_two_coins(rng: np.random.Generator) -> None:
    """scipy's elementwise relative entropy, over both faces."""
    activity = rng.uniform(0.01, 0.99, 20)
    expected = rel_entr(0.1, activity).sum() + rel_entr(0.9, 1.0 - activity).sum()
    assert divergence(activity, target=0.1) == pytest.approx(expected)
    assert divergence(np.full(3, 0.1), target=0.1) == pytest.approx(0.0, abs=1e-12)


def test_gradients_are_those_of_differences(rng: np.random.Generator) -> None:
    x = rng.uniform(0.1, 0.9, (7, 5))
    parameters = tuple(rng.standard_normal(shape) for shape in ((5, 3), (3,), (3, 5), (5,)))
    noise = 0.3 * rng.standard_normal((7, 3))
    recipe = Recipe(decay=0.03, target=0.2, penalty=0.7)
    _, gradients = autoencoder_loss(parameters, x, recipe=recipe, noise=noise)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        for at in np.ndindex(parameter.shape):
            kept = parameter[at]
            sides = []
            for moved in (kept + 1e-5, kept - 1e-5):
                parameter[at] = moved
                sides.append(autoencoder_loss(parameters, x, recipe=recipe, noise=noise)[0])
            parameter[at] = kept
            assert gradient[at] == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-5, abs=1e-8)


def test_an_autoencoder_gives_back_more_than_the_mean(rng: np.random.Generator) -> None:
    x = _curve(rng)
    learned = learn_autoencoder(x, 4, recipe=Recipe(epochs=150, rate=1e-2), rng=rng)
    assert np.mean((learned.reconstruct(x) - x) ** 2) < 0.3 * x.var(axis=0).mean()


def test_a_second_layer_gives_back_more_than_the_mean_of_the_first(rng: np.random.Generator) -> None:
    """Down through both encoders and up through both decoders."""
    x = _curve(rng)
    recipe = Recipe(epochs=200, rate=1e-2)
    first = learn_autoencoder(x, 8, recipe=recipe, rng=rng)
    second = learn_autoencoder(first.encoder(x), 4, recipe=recipe, rng=rng)
    given = first.decoder(second.reconstruct(first.encoder(x)))
    assert np.mean((given - x) ** 2) < 0.6 * x.var(axis=0).mean()


def test_layers_are_learned_on_what_the_layer_below_gives(rng: np.random.Generator) -> None:
    x = rng.uniform(size=(6, 5))
    seen: list[NDArray[np.floating]] = []

    def learn(x: NDArray[np.floating], units: int) -> Layer:
        seen.append(x)
        return Layer(rng.standard_normal((x.shape[1], units)), np.zeros(units))

    layers = greedy(x, (4, 3), learn=learn)
    np.testing.assert_array_equal(seen[0], x)
    np.testing.assert_array_equal(seen[1], layers[0](x))
    assert encode(x, layers).shape == (6, 3)


def test_the_penalty_brings_activities_to_the_target(rng: np.random.Generator) -> None:
    x = _curve(rng)
    activity = {}
    for penalty in (0.0, 3.0):
        recipe = Recipe(epochs=150, rate=1e-2, target=0.1, penalty=penalty)
        activity[penalty] = learn_autoencoder(x, 8, recipe=recipe, rng=rng).encoder(x).mean(axis=0)
    assert np.abs(activity[3.0] - 0.1).max() < 0.05
    assert divergence(activity[0.0], target=0.1) > 5.0 * divergence(activity[3.0], target=0.1)


def test_noise_in_units_drives_them_from_the_middle(rng: np.random.Generator) -> None:
    """A code that must survive noise uses the flat ends of the logistic function."""
    x = _curve(rng)
    spread = []
    for noise in (0.0, 2.0):
        recipe = Recipe(epochs=150, rate=1e-2, noise=noise)
        code = learn_autoencoder(x, 6, recipe=recipe, rng=np.random.default_rng(5)).encoder(x)
        spread.append(float(np.mean(np.abs(code - 0.5))))
    assert spread[1] > 1.2 * spread[0]


def test_inputs_outside_the_unit_interval_are_refused(rng: np.random.Generator) -> None:
    x = np.array([[0.0, 1.5]])
    with pytest.raises(ParameterError, match=r"inputs from 0 to 1\.5 were given; 0 to 1 is wanted"):
        learn_autoencoder(x, 1, recipe=Recipe(), rng=rng)
    with pytest.raises(ParameterError, match="0 to 1 is wanted"):
        learn_rbm(x, 1, recipe=Contrastive(), rng=rng)


def test_gradients_of_a_network_are_those_of_differences(rng: np.random.Generator) -> None:
    x, index, weights = rng.uniform(size=(9, 4)), rng.integers(0, 3, 9), rng.uniform(0.5, 2.0, 9)
    layers = [Layer(rng.standard_normal((a, b)), rng.standard_normal(b)) for a, b in ((4, 5), (5, 2), (2, 3))]
    _, gradients = classification_loss(layers, x, index, weights)
    parameters = [p for layer in layers for p in (layer.weights, layer.bias)]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        for at in np.ndindex(parameter.shape):
            kept = parameter[at]
            sides = []
            for moved in (kept + 1e-5, kept - 1e-5):
                parameter[at] = moved
                sides.append(classification_loss(layers, x, index, weights)[0])
            parameter[at] = kept
            assert gradient[at] == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-5, abs=1e-8)


def test_a_softmax_alone_learns_what_logistic_regression_learns(rng: np.random.Generator) -> None:
    from sklearn.linear_model import LogisticRegression

    x = rng.uniform(size=(300, 3))
    index = (x @ [2.0, -1.0, 0.5] + 0.5 * rng.standard_normal(300) > 0.6).astype(np.intp)
    (top,) = fine_tune((), x, index, n_classes=2, training=Training(epochs=300, batch=300, rate=0.1), rng=rng)
    # Without a penalty; the scores of two classes differ by what one of regression is.
    known = LogisticRegression(C=1e9, class_weight="balanced", tol=1e-8).fit(x, index)
    np.testing.assert_allclose(top.weights[:, 1] - top.weights[:, 0], known.coef_[0], rtol=0.05)
    np.testing.assert_allclose(top.bias[1] - top.bias[0], known.intercept_[0], rtol=0.05)


def test_a_network_starts_from_the_layers_given_and_leaves_them(rng: np.random.Generator) -> None:
    x = rng.uniform(size=(20, 5))
    layers = (Layer(rng.standard_normal((5, 4)), rng.standard_normal(4)),)
    before = layers[0].weights.copy()
    index = np.repeat([0, 1], 10)
    for rate, moves in ((0.0, False), (0.1, True)):
        training = Training(epochs=1, batch=32, rate=rate)
        tuned = fine_tune(layers, x, index, n_classes=2, training=training, rng=rng)
        assert len(tuned) == 2
        assert np.allclose(tuned[0].weights, before, atol=1e-6) is not moves
        np.testing.assert_array_equal(layers[0].weights, before)


def test_a_network_of_one_class_or_of_nothing_learned_is_refused() -> None:
    model = PretrainedClassifier(1, pretrain=lambda *_: (), training=Training(epochs=1, batch=8, rate=0.1))
    with pytest.raises(ParameterError, match="asked before it had learned"):
        model.predict(np.zeros((1, 2)))
    with pytest.raises(ParameterError, match="two classes are wanted"):
        model.fit(np.zeros((3, 2)), np.full(3, "normal"))


def test_a_machine_gives_back_better_the_longer_it_learns(rng: np.random.Generator) -> None:
    x = (rng.random((400, 1)) < 0.5) * np.array([1.0, 1.0, 0.0, 0.0, 1.0, 0.0])
    x = np.abs(x - np.array([0.0, 0.0, 1.0, 1.0, 0.0, 1.0]) * (x[:, :1] < 0.5))
    errors = []
    for epochs in (0, 5, 60):
        machine = learn_rbm(x, 4, recipe=Contrastive(epochs=epochs), rng=np.random.default_rng(3))
        errors.append(float(np.mean((machine.reconstruct(x) - x) ** 2)))
    # What it starts from is the mean of each visible unit, within the spread of its first weights.
    assert errors[0] == pytest.approx(x.var(axis=0).mean(), rel=0.05)
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.1 * errors[0]


def test_contrast_averages_to_what_enumeration_gives(rng: np.random.Generator) -> None:
    """All states of two hidden units of one window, weighed by their probabilities."""
    machine = Rbm(rng.standard_normal((3, 2)), rng.standard_normal(3), rng.standard_normal(2))
    x = rng.uniform(size=(1, 3))
    p = machine.layer(x)[0]
    expected = np.outer(x[0], p)
    for states in ((0, 0), (0, 1), (1, 0), (1, 1)):
        weight = np.prod(np.where(states, p, 1.0 - p))
        given = logistic(np.array(states) @ machine.weights.T + machine.visible_bias)
        expected -= weight * np.outer(given, machine.layer(given))
    many, _, _ = _contrast(np.repeat(x, 200_000, axis=0), machine, rng)
    np.testing.assert_allclose(many, expected, atol=5e-3)


def test_sensors_are_fused_whatever_their_number(rng: np.random.Generator) -> None:
    """Each sensor alone tells one of two bits; four classes need both."""
    bits = rng.integers(0, 2, (500, 2))
    labels = np.array(["a", "b", "c", "d"])[2 * bits[:, 0] + bits[:, 1]]
    x = np.concatenate([bits[:, [i]] + 0.2 * rng.standard_normal((500, 6)) for i in (0, 1)], axis=1)
    model = FusedBelief(seed=1).fit(x[:400], labels[:400])
    assert np.mean(model.predict(x[400:]) == labels[400:]) > 0.9


def test_output_weights_are_those_of_lstsq(rng: np.random.Generator) -> None:
    """Ridge regression is ordinary least squares with rows of its root below."""
    hidden, targets = rng.standard_normal((50, 8)), rng.standard_normal((50, 3))
    below = np.concatenate([hidden, np.sqrt(0.3) * np.eye(8)])
    expected = np.linalg.lstsq(below, np.concatenate([targets, np.zeros((8, 3))]), rcond=None)[0]
    np.testing.assert_allclose(output_weights(hidden, targets, ridge=0.3), expected, rtol=1e-9)


def test_a_machine_without_a_ridge_or_a_second_class_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ParameterError, match="a ridge of 0"):
        output_weights(np.eye(2), np.eye(2), ridge=0.0)
    with pytest.raises(ParameterError, match="two classes are wanted"):
        AutoencoderElm(seed=0).fit(rng.standard_normal((4, 3)), np.full(4, "normal"))


@pytest.mark.parametrize("units", [4, 10])
def test_a_random_hidden_layer_gives_its_input_back(rng: np.random.Generator, units: int) -> None:
    """The transposed code maps hidden units to inputs, better than nothing does and as the same draw repeats."""
    x = rng.standard_normal((200, 2)) @ rng.standard_normal((2, 6))
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    code = partial(elm_code, x, units)
    found = code(rng=np.random.default_rng(2))
    assert found.shape == (6, units)
    np.testing.assert_array_equal(found, code(rng=np.random.default_rng(2)))
    coded = logistic(x @ found)
    back = np.linalg.lstsq(np.column_stack([coded, np.ones(200)]), x, rcond=None)[0]
    assert np.mean((np.column_stack([coded, np.ones(200)]) @ back - x) ** 2) < 0.3 * x.var()
