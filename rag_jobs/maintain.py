"""Maintenance: retire old releases and runs, reclaim space, keep the indices up to date."""

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

from .alerts.sent import forget_sent
from .instance import open_instance
from .retention import Expired, expire_records

Progress = Callable[[str, int, int], None]

STEPS = ("indices", "releases", "blobs", "evaluations", "runs and events")
RUNS = "old runs"
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
        runs: old runs of Dagster that were removed, with their events.
        run_bytes: what Dagster's databases and files have become smaller by.
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
    runs: int
    run_bytes: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return asdict(self)


def maintain(
    platform: Platform,
    now: datetime | None = None,
    progress: Progress = lambda step, done, total: None,
    instance: dg.DagsterInstance | None = None,
) -> Maintenance:
    """Do all that is due; what is not due is left alone, so that it may run at any time.

    Args:
        platform: the deployment.
        now: with a time zone; default: this moment.
        progress: told of every step, and of every run that is removed.
        instance: Dagster's; default: that of the deployment, where there is one.

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
    # an ingest need not wait for this
    progress(STEPS[4], 4, len(STEPS))
    expired = _expire(platform, instance, now, lambda done, total: progress(RUNS, done, total))
    forget_sent(platform, now - timedelta(hours=2 * platform.settings.alerts.repeat_hours))
    progress(STEPS[4], len(STEPS), len(STEPS))
    return Maintenance(
        releases=retired.releases,
        tables=retired.tables,
        versions=retired.versions,
        index_bytes=retired.bytes,
        blobs=blobs,
        blob_bytes=blob_bytes,
        evaluations=evaluations,
        indexed=indexed,
        runs=expired.runs,
        run_bytes=expired.bytes,
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


def _expire(
    platform: Platform,
    instance: dg.DagsterInstance | None,
    now: datetime,
    progress: Callable[[int, int], None],
) -> Expired:
    if instance is not None:
        return expire_records(platform, instance, now, progress)
    if not (platform.settings.dagster_home / "dagster.yaml").exists():
        return Expired()
    with open_instance(platform.settings) as opened:
        return expire_records(platform, opened, now, progress)


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
    description="Retires old releases and runs, reclaims space, brings the indices up to date.",
)
def maintain_deployment(
    context: dg.OpExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.Output[dict[str, Any]]:
    """The one step of the job ``maintenance``."""

    def tell(step: str, done: int, total: int) -> None:
        if step in STEPS:  # a line for every run would be an event for every run
            context.log.info(f"{step} ({done} of {total})")

    with explained(platform):
        done = maintain(platform, progress=tell, instance=context.instance).to_dict()
    numbers = {name: value for name, value in done.items() if isinstance(value, int | float)}
    named = {name: ", ".join(map(str, done[name])) or "none" for name in ("releases", "tables")}
    return dg.Output(done, metadata={**numbers, **named})


@dg.job(
    name="maintenance",
    description="Retire old releases and runs, and reclaim their space.",
    executor_def=dg.in_process_executor,
)
def maintenance_job() -> None:
    """The job; it wants the resource ``platform``."""
    maintain_deployment()
