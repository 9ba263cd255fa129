"""The protocol of sources: what documents exist, and the bytes of one.

A source is made by ``make_source(name, settings, storage_options)`` with a light constructor that
touches neither disk nor network.

``list(partition_filter)`` yields one ``Listed`` for every document whose id the filter accepts (all
of them when it is ``None``), in the same order for the same state of the source. Ids are unique,
start with ``<source>/`` and never change while the document stays where it is. Listing reads no
content of files; it is cheap enough to be done before every command. A document that cannot be read
is still listed, with its ``problem_kind``: one bad document never fails a source. When the source
as a whole cannot be listed, ``SourceUnavailable`` is raised, never an empty or partial listing,
because a document that is not listed counts as deleted. A source that changes so much while it is
listed that the listing cannot be trusted raises ``SourceChanged``. Errors may come at any point of
the iteration: a caller acts only when it has ended.

``signature`` is cheap to obtain; two equal signatures mean the same bytes and the same metadata,
the defaults of the source included. ``fetch`` returns the signature that holds after the read. One
that starts with ``UNSETTLED`` equals no listed one, so that the document is looked at again.

``changed_at()`` says when the source as a whole was last written, where all its documents lie in one
file: nothing can be concluded from such a file while it is being written. Where documents change one
by one it returns ``None``, and each says so itself.

``fetch(listed, max_bytes)`` reads one document. It raises only ``SourceUnavailable``; whatever is
wrong with the one document comes back as ``problem_kind`` and ``problem``, with empty content and
an empty ACL. Metadata that cannot be understood is such a problem: a document must not become
readable under a default ACL because its own was mistyped.

Problem kinds: ``path_escapes_root``, ``unreadable``, ``bad_name``, ``not_a_file``,
``bad_metadata``, ``too_large``, ``changed_while_reading``, ``bad_record``, ``duplicate_id``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

RECORD_MEDIA_TYPE = "application/vnd.ragline.record+json"  # canonical JSON {"title", "text"}
UNSETTLED = "unsettled:"  # a signature with this prefix equals no listed one
NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)

PartitionFilter = Callable[[str], bool]


@dataclass(slots=True)
class Listed:
    """A document as a listing shows it.

    Attributes:
        document_id: ``<source>/<path or id>``.
        uri: where a person finds it.
        media_type: from its name.
        size_bytes: as far as known without reading.
        modified_at: UTC, microseconds.
        signature: see the module's docstring.
        locator: whatever the source needs to fetch it.
        changed_at: when anything about it (its sidecar too) was last changed; UTC.
        problem_kind: why it cannot be read, or ``None``.
        problem: the same for a person.
        covers: it is a folder that cannot be listed, so nothing is known of the documents below it;
            yielded whatever the filter says, because those belong to every shard.
    """

    document_id: str
    uri: str
    media_type: str
    size_bytes: int
    modified_at: datetime
    signature: str
    locator: Any = None
    changed_at: datetime = NO_TIME
    problem_kind: str | None = None
    problem: str | None = None
    covers: bool = False


@dataclass(slots=True)
class Fetched:
    """A document as it was read.

    Attributes:
        content: the bytes; empty with a problem.
        title: from its metadata; ``None`` when the parser is to find it.
        acl: groups that may read it, sorted; ``public`` is everyone; [] is nobody by rule.
        attributes: JSON-able values by name.
        media_type: of the content.
        signature: that holds after the read.
        size_bytes: of the content.
        modified_at: UTC, microseconds, of the version that was read.
        problem_kind: why it could not be read, or ``None``.
        problem: the same for a person.
    """

    content: bytes
    title: str | None
    acl: list[str]
    attributes: dict[str, Any]
    media_type: str
    signature: str
    size_bytes: int
    modified_at: datetime
    problem_kind: str | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Problem:
    """Why one document cannot be read: a kind for programs, a text for people."""

    kind: str
    text: str

    @property
    def passing(self) -> bool:
        """Whether a later attempt may succeed although no signature changes."""
        return self.kind in ("unreadable", "changed_while_reading")


@dataclass(frozen=True)
class Metadata:
    """Title, permissions and attributes of a document."""

    title: str | None = None
    acl: list[str] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)


class Source(Protocol):
    """See the module's docstring."""

    name: str

    def changed_at(self) -> datetime | None: ...
    def list(self, partition_filter: PartitionFilter | None = None) -> Iterator[Listed]: ...
    def fetch(self, listed: Listed, max_bytes: int) -> Fetched: ...


def failed(listed: Listed, problem: Problem, signature: str | None = None) -> Fetched:
    """What ``fetch`` returns for a document that cannot be read."""
    signature = listed.signature if signature is None else signature
    if problem.passing and not signature.startswith(UNSETTLED):
        signature = UNSETTLED + signature
    return Fetched(
        content=b"",
        title=None,
        acl=[],
        attributes={},
        media_type=listed.media_type,
        signature=signature,
        size_bytes=listed.size_bytes,
        modified_at=listed.modified_at,
        problem_kind=problem.kind,
        problem=problem.text,
    )
