"""Everything that somebody does asks for their right before anything else, whoever calls it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable
from typing import Any

import pytest

import app
from app.access.roles import RIGHTS, ROLES, ForbiddenError, Role, User
from features.errors import RacewayError

# Where people's deeds are done.
_FOLDERS = ("access", "alarms", "assets", "commissioning", "fleet", "labels", "retraining")
_PARTS = tuple(f"app.{folder}" for folder in _FOLDERS)
# What writes down what others have asked for; it changes nothing itself.
_EXEMPT = {"app.access.audit.note", "app.access.roles.demand"}
# Read by eye: what a role may do at all stands here a second time.
_LEAST: dict[str, Role] = {
    "app.access.accounts.add": "admin",
    "app.access.accounts.change_own_password": "viewer",
    "app.access.accounts.remove": "admin",
    "app.access.accounts.set_password": "admin",
    "app.access.accounts.set_role": "admin",
    "app.alarms.register.act": "operator",
    "app.alarms.register.set_priority": "operator",
    "app.fleet.starting.begin": "engineer",
    "app.fleet.starting.halt": "engineer",
    "app.fleet.starting.resume": "engineer",
    "app.fleet.starting.roll_back": "engineer",
    "app.labels.records.give": "operator",
    "app.retraining.promotion.undo": "engineer",
}


def _deeds() -> dict[str, Callable[..., Any]]:
    """Public functions that take a user, beside pages and commands, which only draw and call."""
    found = {}
    for module in pkgutil.walk_packages(app.__path__, prefix="app."):
        if not module.name.startswith(_PARTS):
            continue
        loaded = importlib.import_module(module.name)
        for name in getattr(loaded, "__all__", ()):
            function = getattr(loaded, name)
            if inspect.isfunction(function) and function.__module__ == module.name and _user_of(function):
                found[f"{module.name}.{name}"] = function
    return {name: function for name, function in found.items() if name not in _EXEMPT}


def _user_of(function: Callable[..., Any]) -> str | None:
    """Which parameter is who does it."""
    return next(
        (name for name, one in inspect.signature(function).parameters.items() if one.annotation == "User"), None
    )


def _refused(function: Callable[..., Any], role: Role) -> bool:
    """Whether a role is refused, before anything is looked at: there is nothing that could be."""
    wanted = inspect.signature(function).parameters.values()
    given = {one.name: None for one in wanted if one.default is one.empty and one.kind is not one.VAR_KEYWORD}
    given[str(_user_of(function))] = User("kim", role)  # type: ignore[assignment]
    positional = [given.pop(one.name) for one in wanted if one.kind is one.POSITIONAL_ONLY]
    try:
        function(*positional, **given)
    except ForbiddenError as error:
        return re.fullmatch(rf"kim is {role} and may not .*; \w+ is wanted", str(error)) is not None
    except (AttributeError, KeyError, RacewayError, TypeError, ValueError):
        # With the right it goes on and stumbles over what it was not given.
        return False
    return False


_DEEDS = _deeds()


def test_what_people_do_is_found() -> None:
    assert set(_LEAST) <= set(_DEEDS)


@pytest.mark.parametrize("name", sorted(_DEEDS))
def test_a_deed_is_refused_to_the_roles_below_its_right_only(name: str) -> None:
    refused = [_refused(_DEEDS[name], role) for role in ROLES]
    # Nobody below the first that may is let through, and whoever stands above may too.
    assert refused == sorted(refused, reverse=True)
    assert not refused[-1]
    least = ROLES[sum(refused)]
    assert least == _LEAST.get(name, least)
    assert name == "app.access.accounts.change_own_password" or refused[0]


def test_rights_are_of_the_roles_that_the_plan_names() -> None:
    assert {role: len(RIGHTS[role]) for role in ROLES} == {"viewer": 1, "operator": 3, "engineer": 6, "admin": 7}
