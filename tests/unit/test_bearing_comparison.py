"""The comparison keeps noise off the training side, judges by the forest, and refuses what it does not know."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from features.errors import ParameterError
from models.bearing import systems as registry
from models.bearing.comparison import Scores, compare, cwru_comparison
from models.bearing.protocols import SNR_DB, protocol_named
from models.bearing.systems import FOREST, systems
from models.bearing.windows import FaultClassifier
from models.datasets.cwru import KINDS, Record

_SIZES = (0.007, 0.014, 0.021)


def _records() -> list[Record]:
    made: list[tuple[str, float | None, int]] = [("normal", None, load) for load in range(4)]
    made += [(kind, size, load) for kind in KINDS[1:] for size in _SIZES for load in range(4)]
    return [
        Record(Path(f"{k}{s}_L{load}.npz"), i, k, s, 6 if k == "outer" else None, load, 1797.0, 12_000.0)
        for i, (k, s, load) in enumerate(made)
    ]


class _Nearest:
    """Names the class whose mean is nearest, and keeps what it learned from."""

    learned: ClassVar[list[NDArray[np.floating]]] = []

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def fit(self, x: NDArray[np.floating], labels: NDArray[np.str_]) -> _Nearest:
        _Nearest.learned.append(x)
        self.classes = np.unique(labels)
        self.means = np.array([x[labels == c].mean() for c in self.classes])
        return self

    def predict(self, x: NDArray[np.floating]) -> NDArray[np.str_]:
        return np.asarray(self.classes[np.abs(x - self.means).argmin(axis=1)])


def _measure(system: FaultClassifier, record: Record, snr_db: float | None, seed: int) -> NDArray[np.floating]:
    del system, seed
    kind = float(KINDS.index(record.kind))
    return np.full((6, 1), kind if snr_db is None else 100.0)


def _scores(*protocols: str) -> Scores:
    _Nearest.learned.clear()
    system = FaultClassifier("nearest", 8, lambda windows: windows.samples, _Nearest)
    return compare(system, [protocol_named(name) for name in protocols], _records(), measure=_measure, seed=1)


def test_what_is_told_apart_scores_one_in_every_fold() -> None:
    assert _scores("size") == {"size": [1.0] * len(_SIZES)}


def test_noise_reaches_the_test_side_only_and_folds_share_what_was_learned() -> None:
    scores = _scores("size", "noise")
    assert len(_Nearest.learned) == len(_SIZES)
    assert max(float(x.max()) for x in _Nearest.learned) < 100.0
    assert scores["size"] == [1.0] * len(_SIZES)
    assert scores["noise"] == [1.0 / len(KINDS)] * len(_SIZES) * len(SNR_DB)


def test_dealt_windows_are_halved() -> None:
    _scores("random")
    assert len(_Nearest.learned[0]) == 6 * len(_records()) // 2


def test_the_pack_is_compared_with_the_forest_beside(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    level = FaultClassifier("level", 4096, lambda w: np.log(w.samples.std(axis=1, keepdims=True)), _Nearest)
    blind = FaultClassifier(FOREST, 4096, lambda w: np.zeros((len(w.samples), 1)), _Nearest)
    monkeypatch.setattr(registry, "systems", lambda: (level, blind))
    figures = cwru_comparison(
        data_dir / "cwru", protocols=["size"], seeds=[0, 1], progress=lambda done, total: told.append((done, total))
    )
    first, forest = figures["rows"]
    assert (forest["beats_forest"], forest["mean"]) == (None, 0.25)
    assert first["beats_forest"]
    assert 0.25 < first["mean"] < 1.0
    assert len(figures["records"]) == 40
    assert (first["spread"], first["leaky"], first["seeds"]) == (0.0, False, [0, 1])
    assert [fold["name"] for fold in first["folds"]] == [f"{size:.3f} in" for size in _SIZES]
    assert told == [(done, 4) for done in (1, 2, 3, 4)]


def test_every_system_has_a_name_of_its_own_and_ours_says_so() -> None:
    names = [system.name for system in systems()]
    assert len(set(names)) == len(names)
    assert names[0].startswith("ours")
    assert FOREST in names


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"protocols": ["sizes"]}, "protocol 'sizes' was asked for"),
        ({"named": ["theirs"]}, "no system is called 'theirs'"),
        ({"seeds": []}, "without a seed"),
    ],
)
def test_what_is_not_there_is_refused(tmp_path: Path, options: dict[str, Any], match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        cwru_comparison(tmp_path, **({"protocols": ["size"], "seeds": [0]} | options))


def test_an_executor_gives_the_same_rows(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    level = FaultClassifier("level", 4096, lambda w: np.log(w.samples.std(axis=1, keepdims=True)), _Nearest)
    monkeypatch.setattr(registry, "systems", lambda: (level,))
    told: list[int] = []
    options: dict[str, Any] = {"protocols": ["size"], "seeds": [0, 1]}
    with ThreadPoolExecutor(max_workers=1) as executor:
        figures = cwru_comparison(
            data_dir / "cwru", executor=executor, progress=lambda done, _: told.append(done), **options
        )
    assert figures == cwru_comparison(data_dir / "cwru", **options)
    assert told == [1, 2]
