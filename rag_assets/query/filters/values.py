"""Literals of the filter language as the values that a field compares with."""

import re
from datetime import UTC, datetime

from .fields import ATTRIBUTE, MOMENT, PAGE, Field
from .syntax import Period, Value

MAX_PAGE = 10**9

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "'": "'", "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)


def value_of(kind: str, literal: str, field: Field) -> Value:
    """The value of a literal for a field.

    Args:
        kind: STRING, DATE, TIMESTAMP, NUMBER or BOOLEAN, as in the grammar.
        literal: as it was written.
        field: what it is compared with.

    Raises:
        ValueError: it is no value of that field; says what was expected.
    """
    if field.kind == MOMENT:
        if kind not in ("DATE", "TIMESTAMP", "STRING"):
            raise ValueError("a date such as 2026-01-31 or a time such as 2026-01-31T09:30:00Z")
        return moment(unquoted(literal) if kind == "STRING" else literal)
    if field.kind == PAGE:
        if kind != "NUMBER" or not re.fullmatch(r"\d{1,9}", literal, re.ASCII):
            raise ValueError(f"a page number, a whole number below {MAX_PAGE:,}")
        return int(literal)
    if kind == "STRING":
        return unquoted(literal)
    if field.kind == ATTRIBUTE:
        # attributes are kept as texts: 2024, true and 2026-01-31 as they are written in JSON
        return literal.lower() if kind == "BOOLEAN" else literal
    raise ValueError(f'a text in quotes, such as "{literal}"')


def moment(text: str) -> Period:
    """A date as its whole day, a time as an instant; without a zone it is UTC."""
    try:
        if found := _DATE.fullmatch(text):
            year, month, day = (int(part) for part in found.groups())
            return Period.day(year, month, day)
        parsed = datetime.fromisoformat(text)
        return Period.instant(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise ValueError(
            "a date such as 2026-01-31 or a time such as 2026-01-31T09:30:00Z"
        ) from None


def unquoted(literal: str) -> str:
    """The text between the quotes, escapes undone.

    Raises:
        ValueError: an escape that there is not, or half of a surrogate pair.
    """
    text = _ESCAPE.sub(_unescape, literal[1:-1])
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("a text of valid Unicode characters")
    return text


def _unescape(found: re.Match[str]) -> str:
    if found[1]:
        return chr(int(found[1], 16))
    if found[2] not in _ESCAPES:
        raise ValueError("one of the escapes \\\" \\' \\\\ \\n \\r \\t \\uXXXX")
    return _ESCAPES[found[2]]
