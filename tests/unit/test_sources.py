"""Replay, the simulated plant, retention and settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from making import NOW_NS, POINT, arrivals

from app.alarms.register import HEALTH, NO_DATA, RISING, SEVERITY, SEVERITY_HIGH
from app.pipeline import Pipeline
from app.replay import Track, play
from app.retention import thin_waveforms
from app.schema import alarm_journal, alarms
from app.settings import Settings, load_settings
from app.severity import broad_band, zone_of
from app.simulate import Episode, Watched, demo_plant
from app.store import open_store, writing
from app.wire import About, Block, PointId
from features.errors import ParameterError, RecordingError
from features.iso20816 import LIMITS, limits_named
from models.recordings import Recording


def _recording(n: int, rate_hz: float = 1000.0, first: int = 0) -> Recording:
    return Recording("r", np.arange(first, first + n, dtype=np.float32)[None, :], rate_hz, "g", ("x",), 25.0)


def _played(
    tracks: list[Track], *, most: int = 100, speed: float = 0.0, loop: bool = False
) -> tuple[list[Block], list[float]]:
    sent: list[Block] = []
    pauses: list[float] = []

    def stopped(seconds: float) -> bool:
        pauses.append(seconds)
        return len(pauses) >= most

    def send(block: Block) -> None:
        sent.append(block)
        if len(sent) > most:
            raise StopIteration

    try:
        play(tracks, send, start_ns=NOW_NS, block_samples=100, speed=speed, loop=loop, stopped=stopped)
    except StopIteration:
        sent.pop()
    return sent, pauses


def test_stamps_advance_with_the_samples_across_recordings() -> None:
    track = Track(About(POINT, "p"), [_recording(250), _recording(250, first=250)])
    sent, _ = _played([track])
    np.testing.assert_array_equal(np.concatenate([b.samples[0] for b in sent]), np.arange(500))
    assert [b.start_ns - NOW_NS for b in sent] == [i * 10**8 for i in range(5)]
    assert [b.sequence for b in sent] == list(range(5))


def test_tracks_are_played_in_the_order_of_time() -> None:
    other = PointId("s", "a", "other")
    sent, _ = _played(
        [Track(About(POINT, "p"), [_recording(500)]), Track(About(other, "o"), [_recording(500, 2000.0)])]
    )
    ends = [b.end_ns for b in sent]
    assert ends == sorted(ends)
    assert len(sent) == 10


def test_a_loop_goes_on_and_real_time_waits() -> None:
    track = Track(About(POINT, "p"), [_recording(250)])
    sent, _ = _played([track], most=12, loop=True)
    assert [b.sequence for b in sent] == list(range(12))
    _, pauses = _played([track], speed=1.0)
    assert pauses[0] == pytest.approx(0.1, abs=0.05)


def test_recordings_that_differ_are_refused() -> None:
    with pytest.raises(RecordingError, match="must agree in rate"):
        Track(About(POINT, "p"), [_recording(10), _recording(10, 2000.0)])
    with pytest.raises(ParameterError, match="speed of -1"):
        _played([Track(About(POINT, "p"), [_recording(500)])], speed=-1.0)


def test_the_plant_has_named_machines_that_fail_in_turn(rng: np.random.Generator) -> None:
    plant = demo_plant(12, rate_hz=12_800.0, rng=rng)
    assert len({str(point.about.point) for point in plant}) == 12
    assert {point.about.iso_group for point in plant} <= set(LIMITS)
    first = plant[0]
    assert first.condition(0.0, None).fault == "none"
    assert first.condition(0.0, 60.0).fault == "outer"
    assert first.condition(0.0, 400.0).fault == "none"
    assert first.condition(0.0, 1860.0).fault == "outer"


def test_a_healthy_plant_runs_in_the_zones_of_long_term_operation(rng: np.random.Generator) -> None:
    for point in demo_plant(8, rate_hz=12_800.0, rng=rng):
        x = point.burst(start_ns=NOW_NS, rate_hz=12_800.0, n=25_600, age_s=None).physical()
        measured = broad_band(x, 12_800.0, unit="g", shaft_hz=point.machine.shaft_hz)
        assert zone_of(measured, limits_named(str(point.about.iso_group))).zone in "AB", point.about.name


def test_a_burst_is_a_block_of_codes(rng: np.random.Generator) -> None:
    point = demo_plant(1, rate_hz=12_800.0, rng=rng)[0]
    bursts = [point.burst(start_ns=NOW_NS + i * 10**9, rate_hz=12_800.0, n=1024, age_s=None) for i in range(2)]
    assert [burst.sequence for burst in bursts] == [0, 1]
    assert bursts[0].samples.dtype == np.int16
    assert 0.01 < bursts[0].physical().std() < 1.0


def test_the_faults_of_a_machine_wait_until_its_point_is_watched(rng: np.random.Generator) -> None:
    first, second = demo_plant(2, rate_hz=12_800.0, rng=rng)
    now_s = [100.0]
    watched = Watched([first, second], clock_s=lambda: now_s[0], at_once=False)
    for state in (b'{"state":"training"}', b"no json", b"[]", b'{"state":"watching"}', b'{"state":"watching"}'):
        watched.result(first.about.point.topic("health"), state)
        now_s[0] += 10.0
    watched.result("raceway/v1/another/plant/point/health", b'{"state":"watching"}')
    assert (watched.age_s(first), watched.age_s(second)) == (20.0, None)
    assert Watched([second], clock_s=lambda: now_s[0], at_once=True).age_s(second) == 0.0


def test_an_episode_grows_stays_and_is_repaired() -> None:
    episode = Episode("outer", begin_s=10.0, growth_s=20.0, hold_s=30.0, worst=0.8)
    assert [episode.severity(age) for age in (0.0, 20.0, 30.0, 59.0, 61.0)] == pytest.approx([0.0, 0.4, 0.8, 0.8, 0.0])


def test_old_waveforms_go_except_around_alarms(settings: Settings) -> None:
    engine = open_store(settings.database, migrate=True)
    pipeline = Pipeline(engine, settings)
    pipeline.process(pipeline.prepare(arrivals(0, 4)), now_ns=NOW_NS)
    hour_ns = 3_600_000_000_000
    with writing(engine) as connection:
        assert thin_waveforms(connection, now_ns=NOW_NS + hour_ns, keep_h=2.0).dropped == 0
        values = {
            "point_id": str(POINT),
            "raised_ns": NOW_NS,
            "cleared_ns": NOW_NS + 1,
            "window_start_ns": 0,
            "ratio": 2.0,
        }
        connection.execute(alarms.insert().values(**values))
        assert thin_waveforms(connection, now_ns=NOW_NS + 3 * hour_ns, keep_h=2.0).dropped == 0
        connection.execute(alarms.delete())
        assert thin_waveforms(connection, now_ns=NOW_NS + 3 * hour_ns, keep_h=2.0).dropped == 4


@pytest.mark.parametrize(
    ("tag", "later_s", "action", "gone"),
    [
        (SEVERITY, -50, "raise", 0),
        (SEVERITY_HIGH, 50, "raise", 0),
        (RISING, 50, "raise", 0),
        (SEVERITY, -70, "raise", 4),
        (SEVERITY, 70, "raise", 4),
        (SEVERITY, 50, "clear", 4),
        (NO_DATA, 50, "raise", 4),
    ],
)
def test_waveforms_stay_where_an_alarm_without_a_verdict_was_raised(
    settings: Settings, tag: str, later_s: int, action: str, gone: int
) -> None:
    engine = open_store(settings.database, migrate=True)
    pipeline = Pipeline(engine, settings)
    pipeline.process(pipeline.prepare(arrivals(0, 4)), now_ns=NOW_NS)
    at_ns, hour_ns = NOW_NS + later_s * 10**9, 3_600_000_000_000
    step = {"point_id": str(POINT), "tag": tag, "at_ns": at_ns, "action": action}
    step |= {"who": "raceway", "why": "", "before": "normal", "after": "unacknowledged"}
    before = step | {"at_ns": at_ns - hour_ns}
    with writing(engine) as connection:
        connection.execute(alarm_journal.insert().values(**step))
        connection.execute(alarm_journal.insert().values(**before | {"tag": HEALTH}))
        connection.execute(alarm_journal.insert().values(**before | {"action": "clear"}))
        assert thin_waveforms(connection, now_ns=NOW_NS + 3 * hour_ns, keep_h=2.0).dropped == gone
        if not gone:
            # It chatters: the waveforms of the first raise stay, none of these.
            connection.execute(alarm_journal.insert().values(**before))
            assert thin_waveforms(connection, now_ns=NOW_NS + 3 * hour_ns, keep_h=2.0).dropped == 4


def test_settings_come_from_flags_before_environment_before_file(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("raceway.toml").write_text("overlap = 0.25\nconsole_port = 1000\nbatch_blocks = 7\n")
    monkeypatch.setenv("RACEWAY_CONSOLE_PORT", "2000")
    monkeypatch.setenv("RACEWAY_BATCH_BLOCKS", "8")
    found = load_settings(batch_blocks=9, data_dir=settings.data_dir)
    assert (found.overlap, found.console_port, found.batch_blocks) == (0.25, 2000, 9)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("keep_waveform_h = 720", "no setting is called 'keep_waveform_h', the nearest one is 'keep_waveforms_h'$"),
        ("RACEWAY_OVERLAP = 0.25", "no setting is called 'RACEWAY_OVERLAP', the nearest one is 'overlap'$"),
        ("[xyzzy]\nq = 1\n[oidc_role]\na = 1", "'xyzzy'; no setting is called 'oidc_role', .* is 'oidc_roles'$"),
        ("overlap = ", "raceway.toml cannot be read"),
    ],
)
def test_a_key_of_the_file_that_is_no_setting_is_refused_with_the_nearest_one(
    settings: Settings, text: str, match: str
) -> None:
    Path("raceway.toml").write_text(text)
    with pytest.raises(ParameterError, match=match):
        load_settings(data_dir=settings.data_dir)


def test_children_get_the_same_settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    made = load_settings(data_dir=settings.data_dir, overlap=0.75, broker_url="mqtts://host:1", max_held=3)
    for name, value in made.environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == made


def test_a_table_of_ones_own_lies_over_the_built_in_zones(settings: Settings) -> None:
    Path("own.toml").write_text('[our-pumps]\nvelocity_mm_s = [1, 2, 3]\ncitation = "Works standard 7"\n')
    own = load_settings(data_dir=settings.data_dir, iso_limits=Path("own.toml")).zone_limits()
    assert own == settings.zone_limits() | {"our-pumps": own["our-pumps"]}
    assert own["our-pumps"].velocity_mm_s == (1.0, 2.0, 3.0)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"console_port": 0}, "console_port"),
        ({"window_samples": 1000}, "multiple of 16"),
        ({"overlap": 1.5}, "overlap of 1.5"),
        ({"broker_url": "http://x"}, "is no mqtt://"),
        ({"alarm_clear_ratio": 2.0}, "alarm_clear_ratio: .*less than or equal to 1"),
        ({"false_alarm_rate": 0.0}, "false_alarm_rate: .*greater than 0"),
        ({"false_alarm_rate": 0.3}, r"false_alarm_rate: .*less than or equal to 0\.2"),
        ({"min_rate_hz": 10.0, "max_rate_hz": 5.0}, "above max_rate_hz"),
        ({"broker_cert": Path("x")}, "belong together"),
        ({"iso_limits": Path("missing.toml")}, "limits cannot be read from missing.toml"),
    ],
    ids=str,
)
def test_impossible_settings_are_named(settings: Settings, values: dict[str, object], match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        load_settings(data_dir=settings.data_dir, **values)
