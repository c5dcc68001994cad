"""Serving of bundles through LiteRT, without TensorFlow; scoring never learns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import ArtifactError, ParameterError
from models.bundle import Bundle
from models.scaler import Scaler

__all__ = ["Diagnoser", "Network", "Scorer", "interpreter_class", "reconstruction_error"]


def interpreter_class() -> Any:
    """Find the TFLite interpreter of this machine: LiteRT, or its predecessor on older gateways.

    Raises
    ------
    ArtifactError
        If neither is installed.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        try:
            from tflite_runtime.interpreter import Interpreter
        except ImportError:
            raise ArtifactError("no TFLite interpreter is installed; pip install 'raceway[gateway]'") from None
    return Interpreter


class Network:
    """A float `.tflite` network of one input and one output, run on batches.

    Parameters
    ----------
    model : bytes
        The flatbuffer.

    Raises
    ------
    ArtifactError
        If the interpreter refuses the model.
    """

    def __init__(self, model: bytes) -> None:
        try:
            self._interpreter = interpreter_class()(model_content=model, num_threads=1)
        except (ValueError, RuntimeError) as error:
            raise ArtifactError(f"the interpreter refuses the model ({error}); train it again") from error
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._batch = 0

    @property
    def item_shape(self) -> tuple[int, ...]:
        """Shape of one input, without the batch axis."""
        return tuple(int(n) for n in self._input["shape"][1:])

    def __call__(self, items: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run a batch.

        Parameters
        ----------
        items : ndarray of float32, shape (batch, *item_shape)

        Returns
        -------
        ndarray of float32, shape (batch, ...)
        """
        if items.shape[1:] != self.item_shape:
            raise ParameterError(f"a network of inputs {self.item_shape} was given a batch of shape {items.shape}")
        if self._batch != items.shape[0]:
            self._batch = 0
            self._interpreter.resize_tensor_input(self._input["index"], items.shape)
            self._interpreter.allocate_tensors()
            self._batch = items.shape[0]
        self._interpreter.set_tensor(self._input["index"], np.ascontiguousarray(items, dtype=np.float32))
        self._interpreter.invoke()
        return np.array(self._interpreter.get_tensor(self._output), dtype=np.float32)


def reconstruction_error(scaled: NDArray[np.floating], rebuilt: NDArray[np.floating]) -> NDArray[np.float64]:
    """Root mean square difference of each row, in healthy standard deviations.

    Parameters
    ----------
    scaled, rebuilt : ndarray, shape (windows, features)

    Returns
    -------
    ndarray of float64, shape (windows,)
    """
    difference = np.asarray(scaled, dtype=np.float64) - rebuilt
    return np.asarray(np.sqrt(np.mean(difference * difference, axis=-1)))


class Scorer:
    """Anomaly score of feature vectors under a point's baseline.

    Parameters
    ----------
    bundle : Bundle
        Of role ``baseline``.
    contract : str
        Hash of the features that will be offered.

    Raises
    ------
    ArtifactError, ContractError
        If the bundle is of another role, contract or shape.
    """

    def __init__(self, bundle: Bundle, *, contract: str) -> None:
        bundle.require(role="baseline", contract=contract)
        try:
            arrays = bundle.arrays
            self._scaler = Scaler(arrays["mean"], arrays["scale"], arrays["logarithmic"])
            self.threshold = float(bundle.manifest.thresholds["score"])
            self.rate_hz = float(bundle.manifest.provenance["rate_hz"])
        except KeyError as error:
            raise ArtifactError(f"bundle {bundle.manifest.id} lacks {error}; train it again") from error
        self.bundle_id = bundle.manifest.id
        self._network = Network(bundle.network)

    @property
    def n_features(self) -> int:
        """Length of the feature vectors it scores."""
        return self._network.item_shape[0]

    def score(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Score windows; above `threshold` is abnormal.

        Parameters
        ----------
        features : ndarray, shape (windows, features)

        Returns
        -------
        ndarray of float64, shape (windows,)
            Reconstruction error in healthy standard deviations.
        """
        scaled = self._scaler.apply(features)
        return reconstruction_error(scaled, self._network(scaled))

    def evidence(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Share of each feature in the squared error of each window, shape (windows, features)."""
        scaled = self._scaler.apply(features)
        squared = (scaled.astype(np.float64) - self._network(scaled)) ** 2
        total = squared.sum(axis=-1, keepdims=True)
        return np.asarray(squared / np.where(total > 0.0, total, 1.0))


class Diagnoser:
    """Class probabilities of fault maps.

    Parameters
    ----------
    bundle : Bundle
        Of role ``diagnosis``.
    contract : str
        Hash of the maps that will be offered.

    Attributes
    ----------
    classes : tuple of str
    bundle_id : str
    rates_hz : tuple of float
        Sampling rates that it learned from; empty where the bundle does not say.
    """

    def __init__(self, bundle: Bundle, *, contract: str) -> None:
        bundle.require(role="diagnosis", contract=contract)
        self.classes = bundle.manifest.classes
        self.bundle_id = bundle.manifest.id
        self.rates_hz = tuple(float(rate) for rate in bundle.manifest.provenance.get("rates_hz", ()))
        self._network = Network(bundle.network)

    def probabilities(self, maps: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give probabilities of shape (windows, classes) for maps of shape (windows, bins, channels)."""
        return self._network(maps)
