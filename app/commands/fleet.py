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

    from app.fleet.nodes import Node
    from app.fleet.records import Stored

__all__ = ["fleet"]

_FILE = click.Path(path_type=Path)
_STAGES = "1,10%,100%"
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
    """List nodes with what they run and how they stand."""
    from app.fleet.nodes import nodes_of
    from app.store import reading

    with reading(_store(ctx)) as connection:
        found = nodes_of(connection)
    if as_json:
        click.echo(json.dumps([asdict(node) for node in found], indent=1))
        return
    rows = [_node_row(node) for node in found]
    _table(("node", "point", "line", "model", "slot", "state", "alarm", "seen"), rows, none="no node was ever heard of")


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
@click.argument("image", type=_FILE)
@click.argument("nodes", nargs=-1)
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
    image: Path,
    nodes: tuple[str, ...],
    *,
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
    from app.fleet.rollout import Policy
    from app.fleet.starting import begin
    from app.store import writing
    from edge.node.package import open_image, read_public_key

    content = _read(image)
    if key is not None:
        open_image(content, keys=[read_public_key(_read(key))])
    plan = Policy(stages=_stages(stages), **policy)
    with writing(_store(ctx)) as connection:
        number = begin(connection, content, nodes, policy=plan, who=user, why=why, now_ns=time.time_ns())
    click.echo(f"roll-out {number} begun; `raceway fleet status {number}` shows how it goes")


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
        stored = halt(connection, number, who=user, why=why, now_ns=time.time_ns())
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
        stored = resume(connection, number, who=user, why=why, now_ns=time.time_ns())
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
    from app.fleet.records import one_rollout
    from app.fleet.rollout import Policy
    from app.fleet.starting import begin, former_images, image_again, next_version, roll_back
    from app.store import writing
    from edge.node.package import read_private_key

    folder, now_ns = settings_of(ctx).data_dir, time.time_ns()
    policy = Policy(stages=_stages(stages), soak_s=0.0)
    signer = None if key is None else read_private_key(_read(key))
    given = None if image is None else _read(image)
    said: list[str] = []
    with writing(_store(ctx)) as connection:
        stored = one_rollout(connection, number)
        if stored.rollout.phase not in ("rolling back", "rolled back"):
            roll_back(connection, stored, who=user, why=why, now_ns=now_ns)
        for version, (former, points) in sorted(former_images(connection, stored).items()):
            made, above = given, next_version(connection)
            if made is None and former is not None and signer is not None:
                made = image_again(former, version=above, key=signer)
            if made is None:
                said.append(_to_do(stored, version, former, len(points), above=above, folder=folder))
                continue
            again = begin(connection, made, points, policy=policy, who=user, why=why, now_ns=now_ns, kind="rollback")
            said.append(f"roll-out {again} takes {len(points)} nodes back to the model of version {version}")
    click.echo(f"roll-out {stored.id} is rolled back: nodes on trial leave version {stored.rollout.version}")
    for line in said:
        click.echo(line)


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


def _stages(text: str) -> tuple[int | float, ...]:
    from features.errors import ParameterError

    try:
        parts = [part.strip() for part in text.split(",")]
        return tuple(float(part[:-1]) / 100.0 if part.endswith("%") else int(part) for part in parts)
    except ValueError as error:
        raise ParameterError(f"{text!r} are no stages; counts and shares such as {_STAGES} are wanted") from error


def _say(stored: Stored) -> None:
    plan = stored.rollout
    counts = Counter(member.state for member in plan.members)
    shown = ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))
    why = f" ({plan.reason})" if plan.reason else ""
    click.echo(f"{stored.kind} {stored.id} of version {plan.version} is {plan.phase}{why}; {shown}")


def _json_of(stored: Stored) -> dict[str, Any]:
    shown = {"id": stored.id, "kind": stored.kind, "created_ns": stored.created_ns} | asdict(stored.rollout)
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
