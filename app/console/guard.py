"""What a reader is told where something cannot be drawn, on pages and in the parts of them that renew themselves."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import sqlalchemy as sa
import streamlit as st

from app.access.roles import ForbiddenError
from app.console.words import plain
from app.logs import log
from features.errors import RacewayError

__all__ = ["guarded", "part"]

_Drawing = TypeVar("_Drawing", bound=Callable[..., None])


@contextmanager
def guarded(what: str) -> Iterator[None]:
    """Say what went wrong instead of an exception's name; what was drawn until then stays.

    Parameters
    ----------
    what : str
        What is drawn, such as `page`.
    """
    try:
        yield
    except ForbiddenError as error:
        st.error(f"Refused: {error}.")
    except RacewayError as error:
        # Such as a table of the plant's own that cannot be read.
        st.error(f"This {what} cannot be drawn as a whole: {plain(str(error))}.")
    except sa.exc.SQLAlchemyError as error:
        log("error", "store not reached", error=str(getattr(error, "orig", error)))
        st.error(f"This {what} cannot be drawn as a whole: the store cannot be reached; see the console's log.")


def part(*, every_s: float | None = None) -> Callable[[_Drawing], _Drawing]:
    """Make a part of a page of a function: drawn anew by itself every so often, or as something in it is used.

    The guard of its page is not there then, so it has its own.
    """

    def made(draw: _Drawing) -> _Drawing:
        @functools.wraps(draw)
        def drawn(*given: Any, **named: Any) -> None:
            with guarded("part"):
                draw(*given, **named)

        return cast("_Drawing", st.fragment(drawn, run_every=every_s))

    return made
