"""The protocol of erasers: each knows one kind of place where a document may have left traces.

A room that keeps anything about documents has an ``erasure.py`` with its erasers;
``rag_jobs/forget.py`` puts them in order. The text of the document is known only from what is being
erased, so places that the text is read from (parsed texts, blobs) come last, and an interrupted
erasure finds everything it needs when it is run again. An eraser must not mind being run again.

``find`` only looks: it searches the place, decoded (compressed tables and index files hold no
readable bytes), and counts the traces. ``erase`` removes them so that the bytes are gone from the
place's files, not just hidden, and leaves the place consistent with the places before and after it.
What it must keep, because another document says the same, it names in ``Erased.kept``.
"""

from dataclasses import dataclass, field
from typing import Protocol

from rag_assets.platform.platform import Platform


@dataclass(frozen=True)
class Subject:
    """The document that has to be forgotten, as far as it is still known.

    Attributes:
        document_id: its id; that alone stays, in the receipt and in the list of what not to read.
        content_sha256: of every version of its bytes that is known.
        texts: every parsed text of it that can still be read, and every passage of any retained
            release, distinct.
        titles: its titles.
        chunk_ids, embed_sha256: of its chunks, in any retained release.
        shared_content: content hashes that other live documents have too.
        phrases: what a search for its text looks for: sentences of its own that no other live
            document has; see ``phrases.py``.
    """

    document_id: str
    content_sha256: frozenset[str] = frozenset()
    texts: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    chunk_ids: frozenset[str] = frozenset()
    embed_sha256: frozenset[str] = frozenset()
    shared_content: frozenset[str] = frozenset()
    phrases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """What a search of a place found.

    Attributes:
        searched: how much was searched, in words, e.g. "3 versions of 2 tables, 812 rows".
        traces: rows, files or records that hold something of the document.
    """

    searched: str
    traces: int


@dataclass(frozen=True)
class Erased:
    """What an eraser did.

    Attributes:
        removed: rows, files or records that were removed or cleaned.
        kept: what stays and why, one sentence each.
    """

    removed: int
    kept: tuple[str, ...] = field(default=())


class Eraser(Protocol):
    """See the module's docstring."""

    place: str  # as the receipt names it, e.g. "query log"

    def find(self, platform: Platform, subject: Subject) -> Found: ...
    def erase(self, platform: Platform, subject: Subject) -> Erased: ...
