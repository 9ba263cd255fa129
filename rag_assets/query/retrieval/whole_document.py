"""All passages of one document, with the rights of a search."""

from rag_assets.platform.errors import IndexUnavailable
from rag_assets.query.access import Caller
from rag_assets.query.answer import Hit
from rag_assets.vector_index.reader import HIT_COLUMNS
from rag_assets.vector_index.sql import quoted

from .retrieve import Retriever
from .search import hits_of
from .snapshot import Snapshot, Snapshots


def read_document(
    snapshots: Snapshots, document_id: str, caller: Caller
) -> tuple[list[Hit], Snapshot]:
    """The passages of a document in reading order, and the release that they are from.

    Without the right to read it there is none, as for a document that does not exist.

    Raises:
        NoRelease: nothing has been released yet.
        IndexUnavailable: the release cannot be read.
    """
    snapshot = snapshots.current()
    try:
        return _passages(snapshot, document_id, caller), snapshot
    except IndexUnavailable:
        # a clean-up may have been quicker
        snapshot = snapshots.open_again(snapshot)
        return _passages(snapshot, document_id, caller), snapshot


def _passages(snapshot: Snapshot, document_id: str, caller: Caller) -> list[Hit]:
    rights = Retriever.condition(snapshot, caller, None)
    this = f"document_id = {quoted(document_id)}"
    condition = f"{this} AND ({rights})" if rights else this
    rows = snapshot.reader.read(HIT_COLUMNS, condition)
    return sorted(hits_of(rows), key=lambda hit: hit.ordinal)
