"""Recordings: what was written is read back, and whatever is wrong with a file is one clear RecordingError."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import scipy.io.wavfile
from numpy.typing import NDArray

from features.errors import RecordingError
from models.recordings import Recording, read_recording

RATE_HZ = 12_000.0
N = 2000


@pytest.fixture
def accel(rng: np.random.Generator) -> NDArray[np.float64]:
    """Two channels of bounded noise, shape (2, N)."""
    return rng.uniform(-0.9, 0.9, (2, N))


def write_mat(path: Path, **entries: object) -> Path:
    scipy.io.savemat(path, entries, do_compression=True)
    return path


def write_csv(path: Path, columns: NDArray[Any], *, header: str = "", delimiter: str = ",") -> Path:
    np.savetxt(path, columns, delimiter=delimiter, header=header, comments="", fmt="%.9g")
    return path


# --- CWRU .mat ---


def test_mat_gives_the_channels_unit_and_speed_of_the_record(tmp_path: Path, accel: NDArray[np.float64]) -> None:
    de, fe = accel
    path = write_mat(tmp_path / "97.mat", X097_DE_time=de[:, None], X097_FE_time=fe[:, None], X097RPM=[[1797]])
    recording = read_recording(path, rate_hz=RATE_HZ)
    assert recording.channels == ("DE", "FE")
    assert (recording.unit, recording.rate_hz, recording.name) == ("g", RATE_HZ, "97.mat")
    assert recording.shaft_hz == pytest.approx(29.95)
    assert recording.samples.dtype == np.float32
    np.testing.assert_array_equal(recording.samples, accel.astype(np.float32))


def test_mat_does_not_guess_the_rate(tmp_path: Path, accel: NDArray[np.float64]) -> None:
    path = write_mat(tmp_path / "97.mat", X097_DE_time=accel[0])
    with pytest.raises(RecordingError, match=r"97\.mat does not state its sampling rate; give it"):
        read_recording(path)


@pytest.mark.parametrize("name", ["99.mat", "099.mat", "normal_1_99.mat"])
def test_mat_of_several_records_takes_the_one_in_the_file_name(
    tmp_path: Path, accel: NDArray[np.float64], name: str
) -> None:
    path = write_mat(tmp_path / name, X098_DE_time=accel[0], X099_DE_time=accel[1], X098RPM=1772.0, X099RPM=1750.0)
    recording = read_recording(path, rate_hz=RATE_HZ)
    np.testing.assert_array_equal(recording.samples[0], accel[1].astype(np.float32))
    assert recording.shaft_hz == pytest.approx(1750.0 / 60.0)


@pytest.mark.parametrize("name", ["normal.mat", "98_99.mat", "97.mat"])
def test_mat_of_several_records_is_refused_where_the_name_does_not_choose(
    tmp_path: Path, accel: NDArray[np.float64], name: str
) -> None:
    path = write_mat(tmp_path / name, X098_DE_time=accel[0], X099_DE_time=accel[1])
    with pytest.raises(RecordingError, match="holds records 098, 099; rename it to the number wanted"):
        read_recording(path, rate_hz=RATE_HZ)


def test_mat_of_another_publisher_is_refused(tmp_path: Path, accel: NDArray[np.float64]) -> None:
    path = write_mat(tmp_path / "other.mat", vibration=accel)
    with pytest.raises(RecordingError, match="it is no CWRU record"):
        read_recording(path, rate_hz=RATE_HZ)


def test_mat_with_channels_of_different_length_is_refused(tmp_path: Path, accel: NDArray[np.float64]) -> None:
    path = write_mat(tmp_path / "97.mat", X097_DE_time=accel[0], X097_FE_time=accel[1, 5:])
    with pytest.raises(RecordingError, match="channels of different length"):
        read_recording(path, rate_hz=RATE_HZ)


# --- .wav ---


@pytest.mark.parametrize(
    ("dtype", "full_scale", "step"),
    [("int16", 2**15, 2**-15), ("int32", 2**31, 2**-23), ("float32", 1.0, 2**-23), ("float64", 1.0, 2**-23)],
)
def test_wav_full_scale_is_one(
    tmp_path: Path, accel: NDArray[np.float64], dtype: str, full_scale: float, step: float
) -> None:
    path = tmp_path / "a.wav"
    scipy.io.wavfile.write(path, 25_600, (accel.T * full_scale).astype(dtype))
    recording = read_recording(path, unit="g")
    assert (recording.rate_hz, recording.channels) == (25_600.0, ("ch1", "ch2"))
    np.testing.assert_allclose(recording.samples, accel, atol=step)


def test_wav_of_24_bits_is_read_at_full_scale_one(tmp_path: Path) -> None:
    codes = np.array([0, 1, -1, 2**22, -(2**23), 2**23 - 1])
    data = b"".join(int(c).to_bytes(3, "little", signed=True) for c in codes)
    head = b"fmt " + (16).to_bytes(4, "little") + b"\x01\x00\x01\x00"
    head += (8000).to_bytes(4, "little") + (24_000).to_bytes(4, "little") + b"\x03\x00\x18\x00"
    body = b"WAVE" + head + b"data" + len(data).to_bytes(4, "little") + data
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF" + len(body).to_bytes(4, "little") + body)
    recording = read_recording(path, unit="g")
    np.testing.assert_allclose(recording.samples[0], codes / 2**23, rtol=1e-6)


def test_wav_of_8_bits_is_centred(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    scipy.io.wavfile.write(path, 8000, np.array([0, 64, 128, 192, 255], dtype=np.uint8))
    recording = read_recording(path, unit="g")
    np.testing.assert_allclose(recording.samples[0], [-1.0, -0.5, 0.0, 0.5, 127 / 128])


def test_wav_has_no_unit_of_its_own(tmp_path: Path, accel: NDArray[np.float64]) -> None:
    path = tmp_path / "a.wav"
    scipy.io.wavfile.write(path, 8000, accel[0])
    with pytest.raises(RecordingError, match=r"a\.wav does not state its unit; give it"):
        read_recording(path)


# --- .csv ---


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("header", [True, False])
def test_csv_with_any_delimiter_with_or_without_header(
    tmp_path: Path, accel: NDArray[np.float64], delimiter: str, header: bool
) -> None:
    named = delimiter.join(["horizontal", "vertical"]) if header else ""
    path = write_csv(tmp_path / "a.csv", accel.T, header=named, delimiter=delimiter)
    recording = read_recording(path, rate_hz=RATE_HZ, unit="m/s2")
    assert recording.channels == (("horizontal", "vertical") if header else ("ch1", "ch2"))
    np.testing.assert_allclose(recording.samples, accel, atol=1e-7)


def test_csv_with_decimal_commas(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\ufeffx;y\n0,5;-1\n\n1,25;2,5\n", encoding="utf-8")
    recording = read_recording(path, rate_hz=RATE_HZ, unit="g")
    assert recording.channels == ("x", "y")
    np.testing.assert_array_equal(recording.samples, [[0.5, 1.25], [-1.0, 2.5]])


@pytest.mark.parametrize("name", ["t", "Time", "timestamp"])
def test_csv_times_give_the_rate_and_are_no_channel(tmp_path: Path, accel: NDArray[np.float64], name: str) -> None:
    times = np.arange(N) / 12_800.0
    path = write_csv(tmp_path / "a.csv", np.column_stack([times, accel[0]]), header=f"{name},x")
    recording = read_recording(path, unit="g")
    assert recording.channels == ("x",)
    assert recording.rate_hz == pytest.approx(12_800.0, rel=1e-6)


@pytest.mark.parametrize("spoil", ["gap", "backwards", "still"])
def test_csv_times_that_are_not_evenly_spaced_are_refused(tmp_path: Path, spoil: str) -> None:
    times = np.arange(100) / 1000.0
    times = {"gap": np.where(np.arange(100) > 50, times + 0.001, times), "backwards": -times, "still": 0 * times}[spoil]
    path = write_csv(tmp_path / "a.csv", np.column_stack([times, times]), header="t,x")
    with pytest.raises(RecordingError, match="times that are not evenly spaced"):
        read_recording(path, unit="g")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("a,b\n", "has 0 rows of numbers; at least 2 are wanted"),
        ("a,b\n1,2\n", "has 1 rows of numbers; at least 2 are wanted"),
        ("a,a\n1,2\n3,4\n", "names a column twice"),
        ("a,b\n1,2,3\n4,5,6\n", "has 2 column names above 3 columns"),
        ("a,b\n1,2\n3\n", "cannot be read as .csv .* damaged"),
        ("a,b\n1,2\n3,four\n", "cannot be read as .csv .* damaged"),
        ("a\n1\nnan\n", "has NaN or infinite samples"),
        ("a\n1\n1e300\n", "has NaN or infinite samples"),
        ("t\n1\n2\n", "or none"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_csv_that_holds_no_signal_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(RecordingError, match=message):
        read_recording(path, rate_hz=RATE_HZ, unit="g")


# --- .npz ---


def test_npz_pack_with_scale_channels_rate_and_speed(tmp_path: Path, rng: np.random.Generator) -> None:
    codes = rng.integers(-1000, 1000, (N, 2), dtype=np.int16)
    path = tmp_path / "a.npz"
    np.savez(path, signal=codes, scale=[0.5, 0.25], channels=["DE", "FE"], fs=RATE_HZ, rpm=1800)
    recording = read_recording(path)
    assert (recording.channels, recording.unit, recording.shaft_hz) == (("DE", "FE"), "g", 30.0)
    np.testing.assert_array_equal(recording.samples, codes.T * np.array([[0.5], [0.25]]))
    assert recording.duration_s == pytest.approx(N / RATE_HZ)


def test_npz_of_one_array_with_the_rest_given(tmp_path: Path, accel: NDArray[np.float64]) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=accel[0])
    recording = read_recording(path, rate_hz=RATE_HZ, unit="mm/s", rpm=1500.0)
    assert (recording.channels, recording.unit, recording.shaft_hz) == (("ch1",), "mm/s", 25.0)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({}, "holds nothing; an array `signal` is wanted"),
        ({"a": np.ones(9), "b": np.ones(9)}, "holds a, b; an array `signal` is wanted"),
        ({"acc_milli_g": np.ones((3, 9, 2))}, "separate snapshots; read them with models.datasets.femto"),
        ({"signal": np.ones((2, 9))}, "more channels than samples"),
        ({"signal": np.ones((9, 9, 9))}, r"shape \(9, 9, 9\); reals \(n, channels\) are wanted"),
        ({"signal": np.ones(9) * 1j}, "holds complex128"),
        ({"signal": np.array(["a", "b"])}, "reals .* are wanted"),
        ({"signal": np.array([{}, 1], dtype=object)}, "allow_pickle=False"),
        ({"signal": np.ones((9, 2)), "channels": ["x"]}, "names 1 channels of 2"),
        ({"signal": np.array([0.0, np.inf, 1.0])}, "has NaN or infinite samples"),
        ({"signal": np.ones(9), "fs": -5.0}, "sampling rate of -5.0 Hz; give a positive one"),
        ({"signal": np.ones(9), "rpm": 0}, "shaft speed of 0.0 Hz; give a positive one"),
        ({"signal": np.ones(9), "unit": "furlong"}, "unit 'furlong'; give one of g, m/s2, mm/s"),
        ({"signal": np.ones(1)}, "no signal"),
    ],
)
def test_npz_that_holds_no_signal_is_refused(tmp_path: Path, entries: dict[str, Any], message: str) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **({"fs": RATE_HZ, "unit": "g"} | entries if "signal" in entries else entries))
    with pytest.raises(RecordingError, match=message):
        read_recording(path)


# --- any format ---


def test_what_is_given_wins_over_what_the_file_states(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, signal=np.ones(9), fs=100.0, rpm=600.0, unit="g")
    recording = read_recording(path, rate_hz=200.0, unit="m/s2", rpm=1200.0)
    assert (recording.rate_hz, recording.unit, recording.shaft_hz) == (200.0, "m/s2", 20.0)


def test_channels_are_kept_in_the_order_asked(tmp_path: Path, accel: NDArray[np.float64]) -> None:
    path = write_csv(tmp_path / "a.csv", np.column_stack([accel.T, accel[0] * 2]), header="x,y,z")
    recording = read_recording(path, rate_hz=RATE_HZ, unit="g", channels=["z", "x"])
    assert recording.channels == ("z", "x")
    np.testing.assert_allclose(recording.samples[0], 2.0 * accel[0], atol=1e-6)


def test_an_unknown_channel_is_refused_with_those_there_are(tmp_path: Path, accel: NDArray[np.float64]) -> None:
    path = write_csv(tmp_path / "a.csv", accel.T, header="x,y")
    with pytest.raises(RecordingError, match="has no channel 'q'; it has x, y"):
        read_recording(path, rate_hz=RATE_HZ, unit="g", channels=["q"])


@pytest.mark.parametrize("rpm", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_speed_is_refused(tmp_path: Path, rpm: float) -> None:
    path = write_csv(tmp_path / "a.csv", np.ones((5, 1)), header="x")
    with pytest.raises(RecordingError, match=r"shaft speed of .* Hz; give a positive one"):
        read_recording(path, rate_hz=RATE_HZ, unit="g", rpm=rpm)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"no recording at .*nowhere\.wav; check the path"):
        read_recording(tmp_path / "nowhere.wav")


def test_a_folder_is_no_recording(tmp_path: Path) -> None:
    (tmp_path / "a.mat").mkdir()
    with pytest.raises(RecordingError, match="no recording at"):
        read_recording(tmp_path / "a.mat")


def test_an_unknown_format_is_refused_with_those_read(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"of no known format; \.mat, \.wav, \.csv, \.npz are read"):
        read_recording(tmp_path / "a.tdms")


@pytest.mark.parametrize("suffix", [".mat", ".wav", ".npz"])
@pytest.mark.parametrize("content", [b"", b"not a recording at all", bytes(range(256))], ids=["empty", "text", "bytes"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=rf"a{suffix} cannot be read as {suffix} \(.*\); it may be damaged"):
        read_recording(path, rate_hz=RATE_HZ, unit="g")


def test_a_wav_cut_short_is_refused_and_not_read_shorter(tmp_path: Path, accel: NDArray[np.float64]) -> None:
    path = tmp_path / "a.wav"
    scipy.io.wavfile.write(path, 8000, accel[0])
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RecordingError, match="it may be damaged"):
        read_recording(path, unit="g")


@pytest.mark.parametrize("suffix", [".mat", ".wav", ".npz"])
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_file_raises_nothing_but_recording_error(
    tmp_path: Path, accel: NDArray[np.float64], rng: np.random.Generator, suffix: str
) -> None:
    # SciPy and NumPy raise zlib.error, UnboundLocalError and ZeroDivisionError on files like these.
    path = tmp_path / f"97{suffix}"
    if suffix == ".mat":
        write_mat(path, X097_DE_time=accel[0])
    elif suffix == ".wav":
        scipy.io.wavfile.write(path, 8000, (accel[0] * 30_000).astype(np.int16))
    else:
        np.savez_compressed(path, signal=accel[0])
    whole = path.read_bytes()
    refusals = []
    for _ in range(150):
        damaged = bytearray(whole[: rng.integers(len(whole))] if rng.random() < 0.3 else whole)
        for at in rng.integers(0, max(min(len(damaged), 300), 1), 10):
            damaged[at : at + 1] = bytes([rng.integers(256)])
        path.write_bytes(bytes(damaged))
        try:
            read_recording(path, rate_hz=RATE_HZ, unit="g")
        except RecordingError as error:
            refusals.append(str(error))
    assert len(refusals) > 75
    assert not any("\n" in refusal for refusal in refusals)


def test_a_recording_needs_a_channel() -> None:
    with pytest.raises(RecordingError, match=r"shape \(0, 9\) for 0 channels"):
        Recording("a", np.ones((0, 9), dtype=np.float32), RATE_HZ, "g", ())
