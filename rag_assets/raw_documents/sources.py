"""The registry of source kinds, and how documents are shared out among partitions.

A source with one shard is the partition ``<source>``; with more, ``<source>--03of16`` and so on,
numbered from 1 and padded to the width of the total. A document's shard is a stable hash of its id.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from rag_assets.privacy.redaction import redactor_of

from .base import Fetched, Listed, Source
from .personal_data import without_personal_data
from .shared_listing import SharedListing

if TYPE_CHECKING:
    from rag_assets.platform.settings import Settings, SourceSettings
    from rag_assets.privacy.redaction import Redactor

_SHARDED = re.compile(r"(?P<source>.+)--(?P<number>\d+)of(?P<total>\d+)")


def make_source(
    name: str, settings: "SourceSettings", storage_options: Mapping[str, str]
) -> Source:
    """Make a source from its settings; nothing is read yet.

    Args:
        name: of the source; its documents' ids start with ``<name>/``.
        settings: of the source.
        storage_options: for object stores, secrets in plain.

    Raises:
        ConfigurationError: a setting is impossible.
        MissingExtra: an object store needs an extra that is not installed.
    """
    return _KINDS[settings.kind](name, settings, storage_options)


def shard_of(document_id: str, shards: int) -> int:
    """The shard of a document, from 0; the same on every machine and for ever."""
    if shards == 1:
        return 0
    digest = hashlib.sha256(document_id.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % shards


def partition_keys(settings: "Settings") -> list[str]:
    """The partitions of all configured sources, in the order of the settings."""
    return [key for name, source in settings.sources.items() for key in _keys(name, source.shards)]


def parse_partition(key: str) -> tuple[str, int | None, int]:
    """Take a partition key apart.

    Returns:
        The source, the shard from 0 (``None`` when it is not sharded), the number of shards.
    """
    match = _SHARDED.fullmatch(key)
    if not match:
        return key, None, 1
    return match["source"], int(match["number"]) - 1, int(match["total"])


@dataclass(frozen=True)
class SourcePartition:
    """The documents of one shard of a source.

    Attributes:
        key: the partition key.
        source_name: name of the source.
        shard: from 0.
        shards: how many the source has.
        source: ``None`` when the partition is retired: then it holds no document.
        forbidden: ids of documents that had to be forgotten: they are never read again, though
            the source still lists them.
        forgotten: those of them that the last complete listing met.
        redactor: takes personal data out of titles and attributes; None where it stays.
        shared: one listing for all shards, made when first asked for; ``None``: list every time.
    """

    key: str
    source_name: str
    shard: int
    shards: int
    source: Source | None
    forbidden: frozenset[str] = frozenset()
    forgotten: set[str] = field(default_factory=set, compare=False, repr=False)
    redactor: "Redactor | None" = field(default=None, compare=False, repr=False)
    shared: SharedListing | None = field(default=None, compare=False, repr=False)

    @property
    def retired(self) -> bool:
        """Whether the source, or this number of shards, is no longer configured."""
        return self.source is None

    def owns(self, document_id: str) -> bool:
        """Whether a document belongs to this partition, and may be read."""
        return document_id not in self.forbidden and self._shares(document_id)

    def changed_at(self) -> datetime | None:
        """When the one file that holds all documents was last written; see ``base``."""
        return self.source.changed_at() if self.source else None

    def list(self) -> Iterator[Listed]:
        """List this shard's documents (and every folder that cannot be listed, see ``Listed``)."""
        if self.source is None:
            return iter(())
        self.forgotten.clear()
        if self.shared is not None:
            part = self.shared.part(self.shard)
            return (item for item in part if item.covers or self._permits(item.document_id))
        return self.source.list(self._reads if self.shards > 1 or self.forbidden else None)

    def fetch(self, listed: Listed, max_bytes: int) -> Fetched:
        """Read one document that ``list`` gave."""
        if self.source is None:
            raise ValueError(f"the partition {self.key} is retired and holds no document")
        fetched = self.source.fetch(listed, max_bytes)
        return without_personal_data(fetched, self.redactor) if self.redactor else fetched

    def _shares(self, document_id: str) -> bool:
        return shard_of(document_id, self.shards) == self.shard

    def _reads(self, document_id: str) -> bool:
        return self._shares(document_id) and self._permits(document_id)

    def _permits(self, document_id: str) -> bool:
        if document_id in self.forbidden:
            self.forgotten.add(document_id)
            return False
        return True


def open_partition(
    settings: "Settings", key: str, forbidden: frozenset[str] = frozenset()
) -> SourcePartition:
    """Open a partition; one that is no longer configured is retired and lists nothing.

    Args:
        settings: the deployment's.
        key: the partition key.
        forbidden: ids of documents that are not to be read (``ErasureRequests.forbidden()``).

    Raises:
        ConfigurationError: a setting of the source is impossible.
        MissingExtra: its object store needs an extra that is not installed.
    """
    name, shard, shards = parse_partition(key)
    source_settings = settings.sources.get(name)
    if source_settings is None or key not in _keys(name, source_settings.shards):
        return SourcePartition(key, name, shard or 0, shards, None, forbidden)
    options = {
        option: value.get_secret_value() for option, value in settings.storage_options.items()
    }
    source = make_source(name, source_settings, options)
    redactor = redactor_of(settings, name)
    return SourcePartition(key, name, shard or 0, shards, source, forbidden, redactor=redactor)


class Partitions:
    """The partitions of a deployment at one moment: every source is listed once for all its shards.

    For questions about the whole deployment, which would otherwise list a source once a shard. What
    it lists is as old as the first question; a stage opens its own partition and looks again.

    Args:
        settings: the deployment's.
        forbidden: as ``open_partition``.
    """

    def __init__(self, settings: "Settings", forbidden: frozenset[str] = frozenset()) -> None:
        self._settings = settings
        self._forbidden = forbidden
        self._listings: dict[str, SharedListing] = {}

    def open(self, key: str) -> SourcePartition:
        """Open a partition; see ``open_partition``, also for what is raised."""
        opened = open_partition(self._settings, key, self._forbidden)
        if opened.source is None or opened.shards == 1:
            return opened
        shards = opened.shards
        listing = self._listings.setdefault(
            opened.source_name,
            SharedListing(opened.source, shards, lambda document_id: shard_of(document_id, shards)),
        )
        return replace(opened, shared=listing)


def _keys(name: str, shards: int) -> list[str]:
    if shards == 1:
        return [name]
    width = len(str(shards))
    return [f"{name}--{number:0{width}}of{shards}" for number in range(1, shards + 1)]


def _folder(name: str, settings: "SourceSettings", options: Mapping[str, str]) -> Source:
    from .folder import FolderSource, source_defaults
    from .open_files import open_tree

    defaults = source_defaults(name, settings.acl, settings.attributes)
    tree = open_tree(settings.path, options)
    return FolderSource(name, tree, defaults, settings.include, settings.exclude)


def _jsonl(name: str, settings: "SourceSettings", options: Mapping[str, str]) -> Source:
    from .folder import source_defaults
    from .jsonl import JsonlSource
    from .open_files import open_single

    defaults = source_defaults(name, settings.acl, settings.attributes)
    return JsonlSource(name, open_single(settings.path, options), defaults)


_KINDS: Mapping[str, Callable[[str, "SourceSettings", Mapping[str, str]], Source]] = {
    "folder": _folder,
    "jsonl": _jsonl,
}
