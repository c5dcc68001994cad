"""Times of cron in five fields, written out so that no scheduler reads them its own way; refuses what is none."""

from __future__ import annotations

from dataclasses import dataclass

from features.errors import ParameterError

__all__ = ["cron_fields"]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True)
class _Field:
    """What a field may hold; its names stand for the first numbers."""

    name: str
    first: int
    last: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("weekday", 0, 7, _WEEKDAYS),
)


def cron_fields(schedule: str) -> dict[str, str]:
    """Read a schedule of cron.

    Parameters
    ----------
    schedule : str
        Minute, hour, day, month and weekday: each ``*``, or numbers, ranges and lists, with steps after ``*`` and
        ranges; months and weekdays by name too. Weekdays count from Sunday, which is 0 and 7.

    Returns
    -------
    dict of str to str
        By the names that APScheduler gives the fields: ``*`` or a list, of weekdays by name, since it counts these from
        Monday.

    Raises
    ------
    ParameterError
        If it is no schedule of cron, or names days of the month and weekdays: of these cron takes either, APScheduler
        only what is both.

    Examples
    --------
    >>> cron_fields("*/20 3 * * 5-7")
    {'minute': '0,20,40', 'hour': '3', 'day': '*', 'month': '*', 'day_of_week': 'sun,fri,sat'}
    """
    parts = schedule.split()
    if len(parts) != len(_FIELDS):
        raise ParameterError(f"{schedule!r} has not the five fields of cron: minute, hour, day, month, weekday")
    minute, hour, day, month, weekday = (
        None if part == "*" else _numbers(part, field) for part, field in zip(parts, _FIELDS, strict=True)
    )
    if day is not None and weekday is not None:
        raise ParameterError(f"{schedule!r} names days of the month and weekdays; give one, and * for the other")
    numbers = {"minute": minute, "hour": hour, "day": day, "month": month}
    fields = {name: "*" if found is None else ",".join(map(str, sorted(found))) for name, found in numbers.items()}
    days = range(7) if weekday is None else sorted({number % 7 for number in weekday})
    return fields | {"day_of_week": "*" if len(days) == 7 else ",".join(_WEEKDAYS[number] for number in days)}


def _numbers(part: str, field: _Field) -> set[int]:
    return {number for item in part.split(",") for number in _range(item, field)}


def _range(item: str, field: _Field) -> range:
    span, slash, step = item.partition("/")
    begin, dash, end = (str(field.first), "-", str(field.last)) if span == "*" else span.partition("-")
    first = _number(begin, field)
    last = _number(end, field) if dash else first
    if first and end.lower() == "sun":
        last = 7
    every = int(step) if step.isdecimal() else 0 if slash else 1
    if first is None or last is None or first > last or not every or (slash and not dash):
        raise ParameterError(f"{item!r} is no {field.name} of cron; these are {field.first} to {field.last}")
    return range(first, last + 1, every)


def _number(text: str, field: _Field) -> int | None:
    if text.lower() in field.names:
        return field.first + field.names.index(text.lower())
    number = int(text) if text.isdecimal() else -1
    return number if field.first <= number <= field.last else None
