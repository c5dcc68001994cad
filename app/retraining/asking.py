"""What people want retrained now, kept until a run takes it; refuses a point that is not watched or is asked for.

Who asks does not train: a console is light, and only one job retrains. The schedule of `raceway up` begins at once, any
other run of the job takes what is asked for before its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from app.access.audit import note
from app.access.roles import User, demand
from app.retraining.promotion import model_name
from app.retraining.records import BASELINE
from app.schema import points, retraining_asks
from features.errors import ParameterError

__all__ = ["Ask", "ask", "mark_taken", "open_asks"]

_MOST = 1000


@dataclass(frozen=True, slots=True)
class Ask:
    """A point that somebody wants retrained."""

    id: int
    point_id: str
    at_ns: int
    who: str
    why: str


def ask(connection: Connection, user: User, point_id: str, *, why: str, now_ns: int) -> None:
    """Ask for a challenger of a point, drifted or not, in the caller's transaction.

    Raises
    ------
    ForbiddenError
        If the user may not change models.
    ParameterError
        If the point is not watched, or is asked for already.
    """
    demand(user, "change models")
    state = connection.execute(sa.select(points.c.state).where(points.c.id == point_id)).scalar()
    if state != "watching":
        raise ParameterError(f"{point_id} is {state or 'unknown'}; only a point that is watched is retrained")
    if any(one.point_id == point_id for one in open_asks(connection)):
        raise ParameterError(f"the retraining of {point_id} is asked for already and will begin")
    connection.execute(retraining_asks.insert().values(point_id=point_id, at_ns=now_ns, who=user.name, why=why))
    target = model_name(BASELINE, point_id)[:200]
    note(connection, user, "ask for retraining", target=target, why=why, now_ns=now_ns)


def open_asks(connection: Connection) -> list[Ask]:
    """List what no run has taken yet, oldest first."""
    one = retraining_asks.c
    query = sa.select(one.id, one.point_id, one.at_ns, one.who, one.why).where(one.run_id.is_(None))
    return [Ask(*row) for row in connection.execute(query.order_by(one.id).limit(_MOST))]


def mark_taken(connection: Connection, asks: Sequence[Ask], *, run_id: str) -> None:
    """Say which run takes what was asked for, in the transaction that begins it."""
    own = retraining_asks.c.id.in_([one.id for one in asks])
    if asks:
        connection.execute(retraining_asks.update().where(own).values(run_id=run_id))
