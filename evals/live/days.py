"""Days of real use: the calendar of UTC, each from midnight (included) to midnight (not)."""

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

ONE_DAY = timedelta(days=1)


class Window(NamedTuple):
    """A stretch of time in UTC, ``start`` included, ``end`` not."""

    start: datetime
    end: datetime


def day_of(moment: datetime) -> date:
    """The day a moment belongs to; a moment without a time zone is UTC."""
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.date()


def window_of(day: date) -> Window:
    """When a day begins and ends."""
    start = datetime.combine(day, time.min, tzinfo=UTC)
    return Window(start, start + ONE_DAY)


def elapsed_share(day: date, now: datetime) -> float:
    """How much of a day is over, from 0 to 1."""
    start, end = window_of(day)
    return min(1.0, max(0.0, (now - start) / (end - start)))
