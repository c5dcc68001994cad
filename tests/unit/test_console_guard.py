"""What a reader is told where a page or a part of it cannot be drawn."""

from __future__ import annotations

import pytest
from pages import drawn


def _script(kind: str) -> None:
    import sqlalchemy as sa
    import streamlit as st

    from app.access.roles import ForbiddenError
    from app.console.guard import part
    from features.errors import ParameterError

    errors = {
        "refused": ForbiddenError("kim is viewer and may not label; operator is wanted"),
        "table": ParameterError("no limits named '*ours*'"),
        "store": sa.exc.OperationalError("SELECT secret", {}, Exception("database is locked")),
    }

    @part(every_s=5.0)
    def content() -> None:
        st.title("drawn until then")
        if kind in errors:
            raise errors[kind]

    content()
    st.caption("the rest of the page")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("fine", []),
        ("refused", ["Refused: kim is viewer and may not label; operator is wanted."]),
        ("table", [r"This part cannot be drawn as a whole: no limits named '\*ours\*'."]),
        ("store", ["This part cannot be drawn as a whole: the store cannot be reached; see the console's log."]),
    ],
)
def test_a_part_says_what_is_wrong_and_the_rest_stays(
    kind: str, said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    page = drawn(_script, kind)
    assert [one.value for one in page.error] == said
    assert [one.value for one in page.title] == ["drawn until then"]
    assert [one.value for one in page.caption] == ["the rest of the page"]
    logged = [one.fields["error"] for one in caplog.records if one.message == "store not reached"]  # type: ignore[attr-defined]
    assert list(map(str, logged)) == ["database is locked"] * (kind == "store")
