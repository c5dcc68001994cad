"""The models page: what asks for a look first, both models side by side, and buttons that the role decides on."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from pages import acting_as, button, drawn, opened, press
from plans import statements_of
from retrained import ran, watched
from streamlit.testing.v1 import AppTest

from app.access.audit import trail
from app.access.roles import Role, User
from app.console.modelview import drift_chart
from app.fleet.candidates import lay
from app.retraining.asking import open_asks
from app.retraining.records import NODE_HEALTH
from app.retraining.standing import standings
from app.schema import points
from app.settings import Settings
from app.store import point_rows, reading, set_champion, writing

_A, _B = "site/fan/a", "site/pump/b"


@pytest.fixture
def filled(console: sa.Engine, settings: Settings) -> sa.Engine:
    """Two points: a promoted challenger and a refused one."""
    watched(console, settings, (_A, _B))
    run = ran(console, settings, 0, {_A: "promoted", _B: "refused"})
    settings.reports.mkdir(parents=True)
    (settings.reports / f"retraining-{run.id}.html").write_text("<p>report</p>")
    return console


def _script(engine: object, settings: object, user: object) -> None:
    from app.console.models import models_page

    models_page(engine, settings, user)  # type: ignore[arg-type]


def _page(console: sa.Engine, settings: Settings, role: Role = "engineer", **query: str) -> AppTest:
    return drawn(_script, console, settings, User("kim", role), **query)


def _serving(console: sa.Engine) -> list[str | None]:
    with reading(console) as connection:
        return [row.bundle for row in point_rows(connection)]


def _reason(page: AppTest) -> Any:
    return next(field for field in page.text_input if field.label == "Reason")


def test_without_models_the_page_says_where_they_come_from(console: sa.Engine, settings: Settings) -> None:
    assert "each point learns its own" in _page(console, settings).info[0].value


def test_the_refused_model_is_on_top_with_its_reason_and_both_models(filled: sa.Engine, settings: Settings) -> None:
    page = _page(filled, settings)
    assert {metric.label: metric.value for metric in page.metric} | {"Last retraining": ""} == {
        "Models": "2",
        "Refused or failed": "1",
        "Drifted": "2",
        "Last retraining": "",
    }
    table = page.dataframe[0].value
    assert list(table["Model"]) == [_B, _A]
    assert table["Last retraining"].iloc[0] == "■ challenger refused, champion serves"
    assert page.subheader[0].value == f"■ baseline of {_B}: challenger refused, champion serves"
    verdict = page.dataframe[1].value.set_index("")
    assert list(verdict.loc["outer, laid over healthy windows"]) == ["80 %", "60 %"]
    assert list(verdict.loc["threshold"]) == ["1.250", "1.500"]
    drift = next(frame.value for frame in page.dataframe if "PSI" in frame.value.columns)
    assert drift["Feature"].iloc[0] == "rms"
    runs = next(frame.value for frame in page.dataframe if "Outcomes" in frame.value.columns)
    assert runs["Outcomes"].iloc[0] in ("1 promoted, 1 refused", "1 refused, 1 promoted")


def test_the_address_chooses_the_model_and_the_filter_what_is_listed(filled: sa.Engine, settings: Settings) -> None:
    page = _page(filled, settings, point=_A)
    assert page.selectbox[0].value == f"baseline of {_A}"
    page.text_input[0].input("pump").run()
    assert list(page.dataframe[0].value["Model"]) == [_B]
    page.text_input[0].input("nothing").run()
    assert any(caption.value == "No such model." for caption in page.caption)


def test_who_may_not_change_models_has_no_button_for_it(filled: sa.Engine, settings: Settings) -> None:
    page = _page(filled, settings, "operator")
    assert [button.disabled for button in page.button] == [True, True, True]


def test_an_engineer_lets_the_refused_one_serve_and_takes_the_other_back(filled: sa.Engine, settings: Settings) -> None:
    page = _page(filled, settings)
    assert [button.disabled for button in page.button] == [False, True, True]
    _reason(page).input("checked by hand").run()
    press(page, "Let the refused challenger serve")
    assert page.success[0].value == f"baseline of {_B}: the challenger serves."
    assert _serving(filled) == ["challenger-0", "challenger-0"]
    page.selectbox(key="chosen model").select(f"baseline of {_A}").run()
    assert _reason(page).value == ""
    _reason(page).input("alarms all night").run()
    press(page, "Undo promotion")
    assert _serving(filled) == ["first", "challenger-0"]
    words = "challenger taken back, former champion serves"
    assert page.subheader[0].value == f"▽ baseline of {_A}: {words}"
    assert f"▽ {words}" in list(page.dataframe[0].value["Last retraining"])
    page.segmented_control[0].select("Challenger serves").run()
    assert list(page.dataframe[0].value["Model"]) == [_B]
    with reading(filled) as connection:
        assert [(deed.who, deed.action) for deed in trail(connection)][:2] == [
            ("kim", "undo promotion"),
            ("kim", "promote"),
        ]
        assert standings(connection)[0].undoable is False


def test_a_click_on_what_has_been_decided_anew_meanwhile_does_nothing(filled: sa.Engine, settings: Settings) -> None:
    page = _page(filled, settings)
    _reason(page).input("checked by hand").run()
    ran(filled, settings, 1, {_B: "refused"})
    press(page, "Let the refused challenger serve")
    assert _serving(filled) == ["challenger-0", "first"]
    assert _reason(page).value == ""
    page.selectbox(key="chosen model").select(f"baseline of {_A}").run()
    _reason(page).input("alarms all night").run()
    ran(filled, settings, 2, {_A: "promoted"}, champion="challenger-0")
    press(page, "Undo promotion")
    assert _serving(filled) == ["challenger-2", "first"]


def test_of_a_model_that_is_gone_no_other_takes_the_place_unsaid(filled: sa.Engine, settings: Settings) -> None:
    page = _page(filled, settings)
    with writing(filled) as connection:
        connection.execute(points.update().where(points.c.id == _B).values(bundle=None, state="learning"))
    press(page, "Retrain now")
    assert page.warning[0].value == f"No baseline of {_B} serves any more; another model is looked at now."
    assert page.selectbox(key="chosen model").value == f"baseline of {_A}"
    with reading(filled) as connection:
        assert open_asks(connection) == []


def test_retrain_now_is_asked_for_once_and_does_not_wait(filled: sa.Engine, settings: Settings) -> None:
    page = _page(filled, settings)
    press(page, "Retrain now")
    with reading(filled) as connection:
        assert [(one.point_id, one.who) for one in open_asks(connection)] == [(_B, "kim")]
    assert page.info[0].value.startswith(f"Asked for by kim: retraining of {_B}.")
    assert button(page, "Retrain now").disabled


def test_a_run_under_way_and_one_that_was_broken_off_are_said(filled: sa.Engine, settings: Settings) -> None:
    ran(filled, settings, 9, {_A: "unchanged"}, ended=False)
    page = _page(filled, settings)
    assert "was broken off; the next one goes on with it" in page.warning[0].value


def test_how_a_hundred_models_stand_is_read_at_once(console: sa.Engine, settings: Settings) -> None:
    points = tuple(f"site/m{i}/p" for i in range(100))
    watched(console, settings, points)
    for night in range(3):
        ran(console, settings, night, dict.fromkeys(points, "unchanged"))
    with statements_of(console) as said, reading(console) as connection:
        found = standings(connection)
    assert len(found) == 100
    assert len(said) < 8


def test_the_network_of_nodes_leads_to_its_roll_out(console: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    acting_as(monkeypatch, User("kim", "engineer"))
    with writing(console) as connection:
        set_champion(connection, NODE_HEALTH, "node-health-1", now_ns=1)
        lay(connection, b"model", bundle="node-health-1", why="run", now_ns=1)
    page = opened("models")
    assert any("Roll-out 1 to the nodes: candidate" in str(one.proto) for one in page.get("page_link"))


def test_bars_are_told_apart_without_colour() -> None:
    features = [
        {"name": name, "psi": psi, "ks": 0.1, "drifted": drifted}
        for name, psi, drifted in (("rms", 0.9, True), ("kurtosis", 0.1, False))
    ]
    bars = drift_chart(features, key="x").data[0]
    assert (list(bars.y), list(bars.text), list(bars.x)) == (["kurtosis", "rms"], ["", "△ drifted"], [0.1, 0.9])
