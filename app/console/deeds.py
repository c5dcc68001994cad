"""What a button of a page does to the store, in one transaction; what is refused is said on the page."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from sqlalchemy import Connection, Engine

from app.store import writing
from features.errors import RacewayError

__all__ = ["do"]


def do(engine: Engine, act: Callable[[Connection], object], done: str, *, said: str) -> None:
    """Do it in one transaction; what is refused is said, else the page is drawn anew and says what was done.

    Parameters
    ----------
    engine : Engine
    act : callable
    done : str
        What the page says.
    said : str
        Where in the session the page looks for it.
    """
    try:
        with writing(engine) as connection:
            act(connection)
    except RacewayError as error:
        st.error(f"Refused: {error}.")
    else:
        st.session_state[said] = done
        st.rerun()
