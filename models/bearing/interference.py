"""Networks trained under interference, that vote on the class of a raw window; refuses rates that leave no kernel."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError
from models.bearing.descent import SmallBatchClassifier
from models.bearing.network import Build, Training
from models.bearing.windows import BearingWindows, FaultClassifier

__all__ = [
    "DROPPED",
    "N_SAMPLES",
    "VOTERS",
    "VotingNetworks",
    "build_ticnn",
    "interference",
    "kernel_dropout",
    "majority_vote",
    "standardised",
]

_ZHANG = "Zhang, Li, Peng, Chen, Zhang, Mech. Syst. Signal Process. 100, 2018"
_FIGURE = (
    "not confirmed: the abstract, all that was at hand, gives none; raw vibration under noise, and under another load "
    "than was learned from"
)
N_SAMPLES = 2048
VOTERS = 3
# Share of the first kernels' weights that is dropped: drawn anew between these for each batch.
DROPPED = (0.1, 0.9)
_TRAINING = Training(epochs=8, batch=10, rate=3e-3)


def standardised(windows: BearingWindows) -> NDArray[np.float32]:
    """Bring each window to zero mean and unit deviation, shape (windows, n); a constant one is all zeros."""
    x = windows.samples - windows.samples.mean(axis=-1, keepdims=True)
    deviation = x.std(axis=-1, keepdims=True)
    return np.asarray(x / np.where(deviation > 0.0, deviation, 1.0), dtype=np.float32)


def majority_vote(probabilities: NDArray[np.floating]) -> NDArray[np.intp]:
    """Let networks vote, each for the class it holds likeliest.

    Parameters
    ----------
    probabilities : ndarray, shape (networks, windows, classes)

    Returns
    -------
    ndarray of int, shape (windows,)
        The class with most votes; among as many votes, the one of the largest sum of probabilities.

    Examples
    --------
    >>> majority_vote(np.array([[[0.6, 0.4]], [[0.6, 0.4]], [[0.0, 1.0]]])).tolist()
    [0]
    >>> majority_vote(np.array([[[0.6, 0.4]], [[0.0, 1.0]]])).tolist()
    [1]
    """
    votes = (probabilities.argmax(axis=-1)[..., None] == np.arange(probabilities.shape[-1])).sum(axis=0)
    # A sum over all networks, taken as its mean, is below one vote.
    return np.asarray((votes + 0.5 * probabilities.mean(axis=0)).argmax(axis=-1))


class VotingNetworks:
    """Networks of one build with seeds of their own, of which the majority names the class.

    Parameters
    ----------
    seed : int
        That the seeds of the networks are drawn from.
    build : callable
        As `SmallBatchClassifier` takes it.
    training : Training
        Of each.
    voters : int
        At least 1.

    Raises
    ------
    ParameterError
        If there is no voter.
    """

    def __init__(self, seed: int, *, build: Build, training: Training, voters: int) -> None:
        if voters < 1:
            raise ParameterError(f"{voters} networks were asked to vote; at least 1 is wanted")
        seeds = np.random.SeedSequence(seed).generate_state(voters)
        self.networks = [SmallBatchClassifier(int(s), build=build, training=training) for s in seeds]

    def fit(self, x: NDArray[np.floating], labels: NDArray[np.str_]) -> VotingNetworks:
        """Learn each network from all windows (windows, n) and the class of each; returns itself."""
        for network in self.networks:
            network.fit(x, labels)
        return self

    def predict(self, x: NDArray[np.floating]) -> NDArray[np.str_]:
        """Name the class of each window that most networks name."""
        probabilities = np.stack([network.probabilities(x) for network in self.networks])
        return np.asarray(self.networks[0].classes[majority_vote(probabilities)])


@functools.cache
def kernel_dropout() -> Any:
    """Give the layer that convolves with a kernel of which weights are dropped in training.

    Returns
    -------
    type
        A Keras layer ``KernelDropoutConv1D(filters, size, stride, dropped)``, registered under ``raceway``. In training
        each call draws one rate uniformly from the range ``dropped``, zeroes each weight of the kernel with that
        probability, and divides the others by one less the rate, so that the kernel is right on average. Otherwise it
        convolves with the kernel as learned. Same padding, no bias; size and samples are multiples of the stride.

    Notes
    -----
    Zhang et al., Mech. Syst. Signal Process. 100 (2018) 439-453. Not taken from the paper: that weights are dropped
    one by one, and the division. A public implementation drops whole taps, of all filters at once, at a rate of one
    half, and divides likewise.
    """
    import keras

    @keras.saving.register_keras_serializable(package="raceway")
    class KernelDropoutConv1D(keras.layers.Layer):  # type: ignore[misc]  # Keras is published without types
        def __init__(self, filters: int, size: int, stride: int, dropped: tuple[float, float], **named: Any) -> None:
            super().__init__(**named)
            lowest, highest = dropped
            if not 0.0 <= lowest <= highest < 1.0:
                raise ParameterError(f"a share from {lowest} to {highest} was to be dropped; 0 to below 1 is wanted")
            if size % stride:
                raise ParameterError(f"a kernel of {size} every {stride} samples was asked for; a multiple is wanted")
            self.filters, self.size, self.stride, self.dropped = filters, size, stride, (lowest, highest)
            self.draws = keras.random.SeedGenerator()

        def build(self, shape: tuple[int, ...]) -> None:
            self.kernel = self.add_weight(shape=(self.size, shape[-1], self.filters), name="kernel")

        def interfered(self) -> Any:
            """The kernel with weights dropped, one draw of the rate and of the weights."""
            lowest, highest = self.dropped
            rate = keras.random.uniform((), lowest, highest, seed=self.draws)
            kept = keras.random.uniform(self.kernel.shape, seed=self.draws) >= rate
            return self.kernel * keras.ops.cast(kept, self.kernel.dtype) / (1.0 - rate)

        def call(self, x: Any, training: bool | None = None) -> Any:
            kernel = self.interfered() if training else self.kernel
            # Strides as channels: the same sums, in half the time of a strided convolution of one channel.
            ops, frames, overlap = keras.ops, self.size // self.stride, self.size - self.stride
            x = ops.pad(x, ((0, 0), (overlap // 2, overlap - overlap // 2), (0, 0)))
            x = ops.reshape(x, (-1, x.shape[1] // self.stride, self.stride * x.shape[2]))
            return ops.conv(x, ops.reshape(kernel, (frames, x.shape[2], self.filters)), padding="valid")

        def get_config(self) -> dict[str, Any]:
            own = {"filters": self.filters, "size": self.size, "stride": self.stride, "dropped": self.dropped}
            return {**super().get_config(), **own}

    return KernelDropoutConv1D


def build_ticnn(keras: Any, shape: tuple[int, ...], n_classes: int) -> Any:
    """Build the network that is trained under interference.

    Parameters
    ----------
    keras : module
    shape : tuple of int
        Of one window, (n,), at least 1,024 samples.
    n_classes : int

    Returns
    -------
    keras.Model
        Six convolutions, each normalised by batch, rectified and followed by maxima of 2: 16 kernels of 64 every 8
        samples with dropout of their weights, 32 of 3, four times 64 of 3, the last without padding; then 100 neurons
        and a softmax.
    """
    layers = keras.layers
    first = kernel_dropout()(16, 64, 8, DROPPED)
    convolutions = [first, *(layers.Conv1D(n, 3, padding="same", use_bias=False) for n in (32, 64, 64, 64))]
    convolutions.append(layers.Conv1D(64, 3, use_bias=False))
    stack = [layers.Input(shape), layers.Reshape((*shape, 1))]
    for convolution in convolutions:
        stack += [convolution, layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling1D(2)]
    stack += [layers.Flatten(), layers.Dense(100, use_bias=False), layers.BatchNormalization(), layers.ReLU()]
    return keras.Sequential([*stack, layers.Dense(n_classes, activation="softmax")])


def interference() -> tuple[FaultClassifier, ...]:
    """Give the networks that are trained under interference, not yet learned.

    Returns
    -------
    tuple of FaultClassifier
        One, on windows of 2,048 samples.

    Notes
    -----
    Zhang, Li, Peng, Chen and Zhang, Mech. Syst. Signal Process. 100 (2018) 439-453: raw windows into six convolutions,
    with dropout of the first kernels at a rate that changes from batch to batch, very small batches, and the majority
    of several networks. Substituted for speed: three networks, each after eight passes over the training windows. Sizes
    are those that public implementations of the paper agree on. Not taken from the paper: each window standardised by
    itself, the rate of descent, the normalisation of the hundred neurons, the range of the rate of dropout, batches of
    10, how ties are broken, that `models.bearing.descent.settle` takes the statistics of batch normalisation anew with
    whole kernels, and what `kernel_dropout` names.
    """
    return (FaultClassifier("Zhang 2018", N_SAMPLES, standardised, _voting, source=_ZHANG, published=_FIGURE),)


def _voting(seed: int) -> VotingNetworks:
    return VotingNetworks(seed, build=build_ticnn, training=_TRAINING, voters=VOTERS)
