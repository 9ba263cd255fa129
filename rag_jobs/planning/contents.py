"""The contents of documents during a plan, which keeps nothing."""

import hashlib
from pathlib import Path

from rag_assets.platform.platform import Platform
from rag_assets.raw_documents.blobs import Blobs

PARSED_BYTES_AT_MOST = 20_000_000


class PlannedContents:
    """Contents by their hash: those that are kept, and those that were only read for the plan."""

    def __init__(self, platform: Platform) -> None:
        self._storage = platform.storage
        self._kept = Blobs(platform.storage)
        self._read: dict[str, bytes] = {}
        self._room = PARSED_BYTES_AT_MOST

    def put(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        if len(content) <= self._room and not self.has(sha256):
            self._read[sha256] = content
            self._room -= len(content)
        return sha256

    def path(self, sha256: str) -> Path | None:
        return None if sha256 in self._read else self._kept.path(sha256)

    def get(self, sha256: str) -> bytes:
        return self._read[sha256] if sha256 in self._read else self._kept.get(sha256)

    def has(self, sha256: str) -> bool:
        return sha256 in self._read or self._storage.size(Blobs.key(sha256)) is not None
