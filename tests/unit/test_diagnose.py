"""The verdict on a single recording: faults of a simulated machine, what cannot be said, command and picture."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from app.cli import _raceway
from app.diagnose import LEAST_PROBABILITY, diagnose
from app.plots import headline, plot_verdict
from app.settings import Settings
from app.shaftspeed import shaft_speed
from app.verdict import Verdict
from features.bearing import bearing_named
from features.errors import ParameterError
from features.iso20816 import limits_named
from models.envelope_rule import envelope_verdict, fault_kind
from models.plant import Condition, Machine, MachineSignal, Mode
from models.recordings import Recording, read_recording

RATE_HZ = 12_000.0
SHAFT_HZ = 29.2
BEARING = bearing_named("6205-2RS")
MACHINE = Machine(
    "test",
    BEARING,
    SHAFT_HZ,
    modes=(Mode(2800.0, 0.03, 0.6), Mode(4100.0, 0.02, 0.4)),
    unbalance_g=0.1,
    mesh_g=0.05,
    teeth=23,
    looseness=0.5,
    slip=0.005,
)
CLASSES = ("normal", "inner", "outer", "ball")


class _Network:
    """Stands for a served network: the same probabilities for every window."""

    classes, bundle_id, rates_hz = CLASSES, "made-up", (10_000.0, 25_600.0)

    def __init__(self, kind: str, probability: float) -> None:
        self._row = np.full(len(CLASSES), (1.0 - probability) / 3.0, np.float32)
        self._row[CLASSES.index(kind)] = probability

    def probabilities(self, maps: np.ndarray) -> np.ndarray:
        return np.tile(self._row, (len(maps), 1))


def recorded(fault: str = "none", *, seconds: float = 10.0, shaft_hz: float | None = SHAFT_HZ) -> Recording:
    signal = MachineSignal(MACHINE, rate_hz=RATE_HZ, rng=np.random.default_rng(7))
    x = signal.block(int(seconds * RATE_HZ), Condition(SHAFT_HZ, fault=fault, severity=0.8))
    return Recording("made", x, RATE_HZ, "g", ("radial",), shaft_hz)


def unsaid(verdict: Verdict) -> dict[str, str]:
    return {note.what: note.why for note in verdict.not_said}


@pytest.mark.parametrize(("fault", "family"), [("inner", "BPFI"), ("outer", "BPFO"), ("ball", "2xBSF")])
def test_a_fault_is_named_with_its_lines(fault: str, family: str) -> None:
    verdict = diagnose(recorded(fault), bearing=BEARING, limits=limits_named("group-2-rigid"))
    assert verdict.kind == fault
    assert verdict.envelope is not None
    lines = verdict.envelope.family(family)
    assert lines.evidence_db >= 3.0
    assert family in verdict.reason
    assert len(lines.harmonics_db) == 3
    assert max(lines.harmonics_db) > 10.0
    assert lines.found_hz == pytest.approx(lines.expected_hz * (1.0 + lines.slip))
    assert verdict.severity is not None
    assert unsaid(verdict) == {"class probabilities": "no diagnosis network was given"}


def test_the_rule_is_the_one_that_is_measured() -> None:
    recording = recorded("outer")
    x = recording.samples[0].astype(np.float64)
    orders = BEARING.orders
    measured = fault_kind(x - x.mean(), RATE_HZ, shaft_hz=SHAFT_HZ, orders=orders)
    verdict = diagnose(recording, bearing=BEARING)
    assert verdict.envelope is not None
    found = {family.name: family for family in verdict.envelope.families}
    assert (verdict.envelope.kind, found["BPFO"].evidence_db) == (measured.kind, pytest.approx(measured.outer_db))
    assert found["FTF"].evidence_db == pytest.approx(measured.cage_db)
    assert found["BPFI"].expected_hz == pytest.approx(orders.bpfi * SHAFT_HZ)
    whole = envelope_verdict(x - x.mean(), RATE_HZ, shaft_hz=SHAFT_HZ, orders=orders)
    band = whole.edges_hz.index(found["BPFO"].band_hz[0])
    assert whole.lines.evidence_db[band, 0] == whole.lines.evidence_db[:, 0].max() == found["BPFO"].band_evidence_db


@pytest.mark.parametrize("fault", ["none", "unbalance", "misalignment"])
def test_a_sound_bearing_is_unknown_to_the_rule_alone(fault: str) -> None:
    verdict = diagnose(recorded(fault), bearing=BEARING)
    assert (verdict.kind, headline(verdict)) == ("unknown", "bearing condition unknown")
    assert "no fault leads chance" in verdict.reason


@pytest.mark.parametrize(
    ("fault", "said", "probability", "kind", "contradicts"),
    [
        ("outer", "outer", 0.9, "outer", False),
        ("outer", "outer", LEAST_PROBABILITY - 0.01, "outer", False),
        ("outer", "inner", 0.9, "outer", True),
        ("outer", "normal", 0.9, "outer", True),
        ("outer", "inner", 0.5, "outer", False),
        ("none", "normal", 0.9, "unknown", True),
        ("none", "inner", 0.9, "unknown", True),
    ],
)
def test_the_network_stands_beside_the_rule_and_cautions(
    fault: str, said: str, probability: float, kind: str, contradicts: bool
) -> None:
    verdict = diagnose(recorded(fault), bearing=BEARING, network=_Network(said, probability))  # type: ignore[arg-type]
    assert verdict.kind == kind
    assert verdict.vote is not None
    sure = probability >= LEAST_PROBABILITY
    assert (verdict.vote.kind, verdict.vote.windows) == (said if sure else "unknown", 57)
    assert verdict.vote.probabilities[said] == pytest.approx(probability)
    assert any(f"the network says {said}" in note.why for note in verdict.cautions) == contradicts


def test_overall_values_are_those_of_a_sine_whatever_its_offset() -> None:
    t = np.arange(24_000) / RATE_HZ
    x = (3.0 + 2.0 * np.sin(2 * np.pi * 100.0 * t)).astype(np.float32)[None, :]
    verdict = diagnose(Recording("sine", x, RATE_HZ, "m/s2", ("a",), 25.0))
    overall = verdict.overall
    assert (overall.rms, overall.peak) == (pytest.approx(np.sqrt(2.0)), pytest.approx(2.0, rel=1e-4))
    assert (overall.crest, overall.kurtosis) == (pytest.approx(np.sqrt(2.0), rel=1e-4), pytest.approx(1.5, rel=1e-4))
    assert verdict.velocity is not None
    assert verdict.velocity.velocity_mm_s == pytest.approx(2000.0 / (2 * np.pi * 100.0) / np.sqrt(2.0), rel=0.01)
    assert verdict.kind == "unknown"
    assert unsaid(verdict)["bearing fault lines"] == "bearing not known; give --bearing"
    assert "--iso-group" in unsaid(verdict)["ISO 20816 zone"]


def test_a_speed_that_is_not_stated_is_guessed_and_flagged() -> None:
    verdict = diagnose(recorded("outer", shaft_hz=None), bearing=BEARING)
    assert verdict.speed is not None
    assert (verdict.speed.estimated, verdict.speed.source) == (True, "spectrum")
    assert verdict.speed.shaft_hz == pytest.approx(SHAFT_HZ, rel=0.003)
    assert verdict.kind == "outer"
    assert any("no measurement" in note.why for note in verdict.cautions)
    stated = diagnose(recorded(seconds=1.0), speed_given=True).speed
    assert stated is not None
    assert (stated.estimated, stated.source, stated.shaft_hz) == (False, "given", SHAFT_HZ)


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_the_mains_are_no_shaft(mains_hz: float, rng: np.random.Generator) -> None:
    t = np.arange(48_000) / RATE_HZ
    x = np.asarray(sum(np.cos(2 * np.pi * mains_hz * k * t) for k in (1, 2, 3, 4)))
    speed, why = shaft_speed(x + 0.01 * rng.standard_normal(t.size), RATE_HZ, stated_hz=None, given=False)
    assert speed is None
    assert "may be the mains" in why


def test_noise_has_no_speed_and_so_no_fault_lines(rng: np.random.Generator) -> None:
    x = rng.standard_normal((1, 48_000)).astype(np.float32)
    verdict = diagnose(Recording("noise", x, RATE_HZ, "g", ("a",)), network=_Network("ball", 1.0))  # type: ignore[arg-type]
    assert (verdict.kind, verdict.speed, verdict.envelope, verdict.vote) == ("unknown", None, None, None)
    assert "no clear one from 10 to 65 Hz" in unsaid(verdict)["speed"]
    assert unsaid(verdict)["bearing fault lines"] == "speed and bearing not known; give --rpm and --bearing"
    assert "wants speed and bearing" in unsaid(verdict)["class probabilities"]


def test_what_a_short_recording_cannot_say_is_listed() -> None:
    verdict = diagnose(
        recorded("outer", seconds=0.3),
        bearing=BEARING,
        limits=limits_named("group-2-rigid"),
        network=_Network("outer", 1.0),  # type: ignore[arg-type]
    )
    said = unsaid(verdict)
    assert verdict.kind == "unknown"
    assert "wants 0.4 s or more" in said["velocity RMS"]
    assert "no velocity RMS" in said["ISO 20816 zone"]
    assert "at least 16 are wanted" in said["bearing fault lines"]
    assert "hold no window of 4096" in said["class probabilities"]
    some = diagnose(recorded("outer", seconds=2.0), bearing=BEARING)
    assert any("rest on 58 turns" in note.why for note in some.cautions)


def test_a_rate_too_low_for_the_lines_names_no_fault() -> None:
    x = recorded("outer").samples[:, ::12]
    verdict = diagnose(Recording("slow", np.ascontiguousarray(x), 1000.0, "g", ("a",), SHAFT_HZ), bearing=BEARING)
    said = unsaid(verdict)
    assert (verdict.kind, verdict.envelope) == ("unknown", None)
    assert "the envelope of a band reaches 89.9 Hz" in said["all 3 harmonics of BPFO, BPFI, 2xBSF, BSF"]
    assert "not every family has a line" in said["bearing fault by the envelope"]
    assert "at a rate of 1000.0 Hz" in said["velocity RMS"]


def test_a_dead_channel_is_said_to_be_one() -> None:
    dead = Recording("dead", np.full((2, 48_000), 0.5, np.float32), RATE_HZ, "g", ("a", "b"), SHAFT_HZ)
    verdict = diagnose(dead, bearing=BEARING, network=_Network("normal", 1.0))  # type: ignore[arg-type]
    assert verdict.kind == "unknown"
    assert (verdict.overall.rms, verdict.overall.kurtosis, verdict.vote) == (0.0, None, None)
    assert any("constant (0.5); check the sensor" in why for why in unsaid(verdict).values())
    assert any("a of a, b is judged" in note.why for note in verdict.cautions)


def _saved(folder: Path, recording: Recording) -> str:
    np.savez(folder / "pump.npz", signal=recording.samples.T, fs=recording.rate_hz, unit="g")
    return str(folder / "pump.npz")


def _run(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(_raceway, ["--data-dir", str(settings.data_dir), "diagnose", *arguments])


def test_the_command_prints_text_and_json_and_makes_no_store(settings: Settings, tmp_path: Path) -> None:
    path = _saved(tmp_path, recorded("inner"))
    arguments = [path, "--rpm", str(60.0 * SHAFT_HZ), "--bearing", "6205-2RS", "--iso-group", "group-2-rigid"]
    text = _run(settings, *arguments)
    assert text.exit_code == 0
    assert text.output.startswith("pump.npz, ch1: inner-race fault; ISO 20816 zone ")
    assert "no diagnosis network serves in" in text.output
    assert not settings.data_dir.exists()
    told = json.loads(_run(settings, *arguments, "--json").output)
    assert (told["kind"], told["speed"]["source"], told["speed"]["estimated"]) == ("inner", "given", False)
    assert [family["name"] for family in told["envelope"]["families"]] == ["BPFO", "BPFI", "2xBSF", "BSF", "FTF"]
    geometry = ["--balls", "9", "--ball-mm", str(BEARING.ball_mm), "--pitch-mm", str(BEARING.pitch_mm)]
    own = json.loads(_run(settings, path, "--rpm", str(60.0 * SHAFT_HZ), *geometry, "--json").output)
    assert own["envelope"] == told["envelope"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["missing.npz"], "no recording at missing.npz"),
        (["nan.npz"], "has NaN or infinite samples"),
        (["fine.npz", "--channel", "z"], "has no channel 'z'; it has ch1"),
        (["fine.npz", "--rpm", "-5"], "give a positive one"),
        (["fine.npz", "--bearing", "9999"], "no bearing named '9999'"),
        (["fine.npz", "--bearing", "6205-2RS", "--balls", "9"], "a geometry too; one of them is wanted"),
        (["fine.npz", "--balls", "9"], "lacks --ball-mm"),
        (["fine.npz", "--balls", "2", "--ball-mm", "8", "--pitch-mm", "39"], "at least 3 are needed"),
        (["fine.npz", "--iso-group", "group-9"], "no limits named 'group-9'"),
        (["fine.npz", "--network", "nowhere"], "bundle nowhere cannot be read"),
        (["fine.npz", "--plot", "picture.pdf"], "a name ending in .png is wanted"),
        (["fine.npz", "--plot", "no/folder/x.png"], "cannot be written to no/folder/x.png"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_bad_input_is_one_sentence_and_exit_code_two(settings: Settings, arguments: list[str], sentence: str) -> None:
    x = np.random.default_rng(1).standard_normal(12_000)
    np.savez("fine.npz", signal=x, fs=RATE_HZ, unit="g")
    np.savez("nan.npz", signal=np.where(np.arange(x.size) == 5, np.nan, x), fs=RATE_HZ, unit="g")
    shown = _run(settings, *arguments)
    assert shown.exit_code == 2
    assert sentence in shown.output
    assert len(shown.output.strip().splitlines()) == 1


@pytest.mark.parametrize("bearing", [BEARING, None], ids=["marked", "unmarked"])
def test_a_verdict_is_drawn(tmp_path: Path, bearing: object) -> None:
    pytest.importorskip("matplotlib", reason="pictures want the extra `console`")
    image = pytest.importorskip("matplotlib.image")
    recording = recorded("outer", seconds=4.0)
    verdict = diagnose(recording, bearing=bearing)  # type: ignore[arg-type]
    plot_verdict(recording, verdict, tmp_path / "x.png")
    pixels = image.imread(tmp_path / "x.png")
    assert pixels.shape[:2] == (880, 1320)
    # Orange shading of the expected lines of BPFO stands in the lower half of the marked picture only.
    red, green, blue = (np.rint(255 * pixels[440:, :, i]) for i in range(3))
    shaded = np.count_nonzero((np.abs(red - 242) < 3) & (np.abs(green - 207) < 3) & (np.abs(blue - 179) < 3))
    assert (shaded > 2000) == (bearing is not None)


def test_even_a_dead_channel_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures want the extra `console`")
    dead = Recording("dead", np.zeros((1, 4096), np.float32), RATE_HZ, "g", ("a",), SHAFT_HZ)
    plot_verdict(dead, diagnose(dead, bearing=BEARING), tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 1000


def test_a_missing_matplotlib_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    recording = recorded(seconds=1.0)
    with pytest.raises(ParameterError, match=r"pip install 'raceway\[console\]'"):
        plot_verdict(recording, diagnose(recording), tmp_path / "x.png")


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        ("drive12k_IR007_L1", "inner"),
        ("drive12k_OR021-6_L2", "outer"),
        ("drive12k_B014_L0", "ball"),
        ("normal12k_L1", "unknown"),
        # The smallest ball faults hide in what the healthy machine shows too.
        ("drive12k_B007_L1", "unknown"),
    ],
)
def test_cwru_records_are_judged(data_dir: Path, record: str, kind: str) -> None:
    verdict = diagnose(read_recording(data_dir / "cwru" / f"{record}.npz"), bearing=BEARING)
    assert verdict.kind == kind
    assert verdict.speed is not None
    assert verdict.speed.source == "file"
    assert verdict.channel == "DE"
