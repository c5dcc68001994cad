"""The lifecycle of an alarm after ISA-18.2: which step leads where and who took it; refuses steps that lead nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from features.errors import RacewayError

__all__ = ["ACTIONS", "SYSTEM", "Action", "AlarmState", "Entry", "LifecycleError", "State", "due", "stepped"]

State = Literal[
    "normal", "unacknowledged", "acknowledged", "returned", "shelved", "suppressed by design", "out of service"
]
Action = Literal[
    "raise",
    "clear",
    "acknowledge",
    "comment",
    "shelve",
    "unshelve",
    "suppress",
    "unsuppress",
    "take out of service",
    "return to service",
]

# Who raises, clears and ends a shelf by time.
SYSTEM = "raceway"
# States in which an alarm is not shown to be worked on, with the steps that lead in and out.
_HIDDEN: Mapping[Action, State] = {
    "shelve": "shelved",
    "suppress": "suppressed by design",
    "take out of service": "out of service",
}
_BACK: Mapping[Action, State] = {
    "unshelve": "shelved",
    "unsuppress": "suppressed by design",
    "return to service": "out of service",
}
ACTIONS: tuple[Action, ...] = ("raise", "clear", "acknowledge", "comment", *_HIDDEN, *_BACK)
# Steps that a person must give a reason for.
_WITH_REASON = {"comment", *_HIDDEN}


class LifecycleError(RacewayError):
    """A step that an alarm in this state cannot take."""


@dataclass(frozen=True, slots=True)
class AlarmState:
    """An alarm as it stands.

    Attributes
    ----------
    state : str
        Of ISA-18.2: ``returned`` is what was not acknowledged while it lasted.
    active : bool
        Whether the condition holds now, shown or not.
    since_ns : int
        When the state began.
    until_ns : int or None
        When a shelf ends by itself; None in other states.
    """

    state: State = "normal"
    active: bool = False
    since_ns: int = 0
    until_ns: int | None = None

    @property
    def hidden(self) -> bool:
        """Whether it is kept from the work list: shelved, suppressed by design or out of service."""
        return self.state in _HIDDEN.values()

    @property
    def wants_attention(self) -> bool:
        """Whether somebody is to acknowledge it."""
        return self.state in ("unacknowledged", "returned")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the audit trail: what was done, when, by whom and why, states before and after, and a shelf's end."""

    at_ns: int
    action: Action
    who: str
    why: str
    before: State
    after: State
    until_ns: int | None = None


def stepped(
    alarm: AlarmState, action: Action, *, now_ns: int, who: str, why: str = "", until_ns: int | None = None
) -> tuple[AlarmState, Entry]:
    """Take a step and write it down.

    Parameters
    ----------
    alarm : AlarmState
    action : str
        One of `ACTIONS`.
    now_ns : int
        Nanoseconds since the epoch, UTC.
    who : str
        User, or `SYSTEM`.
    why : str
        Wanted of comments and of every step that hides an alarm.
    until_ns : int, optional
        End of a shelf, later than now; wanted to shelve, and of no other step.

    Returns
    -------
    alarm : AlarmState
    entry : Entry

    Raises
    ------
    LifecycleError
        If the step is not admissible in this state, or what it wants is missing.

    Notes
    -----
    A hidden alarm still follows its condition, so that it comes back as what it then is: normal, or unacknowledged.
    Suppression by design and out of service may take over from a shelf and from each other; the end of one is the end
    of all, and the condition decides.

    References
    ----------
    .. [1] ANSI/ISA-18.2-2016, clause 5.4 (alarm state transition diagram).
    """
    _check(alarm, action, now_ns=now_ns, who=who, why=why, until_ns=until_ns)
    after = _after(alarm, action)
    active = {"raise": True, "clear": False}.get(action, alarm.active)
    since_ns = alarm.since_ns if after == alarm.state and action != "shelve" else now_ns
    kept_until = until_ns if action == "shelve" else alarm.until_ns if after == "shelved" else None
    entry = Entry(now_ns, action, who, why, alarm.state, after, until_ns)
    return replace(alarm, state=after, active=active, since_ns=since_ns, until_ns=kept_until), entry


def due(alarm: AlarmState, *, now_ns: int) -> tuple[AlarmState, Entry] | None:
    """End a shelf whose time has come; None where there is none."""
    if alarm.state != "shelved" or alarm.until_ns is None or now_ns < alarm.until_ns:
        return None
    return stepped(alarm, "unshelve", now_ns=now_ns, who=SYSTEM, why="its time is over")


def _check(alarm: AlarmState, action: Action, *, now_ns: int, who: str, why: str, until_ns: int | None) -> None:
    if not who.strip():
        raise LifecycleError(f"nobody is named who wants to {action}; name the user")
    if action in _WITH_REASON and not why.strip():
        raise LifecycleError(f"no reason was given to {action}; one is wanted")
    if action == "shelve" and (until_ns is None or until_ns <= now_ns):
        raise LifecycleError("an alarm is shelved for a time; give an end that lies ahead")
    if action != "shelve" and until_ns is not None:
        raise LifecycleError(f"a time was given to {action}; only a shelf has an end")
    if (action == "raise" and alarm.active) or (action == "clear" and not alarm.active):
        raise LifecycleError(f"an alarm whose condition is {_condition(alarm)} was to {action}; it has already")
    if action == "acknowledge" and not alarm.wants_attention:
        raise LifecycleError(f"an alarm that is {alarm.state} was to be acknowledged; only new and returned ones are")
    if action == "shelve" and alarm.state in ("suppressed by design", "out of service"):
        raise LifecycleError(f"an alarm that is {alarm.state} was to be shelved; bring it back first")
    if action in _BACK and alarm.state != _BACK[action]:
        raise LifecycleError(f"an alarm that is {alarm.state} was to {action}; it is not {_BACK[action]}")
    if action != "shelve" and action in _HIDDEN and alarm.state == _HIDDEN[action]:
        raise LifecycleError(f"an alarm that is {alarm.state} was to {action}; it is already")


def _after(alarm: AlarmState, action: Action) -> State:
    if action in _HIDDEN:
        return _HIDDEN[action]
    if action in _BACK:
        return "unacknowledged" if alarm.active else "normal"
    if alarm.hidden or action == "comment":
        return alarm.state
    if action == "raise":
        return "unacknowledged"
    if action == "clear":
        return "returned" if alarm.state == "unacknowledged" else "normal"
    return "acknowledged" if alarm.active else "normal"


def _condition(alarm: AlarmState) -> str:
    return "present" if alarm.active else "gone"
