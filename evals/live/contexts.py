"""What an answerer read, taken from the release that answered, with the rights of who asked.

The log says where the passages stand, not what they say. They are read again under the caller's own
condition, and under what has been forbidden since: a judge is a server that others may run, and is
sent nothing that the one who asked could not be shown today.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from rag_assets.platform.errors import IndexUnavailable
from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller, acl_condition
from rag_assets.query.log import AnswerRecord
from rag_assets.query.retrieval.rights import PresentRights
from rag_assets.releases.opening import open_release
from rag_assets.releases.registry import Registry
from rag_assets.vector_index.reader import IndexReader


@dataclass(frozen=True)
class Contexts:
    """The passages of one answer.

    Attributes:
        texts: passage by passage in reading order.
        documents: what they are from.
        missing: why they cannot be read any more; then there are none. Empty: they can.
    """

    texts: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    missing: str = ""


@dataclass(frozen=True)
class _Opened:
    reader: IndexReader
    rights: PresentRights


class ContextReader:
    """Reads contexts; every release is opened once.

    Args:
        platform: registry, manifests and the place of the index.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._opened: dict[int, _Opened | str] = {}

    def read(self, record: AnswerRecord) -> Contexts:
        """The contexts of an answer, or why there are none."""
        if not record.passages:
            return Contexts(missing="the log names no passages")
        opened = self._open(record.release_id)
        if isinstance(opened, str):
            return Contexts(missing=opened)
        caller = Caller(frozenset(record.groups), record.admin, record.authenticated)
        wanted = list(dict.fromkeys(item["chunk_id"] for item in record.passages))
        conditions = [acl_condition(caller), opened.rights.condition(caller)]
        condition = " AND ".join(f"({part})" for part in conditions if part) or None
        try:
            found = opened.reader.chunks(wanted, condition).to_dicts()
        except IndexUnavailable as error:
            return Contexts(missing=error.message)
        rows = {row["chunk_id"]: row for row in found}
        gone = len(wanted) - len(rows)
        if gone:  # a part of what was read would make a faithful answer look invented
            return Contexts(missing=f"{gone} of {len(wanted)} chunks are gone or forbidden now")
        documents = dict.fromkeys(item["document_id"] for item in record.passages)
        return Contexts(passage_texts(record.passages, rows), tuple(documents))

    def _open(self, release_id: int) -> _Opened | str:
        if release_id not in self._opened:
            self._opened[release_id] = self._look(release_id)
        return self._opened[release_id]

    def _look(self, release_id: int) -> _Opened | str:
        platform = self._platform
        release = Registry(platform.database).get(release_id)
        if release is None:
            return f"release {release_id} is not in the registry any more"
        try:
            reader = open_release(platform, release)
        except IndexUnavailable as error:
            return f"release {release_id} cannot be read: {error.message}"
        return _Opened(reader, PresentRights(platform, reader))


def passage_texts(
    passages: Sequence[Mapping[str, Any]], rows: Mapping[str, Mapping[str, Any]]
) -> tuple[str, ...]:
    """The texts of the passages as they were read: one for each number, overlaps once.

    Args:
        passages: as the log has them; a chunk that was cut to fit ends before the chunk in the
            index does.
        rows: of the index by chunk_id, with ``text`` and ``char_start``.
    """
    return tuple(
        _joined(list(parts), rows)
        for _, parts in groupby(passages, key=lambda part: part["number"])
    )


def _joined(parts: Sequence[Mapping[str, Any]], rows: Mapping[str, Mapping[str, Any]]) -> str:
    pieces: list[str] = []
    end: int | None = None
    for part in parts:
        row = rows[part["chunk_id"]]
        start = part["char_start"] if end is None else max(part["char_start"], end)
        text = row["text"][start - row["char_start"] : part["char_end"] - row["char_start"]]
        gap = end is not None and part["char_start"] >= end
        pieces.append(f"\n\n{text}" if gap else text)
        end = max(end or 0, part["char_end"])
    return "".join(pieces)
