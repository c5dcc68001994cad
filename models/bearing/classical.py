"""Classical systems from the literature and the baselines beside them; scikit-learn is loaded when one learns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.contract import BASELINE
from features.extraction import extract
from models.bearing.windows import BearingWindows, FaultClassifier

__all__ = [
    "N_SAMPLES",
    "SELECTED",
    "KMeansOnSelected",
    "NetworkOnSelected",
    "baseline_features",
    "classical",
    "random_forest",
    "select_by_loadings",
    "spectrum_levels",
]

Floats = NDArray[np.floating]

_LI = "Li, Chow, Tipsuwan, Hung, IEEE Trans. Ind. Electron. 47, 2000"
_MALHI = "Malhi, Gao, IEEE Trans. Instrum. Meas. 53, 2004"
_WIDODO = "Widodo, Yang, Han, Expert Syst. Appl. 32, 2007 (induction motors)"
_LI_FIGURE = "not confirmed: the abstract, all that was at hand, gives none; bearings of motors, simulated and measured"
_MALHI_FIGURE = "not confirmed: the abstract, all that was at hand, gives none; the severity of a defect on a test bed"
_WIDODO_FIGURE = "not confirmed: the abstract, all that was at hand, gives none; faults of whole induction motors"
N_SAMPLES = 4096
SELECTED = 8
_N_BANDS = 64
_HIDDEN = 20
_COMPONENTS = 12
# Principal components are counted until they hold this share of the variance (Malhi and Gao keep the leading ones).
_HELD_VARIANCE = 0.9


def spectrum_levels(windows: BearingWindows, *, n_bands: int = _N_BANDS) -> NDArray[np.float64]:
    """Measure the level of equal bands of the amplitude spectrum.

    Parameters
    ----------
    windows : BearingWindows
    n_bands : int
        At most half the samples of a window.

    Returns
    -------
    ndarray, shape (windows, n_bands)
        Common logarithm of the power of each band under a Hann window, in ascending frequency.
    """
    x = windows.samples - windows.samples.mean(axis=-1, keepdims=True)
    power = np.abs(np.fft.rfft(x * np.hanning(x.shape[-1]), axis=-1)) ** 2
    edges = np.linspace(1, power.shape[-1], n_bands + 1).astype(int)
    return np.asarray(np.log10(np.maximum(np.add.reduceat(power, edges[:-1], axis=-1), 1e-20)))


def baseline_features(windows: BearingWindows) -> NDArray[np.float32]:
    """Measure the features of the contract that need neither speed nor bearing, shape (windows, features)."""
    return extract(windows.samples, windows.rate_hz, profile=BASELINE, unit="g")


def select_by_loadings(x: Floats, *, n: int) -> NDArray[np.intp]:
    """Choose features by their weight in the leading principal components.

    Parameters
    ----------
    x : ndarray, shape (windows, features)
        Standardised.
    n : int
        Features wanted.

    Returns
    -------
    ndarray of int, shape (n,)
        Indices, the weightiest first: the sum over the components that hold 90 % of the variance of the absolute
        loading times the eigenvalue.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((200, 3)) * [0.1, 3.0, 0.1]
    >>> select_by_loadings(x, n=1).tolist()
    [1]
    """
    values, vectors = np.linalg.eigh(np.cov(x, rowvar=False))
    values, vectors = values[::-1], vectors[:, ::-1]
    held = int(np.searchsorted(np.cumsum(values) / values.sum(), _HELD_VARIANCE)) + 1
    weight = np.abs(vectors[:, :held]) @ values[:held]
    return np.argsort(-weight)[:n]


class NetworkOnSelected:
    """Eight features selected by principal components, then a network of one hidden layer.

    Malhi and Gao, IEEE Trans. Instrum. Meas. 53 (2004) 1517-1525: a principal component analysis of statistical,
    spectral and wavelet features of bearing vibration says which to keep; they feed a feedforward network and a
    clustering, which name how severe a defect is; here both name its kind. Substituted: the features of today's
    contract for theirs, L-BFGS for back-propagation.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.kept: NDArray[np.intp] = np.arange(0)
        self._scaler: Any = None
        self._model: Any = None

    def fit(self, x: Floats, labels: NDArray[np.str_]) -> NetworkOnSelected:
        """Select features on these windows (windows, features) and learn from them; returns itself."""
        from sklearn.preprocessing import StandardScaler

        self._scaler = StandardScaler().fit(x)
        scaled = self._scaler.transform(x)
        self.kept = select_by_loadings(scaled, n=SELECTED)
        self._model = self._learn(scaled[:, self.kept], labels)
        return self

    def predict(self, x: Floats) -> NDArray[np.str_]:
        """Name the class of each row of features."""
        return self._name(self._scaler.transform(x)[:, self.kept])

    def _learn(self, x: Floats, labels: NDArray[np.str_]) -> Any:
        return _network(self.seed).fit(x, labels)

    def _name(self, x: Floats) -> NDArray[np.str_]:
        return np.asarray(self._model.predict(x))


class KMeansOnSelected(NetworkOnSelected):
    """Eight features selected by principal components, then k-means with as many clusters as classes.

    The unsupervised system of Malhi and Gao (2004). Substituted: k-means for their competitive clustering, and each
    cluster is named by the class that is commonest in it on the training side.
    """

    def _learn(self, x: Floats, labels: NDArray[np.str_]) -> Any:
        from sklearn.cluster import KMeans

        classes = np.unique(labels)
        clusters = KMeans(classes.size, n_init=10, random_state=self.seed).fit(x)
        counts = np.array([[np.sum(labels[clusters.labels_ == i] == c) for c in classes] for i in range(classes.size)])
        self._names = classes[counts.argmax(axis=1)]
        return clusters

    def _name(self, x: Floats) -> NDArray[np.str_]:
        return np.asarray(self._names[self._model.predict(x)])


def classical() -> tuple[FaultClassifier, ...]:
    """Give the published classical systems and the baselines, each not yet learned.

    Returns
    -------
    tuple of FaultClassifier
        All on windows of 4,096 samples.

    Notes
    -----
    Li, Chow, Tipsuwan and Hung, IEEE Trans. Ind. Electron. 47 (2000) 1060-1069: frequency-domain features of the
    Fourier transform, with some of the time domain, and a network of one hidden layer. Substituted: 64 band levels of
    the transform for their few hand-picked lines, L-BFGS for back-propagation.

    Widodo, Yang and Han, Expert Syst. Appl. 32 (2007) 299-312: statistical features of vibration and stator current,
    reduced by independent components (by principal ones for comparison), then a support vector machine of several
    classes, under several kernels. They name faults of whole induction motors; how many of these are of bearings is
    not known here. Substituted: the features of the contract for theirs, the vibration of one sensor for both signals,
    twelve independent components, the radial basis function with scikit-learn's default width, one class against
    another.

    Ridge, random forest and gradient boosting take the features of the contract as they are.
    """
    return (
        FaultClassifier("Li 2000", N_SAMPLES, spectrum_levels, _li, source=_LI, published=_LI_FIGURE),
        FaultClassifier(
            "Malhi 2004, network",
            N_SAMPLES,
            baseline_features,
            NetworkOnSelected,
            source=_MALHI,
            published=_MALHI_FIGURE,
        ),
        FaultClassifier(
            "Malhi 2004, k-means",
            N_SAMPLES,
            baseline_features,
            KMeansOnSelected,
            source=_MALHI,
            published=_MALHI_FIGURE,
        ),
        FaultClassifier("Widodo 2007", N_SAMPLES, baseline_features, _widodo, source=_WIDODO, published=_WIDODO_FIGURE),
        FaultClassifier("ridge", N_SAMPLES, baseline_features, _ridge),
        FaultClassifier("random forest", N_SAMPLES, baseline_features, random_forest),
        FaultClassifier("gradient boosting", N_SAMPLES, baseline_features, _boosting),
    )


def random_forest(seed: int) -> Any:
    """Give 200 trees, classes balanced, not yet learned."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(200, class_weight="balanced", random_state=seed)


def _network(seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((_HIDDEN,), activation="tanh", solver="lbfgs", alpha=1e-2, max_iter=2000, random_state=seed)


def _li(seed: int) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), _network(seed))


def _widodo(seed: int) -> Any:
    from sklearn.decomposition import FastICA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    # Loose, so that it ends: a separation that goes on turning within its noise is none the better.
    independent = FastICA(_COMPONENTS, whiten="unit-variance", max_iter=1000, tol=1e-2, random_state=seed)
    machine = SVC(C=10.0, kernel="rbf", class_weight="balanced")
    return make_pipeline(StandardScaler(), independent, StandardScaler(), machine)


def _ridge(seed: int) -> Any:
    from sklearn.linear_model import RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), RidgeClassifier(class_weight="balanced", random_state=seed))


def _boosting(seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    # Half of the features at each split: without it nothing is drawn, and a seed would change nothing.
    return HistGradientBoostingClassifier(
        max_iter=50, max_leaf_nodes=15, max_features=0.5, class_weight="balanced", random_state=seed
    )
