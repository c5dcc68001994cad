"""A challenger takes a champion's place, and gives it back: each in one transaction; refuses what is overtaken.

Only who may change models does either, and both stand in the audit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from app.access.audit import note
from app.access.roles import User, demand
from app.fleet.candidates import withdraw_bundle
from app.schema import champions, points, promotions
from features.errors import RacewayError

__all__ = [
    "JOB",
    "OvertakenError",
    "Promotion",
    "latest_promotion",
    "model_name",
    "promote",
    "promotions_of",
    "undo",
]


# Whom the retraining job acts as.
JOB = User("retraining", "engineer")


class OvertakenError(RacewayError):
    """Another model serves by now than the one that was challenged, or that is to be taken back."""


@dataclass(frozen=True)
class Promotion:
    """A challenger that took a champion's place.

    Attributes
    ----------
    role, point_id : str
        Which model; the point is empty for one of all points.
    bundle, former : str
        Who serves since, and who did before.
    at_ns : int
    run_id : str
    undone_ns : int or None
        When it was taken back, and why.
    undone_why : str or None
    """

    id: int
    role: str
    point_id: str
    bundle: str
    former: str | None
    at_ns: int
    run_id: str
    undone_ns: int | None
    undone_why: str | None

    @property
    def model(self) -> str:
        """Name of the model for people."""
        return model_name(self.role, self.point_id)


def model_name(role: str, point_id: str) -> str:
    """Name a model for people.

    Examples
    --------
    >>> model_name("baseline", "plant/fan/a"), model_name("node-health", "")
    ('baseline of plant/fan/a', 'node-health')
    """
    return f"{role} of {point_id}" if point_id else role


def promote(
    connection: Connection,
    user: User,
    role: str,
    point_id: str,
    *,
    champion: str | None,
    challenger: str,
    run_id: str,
    now_ns: int,
    why: str = "it passed the gate",
) -> None:
    """Let a challenger serve, in the caller's transaction.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    user : User
        Who does it.
    role, point_id : str
    champion : str or None
        Who was challenged.
    challenger, run_id : str
    now_ns : int
    why : str

    Raises
    ------
    ForbiddenError
        If the user may not change models.
    OvertakenError
        If another serves by now, or the point is not watched any more; nothing is changed.
    """
    demand(user, "change models")
    if not _serve(connection, role, point_id, challenger, instead_of=champion, now_ns=now_ns):
        raise OvertakenError("another model serves by now than the one that was challenged")
    values = {"role": role, "point_id": point_id, "bundle": challenger, "former": champion}
    connection.execute(promotions.insert().values(**values, at_ns=now_ns, run_id=run_id))
    named = model_name(role, point_id)
    note(connection, user, "promote", target=named[:200], why=f"{challenger}: {why}", now_ns=now_ns)


def _serve(
    connection: Connection, role: str, point_id: str, bundle: str, *, instead_of: str | None, now_ns: int
) -> bool:
    """Let a bundle serve in the place of another; False where that one does not serve."""
    if point_id:
        # Only these columns: ingest writes the others, and takes its batch again where the revision is another.
        same = (points.c.id == point_id) & (points.c.state == "watching") & (points.c.bundle == instead_of)
        values: dict[str, Any] = {"bundle": bundle, "revision": points.c.revision + 1}
        return connection.execute(points.update().where(same).values(**values)).rowcount == 1
    if instead_of is None:
        found = connection.execute(sa.select(champions.c.bundle).where(champions.c.role == role)).scalar()
        if found is None:
            connection.execute(champions.insert().values(role=role, bundle=bundle, since_ns=now_ns))
        return found is None
    same = (champions.c.role == role) & (champions.c.bundle == instead_of)
    return connection.execute(champions.update().where(same).values(bundle=bundle, since_ns=now_ns)).rowcount == 1


def promotions_of(connection: Connection, *, run_id: str | None = None, point_id: str | None = None) -> list[Promotion]:
    """Read promotions, newest first; of one run or point where one is named."""
    query = sa.select(promotions).order_by(promotions.c.id.desc())
    if run_id is not None:
        query = query.where(promotions.c.run_id == run_id)
    if point_id is not None:
        query = query.where(promotions.c.point_id == point_id)
    return [Promotion(**row._mapping) for row in connection.execute(query)]


def latest_promotion(connection: Connection, role: str, point_id: str) -> Promotion | None:
    """Read how a model last changed hands, or None."""
    own = (promotions.c.role == role) & (promotions.c.point_id == point_id)
    row = connection.execute(sa.select(promotions).where(own).order_by(promotions.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else Promotion(**row._mapping)


def undo(
    connection: Connection,
    user: User,
    taken_back: Sequence[Promotion],
    *,
    there: Callable[[str], bool],
    why: str,
    now_ns: int,
) -> None:
    """Let the former models serve again, all of them or, where one cannot, none; in the caller's transaction.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    user : User
        Who does it.
    taken_back : sequence of Promotion
    there : callable
        Whether a bundle can be served.
    why : str
    now_ns : int

    Raises
    ------
    ForbiddenError
        If the user may not change models.
    OvertakenError
        If a promotion is undone already, another model serves by now, or the former one is gone.
    """
    demand(user, "change models")
    for one in taken_back:
        if one.undone_ns is not None:
            raise OvertakenError(f"the promotion of {one.bundle} is undone already")
        if one.former is None or not there(one.former):
            raise OvertakenError(f"there is no former model of the {one.model} that could serve")
        if not _serve(connection, one.role, one.point_id, one.former, instead_of=one.bundle, now_ns=now_ns):
            raise OvertakenError(f"another model serves by now as {one.model}; undo what came last, or name a point")
        marked = promotions.update().where(promotions.c.id == one.id, promotions.c.undone_ns.is_(None))
        connection.execute(marked.values(undone_ns=now_ns, undone_why=why))
        withdraw_bundle(connection, one.bundle, why=f"its promotion was undone: {why}", now_ns=now_ns, who=user.name)
        note(connection, user, "undo promotion", target=one.model[:200], why=f"{one.bundle}: {why}", now_ns=now_ns)
