"""What people do to the asset model: enter, change, take out, import, take over; refuses roles that may not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from app.access.audit import note
from app.access.roles import User, demand
from app.assets.model import Machine, deeds
from app.assets.register import enter, entered, said_of
from features.errors import ParameterError

__all__ = ["laid_over", "put_in", "take_in", "take_out", "take_over"]


def put_in(
    connection: Connection, user: User, machine: Machine, *, seen: Machine | None, now_ns: int, why: str = ""
) -> list[str]:
    """Enter a machine with its points, or change it, in the caller's transaction.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    user : User
    machine : Machine
        As it is to be, whole.
    seen : Machine or None
        As the user has seen it; None where it is new.
    now_ns : int
    why : str

    Returns
    -------
    list of str
        What changed.

    Raises
    ------
    ForbiddenError
        If the user may not edit assets.
    ParameterError
        If somebody else has changed it meanwhile, or a new one is there already.
    """
    demand(user, "edit assets")
    before = entered(connection)
    found = next((one for one in before if one.id == machine.id), None)
    if found != seen:
        what = "is there already" if seen is None else "was changed by somebody else meanwhile"
        raise ParameterError(f"machine {machine.id} {what}; look at it as it is now and do it again")
    return _settle(connection, user, before, laid_over(before, [machine]), now_ns=now_ns, why=why)


def take_out(connection: Connection, user: User, machine_id: str, *, now_ns: int, why: str = "") -> list[str]:
    """Take a machine out; its points are again what they say of themselves, what was measured stays.

    Raises
    ------
    ForbiddenError
        If the user may not edit assets.
    ParameterError
        If no such machine was entered.
    """
    demand(user, "edit assets")
    before = entered(connection)
    after = [one for one in before if one.id != machine_id]
    if len(after) == len(before):
        raise ParameterError(f"no machine {machine_id} was entered")
    return _settle(connection, user, before, after, now_ns=now_ns, why=why)


def take_in(
    connection: Connection, user: User, machines: Iterable[Machine], *, replace_all: bool, now_ns: int, why: str = ""
) -> list[str]:
    """Import machines; with `replace_all` they are all that is entered from now on.

    Raises
    ------
    ForbiddenError
        If the user may not edit assets.
    """
    demand(user, "edit assets")
    before = entered(connection)
    after = list(machines) if replace_all else laid_over(before, machines)
    return _settle(connection, user, before, after, now_ns=now_ns, why=why)


def take_over(connection: Connection, user: User, point_id: str, what: str, *, now_ns: int) -> list[str]:
    """Let hold what a point says of itself: its ``bearing``, ``speed`` or ``ISO group``.

    Raises
    ------
    ForbiddenError
        If the user may not edit assets.
    ParameterError
        If the point was not entered, or says nothing of the kind.
    """
    demand(user, "edit assets")
    machine_id, _, key = point_id.rpartition("/")
    before = entered(connection)
    machine = next((one for one in before if one.id == machine_id and key in one.points), None)
    if machine is None:
        raise ParameterError(f"nothing was entered of {point_id}")
    after = laid_over(before, [_taking_over(machine, key, what, said_of(connection, point_id))])
    return _settle(connection, user, before, after, now_ns=now_ns, why="as it says of itself")


def laid_over(before: Iterable[Machine], given: Iterable[Machine]) -> list[Machine]:
    """A machine that is given is what it is given as, whole; the others stay."""
    return list(({machine.id: machine for machine in before} | {machine.id: machine for machine in given}).values())


def _taking_over(machine: Machine, key: str, what: str, said: dict[str, Any]) -> Machine:
    point = machine.points[key]
    name = {"bearing": "bearing", "speed": "nominal_shaft_hz", "ISO group": "iso_group"}.get(what)
    value = None if name is None else said[name]
    if value is None:
        raise ParameterError(f"{machine.id}/{key} says no {what} of itself")
    if what == "ISO group":
        return replace(machine, iso_group=value)
    changed = replace(point, bearing=value) if what == "bearing" else replace(point, speed_rpm=60.0 * value)
    return replace(machine, points=machine.points | {key: changed})


def _settle(
    connection: Connection, user: User, before: Sequence[Machine], after: Sequence[Machine], *, now_ns: int, why: str
) -> list[str]:
    found = deeds(before, after)
    if found:
        enter(connection, after)
    for target, words in found:
        said = f"{words}: {why}" if why else words
        note(connection, user, "edit assets", target=target[:200], why=said, now_ns=now_ns)
    return [f"{target}: {words}" for target, words in found]
