"""Roles and their rights; refuses, where the deed is done, what a role does not allow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from features.errors import RacewayError

__all__ = ["RIGHTS", "ROLES", "ForbiddenError", "Right", "Role", "User", "demand"]

Role = Literal["viewer", "operator", "engineer", "admin"]
Right = Literal["look", "work alarms", "label", "edit assets", "change models", "roll out", "manage"]

ROLES: tuple[Role, ...] = get_args(Role)

# Each role may do what the one before it may, and more.
_ADDED: dict[Role, tuple[Right, ...]] = {
    "viewer": ("look",),
    "operator": ("work alarms", "label"),
    "engineer": ("edit assets", "change models", "roll out"),
    "admin": ("manage",),
}
RIGHTS: dict[Role, frozenset[Right]] = {
    role: frozenset(right for lower in ROLES[: i + 1] for right in _ADDED[lower]) for i, role in enumerate(ROLES)
}


class ForbiddenError(RacewayError):
    """Somebody wanted to do what their role does not allow."""


@dataclass(frozen=True, slots=True)
class User:
    """Who acts, with their role.

    Examples
    --------
    >>> User("kim", "operator").may("label"), User("kim", "viewer").may("label")
    (True, False)
    """

    name: str
    role: Role

    def may(self, right: Right) -> bool:
        """Say whether the role has a right."""
        return right in RIGHTS[self.role]


def demand(user: User, right: Right) -> None:
    """Refuse what the user's role does not allow.

    Raises
    ------
    ForbiddenError
    """
    if not user.may(right):
        least = next(role for role in ROLES if right in RIGHTS[role])
        raise ForbiddenError(f"{user.name} is {user.role} and may not {right}; {least} is wanted")
