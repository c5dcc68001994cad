"""Name and area of every measuring point, for lists; nothing else of it is read."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from app.schema import asset_machines, points

__all__ = ["Place", "places"]


@dataclass(frozen=True, slots=True)
class Place:
    """What people call a point and where it is; the area is empty where none was entered."""

    name: str
    area: str = ""


def places(connection: Connection) -> dict[str, Place]:
    """Give the place of every point that is stored, by identity."""
    machines = sa.select(asset_machines.c.site, asset_machines.c.asset, asset_machines.c.area)
    areas = {f"{row.site}/{row.asset}": row.area for row in connection.execute(machines)}
    query = sa.select(points.c.id, points.c.name)
    return {row.id: Place(row.name, areas.get(row.id.rpartition("/")[0], "")) for row in connection.execute(query)}
