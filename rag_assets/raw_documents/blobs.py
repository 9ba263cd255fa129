"""The bytes of documents, addressed by their content."""

import hashlib
import re
from pathlib import Path

from rag_assets.platform.errors import StorageError
from rag_assets.platform.storage import Storage

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """Content-addressed storage: the same bytes are kept once, whatever documents hold them.

    Args:
        storage: the storage under RAG_HOME.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    @staticmethod
    def key(sha256: str) -> str:
        """The storage key of a content: ``blobs/<aa>/<sha256>``."""
        if not _SHA256.fullmatch(sha256):
            raise ValueError(f"not a SHA-256: {sha256!r}")
        return f"blobs/{sha256[:2]}/{sha256}"

    def put(self, content: bytes) -> str:
        """Keep ``content`` (atomically, and only if it is not there) and return its SHA-256.

        What is there already counts as written now: maintenance spares what is young.

        Raises:
            StorageFull, StorageError: it cannot be written.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        key = self.key(sha256)
        # a size that differs is what a power cut may leave behind: write it again
        if self._storage.size(key) != len(content) or not self._storage.touch(key):
            self._storage.write(key, content)
        return sha256

    def get(self, sha256: str) -> bytes:
        """The content with this hash.

        Raises:
            StorageError: it is missing, damaged or unreadable.
        """
        key = self.key(sha256)
        try:
            content = self._storage.read(key)
        except KeyError:
            raise self._lost(key, "is missing") from None
        if hashlib.sha256(content).hexdigest() != sha256:
            raise self._lost(key, "is damaged: its content does not have its hash")
        return content

    def path(self, sha256: str) -> Path | None:
        """A local file with this content, unchecked; ``None`` when there is none."""
        path = self._storage.path(self.key(sha256))
        return path if path is not None and path.is_file() else None

    def _lost(self, key: str, what: str) -> StorageError:
        return StorageError(
            f"The blob {self._storage.root}/{key} {what}.",
            "Delete it if it is there and run 'ragline ingest --full': it reads everything again.",
        )
