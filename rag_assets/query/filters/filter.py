"""A parsed filter: its SQL, its meaning, its text; and how it joins the caller's rights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import reference, sql
from .parse import parse
from .syntax import Condition


@dataclass(frozen=True)
class Filter:
    """A condition on the rows of the index.

    ``str`` gives a text that parses to an equal filter; names and escapes are written out in it, so
    that it can be longer than what somebody wrote, and than ``parse.MAX_CHARS``.
    """

    condition: Condition

    def to_sql(self) -> str:
        """The condition as a prefilter for Lance; true or false for every row, never null."""
        return sql.to_sql(self.condition)

    def matches(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of the index (columns of ``INDEX_ROWS``) satisfies the filter."""
        return reference.matches(self.condition, row)

    def __str__(self) -> str:
        return str(self.condition)


def parse_filter(text: str) -> Filter:
    """Read a filter that somebody wrote.

    Raises:
        InvalidQuestion: it cannot be used; says at which column and what was expected there.
    """
    return Filter(parse(text))


def combine(acl_condition: str | None, chosen: Filter | None) -> str | None:
    """One prefilter from the caller's rights and a filter: a filter only ever narrows.

    Args:
        acl_condition: of ``access.acl_condition``; None for an admin.
        chosen: None for no filter.

    Returns:
        SQL, or None where nothing is to be left out.
    """
    parts = [acl_condition, chosen.to_sql() if chosen else None]
    conditions = [f"({part})" for part in parts if part is not None]
    return " AND ".join(conditions) or None
