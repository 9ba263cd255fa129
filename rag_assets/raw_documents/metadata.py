"""Title, ACL and attributes: one layer over another, the more specific one wins.

Source defaults < front matter (or the keys of a record) < sidecar. The ACL is replaced as a whole,
attributes one by one. Whatever is malformed raises ``MetadataError``: the caller turns that
into the problem ``bad_metadata``, so that a mistyped ACL never opens a document.
"""

import math
import tomllib
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from .base import Metadata

MAX_METADATA_BYTES = 64 * 1024
_MAX_VALUES = 10_000
_MAX_DEPTH = 32
_KEYS = ("title", "acl", "attributes")


class MetadataError(ValueError):
    """Metadata of one document that cannot be understood; never leaves this room."""


def overlay(base: Metadata, values: Mapping[str, Any], *, other_keys: bool) -> Metadata:
    """Lay the keys ``title``, ``acl`` and ``attributes`` of ``values`` over ``base``.

    Args:
        base: what holds where ``values`` says nothing.
        values: a parsed mapping.
        other_keys: whether further keys become attributes (front matter) or are an error (sidecar).

    Returns:
        The metadata of both.

    Raises:
        MetadataError: a value has the wrong type, or a key is unknown.
    """
    others = {key: value for key, value in values.items() if key not in _KEYS}
    for key in others:
        if not other_keys:
            raise MetadataError(f"unknown key '{key}'; known are title, acl and attributes")
        if key.strip().lower() == "acl":
            raise MetadataError(f"the key '{key}' must be written 'acl'")
    own = values.get("attributes", {})
    if not isinstance(own, Mapping):
        raise MetadataError("'attributes' must be a mapping")
    return Metadata(
        title=_title(values["title"], strict=not other_keys) if "title" in values else base.title,
        acl=normalise_acl(values["acl"]) if "acl" in values else base.acl,
        attributes=base.attributes | jsonable(others) | jsonable(dict(own)),
    )


def normalise_acl(value: Any) -> list[str]:
    """The groups of an ACL, sorted and each once.

    Args:
        value: a list of names, or one text with the names separated by commas.

    Raises:
        MetadataError: it is something else, or a name holds a comma or a control character.
    """
    groups = value.split(",") if isinstance(value, str) else value
    if not isinstance(groups, (list, tuple)) or not all(isinstance(group, str) for group in groups):
        raise MetadataError("'acl' must be a list of group names in quotes")
    names = sorted({group.strip() for group in groups} - {""})
    for name in names:
        # readers name their groups in a comma-separated list, so such a group could never match
        if "," in name or not name.isprintable():
            raise MetadataError(f"'acl' holds {name!r}: no comma or control character may be in it")
    return names


def parse_sidecar(content: bytes) -> dict[str, Any]:
    """The keys of a ``*.meta.toml`` file.

    Raises:
        MetadataError: it is not TOML.
    """
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise MetadataError(f"not valid TOML: {_first_line(error)}") from error


def jsonable(value: Any) -> Any:
    """A copy of ``value`` made of JSON types only; dates become ISO 8601 texts.

    Raises:
        MetadataError: it holds something else, or is nested too deep or too large.
    """
    budget = [_MAX_VALUES]

    def convert(item: Any, depth: int) -> Any:
        budget[0] -= 1
        # YAML aliases can make a short text stand for billions of values, or contain itself
        if budget[0] < 0 or depth > _MAX_DEPTH:
            raise MetadataError("too many values, or nested too deep")
        if item is None or isinstance(item, (bool, int)):
            return item
        if isinstance(item, str):
            return well_formed(item)
        if isinstance(item, float):
            return item if math.isfinite(item) else str(item)
        if isinstance(item, (datetime, date, time)):
            return item.isoformat()
        if isinstance(item, Mapping):
            return {well_formed(str(key)): convert(child, depth + 1) for key, child in item.items()}
        if isinstance(item, (list, tuple)):
            return [convert(child, depth + 1) for child in item]
        raise MetadataError(f"a value of type {type(item).__name__} is not possible")

    return convert(value, 0)


def well_formed(text: str) -> str:
    """``text`` with lone surrogates, which no UTF-8 can hold, replaced by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _title(value: Any, *, strict: bool) -> str | None:
    if not strict and not isinstance(value, bool) and isinstance(value, (int, float, date)):
        value = str(value)  # YAML reads an unquoted year or date as a number or a date
    if value is None or isinstance(value, str):
        return " ".join(well_formed(value).split()) or None if value else None
    raise MetadataError("'title' must be a text in quotes")


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
