"""Every system predicts from its folder as before, bit for bit; changed folders and foreign pickles are refused."""

from __future__ import annotations

import dataclasses
import functools
import io
import json
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bearings import grown_run, six_histories
from numpy.typing import NDArray
from one_pass import one_pass

from edge.convert import to_tflite, to_tflite_int8
from features.bearing import bearing_named
from features.errors import ArtifactError, ContractError, ParameterError
from models.bearing import depth_width, interference
from models.bearing.depth_width import Design
from models.bearing.systems import systems
from models.bearing.unknown import run_int8
from models.bearing.windows import BearingWindows
from models.bundle import drafted
from models.gear_state import SYSTEMS as GEAR_SYSTEMS
from models.gear_state import gear_windows
from models.life.babu import learn_babu
from models.life.baselines import BASELINES, learn_baseline
from models.life.bearing_conformal import CalibratedBearing
from models.life.bearing_history import BearingHistory, moments
from models.life.bearing_network import BearingNetwork, Networks, Recipe
from models.life.bearing_ours import ChosenQuantile, Setting
from models.life.bearing_protocol import SYSTEMS as BEARING_LIFE_SYSTEMS
from models.life.bearing_protocol import learn_system
from models.life.evaluation import SYSTEMS as LIFE_SYSTEMS
from models.life.ours import learn_ours
from models.life.protocol import Unit, truncated
from models.systems import state
from models.systems.folder import load_system, save_system
from models.systems.registry import FAMILIES, entry_named, family_named
from models.systems.state import ARRAYS, STATE, networks_of, read_state, write_state
from models.systems.trainable import Lesson

_RATE_HZ = 12_000.0
_TONES_HZ = {"normal": 350.0, "inner": 1550.0, "outer": 3050.0, "ball": 4550.0}
_PAIRS = [(family.data_set, entry.name) for family in FAMILIES for entry in family.entries()]


@pytest.fixture(scope="module", autouse=True)
def _short() -> Iterator[None]:
    """One pass, two voters, one design: what is kept is the same in form."""
    design = Design(1, 4)
    with one_pass() as patch:
        patch.setattr(interference, "VOTERS", 2)
        patch.setattr(depth_width, "search_depth_width", lambda _: (design, {design: 1.0}))
        yield


def _bearing_windows(n: int, *, seed: int) -> tuple[BearingWindows, NDArray[np.str_]]:
    rng = np.random.default_rng(seed)
    labels = np.repeat(list(_TONES_HZ), 4)
    tones = np.repeat(list(_TONES_HZ.values()), 4)[:, None]
    phases = rng.uniform(0.0, 6.3, (labels.size, 1))
    x = np.sin(2.0 * np.pi * tones * np.arange(n) / _RATE_HZ + phases) + 0.5 * rng.standard_normal((labels.size, n))
    return BearingWindows(
        x.astype(np.float32), _RATE_HZ, np.full(labels.size, 30.0), bearing_named("6205-2RS").orders
    ), labels


def _fleet(count: int, *, seed: int) -> list[Unit]:
    """Units of which all sensors drift ever faster towards the failure."""
    rng = np.random.default_rng(seed)
    units = []
    for number in range(count):
        wear = np.exp(-np.arange(rng.integers(60, 90))[::-1] / 20.0)[:, None]
        sensors = wear * rng.uniform(1.0, 3.0, 21) + 0.2 * rng.standard_normal((len(wear), 21))
        units.append(Unit(number, np.zeros((len(wear), 3)), sensors))
    return units


@functools.cache
def _bearing_lesson(name: str) -> tuple[Lesson, Any]:
    system = next(system for system in systems() if system.name == name)
    windows, labels = _bearing_windows(system.n_samples, seed=1)
    x = system.front(windows)
    learned = system.learner(3).fit(x, labels)
    asked, _ = _bearing_windows(system.n_samples, seed=2)
    return Lesson(learned, tuple(np.unique(labels).tolist()), {}, {}, x), asked


def _gear_lesson(name: str) -> tuple[Lesson, Any]:
    rng = np.random.default_rng(4)
    samples = rng.standard_normal((3, 4, 16_384)).astype(np.float32)
    samples[1] += 3.0 * np.sin(0.03 * np.arange(16_384)).astype(np.float32)
    x = [GEAR_SYSTEMS[name].front(gear_windows(part, level_free=True)) for part in samples[:2]]
    labels = np.repeat(["healthy", "broken_tooth"], [len(part) for part in x])
    learned = GEAR_SYSTEMS[name].learner(3).fit(np.concatenate(x), labels)
    return Lesson(learned, ("broken_tooth", "healthy"), {}, {}, np.concatenate(x)), samples[2]


def _life_lesson(name: str) -> tuple[Lesson, Any]:
    units = _fleet(9, seed=5)
    if name in BASELINES:
        learned: Any = learn_baseline(name, units, seed=3)
    else:
        learned = (learn_babu if name == "babu" else learn_ours)(units, seed=3, steps=3)
    return Lesson(learned, (), {}, {}, truncated(units, cuts=2, shortest=20, seed=6)), _fleet(5, seed=7)


def _bearing_life_lesson(name: str) -> tuple[Lesson, Any]:
    learning = six_histories()[:4]
    setting = Setting(Recipe(("age", "jump", "level"), 0.5, 1.6), 2)
    learned = learn_system(name, learning, seed=3, setting=setting, networks=Networks(steps=3))
    asked = [grown_run(f"Bearing1_{i}", total=50, until=until, seed=i) for i, until in enumerate((5, 30, 48), start=3)]
    return Lesson(learned, (), {}, {}, _cut(learning)), asked


def _cut(lives: list[BearingHistory]) -> list[BearingHistory]:
    shares = np.array([0.1, 0.5, 0.8, 1.0])
    return [one.until(row + 1) for one in lives for row in moments(one, shares).tolist()]


_LESSONS = {"cwru": _bearing_lesson, "gearbox": _gear_lesson, "cmapss": _life_lesson, "femto": _bearing_life_lesson}


def _numbers(said: Any) -> NDArray[Any]:
    """Classes as they are, estimates with the ends of their intervals where they have any."""
    if not dataclasses.is_dataclass(said):
        return np.asarray(said)
    return np.stack([values for values in vars(said).values() if values is not None])


def _arrays(folder: Path) -> dict[str, NDArray[Any]]:
    with np.load(folder / ARRAYS) as stored:
        return dict(stored)


@pytest.mark.parametrize(("data_set", "name"), _PAIRS, ids=[" ".join(pair) for pair in _PAIRS])
def test_every_system_predicts_from_its_folder_as_before(tmp_path: Path, data_set: str, name: str) -> None:
    lesson, asked = _LESSONS[data_set](name)
    family = family_named(data_set)
    folder = save_system(tmp_path / "kept", lesson, data_set=data_set, system=name, seed=3)
    loaded = load_system(folder)
    for inputs, predict in ((lesson.seen, family.answer), (asked, lambda of, x: family.predict(name, of, x))):
        before, after = (_numbers(predict(of, inputs)) for of in (lesson.learned, loaded.learned))
        assert before.size
        np.testing.assert_array_equal(after, before)
    # The second source: all numbers within, of what was learned and of what was loaded.
    (tmp_path / "again").mkdir()
    networks = write_state(loaded.learned, tmp_path / "again")
    np.testing.assert_equal(_arrays(tmp_path / "again"), _arrays(folder))
    before, after = ([w for n in of for w in n.get_weights()] for of in (networks_of(lesson.learned), networks))
    np.testing.assert_equal(after, before)
    assert loaded.manifest.files.keys() == {path.name for path in folder.iterdir()} - {"manifest.json"}
    assert not list(tmp_path.glob(".*"))


def test_all_systems_of_the_comparisons_are_listed() -> None:
    compared = [systems(), GEAR_SYSTEMS, LIFE_SYSTEMS, BEARING_LIFE_SYSTEMS]
    assert [len(family.entries()) for family in FAMILIES] == [len(of) for of in compared]
    assert len(_PAIRS) == 39


@pytest.fixture(scope="module")
def ridge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lesson, _ = _bearing_lesson("ridge")
    return save_system(tmp_path_factory.mktemp("ridge") / "kept", lesson, data_set="cwru", system="ridge", seed=3)


@pytest.fixture
def changeable(ridge: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ridge, tmp_path / "kept"))


def test_one_network_is_kept_for_nodes_too(tmp_path: Path) -> None:
    """The float form agrees with Keras within rounding, the int8 one names nearly all windows alike."""
    import tensorflow as tf

    from models.serving import interpreter_class

    tf.config.run_functions_eagerly(run_eagerly=False)
    lesson, _ = _bearing_lesson("Chen 2015")
    forms = {"model.tflite": lambda model, _: to_tflite(model), "model-int8.tflite": to_tflite_int8}
    folder = save_system(tmp_path / "kept", lesson, data_set="cwru", system="Chen 2015", seed=3, convert=forms)
    inputs = lesson.learned.inputs(lesson.seen)
    (network,) = networks_of(lesson.learned)
    expected = np.asarray(network.predict(inputs, verbose=0))
    interpreter = interpreter_class()(model_path=str(folder / "model.tflite"))
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], inputs.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], inputs)
    interpreter.invoke()
    np.testing.assert_allclose(
        interpreter.get_tensor(interpreter.get_output_details()[0]["index"]), expected, atol=1e-5
    )
    found = run_int8((folder / "model-int8.tflite").read_bytes(), inputs)
    assert np.mean(found.argmax(axis=1) == expected.argmax(axis=1)) > 0.8


def test_our_bearing_network_is_kept_for_nodes_and_loses_little_as_integers(tmp_path: Path) -> None:
    import tensorflow as tf

    tf.config.run_functions_eagerly(run_eagerly=False)
    lives, recipe = six_histories(), Recipe(("age", "jump", "level"), 0.5, 1.6)
    network = BearingNetwork.learn(lives, recipe=recipe, seed=3, steps=60)
    learned = CalibratedBearing(ChosenQuantile(network, 2), 0.1)
    lesson = Lesson(learned, (), {}, {}, _cut(lives))
    forms = {"model.tflite": lambda model, _: to_tflite(model), "model-int8.tflite": to_tflite_int8}
    folder = save_system(tmp_path / "kept", lesson, data_set="femto", system="ours", seed=3, convert=forms)
    integers = (folder / "model-int8.tflite").read_bytes()
    # A node holds 128 KB; what it has to hold beside the network is many times that network.
    assert len(integers) < 16 * 1024
    # Quantiles that cross are put in order, as the network does.
    said = np.exp(np.sort(run_int8(integers, learned.inputs(lesson.seen)), axis=1)[:, 2] + network.middle)
    whole, _, _ = family_named("femto").answer(learned, lesson.seen)
    truth = np.array([one.rul_s[-1] for one in lesson.seen])
    assert np.abs(said - whole).mean() < 0.1 * np.abs(whole - truth).mean()


def test_a_bearing_is_estimated_from_its_snapshots_alone() -> None:
    """Whether it is known when the bearing will fail changes nothing, nor do other bearings beside it."""
    family, (lesson, asked) = family_named("femto"), _bearing_life_lesson("trend")
    unknown = grown_run("Bearing1_4", total=50, until=30, rul_s=np.inf, seed=4)
    found = family.predict("trend", lesson.learned, [unknown])
    beside = family.predict("trend", lesson.learned, asked)
    assert (len(found.rul_s), len(beside.rul_s)) == (1, 3)
    assert [float(v[0]) for v in vars(found).values()] == [float(v[1]) for v in vars(beside).values()]
    assert bool((beside.low_s <= beside.rul_s).all() and (beside.rul_s <= beside.high_s).all())


def test_a_changed_file_is_refused(changeable: Path) -> None:
    content = bytearray((changeable / ARRAYS).read_bytes())
    content[len(content) // 2] ^= 1
    (changeable / ARRAYS).write_bytes(content)
    with pytest.raises(ArtifactError, match=r"arrays\.npz in .* is not what it was sealed with"):
        load_system(changeable)


def test_a_missing_file_and_a_folder_of_something_else_are_refused(changeable: Path, tmp_path: Path) -> None:
    (changeable / STATE).unlink()
    for folder in (changeable, tmp_path):
        with pytest.raises(ArtifactError, match="holds no trained system that can be read"):
            load_system(folder)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"form": 2}, "is of form 2; 1 is wanted"),
        ({"versions": {"scikit-learn": "0.1.0"}}, r"was made with scikit-learn 0\.1\.0"),
        ({"data_set": "xjtu"}, "no system learns from a data set 'xjtu'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_another_form_version_or_data_set_is_refused(changeable: Path, change: dict[str, Any], match: str) -> None:
    manifest = json.loads((changeable / "manifest.json").read_text())
    (changeable / "manifest.json").write_text(json.dumps(manifest | change))
    with pytest.raises((ArtifactError, ParameterError), match=match):
        load_system(changeable)


def test_another_contract_is_refused(ridge: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(family_named("cwru")), "contract", lambda *_: "another")
    with pytest.raises(ContractError, match="features of contract another were offered"):
        load_system(ridge)


def test_a_front_that_measures_otherwise_is_refused(ridge: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    family = type(family_named("cwru"))
    respond = family.respond

    def shifted(*given: Any) -> NDArray[np.floating]:
        response = respond(*given).copy()
        # The smallest measurement, beside frequencies in Hz.
        response[:, np.abs(response).max(axis=0).argmin()] += 0.01
        return response

    monkeypatch.setattr(family, "respond", shifted)
    with pytest.raises(ArtifactError, match="ridge measures otherwise than when"):
        load_system(ridge)


def test_what_stands_there_is_replaced_only_if_asked_and_only_a_system(ridge: Path, changeable: Path) -> None:
    lesson, _ = _bearing_lesson("Li 2000")
    given: dict[str, Any] = {"data_set": "cwru", "system": "li-2000", "seed": 1}
    with pytest.raises(ArtifactError, match="is there already"):
        save_system(changeable, lesson, **given)
    with pytest.raises(ArtifactError, match="is no trained system, so it is not replaced"):
        save_system(ridge.parent, lesson, **given, replace=True)
    save_system(changeable, lesson, **given, replace=True)
    assert load_system(changeable).manifest.system == "Li 2000"
    assert not list(changeable.parent.glob(".*"))


def test_what_fails_leaves_what_stood_there(changeable: Path) -> None:
    def half() -> None:
        with drafted(changeable, replace=True) as draft:
            (draft / STATE).write_bytes(b"half")
            raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        half()
    assert load_system(changeable).manifest.system == "ridge"
    assert not list(changeable.parent.glob(".*"))


def test_what_answers_otherwise_from_its_folder_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lesson, _ = _bearing_lesson("ridge")
    answers = iter([np.array(["a"]), np.array(["b"])])
    monkeypatch.setattr(type(family_named("cwru")), "answer", lambda *_: next(answers))
    with pytest.raises(ArtifactError, match="answers otherwise than what was learned; nothing was kept"):
        save_system(tmp_path / "kept", lesson, data_set="cwru", system="ridge", seed=3)
    assert not list(tmp_path.iterdir())


def test_what_was_loaded_does_not_learn_again(tmp_path: Path) -> None:
    lesson, _ = _bearing_lesson("Chen 2015")
    write_state(lesson.learned, tmp_path)
    labels = np.repeat(["a", "b"], len(lesson.seen) // 2)
    with pytest.raises(ParameterError, match="was to learn again; train a new one"):
        read_state(tmp_path).fit(lesson.seen, labels)


class _Calls:
    """Pickles as a call."""

    def __init__(self, function: Any, *given: Any) -> None:
        self.called = function, given

    def __reduce__(self) -> Any:
        return self.called


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (eval, ("1",)),
        (Path.home().__class__, ("x",)),
        (shutil.rmtree, ("nowhere",)),
        (state.read_state, (Path("nowhere"),)),
        (np.load, ("nowhere",)),
    ],
    ids=["builtin", "path", "standard library", "function of ours", "numpy"],
)
def test_a_pickle_that_calls_something_is_refused(tmp_path: Path, function: Any, given: tuple[Any, ...]) -> None:
    file = io.BytesIO()
    pickle.dump(_Calls(function, *given), file)
    (tmp_path / STATE).write_bytes(file.getvalue())
    np.savez(tmp_path / ARRAYS)
    with pytest.raises(ArtifactError, match="which no system of Raceway is made of; do not trust it"):
        read_state(tmp_path)


def test_the_way_through_a_module_of_ours_is_refused(tmp_path: Path) -> None:
    """A dotted name reaches what a module has imported."""
    np.savez(tmp_path / ARRAYS)
    for module, name in (("models.datasets.cwru", "csv.DictReader"), ("models.bundle", "shutil.rmtree")):
        text = pickle.PROTO + bytes([4])
        for word in (module, name):
            text += pickle.SHORT_BINUNICODE + bytes([len(word)]) + word.encode()
        (tmp_path / STATE).write_bytes(text + pickle.STACK_GLOBAL + pickle.STOP)
        with pytest.raises(ArtifactError, match=f"names {module}.{name}, which"):
            read_state(tmp_path)


def test_names_are_found_by_their_slug() -> None:
    assert entry_named(family_named("cwru"), "malhi-2004-k-means").name == "Malhi 2004, k-means"
