"""The immutable syntax tree of a filter, and its text form."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from .fields import Field

_PLAIN_NAME = re.compile(r"[^\W\d][\w-]*")
_MUST_ESCAPE = re.compile(r'["\\]|[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]')
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Period:
    """A time in UTC: a whole day where only a date was written, otherwise one instant.

    Attributes:
        first: its first microsecond.
        last: its last microsecond; equal to ``first`` for an instant.
    """

    first: datetime
    last: datetime

    @classmethod
    def day(cls, year: int, month: int, day: int) -> "Period":
        """The whole day, in UTC."""
        start = datetime(year, month, day, tzinfo=UTC)
        return cls(start, start + (timedelta(days=1) - _INSTANT))

    @classmethod
    def instant(cls, moment: datetime) -> "Period":
        """One microsecond; ``moment`` has a time zone."""
        moment = moment.astimezone(UTC)
        return cls(moment, moment)

    def __str__(self) -> str:
        if self.first != self.last:
            return self.first.date().isoformat()
        return self.first.replace(tzinfo=None).isoformat() + "Z"


Value: TypeAlias = str | int | Period


@dataclass(frozen=True)
class Comparison:
    """One field compared with its values: one for most operators, several for ``in``, else none."""

    field: Field
    operator: str
    values: tuple[Value, ...] = ()

    def __str__(self) -> str:
        listed = ", ".join(_value_text(value) for value in self.values)
        if self.operator in ("in", "not in"):
            listed = f"({listed})"
        return f"{_field_text(self.field)} {self.operator} {listed}".rstrip()


@dataclass(frozen=True)
class Not:
    """True where ``condition`` is false; there is no third case."""

    condition: "Condition"

    def __str__(self) -> str:
        return f"not {_inner(self.condition)}"


@dataclass(frozen=True)
class All:
    """True where every condition is."""

    conditions: tuple["Condition", ...]

    def __str__(self) -> str:
        return _joined(" and ", self.conditions)


@dataclass(frozen=True)
class AnyOf:
    """True where at least one condition is."""

    conditions: tuple["Condition", ...]

    def __str__(self) -> str:
        return _joined(" or ", self.conditions)


Condition: TypeAlias = Comparison | Not | All | AnyOf


def _joined(word: str, conditions: Iterable[Condition]) -> str:
    return word.join(_inner(condition) for condition in conditions)


def _inner(condition: Condition) -> str:
    return f"({condition})" if isinstance(condition, All | AnyOf) else str(condition)


def _field_text(field: Field) -> str:
    if not field.attribute:
        return field.name
    plain = _PLAIN_NAME.fullmatch(field.attribute)
    return f"attributes.{field.attribute if plain else _quoted(field.attribute)}"


def _value_text(value: Value) -> str:
    return _quoted(value) if isinstance(value, str) else str(value)


def _quoted(text: str) -> str:
    return '"' + _MUST_ESCAPE.sub(_escape, text) + '"'


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    return f"\\{character}" if character in '"\\' else f"\\u{ord(character):04x}"
