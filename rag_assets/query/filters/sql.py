"""A filter as a DataFusion condition on the columns of the index.

Every comparison is true or false, never null, so that ``NOT`` cannot lose a row whose field is
absent. Text searches use ``starts_with`` and ``contains``, which know no wildcards. A text enters
SQL only through ``quoted``, a number or a time only as digits.
"""

from datetime import UTC, datetime, timedelta

from rag_assets.vector_index.table import quoted

from .fields import ATTRIBUTE, COLUMNS, MOMENT, PAGE, Field
from .syntax import All, Comparison, Condition, Not, Period, Value

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PATH = "right(document_id, -1 - character_length(source))"


def to_sql(condition: Condition) -> str:
    """The SQL of a condition, in parentheses unless it is a single comparison of one column."""
    if isinstance(condition, Comparison):
        return _comparison(condition)
    if isinstance(condition, Not):
        return f"(NOT {to_sql(condition.condition)})"
    word = " AND " if isinstance(condition, All) else " OR "
    return "(" + word.join(to_sql(part) for part in condition.conditions) + ")"


def _comparison(comparison: Comparison) -> str:
    field, operator, values = comparison.field, comparison.operator, comparison.values
    if operator in ("!=", "not in"):
        return f"(NOT {_positive(field, 'in', values)})"
    return _positive(field, "in" if operator == "=" else operator, values)


def _positive(field: Field, operator: str, values: tuple[Value, ...]) -> str:
    if field.kind == ATTRIBUTE:
        return _attribute(field.attribute, operator, [str(value) for value in values])
    if field.kind == MOMENT:
        return _moment(operator, [value for value in values if isinstance(value, Period)])
    if field.kind == PAGE:
        return _page(operator, [int(value) for value in values if isinstance(value, int)])
    return _text(field, operator, [str(value) for value in values])


def _text(field: Field, operator: str, values: list[str]) -> str:
    column = COLUMNS.get(field.name, _PATH)
    present = f"{COLUMNS.get(field.name, 'document_id')} IS NOT NULL"
    if operator == "exists":
        return f"({present})"
    if operator == "in":
        return f"({present} AND {column} IN ({', '.join(quoted(value) for value in values)}))"
    function = "starts_with" if operator == "starts with" else "contains"
    return f"({present} AND {function}({column}, {quoted(values[0])}))"


def _attribute(name: str, operator: str, values: list[str]) -> str:
    if operator == "in":
        entries = ", ".join(quoted(f"{name}={value}") for value in values)
        return f"(attribute_values IS NOT NULL AND array_has_any(attribute_values, [{entries}]))"
    prefix = quoted(f"{name}={values[0] if values else ''}")
    # the least text that begins with a prefix is the prefix: sorted among the entries, what comes
    # after it begins with it too, if anything does
    entries = f"array_sort(array_append(attribute_values, {prefix}))"
    after = f"array_element({entries}, CAST(array_position({entries}, {prefix}) + 1 AS BIGINT))"
    return f"(attribute_values IS NOT NULL AND coalesce(starts_with({after}, {prefix}), false))"


def _moment(operator: str, periods: list[Period]) -> str:
    def ordered(sign: str, moment: datetime) -> str:
        microseconds = (moment - _EPOCH) // timedelta(microseconds=1)
        return (
            f"modified_at {sign} "
            f"arrow_cast({microseconds}, 'Timestamp(Microsecond, Some(\"UTC\"))')"
        )

    if operator == "exists":
        return "(modified_at IS NOT NULL)"
    if operator == "in":
        spans = (
            f"({ordered('>=', period.first)} AND {ordered('<=', period.last)})"
            for period in periods
        )
        return f"(modified_at IS NOT NULL AND ({' OR '.join(spans)}))"
    # a day is a whole: before it is before its start, after it is after its end
    edge = periods[0].first if operator in ("<", ">=") else periods[0].last
    return f"(modified_at IS NOT NULL AND {ordered(operator, edge)})"


def _page(operator: str, pages: list[int]) -> str:
    present = "page_first IS NOT NULL AND page_last IS NOT NULL"
    if operator == "exists":
        return f"({present})"
    if operator == "in":
        spans = (f"(page_first <= {page} AND page_last >= {page})" for page in pages)
        return f"({present} AND ({' OR '.join(spans)}))"
    # a passage of several pages is where any of its pages is
    column = "page_first" if operator in ("<", "<=") else "page_last"
    return f"({present} AND {column} {operator} {pages[0]})"
