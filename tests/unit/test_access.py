"""Roles, rights and the trail of deeds."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from app.access.audit import note, trail
from app.access.roles import RIGHTS, ROLES, ForbiddenError, User, demand
from app.store import open_store, reading, writing


def test_each_role_may_what_the_lower_ones_may_and_more() -> None:
    for lower, higher in pairwise(ROLES):
        assert RIGHTS[lower] < RIGHTS[higher]


def test_a_right_that_a_role_lacks_is_refused_by_name() -> None:
    with pytest.raises(ForbiddenError, match="kim is operator and may not edit assets; engineer is wanted"):
        demand(User("kim", "operator"), "edit assets")
    demand(User("kim", "engineer"), "edit assets")


def test_deeds_are_kept_in_order(tmp_path: Path) -> None:
    engine = open_store(f"sqlite:///{tmp_path / 'raceway.db'}", migrate=True)
    kim = User("kim", "engineer")
    with writing(engine) as connection:
        note(connection, kim, "edit assets", target="plant/pump", why="new bearing", now_ns=1)
        note(connection, kim, "promote", target="baseline", now_ns=2)
    with reading(engine) as connection:
        assert [deed.action for deed in trail(connection)] == ["promote", "edit assets"]
        assert trail(connection, target="plant/pump")[0].why == "new bearing"
