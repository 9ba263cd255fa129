"""``ragline forget``: erase every trace of a document, prove it, and write the receipt.

The request is stored first: from then on no ingest reads the document, and an erasure that was
interrupted is finished by asking again. Every place is searched before, cleaned, and searched again
when all of them are clean; what a stage that was still at work has put back is erased once more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rag_assets.erasure.base import Erased, Eraser, Found, Subject
from rag_assets.erasure.byte_search import ByteSearch
from rag_assets.erasure.requests import ErasureRequest, ErasureRequests
from rag_assets.platform.errors import RaglineError, SourceChanged, SourceUnavailable
from rag_assets.platform.platform import Platform
from rag_assets.raw_documents.sources import open_partition, partition_keys

from .files import search_everything
from .places import Progress, all_erasers
from .subject import copies_of, gather_rows, gather_subject

ROUNDS = 2


class UnknownDocument(RaglineError):
    """A document that nothing is known of, so that there is nothing to forget."""


@dataclass(frozen=True)
class Preview:
    """What an erasure would remove.

    Attributes:
        subject: what is known of the document.
        found: per place, what was found there.
        copies: other documents with the same content, which stay.
        listed: whether its source lists it; None when the source cannot be listed.
    """

    subject: Subject
    found: dict[str, Found]
    copies: list[str]
    listed: bool | None


def preview(platform: Platform, document_id: str) -> Preview:
    """Find what is there of a document, and change nothing.

    Raises:
        UnknownDocument: nothing is known of it.
    """
    rows = gather_rows(platform, document_id)
    subject = gather_subject(platform, document_id, rows)
    found = {item.place: item.find(platform, subject) for item in all_erasers()}
    listed = is_listed(platform, document_id)
    traces = rows.places or any(item.traces for item in found.values())
    if not (traces or listed or _was_requested(platform, document_id)):
        raise UnknownDocument(
            f"There is no trace of a document '{document_id}': not in the tables, the retained "
            "releases, the query log, the evaluations or the Dagster events, nor does a source list it.",
            "Document ids are <source>/<path>, as 'ragline search' and 'ragline lineage' show them.",
        )
    return Preview(subject, found, copies_of(platform, subject), listed)


def forget(
    platform: Platform,
    document_id: str,
    *,
    actor: str = "",
    reason: str = "",
    report: Progress = lambda stage, done, total: None,
) -> ErasureRequest:
    """Erase every trace of a document, and keep it from being read again.

    Asked again, it finishes what was interrupted, or finds nothing and says so.

    Args:
        platform: the deployment.
        document_id: of the document.
        actor: who asks.
        reason: why; it stays in the request, so it must not quote the document.
        report: told how far it has come.

    Returns:
        The request with its receipt. ``completed_at`` is None when traces are left: the receipt
        says where.

    Raises:
        UnknownDocument: nothing is known of it.
        AlreadyRunning: an ingest or another erasure is at work.
    """
    with platform.lock("ingest", doing="ragline forget", timeout=5):
        if not (_was_requested(platform, document_id) or gather_rows(platform, document_id).places):
            preview(platform, document_id)  # a longer look: in logs, evaluations and sources
        requests = ErasureRequests(platform.database)
        request = requests.open(
            document_id,
            within_days=platform.settings.releases.erase_within_days,
            actor=actor,
            reason=reason,
        )
        # only now: a stage may have read another version of it until the request was stored
        seen = preview(platform, document_id)
        receipt = _erase(platform, request, seen, report)
        requests.finish(request.id, receipt, completed=receipt["complete"])
        return next(item for item in requests.all() if item.id == request.id)


def is_listed(platform: Platform, document_id: str) -> bool | None:
    """Whether its source lists the document now; None when the source cannot be listed."""
    try:
        for key in partition_keys(platform.settings):
            shard = open_partition(platform.settings, key)
            if not document_id.startswith(shard.source_name + "/") or not shard.owns(document_id):
                continue
            if any(item.document_id == document_id for item in shard.list()):
                return True
    except (SourceUnavailable, SourceChanged):
        return None
    return False


def _was_requested(platform: Platform, document_id: str) -> bool:
    requests = ErasureRequests(platform.database).all()
    return any(item.document_id == document_id for item in requests)


def _erase(
    platform: Platform, request: ErasureRequest, seen: Preview, report: Progress
) -> dict[str, Any]:
    started, subject = datetime.now(UTC), seen.subject
    erasers = all_erasers()
    removed: dict[str, int] = dict.fromkeys(seen.found, 0)
    kept: dict[str, tuple[str, ...]] = dict.fromkeys(seen.found, ())
    after: dict[str, Found] = {}
    for _ in range(ROUNDS):
        for number, eraser in enumerate(erasers):
            report(eraser.place, number, len(erasers))
            done: Erased = eraser.erase(platform, subject)
            removed[eraser.place] += done.removed
            kept[eraser.place] = done.kept
        after = {eraser.place: eraser.find(platform, subject) for eraser in erasers}
        if not any(found.traces for found in after.values()):
            break
    searched, theirs = search_everything(platform, subject, report)
    places = [
        {
            "place": eraser.place,
            "searched": seen.found[eraser.place].searched,
            "before": seen.found[eraser.place].traces,
            "removed": removed[eraser.place],
            "after": after[eraser.place].traces,
            "kept": list(kept[eraser.place]),
        }
        for eraser in erasers
    ]
    return _receipt(request, seen, started, places, searched, theirs)


def _receipt(
    request: ErasureRequest,
    seen: Preview,
    started: datetime,
    places: Sequence[dict[str, Any]],
    searched: ByteSearch,
    theirs: list[str],
) -> dict[str, Any]:
    clean = not any(place["after"] for place in places)
    return {
        "document_id": request.document_id,
        "request_id": request.id,
        "requested_at": request.requested_at.isoformat(),
        "started_at": started.isoformat(),
        "finished_at": datetime.now(UTC).isoformat(),
        "places": list(places),
        "phrases": len(seen.subject.phrases),
        "byte_search": {
            "files": searched.files,
            "bytes": searched.bytes,
            "found_in": list(searched.found),
            "unreadable": list(searched.unreadable),
        },
        "kept": _kept(seen, theirs),
        "nothing_found": not any(place["before"] or place["removed"] for place in places),
        "complete": clean and not searched.found and not searched.unreadable,
        "outside": _outside(seen),
    }


def _kept(seen: Preview, theirs: list[str]) -> list[str]:
    copies = [
        f"{name} has the same content as a version of this document and stays; forget it too if it "
        "has to go"
        for name in seen.copies
    ]
    blobs = [f"{name}: the bytes of another document quote this one" for name in theirs]
    return copies + blobs


def _outside(seen: Preview) -> list[str]:
    """What no erasure here can reach; a person has to see to it."""
    source = {
        True: "The source still lists the document. It will not be read again, but a renamed copy of "
        "it would be a new document: remove it there.",
        None: "The source cannot be listed now: make sure that the document is not there any more.",
        False: "",
    }[seen.listed]
    return [
        *([source] if source else []),
        "Backups and snapshots of the data directory and of the databases.",
        "The write-ahead log and the replicas of a PostgreSQL server.",
        "Copies and exports outside the data directory, and answers that people have copied.",
        "Logs and traces that were sent to other systems, LLM providers among them.",
    ]


__all__ = ["Eraser", "Preview", "UnknownDocument", "forget", "is_listed", "preview"]
