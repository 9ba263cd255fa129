"""A source whose documents are the lines of a JSONL file: ``{"_id", "title", "text", …}``.

The content of a document is canonical JSON of its title and text, so that other keys change its
metadata only. ``acl`` is the ACL; ``attributes`` or ``metadata`` (a mapping) and all other keys are
attributes. The first record with an ``_id`` is the document; a later one is a problem of its own,
as is a line that cannot be read: their ids name the line. One bad line never fails the source.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from rag_assets.platform.errors import SourceChanged
from rag_assets.platform.fingerprint import canonical_json

from .base import RECORD_MEDIA_TYPE, Fetched, Listed, Metadata, PartitionFilter, Problem, failed
from .files import SingleFile, printable_path, too_large
from .folder import defaults_mark
from .lines import Line, iter_lines
from .metadata import MetadataError, overlay, well_formed

MAX_LINE_BYTES = 64 << 20
_FRAGMENT_SAFE = "/?:@!$&'()*+,;=-._~"
_RESERVED = ("_id", "text", "metadata")


class _BadRecord(ValueError):
    """A line that is not a record."""


@dataclass(frozen=True, slots=True)
class _Place:
    offset: int
    length: int
    sha256: str


class JsonlSource:
    """See the module's docstring and ``base``.

    Args:
        name: of the source.
        file: the JSONL file.
        defaults: metadata of records that say nothing.
    """

    def __init__(self, name: str, file: SingleFile, defaults: Metadata) -> None:
        self.name = name
        self._file = file
        self._defaults = defaults
        self._mark = defaults_mark(defaults)

    def changed_at(self) -> datetime | None:
        """See ``base``: all documents are in one file."""
        return self._file.changed_at()

    def list(self, partition_filter: PartitionFilter | None = None) -> Iterator[Listed]:
        """See ``base``; good records in file order, then the lines with problems.

        Raises:
            SourceChanged: the file was written to while it was read.
        """
        version, modified_at = self._file.version()
        seen: set[str] = set()
        problems: list[tuple[Line, Problem]] = []
        for line in iter_lines(self._file.blocks(), MAX_LINE_BYTES):
            try:
                record_id = _record_id(_parse(line))
            except _BadRecord as error:
                kind = "bad_record" if line.content is not None else "too_large"
                problems.append((line, Problem(kind, f"Line {line.number}: {error}.")))
                continue
            if record_id in seen:
                text = f"Line {line.number}: the _id '{record_id}' was given to an earlier line."
                problems.append((line, Problem("duplicate_id", text)))
                continue
            seen.add(record_id)
            document_id = f"{self.name}/{record_id}"
            if partition_filter is None or partition_filter(document_id):
                yield self._listed(line, document_id, record_id, modified_at)
        for line, problem in problems:
            name = f"line-{line.number}"
            while name in seen:  # a record may have chosen such an id
                name += "~"
            seen.add(name)
            document_id = f"{self.name}/{name}"
            if partition_filter is None or partition_filter(document_id):
                listed = self._listed(line, document_id, name, modified_at)
                listed.problem_kind, listed.problem = problem.kind, problem.text
                yield listed
        if self._file.version()[0] != version:
            raise SourceChanged(
                f"The file {self._file.uri} changed while it was being read.",
                "Run the command again when nothing writes to it; replace it by renaming.",
            )

    def fetch(self, listed: Listed, max_bytes: int) -> Fetched:
        """See ``base``."""
        if listed.problem_kind:
            return failed(listed, Problem(listed.problem_kind, listed.problem or ""))
        if listed.size_bytes > max_bytes:
            return failed(listed, too_large(listed.size_bytes, max_bytes))
        place: _Place = listed.locator
        raw = self._file.read_range(place.offset, place.length)
        if hashlib.sha256(raw).hexdigest() != place.sha256:
            text = "The file changed while the record was being read."
            return failed(listed, Problem("changed_while_reading", text))
        try:
            record = _parse(Line(0, place.offset, len(raw), raw))
            metadata = self._metadata(record)
            content = canonical_json({key: _text(record, key) for key in ("title", "text")})
        except MetadataError as error:
            return failed(listed, Problem("bad_metadata", f"Its metadata is not valid: {error}."))
        except _BadRecord as error:
            return failed(listed, Problem("bad_record", f"The record is not valid: {error}."))
        return Fetched(
            content=content.encode(),
            title=metadata.title,
            acl=metadata.acl,
            attributes=metadata.attributes,
            media_type=RECORD_MEDIA_TYPE,
            signature=listed.signature,
            size_bytes=listed.size_bytes,
            modified_at=listed.modified_at,
        )

    def _listed(self, line: Line, document_id: str, name: str, modified_at: datetime) -> Listed:
        digest = hashlib.sha256(line.content or b"").hexdigest()
        return Listed(
            document_id=document_id,
            uri=f"{self._file.uri}#{quote(name, safe=_FRAGMENT_SAFE)}",
            media_type=RECORD_MEDIA_TYPE,
            size_bytes=line.length,
            modified_at=modified_at,
            signature=f"{digest}#{self._mark}",
            locator=_Place(line.offset, line.length, digest),
        )

    def _metadata(self, record: dict[str, Any]) -> Metadata:
        values = {key: value for key, value in record.items() if key not in _RESERVED}
        metadata = record.get("metadata")
        own = values.get("attributes")
        for extra in (metadata, own):
            if extra is not None and not isinstance(extra, dict):
                raise MetadataError("'attributes' and 'metadata' must be mappings")
        values["attributes"] = (metadata or {}) | (own or {})
        values["title"] = _text(record, "title") or self._defaults.title
        return overlay(self._defaults, values, other_keys=True)


def _parse(line: Line) -> dict[str, Any]:
    if line.content is None:
        raise _BadRecord(f"it is longer than {MAX_LINE_BYTES:,} bytes")
    try:
        record = json.loads(line.content, object_pairs_hook=_pairs, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise _BadRecord("it is not valid UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise _BadRecord(f"it is not valid JSON: {str(error) or type(error).__name__}") from None
    if not isinstance(record, dict):
        raise _BadRecord("it is not a JSON object")
    return record


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):  # which of two ACLs would hold?
        names = [name for name, _ in pairs]
        twice = next(name for name in record if names.count(name) > 1)
        raise ValueError(f"the key '{twice}' is given twice")
    return record


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")


def _record_id(record: dict[str, Any]) -> str:
    value = record.get("_id")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise _BadRecord("it has no _id")
    if value != value.strip() or printable_path(value) is not None:
        raise _BadRecord("its _id has control characters, or white space around it")
    _text(record, "title")
    _text(record, "text")
    return value


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key, "" if key == "title" else None)
    if value is None and key == "title":
        return ""
    if not isinstance(value, str):
        raise _BadRecord(f"its {key} is not a text")
    return well_formed(value)
