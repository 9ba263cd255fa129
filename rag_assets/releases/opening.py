"""Opens the version of a release for reading, or says why it cannot be read."""

from rag_assets.platform.errors import IndexUnavailable, ReleaseConflict
from rag_assets.platform.platform import Platform
from rag_assets.platform.wording import counted
from rag_assets.vector_index.reader import HIT_COLUMNS, IndexReader

from .release import Release

# what searches compare besides the columns of a hit
SEARCHED_COLUMNS = ("vector", "embed_text", "readers", "attribute_values")


def open_release(platform: Platform, release: Release) -> IndexReader:
    """The reader of exactly the version that the registry names for a release.

    The version decides and not the tag: both change when a document is erased from the release or
    the release is repaired, one after the other, and a reader must not see one without the other.

    Raises:
        IndexUnavailable: the version is not there, or lacks columns that searches need.
    """
    reader = IndexReader(
        platform.lancedb_uri, release.table_name, release.lance_version, platform.storage_options
    )
    missing = {*HIT_COLUMNS, *SEARCHED_COLUMNS} - reader.columns
    if missing:
        raise IndexUnavailable(
            f"Release {release.id} was made by an older version of Ragline, whose index has no "
            f"{', '.join(sorted(missing))}.",
            "Run 'ragline ingest --full' to build the index again and release it.",
        )
    return reader


def require_readable(platform: Platform, release: Release) -> IndexReader:
    """Open a release's version and count its rows, before anybody depends on it.

    Raises:
        ReleaseConflict: it has been removed.
        IndexUnavailable: it cannot be opened, or rows are missing.
    """
    if not release.readable:
        raise ReleaseConflict(
            f"Release {release.id} has been removed; its version is gone.",
            "See 'ragline releases list' for those that can be read.",
        )
    reader = open_release(platform, release)
    rows = reader.count()
    if rows != release.chunks:
        raise IndexUnavailable(
            f"Release {release.id} has {counted(rows, 'row')} instead of {release.chunks}.",
            "Run 'ragline verify --all' to see what is wrong with it.",
        )
    return reader
