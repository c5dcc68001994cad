"""Messages that were set aside, on the data page: why, from whom, their first bytes; admins drop what is old."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
import streamlit as st
from sqlalchemy import Connection, Engine

from app.access.audit import note
from app.access.roles import User, demand
from app.console.queries import refusal_counts
from app.console.words import ago, clock, plain
from app.schema import quarantine
from app.store import reading, writing
from app.wire import REASONS
from features.errors import RacewayError

__all__ = ["SetAside", "drop_set_aside", "hex_dump", "set_aside", "set_aside_section"]

_SHOWN = 200
# Latest messages that a filter looks through: a reason has no index, and payloads are long.
_LOOKED_THROUGH = 5000
_HEAD = 256
_DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class SetAside:
    """A message that was set aside, without its payload."""

    id: int
    arrived_ns: int
    topic: str
    reason: str
    detail: str
    size: int
    complete: bool


_COLUMNS = tuple(quarantine.c[name] for name in ("id", "arrived_ns", "topic", "reason", "detail", "size", "complete"))


def set_aside(connection: Connection, *, reason: str | None = None, text: str = "", most: int) -> list[SetAside]:
    """List the latest messages, newest first: of a reason, and with a text in their topic, among the latest 5,000."""
    newest = connection.execute(sa.select(sa.func.max(quarantine.c.id))).scalar() or 0
    query = sa.select(*_COLUMNS).where(quarantine.c.id > newest - _LOOKED_THROUGH)
    if reason is not None:
        query = query.where(quarantine.c.reason == reason)
    if text:
        query = query.where(quarantine.c.topic.contains(text, autoescape=True))
    return [SetAside(*row) for row in connection.execute(query.order_by(quarantine.c.id.desc()).limit(most))]


def drop_set_aside(connection: Connection, user: User, *, older_d: int, now_ns: int) -> int:
    """Drop what arrived more than some days ago, in the caller's transaction; the counters stay.

    Returns
    -------
    int
        Messages dropped.

    Raises
    ------
    ForbiddenError
        If the user may not manage.
    """
    demand(user, "manage")
    old = quarantine.delete().where(quarantine.c.arrived_ns < now_ns - older_d * _DAY_NS)
    dropped = connection.execute(old).rowcount
    note(
        connection, user, "drop quarantine", target="quarantine", why=f"{dropped} older than {older_d} d", now_ns=now_ns
    )
    return dropped


def hex_dump(payload: bytes, *, width: int = 16) -> str:
    """Show bytes as people read them: place, hexadecimal, and what is printable.

    Examples
    --------
    >>> print(hex_dump(b"raceway\\x00\\xff"))
    0000  72 61 63 65 77 61 79 00 ff                       raceway..
    """
    lines = []
    for first in range(0, len(payload), width):
        part = payload[first : first + width]
        printable = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{first:04x}  {part.hex(' '):{3 * width - 1}}  {printable}")
    return "\n".join(lines)


def set_aside_section(engine: Engine, user: User) -> None:
    """Draw what was set aside and why."""
    counts = refusal_counts(engine)
    st.markdown(f"##### Set aside: {sum(counts.values()):,} messages")
    if not counts:
        st.success("Every message so far was admissible.")
        return
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    rows = [{"Reason": name, "Meaning": REASONS.get(name, ""), "Messages": n} for name, n in ordered]
    st.dataframe(rows, hide_index=True)
    left, right = st.columns(2)
    reason = left.selectbox(
        "Reason", [None, *(name for name, _ in ordered)], format_func=lambda one: one or "any reason"
    )
    text = right.text_input("Topic", placeholder="part of a topic").strip()
    with reading(engine) as connection:
        found = set_aside(connection, reason=reason, text=text, most=_SHOWN)
    if found:
        _browse(engine, found)
    else:
        st.caption(f"None among the latest {_LOOKED_THROUGH:,} that are kept.")
    _drop(engine, user)


def _browse(engine: Engine, found: Sequence[SetAside]) -> None:
    now_ns = time.time_ns()
    rows = [
        {
            "No.": one.id,
            "Arrived": clock(one.arrived_ns),
            "Reason": one.reason,
            "Topic": one.topic,
            "Detail": one.detail,
            "Bytes": one.size,
        }
        for one in found
    ]
    st.dataframe(rows, hide_index=True, height=min(38 + 35 * len(rows), 360))
    words = {one.id: f"{one.id}: {one.reason}, {one.topic}, {ago(one.arrived_ns, now_ns=now_ns)}" for one in found}
    number = st.selectbox("Message looked at", list(words), format_func=words.__getitem__)
    with reading(engine) as connection:
        query = sa.select(quarantine.c.payload, quarantine.c.sha256).where(quarantine.c.id == number)
        row = connection.execute(query).first()
    one = next(one for one in found if one.id == number)
    if row is None:
        st.caption("It was dropped meanwhile.")
        return
    payload = bytes(row.payload)
    st.caption(
        f"{plain(one.detail)}. {one.size:,} bytes{'' if one.complete else ', of which the head is kept'}; "
        f"SHA-256 {row.sha256}"
    )
    st.code(hex_dump(payload[:_HEAD]) or "(empty)", language=None)
    st.download_button("Download what is kept", payload, file_name=f"set-aside-{number}.bin", on_click="ignore")


def _drop(engine: Engine, user: User) -> None:
    if not user.may("manage"):
        return
    with st.expander("Drop what is old"):
        days = int(st.number_input("Older than, days", 1, 3650, 30))
        if st.button("Drop", help="The counters stay; it stands in the audit."):
            try:
                with writing(engine) as connection:
                    dropped = drop_set_aside(connection, user, older_d=days, now_ns=time.time_ns())
            except RacewayError as error:
                st.error(str(error))
            else:
                st.success(f"{dropped} messages were dropped.")
