"""The frame of the console: every page at its path, and refused there to those who may not see it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
import sqlalchemy as sa
from pages import acting_as, opened

from app.access.roles import User
from app.assets.model import Machine, Point
from app.assets.register import enter
from app.console import frame
from app.console.pages import PAGES
from app.store import PointRow, save_point, writing
from features.errors import ParameterError


@pytest.fixture
def engine(console: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    acting_as(monkeypatch, User("Vera", "viewer"))
    return console


def test_pages_have_paths_of_their_own_and_the_first_is_at_the_root(engine: sa.Engine) -> None:
    assert engine is not None
    assert len({listed.page for listed in PAGES}) == len(PAGES)
    assert opened().title[0].value == opened("", page="unheard-of").title[0].value
    assert opened("data").title[0].value == "Data"
    assert opened("nodes").title[0].value == "Nodes"


def test_addresses_of_before_are_sent_on(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        save_point(connection, PointRow("a/b/c", "Pump 7"), new=True)
    page = opened(point="a/b/c")
    assert (page.title[0].value, page.query_params["point"]) == ("Pump 7", "a/b/c")
    page = opened(page="nodes", node="a/b/c")
    assert "No node is known at 'a/b/c'" in page.error[0].value
    assert "page" not in page.query_params


def test_who_looks_is_said(engine: sa.Engine) -> None:
    assert engine is not None
    assert opened("data").sidebar.caption[0].value == "Vera · viewer  \nTimes of UTC"


def test_a_page_is_not_even_drawn_for_a_role_that_lacks_its_right(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert engine is not None
    guarded = tuple(replace(one, right="manage") if one.page == "data" else one for one in PAGES)
    monkeypatch.setattr(frame, "PAGES", guarded)
    page = opened("data")
    assert page.error[0].value == "Refused: Vera is viewer and may not manage; admin is wanted."
    assert not page.title
    acting_as(monkeypatch, User("Ada", "admin"))
    assert opened("data").title[0].value == "Data"


def test_a_page_that_cannot_read_something_says_so(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine is not None

    def unreadable(*_: object) -> NoReturn:
        raise ParameterError("no bearings can be read")

    monkeypatch.setattr(frame, "PAGES", tuple(replace(one, draw=unreadable) for one in PAGES))
    assert opened("data").error[0].value == "This page cannot be drawn as a whole: no bearings can be read."


@pytest.mark.parametrize("path", ["settings", "assets"])
def test_a_table_of_zones_that_is_gone_is_said_and_the_rest_is_drawn(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    acting_as(monkeypatch, User("Ada", "admin"))
    with writing(engine) as connection:
        enter(connection, [Machine("plant", "hall", "pump", iso_group="our-pumps", points={"de": Point()})])
    table = Path("own.toml").absolute()
    table.write_text('[our-pumps]\nvelocity_mm_s = [100, 200, 300]\ncitation = "Works standard 7"\n')
    monkeypatch.setenv("RACEWAY_ISO_LIMITS", str(table))
    page = opened(path)
    table.unlink()
    page.run()
    assert not page.exception
    said = [*page.error, *page.caption]
    assert any(one.value.startswith("No zone can be given\\: limits cannot be read from") for one in said)
    assert not any("as a whole" in one.value for one in page.error)
    assert len(page.dataframe) > 0
