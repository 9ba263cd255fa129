"""The filter language of a search: which documents and passages it may look at.

    source = "handbook" and path starts with "hr/2026/" and team in ("finance", "people")
        and modified >= 2026-01-01 and not status = "draft"

| field | what it is | operators |
|---|---|---|
| `source`, `document`, `title`, `type` | as in the index; `type` is the media type | =, !=, in, not in, starts with, contains, exists |
| `path` | the document's id without its source | the same |
| `modified` | a date (the whole day, UTC) or a time (UTC unless it names a zone) | =, !=, in, not in, <, <=, >, >=, exists |
| `page` | any page of the passage | the same |
| `attributes.<name>`, or a bare name that is no field | any value of the attribute, as text | =, !=, in, not in, starts with, exists |

``and`` binds more tightly than ``or``; parentheses group. Texts stand in single or double quotes
with the escapes of JSON, and are compared as they are: case counts, and nothing is a wildcard.
**What is absent satisfies no comparison**, so that ``status != "draft"`` and
``not status = "draft"`` are both true where there is no status. A name close to a field's name is
taken for a misspelling; ``attributes.<name>`` always is the attribute, and a name with spaces stands
in quotes: ``attributes."cost centre"``.
"""  # noqa: E501

from .filter import Filter, combine, parse_filter

__all__ = ["Filter", "combine", "parse_filter"]
