"""What a verdict on a single recording holds, and what of it could not be said."""

from __future__ import annotations

from dataclasses import dataclass

from app.severity import BroadBand
from features.bearing import Bearing
from features.iso20816 import Severity

__all__ = ["Envelope", "Family", "Note", "Overall", "Speed", "Verdict", "Vote"]


@dataclass(frozen=True, slots=True)
class Note:
    """What cannot be said, or is to be read with care, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Speed:
    """Shaft speed and where it comes from.

    Attributes
    ----------
    shaft_hz, rpm : float
    source : str
        ``given``, ``file`` or ``spectrum``.
    estimated : bool
        Whether it was guessed from the spectrum; then never a measurement.
    confidence : float or None
        Of a guess, 0 to 1.
    """

    shaft_hz: float
    rpm: float
    source: str
    estimated: bool = False
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Overall:
    """Overall values of the whole channel without its mean, in its unit; crest factor and kurtosis without unit.

    Attributes
    ----------
    rms, peak : float
    crest, kurtosis : float or None
        Peak over RMS, and the fourth standardised moment (3 for Gaussian noise); None for a constant channel.
    """

    rms: float
    peak: float
    crest: float | None
    kurtosis: float | None


@dataclass(frozen=True, slots=True)
class Family:
    """A fault family in the envelope.

    Attributes
    ----------
    name : str
        One of ``features.faultlines.FAMILIES``.
    expected_hz : float
        Kinematic frequency, without slip.
    evidence_db : float
        Over chance, mean of all bands.
    band_hz : tuple of two floats
        The band in which the family stands highest; what follows was found there.
    band_evidence_db : float
    slip, found_hz : float
        Deviation from the kinematic frequency that its harmonics share, within 0.02, and the frequency so found.
    harmonics_db : tuple of float
        Power of each harmonic over the noise around it; those beyond the spectrum are left out. Lines that fall on a
        multiple of the shaft speed count 0 dB at most.
    sidebands_db : tuple of float
        The same, mean of each pair; empty for families without.
    """

    name: str
    expected_hz: float
    evidence_db: float
    band_hz: tuple[float, float]
    band_evidence_db: float
    slip: float
    found_hz: float
    harmonics_db: tuple[float, ...]
    sidebands_db: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the envelope rule says.

    Attributes
    ----------
    kind : str
        ``outer``, ``inner``, ``ball`` or ``undecided``.
    strongest : str
        Name of the family with the most evidence, whether it suffices or not.
    threshold_db : float
        By which a fault's evidence must lead chance and its rivals.
    turns : float
        Turns of the shaft that it rests on.
    families : tuple of Family
    """

    kind: str
    strongest: str
    threshold_db: float
    turns: float
    families: tuple[Family, ...]

    def family(self, name: str) -> Family:
        """Give a family by its name."""
        return next(family for family in self.families if family.name == name)


@dataclass(frozen=True, slots=True)
class Vote:
    """What the network says.

    Attributes
    ----------
    kind : str
        The class of the largest probability; ``unknown`` where that does not reach the threshold.
    probability, threshold : float
        That probability, and what it must reach to count.
    probabilities : dict of str to float
        Mean over the windows; outputs of a softmax, not calibrated.
    windows : int
    bundle : str
        The model that made them.
    """

    kind: str
    probability: float
    threshold: float
    probabilities: dict[str, float]
    windows: int
    bundle: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on one channel of a recording.

    Attributes
    ----------
    recording, channel, unit : str
    duration_s, rate_hz : float
    kind : str
        ``outer``, ``inner``, ``ball`` or ``unknown``.
    reason : str
        Why that kind, in a sentence.
    speed, overall, velocity, severity, bearing, envelope, vote
        What it rests on; None where it cannot be said.
    cautions : tuple of Note
        What is to be read with care.
    not_said : tuple of Note
        What cannot be said, with the reason.
    """

    recording: str
    channel: str
    unit: str
    duration_s: float
    rate_hz: float
    kind: str
    reason: str
    speed: Speed | None
    overall: Overall
    velocity: BroadBand | None
    severity: Severity | None
    bearing: Bearing | None
    envelope: Envelope | None
    vote: Vote | None
    cautions: tuple[Note, ...]
    not_said: tuple[Note, ...]
