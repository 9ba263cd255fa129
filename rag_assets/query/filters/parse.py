"""From a filter's text to its syntax tree; every mistake says where it is and what was expected."""

from functools import cache
from typing import TYPE_CHECKING, Any

from rag_assets.platform.errors import InvalidQuestion

from .fields import ATTRIBUTE, KINDS, OPERATORS, Field, known_fields, likely_field
from .syntax import All, AnyOf, Comparison, Condition, Not, Value
from .values import unquoted, value_of

if TYPE_CHECKING:
    from lark import Lark, Token, Tree
    from lark.exceptions import UnexpectedInput

MAX_CHARS = 2000
MAX_DEPTH = 20
MAX_VALUES = 100
MAX_SHOWN = 30

_VALUES = {"STRING", "TIMESTAMP", "DATE", "NUMBER", "BOOLEAN"}
_OPERATORS = {"COMPARE", "STARTS_WITH", "CONTAINS", "IN", "NOT_IN", "EXISTS"}
_WORDS = {
    "_AND": "'and'",
    "_OR": "'or'",
    "NAME": "a field",
    "LPAR": "'('",
    "RPAR": "')'",
    "COMMA": "','",
    "$END": "the end",
}


def parse(text: str) -> Condition:
    """Read a filter.

    Args:
        text: e.g. ``source = "handbook" and modified >= 2026-01-01``.

    Raises:
        InvalidQuestion: the text is no filter, or too long, too deep or too large.
    """
    from lark.exceptions import UnexpectedInput

    if not text.strip():
        raise InvalidQuestion("The filter is empty.", f"Compare a field: {known_fields()}.")
    if len(text) > MAX_CHARS:
        raise InvalidQuestion(
            f"The filter has {len(text)} characters; at most {MAX_CHARS} are allowed.",
            "Shorten it, or ask several questions.",
        )
    try:
        tree: Any = _parser().parse(text)
    except UnexpectedInput as error:
        raise _unexpected(text, error) from None
    return _TreeReader().condition(tree, 1)


@cache
def _parser() -> "Lark":
    from lark import Lark

    return Lark.open("grammar.lark", rel_to=__file__, parser="lalr", propagate_positions=True)


class _TreeReader:
    """Turns Lark's tree into ours and counts what it meets."""

    def __init__(self) -> None:
        self._values = 0

    def condition(self, tree: "Tree[Token]", depth: int) -> Condition:
        if depth > MAX_DEPTH:
            raise _problem(tree.meta.start_pos, f"at most {MAX_DEPTH} conditions inside another")
        if tree.data == "comparison":
            return self._comparison(tree)
        parts = tuple(self.condition(child, depth + 1) for child in _trees(tree))
        if tree.data == "negation":
            return Not(parts[0])
        return All(parts) if tree.data == "all_of" else AnyOf(parts)

    def _comparison(self, tree: "Tree[Token]") -> Comparison:
        field = _field(_trees(tree)[0])
        sign, *literals = _tokens(tree)
        operator = " ".join(str(sign).lower().split())
        allowed = OPERATORS[field.kind]
        if operator not in allowed:
            name = "an attribute" if field.kind == ATTRIBUTE else f"'{field.name}'"
            raise _problem(
                sign.start_pos, f"an operator of {name}: {', '.join(allowed)}", f"'{operator}'"
            )
        self._values += max(1, len(literals))
        if self._values > MAX_VALUES:
            raise _problem(sign.start_pos, f"at most {MAX_VALUES} comparisons and listed values")
        return Comparison(field, operator, tuple(_value(token, field) for token in literals))


def _value(token: "Token", field: Field) -> Value:
    try:
        return value_of(token.type, str(token), field)
    except ValueError as error:
        raise _problem(token.start_pos, str(error), _shown(str(token))) from None


def _field(tree: "Tree[Token]") -> Field:
    first, *rest = _tokens(tree)
    if rest:
        if first != "attributes":
            raise _problem(first.start_pos, "'attributes' before a dot", _shown(f"{first}."))
        return Field("attributes", _attribute(rest[0]))
    if first == "attributes":
        raise _problem(first.end_pos, "a dot and the attribute's name after 'attributes'")
    if first in KINDS:
        return Field(str(first))
    if near := likely_field(str(first)):
        raise InvalidQuestion(
            f"The filter has an unknown field at column {_column(first.start_pos)}: {_shown(first)}; "
            f"did you mean '{near}'?",
            f"Fields are {known_fields()}; write attributes.{first} for an attribute of that name.",
        )
    return Field("attributes", str(first))


def _attribute(token: "Token") -> str:
    if token.type == "NAME":
        return str(token)
    try:
        name = unquoted(str(token))
    except ValueError as error:
        raise _problem(token.start_pos, str(error), _shown(str(token))) from None
    if not name or "=" in name:
        raise _problem(token.start_pos, "the name of an attribute, without '='", _shown(token))
    return name


def _unexpected(text: str, error: "UnexpectedInput") -> InvalidQuestion:
    token = getattr(error, "token", None)
    ended = token is not None and token.type == "$END"
    position = len(text) if ended else (error.pos_in_stream or 0)
    expected = getattr(error, "accepts", None) or getattr(error, "expected", None)
    expected = expected or getattr(error, "allowed", None) or set()
    found = "its end" if ended else _shown(str(token) if token is not None else text[position])
    if text[position : position + 1] in ('"', "'") and "STRING" in expected:
        return _problem(position, "the closing quote of this text")
    return _problem(position, _in_words(set(expected)), found)


def _in_words(expected: set[str]) -> str:
    words = []
    if expected & _VALUES:
        words.append('a value ("text" in quotes, a date or a number)')
    if expected & _OPERATORS:
        words.append("an operator (=, !=, <, <=, >, >=, in, not in, starts with, contains, exists)")
    words += [word for name, word in _WORDS.items() if name in expected]
    return " or ".join(words) or "something else"


def _problem(position: int | None, expected: str, found: str = "") -> InvalidQuestion:
    met = f" found {found}," if found else ""
    return InvalidQuestion(
        f"The filter is wrong at column {_column(position)}:{met} expected {expected}.",
        f"Fields are {known_fields()}; texts stand in quotes; and, or, not join conditions.",
    )


def _column(position: int | None) -> int:
    return (position or 0) + 1


def _shown(text: str) -> str:
    text = text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"
    # what no terminal shows, and what no encoder takes, is shown by its number
    return "'" + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text) + "'"


def _trees(tree: "Tree[Token]") -> "list[Tree[Token]]":
    from lark import Tree

    return [child for child in tree.children if isinstance(child, Tree)]


def _tokens(tree: "Tree[Token]") -> "list[Token]":
    from lark import Token

    return [child for child in tree.children if isinstance(child, Token)]
