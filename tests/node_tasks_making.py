"""Small tasks of networks for nodes, and a small pack in the form of CWRU's, so that tests need no public data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bearing.protocols import SIZES_IN
from models.datasets.cwru import KINDS
from models.node_tasks.task import Part, Task

__all__ = ["build_toy", "cwru_pack", "toy_task"]


def build_toy(seed: int) -> Any:
    """An autoencoder 16-16-16."""
    import keras

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    model = keras.Sequential([layers.Input((16,)), layers.Dense(16, activation="relu"), layers.Dense(16)])
    model.compile(optimizer="adam", loss="mse")
    return model


def toy_task(rng: np.random.Generator) -> Task:
    """Rows that four numbers make; judged by the error of what is rebuilt."""
    training, validation, test = (_part(rng, source) for source in ("a", "b", "c"))
    return Task(
        name="toy",
        metric="RMSE",
        larger_is_better=False,
        data="made up",
        build=build_toy,
        training=training,
        validation=validation,
        test=test,
        batch_size=16,
        epochs=2,
        score=_error,
    )


def _part(rng: np.random.Generator, source: str) -> Part:
    inputs = rng.standard_normal((64, 4)).astype(np.float32) @ np.ones((4, 16), dtype=np.float32)
    return Part(inputs, inputs, np.repeat(source, 64))


def _error(rebuilt: NDArray[np.floating], part: Part) -> float:
    return float(np.sqrt(np.mean((rebuilt - part.targets) ** 2)))


def cwru_pack(folder: Path, *, samples: int = 18_000) -> Path:
    """Noise at 12 kHz for each healthy load and each fault, louder where damaged."""
    rng = np.random.default_rng(5)
    labels: list[tuple[str, float | None, int]] = [("normal", None, load) for load in range(4)]
    labels += [(kind, size, 0) for kind in KINDS[1:] for size in (*SIZES_IN, 0.028)]
    rows = ["record,file,fault,diameter_in,outer_position_oclock,load_hp,rpm_nominal,rpm_in_file,fs_hz"]
    for number, (kind, size, load) in enumerate(labels):
        name = f"{kind}{size or ''}_L{load}.npz"
        signal = (1.0 if kind == "normal" else 30.0) * rng.standard_normal((samples, 1)).astype(np.float32)
        np.savez(folder / name, signal=signal, scale=np.ones(1), channels=np.array(["DE"]))
        rows.append(f"{number},{name},{kind},{size or ''},,{load},1797,,12000")
    (folder / "index.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder
