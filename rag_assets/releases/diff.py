"""The difference of two releases: what they hold, how they were made, how they are searched."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from rag_assets.erasure.requests import ErasureRequests
from rag_assets.platform.errors import NoRelease, RaglineError
from rag_assets.platform.platform import Platform
from rag_assets.vector_index.reader import IndexReader
from rag_assets.vector_index.sql import quoted

from .content_diff import SERVED, ContentDiff, content_diff
from .opening import require_readable
from .passage_diff import PASSAGES, PassageDiff, passage_diff
from .registry import Registry, Release
from .settings_diff import (
    Change,
    configuration_changes,
    fingerprint_changes,
    parameter_changes,
)


class UnknownDocument(RaglineError):
    """Neither release serves the document, or it may not be shown any more."""


@dataclass(frozen=True)
class IndexDiff:
    """What changed from one release to another.

    Attributes:
        before, after: the releases.
        content: documents and chunks.
        configuration: settings that differ; empty where a release has kept none.
        fingerprints: parts that differ.
        parameters: what was learned otherwise.
    """

    before: Release
    after: Release
    content: ContentDiff
    configuration: tuple[Change, ...]
    fingerprints: tuple[Change, ...]
    parameters: tuple[Change, ...]

    @property
    def empty(self) -> bool:
        """Whether the two are the same."""
        made = self.configuration or self.fingerprints or self.parameters
        return self.content.empty and not made

    def to_dict(self, limit: int | None = None) -> dict[str, Any]:
        """JSON; ``limit``: most documents that are listed."""
        return {
            "before": _named(self.before),
            "after": _named(self.after),
            **self.content.to_dict(limit),
            "configuration": [change._asdict() for change in self.configuration],
            "fingerprints": [change._asdict() for change in self.fingerprints],
            "parameters": [change._asdict() for change in self.parameters],
        }


def find_release(platform: Platform, name: str) -> Release:
    """A release by its id, or by ``live`` or ``previous`` (the one that was live before).

    Raises:
        NoRelease: there is none.
    """
    registry = Registry(platform.database)
    found = None
    if name == "live":
        found = registry.live()
    elif name == "previous":
        found = registry.before_live()
    elif name.isascii() and name.isdigit():
        found = registry.get(int(name))
    else:
        raise NoRelease(
            f"'{name}' is no release.",
            "Give an id, 'live' or 'previous'; see 'ragline releases list'.",
        )
    if found is None:
        what = f"release {name}" if name.isdigit() else f"{name} release"
        raise NoRelease(f"There is no {what}.", "See 'ragline releases list'.")
    return found


def diff_indices(platform: Platform, before: Release, after: Release) -> IndexDiff:
    """Compare two releases, of whatever configuration.

    Only the columns that are compared are read: no text and no vector.

    Raises:
        ReleaseConflict: one of them has been removed.
        IndexUnavailable: one of them cannot be read.
    """
    old, new = (require_readable(platform, release) for release in (before, after))
    return IndexDiff(
        before,
        after,
        content_diff(_served(old), _served(new)),
        tuple(configuration_changes(before, after)),
        tuple(fingerprint_changes(before, after)),
        tuple(parameter_changes(before, after)),
    )


def diff_document(
    platform: Platform, before: Release, after: Release, document_id: str
) -> PassageDiff:
    """Compare one document in two releases, passage by passage; its text is in what comes back.

    Rights are the caller's to check: this is for whoever may read everything.

    Args:
        document_id: its id in either release; where it was renamed, both are found by each.

    Raises:
        ReleaseConflict, IndexUnavailable: see ``diff_indices``.
        UnknownDocument: neither release serves it, or it has to be forgotten.
    """
    readers = [require_readable(platform, release) for release in (before, after)]
    content = content_diff(*(_served(reader) for reader in readers))
    ids = _ids(content, document_id)
    forbidden = ErasureRequests(platform.database).forbidden()
    if forbidden & set(ids):
        raise UnknownDocument(
            f"The document '{document_id}' has to be forgotten: it is not shown.",
            "Run 'ragline forget' to finish what was asked for.",
        )
    old, new = (_passages(reader, name) for reader, name in zip(readers, ids, strict=True))
    if old.is_empty() and new.is_empty():
        raise UnknownDocument(
            f"Neither release {before.id} nor release {after.id} serves '{document_id}'.",
            "A document's id is its source and path, e.g. docs/handbook.md.",
        )
    return passage_diff(old, new, (f"release {before.id}", f"release {after.id}"))


def _served(reader: IndexReader) -> pl.DataFrame:
    """``SERVED`` of every chunk."""
    return reader.read(SERVED.names()).cast(SERVED)


def _passages(reader: IndexReader, document_id: str) -> pl.DataFrame:
    """``PASSAGES`` of a document."""
    return reader.read(list(PASSAGES), f"document_id = {quoted(document_id)}")


def _ids(content: ContentDiff, document_id: str) -> tuple[str, str]:
    """The document's id in the earlier and in the later release."""
    named = (pl.col("document_id") == document_id) | (pl.col("former_id") == document_id)
    renamed = content.changes.filter(named, pl.col("former_id").is_not_null())
    if renamed.is_empty():
        return document_id, document_id
    former, present = renamed.select("former_id", "document_id").row(0)
    return former, present


def _named(release: Release) -> dict[str, Any]:
    return {
        "release": release.id,
        "status": release.status,
        "created_at": release.created_at.isoformat(),
        "manifest_sha256": release.manifest_sha256,
    }
