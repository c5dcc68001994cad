"""The verdict on a single recording, without a server; refuses nothing that it can list as not to be said."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.severity import BroadBand, broad_band, zone_of
from app.shaftspeed import shaft_speed
from app.verdict import Envelope, Family, Note, Overall, Speed, Verdict, Vote
from features.bearing import Bearing
from features.errors import ParameterError
from features.faultlines import FAMILIES, HARMONICS, THRESHOLD_DB
from features.faultmap import fault_map
from features.iso20816 import Limits, Severity
from features.statistics import moments
from features.window import cut
from models.envelope_rule import EnvelopeVerdict, envelope_verdict
from models.recordings import Recording
from models.serving import Diagnoser

__all__ = ["LEAST_PROBABILITY", "diagnose", "stretch_of"]

# What the network's largest mean probability must reach to count; fixed beforehand, fitted to no record.
LEAST_PROBABILITY = 0.6

# Samples that spectra rest on: 40 s of 51.2 kHz. Longer stretches smear the lines of a shaft whose speed wanders.
_MOST_SAMPLES = 1 << 21
# The windows that the network learned from.
_WINDOW, _HOP = 4096, 2048
# "Some hundred turns" of `models.envelope_rule`.
_FEW_TURNS = 100.0
_KINDS = {"BPFO": "outer", "BPFI": "inner", "2xBSF": "ball", "FTF": "ball"}
_NO_NETWORK = "no diagnosis network was given"


@dataclass
class _Notes:
    cautions: list[Note] = field(default_factory=list)
    not_said: list[Note] = field(default_factory=list)

    def care(self, what: str, why: str) -> None:
        self.cautions.append(Note(what, why))

    def unsaid(self, what: str, why: str) -> None:
        self.not_said.append(Note(what, why))


def diagnose(
    recording: Recording,
    *,
    bearing: Bearing | None = None,
    limits: Limits | None = None,
    network: Diagnoser | None = None,
    no_network: str = _NO_NETWORK,
    speed_given: bool = False,
) -> Verdict:
    """Judge the first channel of a recording: overall values, severity zone, bearing fault.

    Parameters
    ----------
    recording : Recording
    bearing : Bearing, optional
        In the machine; without it nothing is said of its faults.
    limits : Limits, optional
        Of the machine's group; without them there is no zone.
    network : Diagnoser, optional
        Names the fault beside the envelope rule.
    no_network : str
        Why there is no network, where there is none.
    speed_given : bool
        Whether the recording's speed was given by the user rather than stated in the file.

    Returns
    -------
    Verdict
        What cannot be said (no speed, no bearing, too short, rate too low) is listed with its reason.

    Notes
    -----
    The kind is what `models.envelope_rule` names, and ``unknown`` where that is undecided: a sound bearing and a fault
    that does not stand out look alike to it. It is a rule, not a calibrated probability. The network's probabilities
    stand beside it, ``unknown`` where the largest, averaged over the windows, is below 0.6; where it contradicts the
    rule, that is a caution. It has no veto and names nothing alone: with the stated speeds the rule names 46 of the 60
    CWRU drive-end faults rightly and none wrongly; asking both to agree left 38, and let the network call 4 ball
    faults of 0.007 in normal. `app.shaftspeed` says what is done where no speed is stated.
    """
    notes = _Notes()
    channel = recording.channels[0]
    if len(recording.channels) > 1:
        notes.care("channel", f"{channel} of {', '.join(recording.channels)} is judged; give --channel for another")
    overall = _overall(recording.samples[0], notes)
    x = stretch_of(recording)
    if x.size < recording.samples.shape[1]:
        notes.care("spectra", f"they rest on the first {x.size / recording.rate_hz:.3g} s")
    alive = overall.kurtosis is not None
    speed = _speed(x, recording, notes, given=speed_given) if alive else None
    shaft_hz = speed.shaft_hz if speed else None
    velocity = _velocity(x, recording, shaft_hz, notes)
    severity = _severity(velocity, limits, notes)
    envelope = _envelope(x, recording, shaft_hz, bearing, notes) if alive else None
    vote = _vote(x, recording.rate_hz, shaft_hz, bearing, network, no_network, notes) if alive else None
    kind, reason = _judged(envelope)
    if vote is not None and vote.kind not in {"unknown", kind}:
        notes.care("class probabilities", f"the network says {vote.kind} ({vote.probability:.2f}), the rule {kind}")
    return Verdict(
        recording=recording.name,
        channel=channel,
        unit=recording.unit,
        duration_s=recording.duration_s,
        rate_hz=recording.rate_hz,
        kind=kind,
        reason=reason,
        speed=speed,
        overall=overall,
        velocity=velocity,
        severity=severity,
        bearing=bearing,
        envelope=envelope,
        vote=vote,
        cautions=tuple(notes.cautions),
        not_said=tuple(notes.not_said),
    )


def stretch_of(recording: Recording) -> NDArray[np.float64]:
    """Samples of the first channel that spectra rest on, shape (n,): 2,097,152 at most, without their mean."""
    x = recording.samples[0, :_MOST_SAMPLES].astype(np.float64)
    return np.asarray(x - x.mean())


def _overall(samples: NDArray[np.float32], notes: _Notes) -> Overall:
    found = moments(samples.astype(np.float64))
    mean, rms = float(found.mean), float(found.std)
    if rms == 0.0:
        notes.unsaid("crest factor, kurtosis, bearing fault", f"the channel is constant ({mean:g}); check the sensor")
        return Overall(0.0, 0.0, None, None)
    peak = max(float(found.maximum) - mean, mean - float(found.minimum))
    return Overall(rms, peak, peak / rms, float(found.kurtosis))


def _speed(x: NDArray[np.float64], recording: Recording, notes: _Notes, *, given: bool) -> Speed | None:
    speed, why = shaft_speed(x, recording.rate_hz, stated_hz=recording.shaft_hz, given=given)
    if speed is None:
        notes.unsaid("speed", why)
    elif speed.estimated:
        notes.care("speed", why)
    return speed


def _velocity(x: NDArray[np.float64], recording: Recording, shaft_hz: float | None, notes: _Notes) -> BroadBand | None:
    try:
        found = broad_band(x[None, :].astype(np.float32), recording.rate_hz, unit=recording.unit, shaft_hz=shaft_hz)
    except ParameterError as error:
        notes.unsaid("velocity RMS", str(error))
        return None
    if shaft_hz is None:
        notes.care("velocity RMS", "the speed is not known; 600 r/min or more is assumed")
    if found.slow and found.displacement_um is None:
        notes.unsaid("displacement RMS", f"{x.size / recording.rate_hz:.3g} s are too short for it at this low speed")
    return found


def _severity(velocity: BroadBand | None, limits: Limits | None, notes: _Notes) -> Severity | None:
    if limits is None:
        notes.unsaid("ISO 20816 zone", "no machine group is given; give --iso-group")
        return None
    if velocity is None:
        notes.unsaid("ISO 20816 zone", "there is no velocity RMS to be judged")
        return None
    return zone_of(velocity, limits)


def _envelope(
    x: NDArray[np.float64], recording: Recording, shaft_hz: float | None, bearing: Bearing | None, notes: _Notes
) -> Envelope | None:
    if shaft_hz is None or bearing is None:
        lacking = " and ".join(name for name, known in (("speed", shaft_hz), ("bearing", bearing)) if known is None)
        notes.unsaid("bearing fault lines", f"{lacking} not known; give {_options(shaft_hz, bearing)}")
        return None
    try:
        found = envelope_verdict(x, recording.rate_hz, shaft_hz=shaft_hz, orders=bearing.orders)
    except ParameterError as error:
        notes.unsaid("bearing fault lines", str(error))
        return None
    envelope = _described(found, shaft_hz, bearing, turns=x.size / recording.rate_hz * shaft_hz)
    lacking = ", ".join(family.name for family in envelope.families if len(family.harmonics_db) < HARMONICS)
    if lacking:
        span_hz = float(found.frequencies[-1])
        notes.unsaid(
            f"all {HARMONICS} harmonics of {lacking}",
            f"at {recording.rate_hz:g} Hz the envelope of a band reaches {span_hz:.4g} Hz; a higher rate is wanted",
        )
    if any(not family.harmonics_db for family in envelope.families):
        notes.unsaid("bearing fault by the envelope", "not every family has a line inside the spectrum")
        return None
    if envelope.turns < _FEW_TURNS:
        notes.care("bearing fault lines", f"they rest on {envelope.turns:.0f} turns; some hundred are wanted")
    if recording.unit == "mm/s":
        notes.care("bearing fault lines", "velocity damps the resonances that impacts ring in; acceleration is better")
    return envelope


def _options(shaft_hz: float | None, bearing: Bearing | None) -> str:
    return " and ".join(flag for flag, known in (("--rpm", shaft_hz), ("--bearing", bearing)) if known is None)


def _described(found: EnvelopeVerdict, shaft_hz: float, bearing: Bearing, *, turns: float) -> Envelope:
    orders = bearing.orders
    expected = (orders.bpfo, orders.bpfi, orders.defect, orders.bsf, orders.ftf)
    families = tuple(_family(found, i, order * shaft_hz) for i, order in enumerate(expected))
    # BSF is measured too, but no rule rests on it.
    strongest = max((family for family in families if family.name in _KINDS), key=lambda family: family.evidence_db)
    return Envelope(found.fault.kind, strongest.name, THRESHOLD_DB, turns, families)


def _family(found: EnvelopeVerdict, i: int, expected_hz: float) -> Family:
    lines = found.lines
    band = int(lines.evidence_db[:, i].argmax())
    n, slip = lines.n_harmonics[i], float(lines.slip[band, i])
    flanked = FAMILIES[i] not in ("BPFO", "FTF")
    return Family(
        name=FAMILIES[i],
        expected_hz=expected_hz,
        evidence_db=float(lines.evidence_db[:, i].mean()),
        band_hz=(found.edges_hz[band], found.edges_hz[band + 1]),
        band_evidence_db=float(lines.evidence_db[band, i]),
        slip=slip,
        found_hz=expected_hz * (1.0 + slip),
        harmonics_db=tuple(lines.harmonics_db[band, i, :n].tolist()),
        sidebands_db=tuple(lines.sidebands_db[band, i, :n].tolist()) if flanked else (),
    )


def _vote(
    x: NDArray[np.float64],
    rate_hz: float,
    shaft_hz: float | None,
    bearing: Bearing | None,
    network: Diagnoser | None,
    no_network: str,
    notes: _Notes,
) -> Vote | None:
    what = "class probabilities"
    if network is None:
        notes.unsaid(what, no_network)
    elif shaft_hz is None or bearing is None:
        notes.unsaid(what, f"the network wants speed and bearing; give {_options(shaft_hz, bearing)}")
    elif x.size < _WINDOW:
        notes.unsaid(what, f"{x.size} samples hold no window of {_WINDOW}")
    else:
        return _averaged(x, rate_hz, shaft_hz, bearing, network, notes)
    return None


def _averaged(
    x: NDArray[np.float64], rate_hz: float, shaft_hz: float, bearing: Bearing, network: Diagnoser, notes: _Notes
) -> Vote:
    windows = cut(x.astype(np.float32), n=_WINDOW, hop=_HOP)
    maps = fault_map(windows, rate_hz, shaft_hz=shaft_hz, orders=bearing.orders)
    mean = network.probabilities(maps).astype(np.float64).mean(axis=0)
    best = int(mean.argmax())
    learned = network.rates_hz
    if learned and not min(learned) <= rate_hz <= max(learned):
        notes.care(
            "class probabilities",
            f"the network learned at {min(learned):g} to {max(learned):g} Hz; this is {rate_hz:g} Hz",
        )
    return Vote(
        kind=network.classes[best] if mean[best] >= LEAST_PROBABILITY else "unknown",
        probability=float(mean[best]),
        threshold=LEAST_PROBABILITY,
        probabilities=dict(zip(network.classes, mean.tolist(), strict=True)),
        windows=len(windows),
        bundle=network.bundle_id,
    )


def _judged(envelope: Envelope | None) -> tuple[str, str]:
    """Kind and the reason for it; the notes of `diagnose` say the rule."""
    if envelope is None:
        return "unknown", "the envelope rule cannot speak, and nothing is named without it"
    return ("unknown" if envelope.kind == "undecided" else envelope.kind), _rule_words(envelope)


def _rule_words(envelope: Envelope) -> str:
    if envelope.kind == "undecided":
        family = envelope.family(envelope.strongest)
        return (
            f"in the envelope no fault leads chance and its rivals by {envelope.threshold_db:g} dB "
            f"(strongest: {family.name}, {family.evidence_db:.1f} dB)"
        )
    names = [name for name, kind in _KINDS.items() if kind == envelope.kind]
    shown = " and ".join(f"{name} {envelope.family(name).evidence_db:.1f} dB" for name in names)
    return f"the envelope names {envelope.kind} ({shown} over chance)"
