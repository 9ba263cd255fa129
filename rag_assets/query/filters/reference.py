"""What a filter means, in plain Python: the search must return the rows for which this holds."""

import operator as operators
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from .fields import ATTRIBUTE, COLUMNS, MOMENT, PAGE, Field
from .syntax import All, AnyOf, Comparison, Condition, Not, Period, Value

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}


def matches(condition: Condition, row: Mapping[str, Any]) -> bool:
    """Whether a row of the index satisfies a condition.

    Args:
        row: columns of ``INDEX_ROWS``; ``modified_at`` is an aware datetime or None.
    """
    if isinstance(condition, Not):
        return not matches(condition.condition, row)
    if isinstance(condition, All):
        return all(matches(part, row) for part in condition.conditions)
    if isinstance(condition, AnyOf):
        return any(matches(part, row) for part in condition.conditions)
    return _compares(condition, row)


def _compares(comparison: Comparison, row: Mapping[str, Any]) -> bool:
    field, operator, values = comparison.field, comparison.operator, comparison.values
    if operator in ("!=", "not in"):
        return not _compares(Comparison(field, "in", values), row)
    operator = "in" if operator == "=" else operator
    if field.kind == MOMENT:
        return _moment(row["modified_at"], operator, values)
    if field.kind == PAGE:
        return _page(row["page_first"], row["page_last"], operator, values)
    found = _texts(field, row)
    if operator == "exists":
        return bool(found)
    if operator == "starts with":
        return any(text.startswith(str(values[0])) for text in found)
    if operator == "contains":
        return any(str(values[0]) in text for text in found)
    return any(text in values for text in found)


def _texts(field: Field, row: Mapping[str, Any]) -> list[str]:
    if field.kind == ATTRIBUTE:
        entries = (entry.partition("=") for entry in row["attribute_values"] or [])
        return [value for name, _, value in entries if name == field.attribute]
    if field.name == "path":
        return [row["document_id"][len(row["source"]) + 1 :]]
    text = row[COLUMNS[field.name]]
    return [] if text is None else [text]


def _moment(modified: datetime | None, operator: str, values: tuple[Value, ...]) -> bool:
    periods = [value for value in values if isinstance(value, Period)]
    if modified is None:
        return False
    if operator == "exists":
        return True
    if operator == "in":
        return any(period.first <= modified <= period.last for period in periods)
    edge = periods[0].first if operator in ("<", ">=") else periods[0].last
    return _COMPARE[operator](modified, edge)


def _page(first: int | None, last: int | None, operator: str, values: tuple[Value, ...]) -> bool:
    if first is None or last is None:
        return False
    pages = range(first, last + 1)
    if operator == "exists":
        return True
    if operator == "in":
        return any(value in pages for value in values)
    return any(_COMPARE[operator](page, values[0]) for page in pages)
