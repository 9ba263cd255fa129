"""Maintenance: retire old releases, reclaim space, keep the indices up to date."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from rag_assets.parsed_documents.schema import PARSED_DOCUMENTS
from rag_assets.platform.dagster_bridge import explained
from rag_assets.platform.platform import Platform
from rag_assets.raw_documents.garbage import collect_blobs
from rag_assets.raw_documents.schema import RAW_DOCUMENTS
from rag_assets.releases.opening import open_release
from rag_assets.releases.registry import Registry, Release
from rag_assets.releases.retention import retire_releases
from rag_assets.vector_index.table import IndexTable
from rag_assets.vector_index.version_files import DatasetFiles

Progress = Callable[[str, int, int], None]

STEPS = ("indices", "releases", "blobs", "evaluations")
EVALUATION_TABLES = ("retrieval_evaluation", "answer_evaluation", "judgements", "replay")
# an ingest keeps the bytes of a document some time before its manifest names them
BLOB_GRACE = timedelta(days=1)


@dataclass(frozen=True)
class Maintenance:
    """What one maintenance did.

    Attributes:
        releases: ids of the releases that can no longer be read.
        tables: LanceDB tables of former configurations that were dropped.
        versions: versions of index tables that were removed.
        index_bytes: reclaimed from the index.
        blobs, blob_bytes: documents' bytes that nothing needed any more.
        evaluations: tables of evaluations of removed releases.
        indexed: rows that the indices did not hold yet.
        seconds: wall time.
    """

    releases: tuple[int, ...]
    tables: tuple[str, ...]
    versions: int
    index_bytes: int
    blobs: int
    blob_bytes: int
    evaluations: int
    indexed: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return asdict(self)


def maintain(
    platform: Platform,
    now: datetime | None = None,
    progress: Progress = lambda step, done, total: None,
) -> Maintenance:
    """Do all that is due; what is not due is left alone, so that it may run at any time.

    Args:
        platform: the deployment.
        now: with a time zone; default: this moment.
        progress: told of every step.

    Raises:
        AlreadyRunning: an ingest, or another maintenance, is at work.
    """
    started = time.perf_counter()
    now = now or datetime.now(UTC)
    with platform.lock("ingest", doing="ragline maintain"):
        progress(STEPS[0], 0, len(STEPS))
        indexed = _prepare(platform)
        progress(STEPS[1], 1, len(STEPS))
        retired = retire_releases(platform, now)
        progress(STEPS[2], 2, len(STEPS))
        blobs, blob_bytes = collect_blobs(platform, needed_blobs(platform), now - BLOB_GRACE)
        progress(STEPS[3], 3, len(STEPS))
        evaluations = _drop_evaluations(platform)
        progress(STEPS[3], len(STEPS), len(STEPS))
    return Maintenance(
        releases=retired.releases,
        tables=retired.tables,
        versions=retired.versions,
        index_bytes=retired.bytes,
        blobs=blobs,
        blob_bytes=blob_bytes,
        evaluations=evaluations,
        indexed=indexed,
        seconds=round(time.perf_counter() - started, 3),
    )


def needed_blobs(platform: Platform) -> set[str]:
    """The content hashes that manifests, parsed documents or readable releases name."""
    needed: set[str | None] = set()
    for name in platform.tables.partitions("raw_documents"):
        raw = platform.tables.read("raw_documents", name, RAW_DOCUMENTS)
        needed.update(raw["content_sha256"])
    for name in platform.tables.partitions("parsed_documents"):
        parsed = platform.tables.read("parsed_documents", name, PARSED_DOCUMENTS)
        needed.update(parsed["content_sha256"], parsed["served_sha256"])
    for release in Registry(platform.database).all():
        if release.readable:
            needed.update(open_release(platform, release).documents()["content_sha256"])
    return {sha256 for sha256 in needed if sha256}


def _prepare(platform: Platform) -> int:
    """Bring the indices of the live release's table up to date; how many rows they did not hold."""
    live = Registry(platform.database).live()
    if live is None:
        return 0
    with platform.lock("index-write", doing="bringing the indices up to date", timeout=900):
        table = _table(platform, live)
        table.resume_head()  # an interrupted erasure would otherwise wait for the next ingest
        behind = max((int(index["unindexed"]) for index in table.indices().values()), default=0)
        if behind:
            table.prepare(force=True)
    return behind


def _table(platform: Platform, live: Release) -> IndexTable:
    uri, options = platform.lancedb_uri, platform.storage_options
    # the encoder of a release may not be the one that is configured now
    schema = DatasetFiles(f"{uri}/{live.table_name}.lance", options).at(None).schema
    return IndexTable(uri, live.table_name, schema.field("vector").type.list_size, options)


def _drop_evaluations(platform: Platform) -> int:
    """Remove the tables of evaluations of releases that cannot be read any more; how many."""
    removed = {item.id for item in Registry(platform.database).all() if not item.readable}
    if not removed:
        return 0
    dropped = 0
    for table in EVALUATION_TABLES:
        for partition in platform.tables.partitions(table):
            stamp = platform.tables.stamp(table, partition)
            if stamp is not None and stamp.facts.get("release") in removed:
                platform.tables.drop(table, partition)
                dropped += 1
    return dropped


@dg.op(
    pool="index_write",
    out=dg.Out(dict, description="What was removed; see Maintenance."),
    description="Retires old releases, reclaims their space, brings the indices up to date.",
)
def maintain_deployment(
    context: dg.OpExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.Output[dict[str, Any]]:
    """The one step of the job ``maintenance``."""

    def tell(step: str, done: int, total: int) -> None:
        context.log.info(f"{step} ({done} of {total})")

    with explained(platform):
        done = maintain(platform, progress=tell).to_dict()
    numbers = {name: value for name, value in done.items() if isinstance(value, int | float)}
    named = {name: ", ".join(map(str, done[name])) or "none" for name in ("releases", "tables")}
    return dg.Output(done, metadata={**numbers, **named})


@dg.job(
    name="maintenance",
    description="Retire old releases and reclaim their space.",
    executor_def=dg.in_process_executor,
)
def maintenance_job() -> None:
    """The job; it wants the resource ``platform``."""
    maintain_deployment()
