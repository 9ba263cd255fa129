"""Erasing a document from the index: from every release that can be read, and from the head."""

import time

import polars as pl

from rag_assets.erasure.base import Erased, Found, Subject
from rag_assets.platform.platform import Platform
from rag_assets.platform.wording import counted
from rag_assets.vector_index import retention
from rag_assets.vector_index.erasure import erase_documents, index_traces
from rag_assets.vector_index.manifest import MANIFEST_SOURCE, contents_of
from rag_assets.vector_index.version_files import DatasetFiles

from .candidate import present_table
from .registry import Registry, Release
from .retention import grace_seconds, remove_strays


class IndexEraser:
    """Erases from LanceDB; releases keep their ids and get new versions. See ``Eraser``."""

    place = "index, every retained release"

    def find(self, platform: Platform, subject: Subject) -> Found:
        """Count rows and index entries of the document in all files of all versions of all tables."""
        uri, options = platform.lancedb_uri, platform.storage_options
        traces = versions = 0
        names = retention.tables(uri, options)
        for name in names:
            numbers = retention.versions(uri, name, options)
            versions += len(numbers)
            wanted = [subject.document_id], subject.phrases
            traces += index_traces(uri, name, numbers, *wanted, options)
        searched = f"{counted(versions, 'version')} of {counted(len(names), 'table')}"
        return Found(searched, traces)

    def erase(self, platform: Platform, subject: Subject) -> Erased:
        """Write every version that holds the document anew, let readers move on, remove the old."""
        before = self.find(platform, subject).traces
        doing = f"erasing {subject.document_id}"
        with platform.lock("index-write", doing=doing, timeout=900):
            present = present_table(platform)
            uri, options = platform.lancedb_uri, platform.storage_options
            releases = [item for item in Registry(platform.database).all() if item.readable]
            used = {item.table_name for item in releases} | {present}
            tables = retention.tables(uri, options)
            moved = remove_strays(platform, releases)
            for table in sorted(used & set(tables)):
                moved |= _erase_from(platform, table, subject.document_id, releases)
            if moved:  # readers that are at work must have come to their end
                time.sleep(grace_seconds(platform))
            for table in tables:
                if table in used:
                    retention.purge(uri, table, options)
                else:
                    retention.drop_table(uri, table, options)
        return Erased(before - self.find(platform, subject).traces)


def _erase_from(platform: Platform, table: str, document_id: str, releases: list[Release]) -> bool:
    """Make the new versions, let tags and registry point to them; whether anything was new."""
    uri, options = platform.lancedb_uri, platform.storage_options
    tags = retention.tags(uri, table, options)
    renewed = erase_documents(uri, table, [document_id], tags, options)
    for tag, version in renewed.items():
        if version != tags[tag]:
            retention.move_tag(uri, table, tag, version, options)
    moved = dict(renewed) != tags
    for release in releases:
        # an interrupted erasure may have left a tag that is ahead of the registry
        if release.table_name == table and release.tag in renewed:
            moved |= _amend(platform, release, renewed[release.tag])
    return moved


def _amend(platform: Platform, release: Release, version: int) -> bool:
    """Let the registry say what a release's new version holds; whether it said something else."""
    if version == release.lance_version:
        return False
    rows = manifest_source(platform, release.table_name, version)
    contents = contents_of(rows, release.partitions, release.fingerprints)
    Registry(platform.database).amend(
        release.id,
        "amended",
        reason="a document was erased",
        lance_version=version,
        documents=contents.documents,
        chunks=contents.chunks,
        partitions=contents.partitions,
        manifest_sha256=contents.manifest_sha256,
    )
    return True


def manifest_source(platform: Platform, table: str, version: int) -> pl.DataFrame:
    """MANIFEST_SOURCE of all rows of a version."""
    files = DatasetFiles(f"{platform.lancedb_uri}/{table}.lance", platform.storage_options)
    frame = pl.from_arrow(files.at(version).to_table(columns=list(MANIFEST_SOURCE)))
    assert isinstance(frame, pl.DataFrame)
    return frame
