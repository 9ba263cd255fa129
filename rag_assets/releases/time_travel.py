"""Time travel: which release was live at a moment, and how people name moments."""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

from rag_assets.platform.errors import InvalidQuestion, NoRelease
from rag_assets.platform.platform import Platform
from rag_assets.platform.wording import counted

from .history import WENT_LIVE, History
from .registry import Registry, Release

NOT_FOR_READERS = ("candidate", "rejected")
NAMED = 10  # releases in a hint
AGO = re.compile(r"(\d{1,6})\s+(minute|hour|day|week)s?\s+ago")
# a calendar date, perhaps with the offset of the place whose day is meant
DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(Z|[+-]\d{2}:?\d{2})?", re.IGNORECASE)
EXAMPLES = "Write e.g. 2026-11-20, 2026-11-20T14:30+01:00, yesterday, 3 days ago or 2 hours ago."


def parse_moment(text: str, now: datetime) -> datetime:
    """The moment that a person means.

    A time is that time. A day (``2026-11-20``, ``yesterday``, ``3 days ago``, ``2 weeks ago``) is the
    end of that day, so that it includes what was released in its course; of today, it is now.
    Everything is UTC unless an offset is given: ``2026-11-20T14:30+01:00``, or ``2026-11-20+01:00``
    for the day of that place.

    Args:
        text: an ISO 8601 date or datetime, ``now``, ``today``, ``yesterday``, or a number of minutes,
            hours, days or weeks ago.
        now: with a time zone.

    Returns:
        in UTC, not after ``now``.

    Raises:
        InvalidQuestion: it is no moment, or it is in the future.
    """
    now = now.astimezone(UTC)
    words = " ".join(text.lower().split())
    try:
        moment = _in_words(words, now) or _in_digits(text.strip(), now)
    except (ValueError, OverflowError) as error:
        raise InvalidQuestion(f"'{text}' is not a date or a time.", EXAMPLES) from error
    if moment > now:
        raise InvalidQuestion(
            f"{shown(moment)} is in the future: nobody knows what will be live then.",
            "Name a moment of the past.",
        )
    return moment


def _in_words(words: str, now: datetime) -> datetime | None:
    if words == "now":
        return now
    named = {"today": 0, "yesterday": 1}
    if words in named:
        return _end_of(now.date() - timedelta(days=named[words]), UTC, now)
    ago = AGO.fullmatch(words)
    if ago is None:
        return None
    passed = timedelta(**{f"{ago[2]}s": int(ago[1])})
    if ago[2] in ("minute", "hour"):
        return now - passed
    return _end_of((now - passed).date(), UTC, now)


def _in_digits(text: str, now: datetime) -> datetime:
    day = DATE.fullmatch(text)
    if day is not None:
        zone = datetime.fromisoformat(f"{day[1]}T00:00{(day[2] or 'Z').upper()}").tzinfo
        return _end_of(date.fromisoformat(day[1]), zone, now)
    if "t" not in text.lower() and ":" not in text:
        raise ValueError("neither a date nor a time")  # e.g. 20261120 or a week
    moment = datetime.fromisoformat(text.upper())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _end_of(day: date, zone: tzinfo | None, now: datetime) -> datetime:
    """The last moment of a day; of a day that is not over, now."""
    start = datetime(day.year, day.month, day.day, tzinfo=zone)
    end = (start + timedelta(days=1)).astimezone(UTC) - timedelta(microseconds=1)
    return now if start <= now <= end else end


def release_as_of(platform: Platform, moment: datetime) -> Release:
    """The release that was live at a moment, if it can still be asked.

    What may be read of it is a matter of today's rights, as for every release.

    Args:
        platform: the deployment.
        moment: with a time zone; see ``parse_moment``.

    Raises:
        NoRelease: nothing was live then, or what was live has been removed since.
    """
    registry, history = Registry(platform.database), History(platform.database)
    # SQLite compares what is written, and the events are written in UTC
    release_id = history.live_at(moment.astimezone(UTC))
    if release_id is None:
        raise NoRelease(f"Nothing was live on {shown(moment)}.", _first(history))
    release = registry.get(release_id)
    if release is None or not release.readable:
        days = platform.settings.releases.keep_days
        raise NoRelease(
            f"Release {release_id}, which was live on {shown(moment)}, has been removed: releases "
            f"are kept for {counted(days, 'day')} (releases.keep_days) after they were live.",
            readable_releases(registry),
        )
    return release


def _first(history: History) -> str:
    for event in history.events():
        if event.event in WENT_LIVE:
            return f"The first release, {event.release_id}, went live on {shown(event.at)}."
    return "Nothing has been released yet: run 'ragline ingest' first."


def readable_releases(registry: Registry, hidden: tuple[str, ...] = NOT_FOR_READERS) -> str:
    """A hint that names the releases that may be asked, newest first.

    Args:
        registry: of the deployment.
        hidden: statuses of releases that are not to be named.
    """
    ids = [item.id for item in registry.all() if item.readable and item.status not in hidden]
    if not ids:
        return "Nothing can be asked; run 'ragline ingest' first."
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    listed = ", ".join(map(str, ids[:NAMED]))
    return f"Releases that can be asked: {listed}{more}; see 'ragline releases list'."


def shown(moment: datetime) -> str:
    """A moment as people read it, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
