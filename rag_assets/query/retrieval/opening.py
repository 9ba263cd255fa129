"""Opens the version of a release for reading, or says why it cannot be read."""

from rag_assets.platform.errors import IndexUnavailable
from rag_assets.platform.platform import Platform
from rag_assets.releases.release import Release
from rag_assets.vector_index.reader import HIT_COLUMNS, IndexReader

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
    missing = {*HIT_COLUMNS, *SEARCHED_COLUMNS} - set(reader._dataset.schema.names)
    if missing:
        raise IndexUnavailable(
            f"Release {release.id} was made by an older version of Ragline, whose index has no "
            f"{', '.join(sorted(missing))}.",
            "Run 'ragline ingest --full' to build the index again and release it.",
        )
    return reader
