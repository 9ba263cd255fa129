"""What can be filtered by: the fields, what kind of value each has, and the operators of a kind."""

import difflib
from dataclasses import dataclass

TEXT, MOMENT, PAGE, ATTRIBUTE = "text", "moment", "page", "attribute"

KINDS = {
    "source": TEXT,
    "path": TEXT,
    "document": TEXT,
    "title": TEXT,
    "type": TEXT,
    "modified": MOMENT,
    "page": PAGE,
    "attributes": ATTRIBUTE,
}
# the index column behind a text field; a path is what follows the source in the document_id
COLUMNS = {"source": "source", "document": "document_id", "title": "title", "type": "media_type"}

_EQUALITY = ("=", "!=", "in", "not in", "exists")
_ORDER = ("<", "<=", ">", ">=")
OPERATORS = {
    TEXT: (*_EQUALITY, "starts with", "contains"),
    MOMENT: (*_EQUALITY, *_ORDER),
    PAGE: (*_EQUALITY, *_ORDER),
    # the index keeps whole "name=value" entries: equal and begins with are exact, no other is
    ATTRIBUTE: (*_EQUALITY, "starts with"),
}

_ALIKE = 0.8


@dataclass(frozen=True)
class Field:
    """What a comparison looks at.

    Attributes:
        name: a key of ``KINDS``.
        attribute: the attribute's name where ``name`` is ``attributes``, otherwise empty.
    """

    name: str
    attribute: str = ""

    @property
    def kind(self) -> str:
        """Which values and operators the field has."""
        return KINDS[self.name]


def known_fields() -> str:
    """The fields, for people."""
    plain = [name for name in KINDS if name != "attributes"]
    return f"{', '.join(plain)} and attributes.<name>"


def likely_field(name: str) -> str | None:
    """The field that an unknown bare name is probably a misspelling of."""
    plain = [known for known in KINDS if known != name]
    near = difflib.get_close_matches(name.lower(), plain, n=1, cutoff=_ALIKE)
    return near[0] if near else None
