"""Where files are: a local folder or an object store, with one behaviour for the sources.

``FileTree`` lists and reads the files below a root; ``SingleFile`` reads one large file in pieces.
Both are opened with a light constructor. What is wrong with the root raises ``SourceUnavailable``;
what is wrong with one file is its ``problem``. Names that start with a dot and temporary files are
never seen; a ``<name>.meta.toml`` is shown as the sidecar of ``<name>``, never as a file.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from rag_assets.platform.storage import TEMPORARY_SUFFIX

from .base import Problem

SIDECAR = ".meta.toml"
BLOCK_BYTES = 1 << 20

Prune = Callable[[str], bool]

_BAD_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(slots=True)
class File:
    """A file as a tree shows it.

    Attributes:
        path: relative to the root, with slashes, as the file system spells it.
        size: bytes.
        modified_at: UTC.
        signature: changes when the content (or the sidecar) may have changed.
        changed_at: when either was last changed, as far as the place knows; UTC.
        location: what ``read`` needs.
        sidecar: location of its sidecar, or ``None``.
        problem: why it cannot be read, or ``None``.
        covers: it is a folder that cannot be listed.
    """

    path: str
    size: int
    modified_at: datetime
    signature: str
    changed_at: datetime
    location: str
    sidecar: str | None = None
    problem: Problem | None = None
    covers: bool = False


@dataclass(slots=True)
class Read:
    """Bytes of one file with the signature that holds after the read, or a problem."""

    content: bytes
    signature: str
    modified_at: datetime | None = None
    settled: bool = True  # False: a later change might go unseen by the signature
    problem: Problem | None = None


class FileTree(Protocol):
    """Files below a root; see the module's docstring."""

    def uri(self, path: str) -> str: ...
    def walk(self, prune: Prune) -> Iterator[File]:
        """All files, in a stable order; folders that ``prune`` accepts may be left out."""
        ...

    def read(self, location: str, max_bytes: int) -> Read: ...


class SingleFile(Protocol):
    """One file; see the module's docstring."""

    uri: str

    def version(self) -> tuple[str, datetime]:
        """Signature and modification time; raises ``SourceUnavailable`` when there is no file."""
        ...

    def changed_at(self) -> datetime:
        """When it was last changed, in whatever way; raises as ``version``."""
        ...

    def blocks(self) -> Iterator[bytes]: ...
    def read_range(self, start: int, length: int) -> bytes:
        """The bytes from ``start``; fewer than ``length`` when the file has become shorter."""
        ...


def is_ignored(name: str) -> bool:
    """Whether a file or folder is hidden, or a temporary file of an editor or of this platform."""
    return name.startswith((".", "~$")) or name.endswith((TEMPORARY_SUFFIX, ".swp"))


def too_large(size: int, max_bytes: int) -> Problem:
    """The problem of a document over the limit."""
    text = f"{size:,} bytes are more than the limit of {max_bytes:,} (parsing.max_file_mb)."
    return Problem("too_large", text)


def printable_path(path: str) -> str | None:
    """``None`` for a good path; for a bad one a printable stand-in that no other path has.

    A path is bad when it is not valid UTF-8 or holds a control character or a line break: it could
    be neither stored nor shown faithfully.
    """
    if path.isprintable() or not _BAD_CHARACTERS.search(path):
        return None
    mark = hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{_BAD_CHARACTERS.sub(chr(0xFFFD), path)}~{mark}"
