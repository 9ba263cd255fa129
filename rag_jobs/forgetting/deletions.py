"""Deletions that are overdue: what should have left every trace, and has not.

Two clocks run. A request to forget a document has a date of its own. A document that was deleted at
its source leaves the live release at the next ingest, but older releases and the query log keep it;
its time begins with the first live release without it.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import polars as pl
import sqlalchemy as sa

from rag_assets.erasure.requests import ErasureRequest, ErasureRequests
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.platform.wording import counted
from rag_assets.query.log import answer_documents, answers
from rag_assets.raw_documents.schema import RAW_DOCUMENTS
from rag_assets.releases.history import WENT_LIVE, History, ReleaseEvent
from rag_assets.releases.release import Release

from .subject import readable_releases, version_rows

OVERDUE = pl.Schema(
    {
        "document_id": pl.String(),
        "kind": pl.String(),  # see below
        "since": pl.Datetime("us", "UTC"),  # when it was asked for, or gone from what is live
        "due_at": pl.Datetime("us", "UTC"),
        "where": pl.String(),  # where it still is
    }
)
NOT_DONE = "asked to forget, not done"
FOUND_AGAIN = "forgotten, found again"
DELETED = "deleted at its source"
SHOWN = 50

Row = dict[str, Any]


@dataclass
class Holders:
    """Where documents are now, by id.

    Attributes:
        manifest: documents that the sources had at the last ingest.
        releases: retained releases, by document.
        answers: how many logged answers name a document.
        known: releases that are known to have held a document, removed ones included.
    """

    manifest: set[str] = field(default_factory=set)
    releases: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    answers: dict[str, int] = field(default_factory=dict)
    known: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def where(self, document_id: str) -> str:
        """The places that hold a document, in words; empty when there is none."""
        places = ["manifest"] if document_id in self.manifest else []
        held = sorted(self.releases.get(document_id, ()))
        if held:
            places.append(f"release {', '.join(map(str, held))}")
        answers = self.answers.get(document_id, 0)
        if answers:
            places.append(f"query log ({counted(answers, 'answer')})")
        return "; ".join(places)


def overdue_deletions(platform: Platform, now: datetime) -> pl.DataFrame:
    """Documents that should be gone by now and are not.

    Args:
        platform: the deployment.
        now: with a time zone.

    Returns:
        Schema ``OVERDUE``, the longest overdue first.
    """
    retained = readable_releases(platform)
    holders = _holders(platform, retained)
    requests = ErasureRequests(platform.database).all()
    rows = overdue_requests(requests, holders, now)
    asked_for = {row["document_id"] for row in rows}
    within = timedelta(days=platform.settings.releases.erase_within_days)
    events = History(platform.database).events()
    for row in deleted_documents(retained, events, holders, within):
        if now > row["due_at"] and row["document_id"] not in asked_for:
            rows.append(row)
    return pl.DataFrame(rows, schema=OVERDUE).sort("due_at", "document_id")


def overdue_requests(
    requests: Iterable[ErasureRequest], holders: Holders, now: datetime
) -> list[Row]:
    """Requests that are not done in time, or whose document is there again. Pure."""
    rows: list[Row] = []
    for item in requests:
        where = holders.where(item.document_id)
        if item.lifted_at is not None:
            continue
        if item.completed_at is None and now > item.due_at:
            kind = NOT_DONE
        elif item.completed_at is not None and where:
            kind = FOUND_AGAIN
        else:
            continue
        values = (item.document_id, kind, item.requested_at, item.due_at, where or "not searched")
        rows.append(dict(zip(OVERDUE.names(), values, strict=True)))
    return rows


def deleted_documents(
    retained: list[Release], events: list[ReleaseEvent], holders: Holders, within: timedelta
) -> list[Row]:
    """Documents that no source has any more and that something still holds. Pure.

    Args:
        retained: releases whose versions are kept.
        events: of all releases, oldest first.
        holders: where documents are.
        within: how long they may stay.
    """
    live = next((release for release in retained if release.status == "live"), None)
    if live is None:
        return []
    went_live = [
        (event.at, event.release_id)
        for event in events
        if event.event in WENT_LIVE and event.release_id is not None
    ]
    created = {release.id: release.created_at for release in retained}
    rows: list[Row] = []
    for document_id in sorted({*holders.releases, *holders.answers} - holders.manifest):
        had_it = holders.releases.get(document_id, set()) | holders.known.get(document_id, set())
        if live.id in holders.releases.get(document_id, set()):
            continue
        since = _gone_since(went_live, had_it - {live.id}, created)
        values = (document_id, DELETED, since, since + within, holders.where(document_id))
        rows.append(dict(zip(OVERDUE.names(), values, strict=True)))
    return rows


def _gone_since(
    went_live: list[tuple[datetime, int]], had_it: set[int], created: dict[int, datetime]
) -> datetime:
    """When a release without the document went live after the last one with it."""
    last = -1
    for position, (_, release_id) in enumerate(went_live):
        if release_id in had_it:
            last = position
    if last + 1 < len(went_live):
        first = went_live[last + 1][0]
        # a release that was never live may be younger than the live one without the document
        return max([first, *(created[item] for item in had_it if item in created and last < 0)])
    return went_live[-1][0] if went_live else datetime.now(UTC)


def _holders(platform: Platform, retained: list[Release]) -> Holders:
    holders = Holders()
    for partition in platform.tables.partitions("raw_documents"):
        manifest = platform.tables.read("raw_documents", partition, RAW_DOCUMENTS)
        holders.manifest.update(manifest["document_id"])
    for release in retained:
        rows = version_rows(platform, release.table_name, release.tag, ("document_id",))
        for document_id in rows["document_id"].unique():
            holders.releases[document_id].add(release.id)
    query = (
        sa.select(answer_documents.c.document_id, answers.c.release_id, sa.func.count())
        .join(answers, answers.c.answer_id == answer_documents.c.answer_id)
        .group_by(answer_documents.c.document_id, answers.c.release_id)
    )
    with platform.database.connect() as connection:
        for document_id, release_id, count in connection.execute(query):
            holders.answers[document_id] = holders.answers.get(document_id, 0) + count
            if release_id not in {release.id for release in retained}:
                holders.known[document_id].add(release_id)
    return holders


def deletions_check(settings: Settings) -> dg.AssetChecksDefinition:
    """Build the asset check ``deletions_in_time`` of the asset ``release``.

    It stops nothing: a release is no reason to keep the next one from readers.
    """

    @dg.asset_check(
        asset="release",
        name="deletions_in_time",
        description="Documents that were deleted, or had to be forgotten, have left every trace "
        f"within {counted(settings.releases.erase_within_days, 'day')}.",
        blocking=False,
    )
    def deletions_in_time(platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
        overdue = overdue_deletions(platform, datetime.now(UTC))
        open_requests = [
            item
            for item in ErasureRequests(platform.database).all()
            if item.completed_at is None and item.lifted_at is None
        ]
        return dg.AssetCheckResult(
            passed=overdue.is_empty(),
            severity=dg.AssetCheckSeverity.ERROR,
            description=_described(overdue),
            metadata={
                "overdue": overdue.height,
                "overdue_requests": int((overdue["kind"] != DELETED).sum()),
                "overdue_deleted_documents": int((overdue["kind"] == DELETED).sum()),
                "open_requests": len(open_requests),
                "report": dg.MetadataValue.md(overdue_table(overdue)),
            },
        )

    return deletions_in_time


def overdue_table(overdue: pl.DataFrame) -> str:
    """The overdue deletions as a Markdown table, the oldest first."""
    if overdue.is_empty():
        return "Nothing is overdue."
    lines = ["| document | what | since | due | where |", "| --- | --- | --- | --- | --- |"]
    for row in overdue.head(SHOWN).iter_rows(named=True):
        cells = [
            row["document_id"],
            row["kind"],
            f"{row['since']:%Y-%m-%d}",
            f"{row['due_at']:%Y-%m-%d}",
            row["where"],
        ]
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    if overdue.height > SHOWN:
        lines.append(f"\n… and {overdue.height - SHOWN} more.")
    return "\n".join(lines)


def _described(overdue: pl.DataFrame) -> str:
    if overdue.is_empty():
        return "Nothing is overdue."
    first = overdue.row(0, named=True)
    return (
        f"{overdue.height} deletions are overdue, e.g. {first['document_id']} ({first['where']}). "
        "Run 'ragline forget' for them, or 'ragline maintain' to retire old releases."
    )
