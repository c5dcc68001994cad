"""Tables whose rows are marked to be worked on; marks are of what is listed, and gone once something else is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

__all__ = ["forget_marks", "marked_rows", "marks_key"]

_MARKED = "marked list"


def marks_key(name: str, listed: Sequence[str]) -> str:
    """Key of a table of rows: another one as soon as other rows are listed, or the same ones in another order.

    Parameters
    ----------
    name : str
    listed : sequence of str
        What each row is about, from the first row on.

    Examples
    --------
    >>> marks_key("alarms", ["pump", "fan"]) == marks_key("alarms", ["pump", "fan"])
    True
    >>> marks_key("alarms", ["pump", "fan"]) == marks_key("alarms", ["fan", "pump"])
    False
    """
    return f"{name} {hashlib.sha256(json.dumps(list(listed)).encode()).hexdigest()[:16]}"


def marked_rows(
    rows: Sequence[Mapping[str, object]], listed: Sequence[str], *, name: str, columns: Mapping[str, Any]
) -> list[int]:
    """Draw a table and give the places of the rows that are marked in it; marks that the list has outrun are said.

    Parameters
    ----------
    rows : sequence of mapping
    listed : sequence of str
        What each row is about: an identity that stays while its row's words change.
    name : str
    columns : mapping of str to column configuration
    """
    # Streamlit keeps marks by place for as long as the key is the same: they would be those of whatever stands there.
    key = marks_key(name, listed)
    chosen: Any = st.dataframe(
        rows, hide_index=True, key=key, on_select="rerun", selection_mode="multi-row", column_config=dict(columns)
    )
    found = [place for place in chosen.selection.rows if place < len(rows)]
    before = st.session_state.get(_MARKED)
    if before is not None and before[0] == name and before[1] != key and not found:
        st.warning("The list changed; mark again.")
    st.session_state[_MARKED] = (name, key) if found else None
    return found


def forget_marks() -> None:
    """Say nothing of marks that are gone because what they were set for was done."""
    st.session_state.pop(_MARKED, None)
