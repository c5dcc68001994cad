"""Subcommands for nodes as a fleet: who is there, and models on their way to them."""

from __future__ import annotations

import getpass
import json
import time
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.commands.context import settings_of, stop_event

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from app.access.roles import User
    from app.fleet.nodes import Node
    from app.fleet.records import Stored

__all__ = ["fleet"]

_FILE = click.Path(path_type=Path)
_STAGES = "1,10%,100%"
_MOST = 100
_user = click.option("--user", default=getpass.getuser, show_default="who is logged in", help="Who does it.")
_why = click.option("--why", required=True, help="The reason.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_number = click.argument("number", metavar="[ROLLOUT]", type=int, required=False)


@click.group()
def fleet() -> None:
    """List nodes; roll a model out to them by stages; halt, resume and roll back (docs/FLEET.md).

    ROLLOUT is the number of a roll-out, the latest where none is given. Every step goes into the log with who and why.
    """


@fleet.command("list")
@_json
@click.pass_context
def fleet_list(ctx: click.Context, /, *, as_json: bool) -> None:
    """List nodes with what they run and how they stand, and models that wait to be signed or begun."""
    from app.fleet.nodes import nodes_of
    from app.fleet.records import listed
    from app.fleet.rollout import WAITING
    from app.store import reading

    with reading(_store(ctx)) as connection:
        found = nodes_of(connection)
        waiting = [one for one in listed(connection, most=_MOST) if one.phase in WAITING]
    if as_json:
        click.echo(json.dumps([asdict(node) for node in found], indent=1))
        return
    rows = [_node_row(node) for node in found]
    _table(("node", "point", "line", "model", "slot", "state", "alarm", "seen"), rows, none="no node was ever heard of")
    for one in waiting:
        click.echo(f"candidate {one.id} ({one.bundle}) {_next(one.id, one.phase)}")


def _next(number: int, phase: str) -> str:
    """What a candidate waits for."""
    if phase == "candidate":
        return f"waits to be signed: `raceway fleet sign {number} --key PRIVATE.pem`"
    return f"is signed: `raceway fleet rollout --candidate {number}` begins it"


def _node_row(node: Node) -> tuple[str, ...]:
    received = f" {node.received:.0%}" if node.received is not None else ""
    candidate = f" > {node.candidate}" if node.candidate and node.candidate != node.model else ""
    return (
        node.name,
        node.point_id,
        "online" if node.online else "offline",
        f"{node.model}{candidate}",
        f"{node.slot or '-'}{received}",
        node.state or "-",
        "ALARM" if node.alarm else "-",
        _shown(node.seen_ns),
    )


@fleet.command()
@click.argument("given", metavar="[IMAGE] [NODES]...", nargs=-1)
@click.option("--candidate", type=int, help="Roll-out that retraining handed over, signed; in the place of IMAGE.")
@click.option("--stages", default=_STAGES, show_default=True, help="Nodes up to the end of each: counts or shares.")
@click.option("--soak", "soak_s", default=3600.0, show_default=True, type=click.FloatRange(0.0), help="Seconds.")
@click.option(
    "--patience", "patience_s", default=1800.0, show_default=True, type=click.FloatRange(1.0), help="Seconds."
)
@click.option("--silent", "silent_s", default=900.0, show_default=True, type=click.FloatRange(1.0), help="Seconds.")
@click.option(
    "--allowed", default=0.02, show_default=True, type=click.FloatRange(0.0, 1.0), help="Share that may fail."
)
@click.option("--key", type=_FILE, help="Public key (.pem): check first that the image is signed by it.")
@_user
@click.option("--why", default="", help="The reason, where there is one.")
@click.pass_context
def rollout(
    ctx: click.Context,
    /,
    given: tuple[str, ...],
    *,
    candidate: int | None,
    stages: str,
    key: Path | None,
    user: str,
    why: str,
    **policy: float,
) -> None:
    """Roll the model IMAGE out to NODES (names or points), in the order given; to all that can take it where none is.

    The next stage begins when all nodes of this one have run the model in health for the soak time. A node that refuses
    or gives up the model, is reset by its watchdog, falls silent, alarms anew or does not confirm within its patience
    has failed; more failures than allowed halt the roll-out. `raceway up` or `raceway fleet tend` takes it through.
    """
    from app.fleet.candidates import begin_candidate
    from app.fleet.records import one_rollout
    from app.fleet.rollout import Policy, stages_of
    from app.fleet.starting import begin
    from app.store import writing
    from edge.node.package import open_image, read_public_key

    if candidate is None and not given:
        raise click.UsageError("name an IMAGE, or a candidate with --candidate; `raceway fleet list` shows those")
    plan, who, now_ns = Policy(stages=stages_of(stages), **policy), _as_user(user), time.time_ns()
    with writing(_store(ctx)) as connection:
        content = _read(Path(given[0])) if candidate is None else one_rollout(connection, candidate).image
        if key is not None:
            open_image(content, keys=[read_public_key(_read(key))])
        if candidate is None:
            number = begin(connection, who, content, given[1:], policy=plan, why=why, now_ns=now_ns)
        else:
            begun = begin_candidate(connection, who, candidate, given, policy=plan, why=why, now_ns=now_ns)
            number = begun.id
    click.echo(f"roll-out {number} begun; `raceway fleet status {number}` shows how it goes")


@fleet.command()
@click.argument("number", metavar="ROLLOUT", type=int)
@click.option("--key", type=_FILE, help="Private key (.pem) that signs.")
@click.option("--image", type=_FILE, help="Image of its model that was signed where the key is.")
@_user
@click.option("--why", default="", help="The reason, where there is one.")
@click.pass_context
def sign(ctx: click.Context, /, number: int, *, key: Path | None, image: Path | None, user: str, why: str) -> None:
    """Sign a candidate that retraining handed over, with `--key` here, or take its signed `--image` from elsewhere.

    It gets the version above all that nodes run or were sent; a window whose result TFLite Micro gave must come out of
    the node's kernels byte for byte.
    """
    from app.fleet.candidates import keep_image
    from app.fleet.candidates import sign as sign_candidate
    from app.fleet.records import one_rollout
    from app.fleet.starting import next_version
    from app.store import reading, writing
    from edge.node.package import read_private_key

    if (key is None) == (image is None):
        raise click.UsageError("give one of --key and --image")
    engine, folder = _store(ctx), settings_of(ctx).candidates
    if image is not None:
        made = _read(image)
    else:
        assert key is not None
        with reading(engine) as connection:
            stored, version = one_rollout(connection, number), next_version(connection)
        place = folder / stored.bundle if stored.bundle else None
        made = sign_candidate(stored, read_private_key(_read(key)), version=version, folder=place)
    with writing(engine) as connection:
        stored = keep_image(connection, _as_user(user), number, made, why=why, now_ns=time.time_ns())
    click.echo(f"candidate {number} has version {stored.rollout.version} and {_next(number, 'signed')}")


@fleet.command()
@click.argument("number", metavar="ROLLOUT", type=int)
@_user
@_why
@click.pass_context
def withdraw(ctx: click.Context, /, number: int, *, user: str, why: str) -> None:
    """Give a candidate up that was not begun."""
    from app.fleet.candidates import withdraw as give_up
    from app.store import writing

    with writing(_store(ctx)) as connection:
        give_up(connection, _as_user(user), number, why=why, now_ns=time.time_ns())
    click.echo(f"candidate {number} is withdrawn")


@fleet.command()
@_number
@_json
@click.pass_context
def status(ctx: click.Context, /, number: int | None, *, as_json: bool) -> None:
    """Show a roll-out: its nodes, and every step with who and why."""
    from app.fleet.records import log_of, one_rollout
    from app.store import reading

    with reading(_store(ctx)) as connection:
        stored = one_rollout(connection, number)
        log = log_of(connection, stored.id)
    if as_json:
        click.echo(json.dumps(_json_of(stored) | {"log": [asdict(row) for row in log]}, indent=1))
        return
    _say(stored)
    rows: list[tuple[str, ...]] = [
        (m.node, m.state, _shown(round(m.since_s * 1e9)), m.reason or "") for m in stored.rollout.members
    ]
    _table(("point", "state", "since", "why"), rows, none="")
    click.echo()
    for row in log:
        click.echo(f"{_shown(row.at_ns)} {row.who}: {row.action} {row.point_id or ''} {row.why}".rstrip())


@fleet.command("halt")
@_number
@_user
@_why
@click.pass_context
def fleet_halt(ctx: click.Context, /, number: int | None, *, user: str, why: str) -> None:
    """Halt a roll-out: nothing more is sent or confirmed, and what is on its way is called back."""
    from app.fleet.starting import halt
    from app.store import writing

    with writing(_store(ctx)) as connection:
        stored = halt(connection, _as_user(user), number, why=why, now_ns=time.time_ns())
    _say(stored)


@fleet.command("resume")
@_number
@_user
@_why
@click.pass_context
def fleet_resume(ctx: click.Context, /, number: int | None, *, user: str, why: str) -> None:
    """Let a halted roll-out go on in spite of its failures so far."""
    from app.fleet.starting import resume
    from app.store import writing

    with writing(_store(ctx)) as connection:
        stored = resume(connection, _as_user(user), number, why=why, now_ns=time.time_ns())
    _say(stored)


@fleet.command()
@_number
@click.option("--key", type=_FILE, help="Private key (.pem) to sign former models anew with.")
@click.option("--image", type=_FILE, help="Image to go to in their place, signed above all versions in the field.")
@click.option("--stages", default="100%", show_default=True, help="As of `rollout`.")
@_user
@_why
@click.pass_context
def rollback(
    ctx: click.Context,
    /,
    number: int | None,
    *,
    key: Path | None,
    image: Path | None,
    stages: str,
    user: str,
    why: str,
) -> None:
    """Take nodes back to the models that they had before a roll-out.

    Nodes on trial leave the model. Those that have confirmed it take no older version: their former model is signed
    anew under a higher one and rolled out, with `--key` here, else with the commands that this one says.
    """
    from app.fleet.rollout import Policy, stages_of
    from app.fleet.starting import take_back
    from app.store import writing
    from edge.node.package import read_private_key

    folder = settings_of(ctx).data_dir
    with writing(_store(ctx)) as connection:
        stored, taken = take_back(
            connection,
            _as_user(user),
            number,
            key=None if key is None else read_private_key(_read(key)),
            image=None if image is None else _read(image),
            policy=Policy(stages=stages_of(stages), soak_s=0.0),
            why=why,
            now_ns=time.time_ns(),
        )
    click.echo(f"roll-out {stored.id} is rolled back: nodes on trial leave version {stored.rollout.version}")
    for one in taken:
        if one.again is None:
            click.echo(_to_do(stored, one.version, one.former, one.nodes, above=one.above, folder=folder))
        else:
            click.echo(f"roll-out {one.again} takes {one.nodes} nodes back to the model of version {one.version}")


def _to_do(stored: Stored, version: int, former: bytes | None, n: int, *, above: int, folder: Path) -> str:
    if former is None:
        return (
            f"{n} nodes had version {version}, which was not rolled out from here: sign an image of it with version "
            f"{above} and give it as `raceway fleet rollback {stored.id} --why ... --image IMAGE`"
        )
    place = folder / f"former-{version}.image"
    place.write_bytes(former)
    return (
        f"{n} nodes have confirmed it; where the key is: `raceway node resign {place} --key PRIVATE.pem "
        f"--version {above} --output back.image`, then here `raceway fleet rollback {stored.id} --why ... "
        "--image back.image`"
    )


@fleet.command()
@click.pass_context
def tend(ctx: click.Context) -> None:
    """Take roll-outs through until Ctrl-C; `raceway up` runs this."""
    from app.fleet.service import run_fleet

    run_fleet(settings_of(ctx), stopped=stop_event())


def _as_user(name: str) -> User:
    """Whoever may use the command line of this host may do all."""
    from app.access.roles import User

    return User(name, "admin")


def _say(stored: Stored) -> None:
    plan = stored.rollout
    counts = Counter(member.state for member in plan.members)
    shown = ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))
    why = f" ({plan.reason})" if plan.reason else ""
    if plan.phase in ("candidate", "signed"):
        click.echo(f"candidate {stored.id} ({stored.bundle}) {_next(stored.id, plan.phase)}")
    else:
        click.echo(f"{stored.kind} {stored.id} of version {plan.version} is {plan.phase}{why}; {shown}")


def _json_of(stored: Stored) -> dict[str, Any]:
    shown = {"id": stored.id, "kind": stored.kind, "created_ns": stored.created_ns, "bundle": stored.bundle}
    shown |= asdict(stored.rollout)
    former = {point_id: asdict(one) for point_id, one in stored.former.items()}
    return shown | {"former": former}


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]], *, none: str) -> None:
    if not rows:
        click.echo(none)
        return
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _shown(ns: int | None) -> str:
    return "-" if not ns else datetime.fromtimestamp(ns / 1e9, tz=UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _read(path: Path) -> bytes:
    from features.errors import ArtifactError

    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}") from error


def _store(ctx: click.Context) -> Engine:
    from app.store import open_store

    return open_store(settings_of(ctx).database, migrate=True)
