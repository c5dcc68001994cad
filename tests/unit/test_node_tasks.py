"""The networks measured on a node: parts that share nothing, sizes as the peer's, and scores that can fall."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.errors import ParameterError, RecordingError
from models.datasets.gearbox import STATES, GearboxRecord
from models.node_tasks import autoencoder
from models.node_tasks.autoencoder import area_under_curve, autoencoder_task, build_autoencoder, log_spectra
from models.node_tasks.macs import multiply_accumulates
from models.node_tasks.task import Part, Task, descend, outputs, train
from models.node_tasks.tasks import TASKS, task


def _silent(done: int, total: int) -> None:
    del done, total


def _part(rng: np.random.Generator, *sources: str) -> Part:
    inputs = rng.standard_normal((8 * len(sources), 4)).astype(np.float32)
    return Part(inputs, inputs[:, :1], np.repeat(sources, 8))


def _line(seed: int) -> Any:
    import keras

    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(0.1), loss="mean_squared_error")
    return model


def _task(rng: np.random.Generator, **changed: Any) -> Task:
    given: dict[str, Any] = {
        "name": "line",
        "metric": "RMSE",
        "larger_is_better": False,
        "data": "made up",
        "build": _line,
        "training": _part(rng, "a", "b"),
        "validation": _part(rng, "c"),
        "test": _part(rng, "d"),
        "batch_size": 4,
        "epochs": 30,
        "score": lambda estimated, part: float(np.sqrt(np.mean((estimated - part.targets) ** 2))),
    }
    return Task(**given | changed)


def test_a_source_in_two_parts_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ParameterError, match="line has a in training and test"):
        _task(rng, test=_part(rng, "d", "a"))


def test_a_part_wants_as_many_of_each_and_finite_inputs() -> None:
    inputs, names = np.zeros((2, 3), dtype=np.float32), np.array(["a", "b"])
    with pytest.raises(ParameterError, match="2 inputs, 1 targets and 2 sources"):
        Part(inputs, np.zeros(1), names)
    with pytest.raises(ParameterError, match="0 inputs"):
        Part(inputs[:0], np.zeros(0), names[:0])
    with pytest.raises(ParameterError, match="NaN or infinite"):
        Part(inputs * np.nan, np.zeros(2), names)


def test_training_learns_repeats_and_leaves_the_rate_for_fine_tuning(rng: np.random.Generator) -> None:
    made, told = _task(rng), []
    model = train(made, seed=1, progress=lambda done, total: told.append((done, total)))
    before = made.score(outputs(_line(1), made.test), made.test)
    assert made.score(outputs(model, made.test), made.test) < 0.05 < 0.3 < before
    assert told == [(i + 1, 30) for i in range(30)]
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1)
    again = train(made, seed=1, progress=_silent)
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])


def test_fine_tuning_goes_on_from_the_weights_given(rng: np.random.Generator) -> None:
    made = _task(rng)
    model = _line(3)
    model.layers[0].set_weights([np.array([[1.0], [0.0], [0.0], [0.0]]), np.zeros(1)])
    descend(made, model, epochs=1, progress=_silent)
    assert made.score(outputs(model, made.test), made.test) < 1e-3
    with pytest.raises(ParameterError, match="0 passes"):
        descend(made, model, epochs=0, progress=_silent)


def test_area_under_the_curve_is_the_share_of_pairs_in_order(rng: np.random.Generator) -> None:
    scores = rng.integers(0, 20, 60).astype(float)
    damaged = rng.random(60) < 0.4
    pairs = scores[damaged][:, None] - scores[~damaged]
    share = np.mean((pairs > 0) + 0.5 * (pairs == 0))
    assert area_under_curve(scores, damaged) == pytest.approx(share, abs=1e-12)
    with pytest.raises(ParameterError, match="60 healthy and 0 damaged"):
        area_under_curve(scores, np.zeros(60, dtype=bool))


def test_the_autoencoder_is_as_large_as_the_peers() -> None:
    model = build_autoencoder(0)
    assert multiply_accumulates(model) == 264_192 == 2 * (640 * 128 + 3 * 128 * 128 + 128 * 8)
    assert [layer.units for layer in model.layers if hasattr(layer, "units")] == [128] * 4 + [8] + [128] * 4 + [640]


def test_layers_that_are_not_counted_are_refused() -> None:
    import keras

    model = keras.Sequential([keras.layers.Input((4, 2)), keras.layers.LSTM(3, name="memory")])
    with pytest.raises(ParameterError, match="memory is a LSTM"):
        multiply_accumulates(model)


def test_a_sine_stands_on_its_line() -> None:
    line = 100
    x = np.sin(2 * np.pi * line / 1280.0 * np.arange(4096))
    spectrum = log_spectra(x)
    assert spectrum.shape == (640,)
    # Line 1 stands first, and a Hann window shares the mean square of a sine 1 : 4 : 1 among three lines.
    assert int(spectrum.argmax()) == line - 1
    assert 10.0 ** float(spectrum[line - 1]) == pytest.approx(0.5 * 1280 * 4 / 6, rel=1e-3)


def _record(folder: Path, *, state: str, load_percent: int) -> GearboxRecord:
    del folder
    rng = np.random.default_rng(load_percent + 100 * STATES.index(state))
    colour = np.array([1.0, 0.5 + 0.004 * load_percent, 0.8 * STATES.index(state)])
    x = np.stack([np.convolve(rng.standard_normal(14_338), colour, mode="valid") for _ in range(4)])
    return GearboxRecord(state, load_percent, x.astype(np.float32))


def test_the_autoencoder_learns_health_and_is_judged_on_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autoencoder, "gearbox_record", _record)
    made = autoencoder_task(Path())
    assert made.training.inputs.shape == (4 * 24, 640)
    assert made.training.targets is made.training.inputs
    assert not any(source.startswith("broken") for source in made.training.sources)
    for part in (made.validation, made.test):
        assert part.targets.tolist() == [source.startswith("broken") for source in part.sources]
        assert int(part.targets.sum()) == len(part) // 2
    rebuilt = made.test.inputs.copy()
    rebuilt[made.test.targets] += 1.0
    assert made.score(rebuilt, made.test) == 1.0
    assert made.score(made.test.inputs - made.test.targets[:, None] + 1.0, made.test) == 0.0


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(RecordingError, match="no network for a node 'M9'; one of M1, M2, M3"):
        task("M9", Path())


@pytest.mark.parametrize("name", TASKS)
def test_parts_of_the_real_data_share_no_source(name: str, data_dir: Path) -> None:
    made = task(name, data_dir)
    sources = [set(part.sources.tolist()) for part in (made.training, made.validation, made.test)]
    assert all(len(part) >= 100 for part in (made.training, made.validation, made.test))
    assert sum(map(len, sources)) == len(set.union(*sources))
    assert made.build(0).output_shape[1:] == {"M1": (640,), "M2": (10,), "M3": (1,)}[name]
