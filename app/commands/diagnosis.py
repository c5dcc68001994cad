"""The subcommand that judges a single recording."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.commands.context import quiet_tensorflow, settings_of

if TYPE_CHECKING:
    from app.settings import Settings
    from app.systemvote import SystemVote
    from app.verdict import Envelope, Verdict
    from features.bearing import Bearing
    from models.recordings import Recording
    from models.serving import Diagnoser

__all__ = ["diagnose"]


@click.command()
@click.argument("recording", type=click.Path(path_type=Path))
@click.option("--rate", "rate_hz", type=float, help="Sampling rate in Hz, where the file does not state it.")
@click.option("--unit", type=click.Choice(["g", "m/s2", "mm/s"]), help="Unit, where the file does not state it.")
@click.option("--channel", help="Channel to take.  [default: the first]")
@click.option("--rpm", type=float, help="Shaft speed; without it the file's, else a guess that is flagged as one.")
@click.option("--bearing", "bearing_name", help="Bearing from the library, such as 6205-2RS.")
@click.option("--balls", type=int, help="Number of rolling elements, of a bearing that is in no library.")
@click.option("--ball-mm", type=float, help="Its rolling-element diameter.")
@click.option("--pitch-mm", type=float, help="Its pitch diameter.")
@click.option("--contact-deg", type=float, help="Its contact angle.  [default: 0]")
@click.option("--iso-group", help="Machine group whose severity zones hold, such as group-2-rigid.")
@click.option(
    "--network",
    type=click.Path(path_type=Path),
    help="Folder of a diagnosis bundle.  [default: the network that serves in the data folder, if any]",
)
@click.option(
    "--system",
    "folder",
    type=click.Path(path_type=Path),
    help="Folder of a system that `raceway train` learned on cwru.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the spectra into a PNG file.")
@click.pass_context
def diagnose(
    ctx: click.Context,
    /,
    recording: Path,
    as_json: bool,
    plot: Path | None,
    network: Path | None,
    folder: Path | None,
    **given: Any,
) -> None:
    """Give a verdict on RECORDING (.mat, .wav, .csv, .npz) without a server.

    Overall values, velocity RMS with its ISO 20816 zone, and the bearing fault by the lines in the envelope, beside the
    diagnosis network where there is one. What cannot be said is listed with the reason. A system of --system names the
    windows beside that; it has learned from one test rig, and its word changes no verdict.
    """
    from app.diagnose import diagnose as judge
    from features.iso20816 import limits_named
    from models.recordings import read_recording

    settings = settings_of(ctx)
    bearing = _bearing(given)
    limits = None if given["iso_group"] is None else limits_named(given["iso_group"], settings.zone_limits())
    channels = [given["channel"]] if given["channel"] is not None else None
    read = read_recording(recording, rate_hz=given["rate_hz"], unit=given["unit"], channels=channels, rpm=given["rpm"])
    diagnoser, why_none = _network(settings, network)
    verdict = judge(
        read,
        bearing=bearing,
        limits=limits,
        network=diagnoser,
        no_network=why_none,
        speed_given=given["rpm"] is not None,
    )
    shaft_hz = verdict.speed.shaft_hz if verdict.speed else None
    vote = None if folder is None else _system_vote(read, folder, bearing, shaft_hz)
    if plot is not None:
        from app.plots import plot_verdict

        plot_verdict(read, verdict, plot)
    if as_json:
        said = {} if vote is None else {"system": dataclasses.asdict(vote)}
        click.echo(json.dumps(dataclasses.asdict(verdict) | said, indent=1))
        return
    click.echo("\n".join(_lines(verdict)))
    if vote is not None:
        shares = ", ".join(f"{name} {share:.2f}" for name, share in vote.shares.items())
        click.echo(_row("system", f"{vote.system} names {vote.kind} (shares of {vote.windows} windows: {shares})"))


def _bearing(given: dict[str, Any]) -> Bearing | None:
    """The bearing of the library or of the geometry; None where neither is given."""
    from features.bearing import Bearing, bearing_named
    from features.errors import ParameterError

    geometry = {key: given[key] for key in ("balls", "ball_mm", "pitch_mm", "contact_deg") if given[key] is not None}
    name = given["bearing_name"]
    if name is not None and geometry:
        raise ParameterError(f"bearing {name!r} was given and a geometry too; one of them is wanted")
    if name is not None:
        return bearing_named(name)
    if not geometry:
        return None
    missing = [key for key in ("balls", "ball_mm", "pitch_mm") if key not in geometry]
    if missing:
        raise ParameterError(f"a bearing's geometry lacks --{missing[0].replace('_', '-')}; give it, or --bearing")
    return Bearing("as given", **geometry)


def _network(settings: Settings, folder: Path | None) -> tuple[Diagnoser | None, str]:
    """The network, or why there is none; a bundle that was asked for by name must load."""
    from features.errors import RacewayError
    from features.faultmap import MAP_HASH
    from models.bundle import load_bundle
    from models.serving import Diagnoser

    if folder is not None:
        return Diagnoser(load_bundle(folder), contract=MAP_HASH), ""
    try:
        serving = _serving(settings)
        if serving is None:
            return None, f"no diagnosis network serves in {settings.data_dir}; give --network"
        return Diagnoser(load_bundle(settings.bundles / serving), contract=MAP_HASH), ""
    except RacewayError as error:
        return None, str(error)


def _system_vote(read: Recording, folder: Path, bearing: Bearing | None, shaft_hz: float | None) -> SystemVote:
    quiet_tensorflow()
    from app.systemvote import system_vote
    from models.systems.folder import load_system

    return system_vote(read, load_system(folder), bearing=bearing, shaft_hz=shaft_hz)


def _serving(settings: Settings) -> str | None:
    """Id of the serving bundle; makes no store where there is none."""
    from app.store import bundle_of, open_store, reading

    path = settings.database.removeprefix("sqlite:///")
    if path != settings.database and not Path(path).is_file():
        return None
    with reading(open_store(settings.database)) as connection:
        return bundle_of(connection, "diagnosis")


def _lines(verdict: Verdict) -> list[str]:
    from app.plots import headline

    speed = verdict.speed
    turning = "speed not known"
    if speed is not None:
        source = {"given": "given", "file": "from the file", "spectrum": "ESTIMATED from the spectrum"}[speed.source]
        turning = f"{speed.rpm:.1f} r/min ({source})"
    lines = [
        f"{verdict.recording}, {verdict.channel}: {headline(verdict)}",
        f"  {verdict.reason}",
        "",
        _row("recording", f"{verdict.duration_s:.3g} s at {verdict.rate_hz:g} Hz, {turning}"),
        *_overall_lines(verdict),
        *(_envelope_lines(verdict.envelope) if verdict.envelope is not None else []),
    ]
    if verdict.vote is not None:
        shares = ", ".join(f"{name} {share:.2f}" for name, share in verdict.vote.probabilities.items())
        lines.append(_row("network", f"{shares} (mean of {verdict.vote.windows} windows, {verdict.vote.bundle})"))
    lines += [_row("care", f"{note.what}: {note.why}") for note in verdict.cautions]
    return lines + [_row("not said", f"{note.what}: {note.why}") for note in verdict.not_said]


def _row(name: str, text: str) -> str:
    return f"{name:12}{text}"


def _overall_lines(verdict: Verdict) -> list[str]:
    overall, velocity, unit = verdict.overall, verdict.velocity, verdict.unit
    text = f"RMS {overall.rms:.4g} {unit}, peak {overall.peak:.4g} {unit}"
    if overall.crest is not None:
        text += f", crest factor {overall.crest:.3g}, kurtosis {overall.kurtosis:.3g}"
    lines = [_row("overall", text)]
    if velocity is not None:
        text = f"{velocity.velocity_mm_s:.3g} mm/s RMS, {velocity.low_hz:g} to {velocity.high_hz:g} Hz"
        if velocity.displacement_um is not None:
            text += f"; displacement {velocity.displacement_um:.3g} um RMS"
        lines.append(_row("velocity", text))
    if verdict.severity is not None:
        severity = verdict.severity
        bounds = "/".join(f"{bound:g}" for bound in severity.limits)
        lines.append(
            _row("zone", f"{severity.zone} by {severity.quantity}, bounds {bounds} {severity.unit} ({severity.name})")
        )
    return lines


def _envelope_lines(envelope: Envelope) -> list[str]:
    lines = [_row("envelope", f"{envelope.kind} on {envelope.turns:.0f} turns; dB over chance, then over the noise:")]
    for family in envelope.families:
        harmonics = " ".join(f"{height:.0f}" for height in family.harmonics_db)
        text = (
            f"{family.name:6}{family.expected_hz:8.2f} Hz {family.evidence_db:+6.1f} dB   best band "
            f"{family.band_hz[0]:.0f}-{family.band_hz[1]:.0f} Hz {family.band_evidence_db:+.1f} dB: "
            f"slip {100.0 * family.slip:+.2f} %, harmonics {harmonics}"
        )
        if family.sidebands_db:
            text += ", sidebands " + " ".join(f"{height:.0f}" for height in family.sidebands_db)
        lines.append(_row("", text))
    return lines
