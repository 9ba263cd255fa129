"""``ragline ingest``: find what is pending, run the Dagster jobs for it, report what happened."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from rag_assets.encoders import make_encoder
from rag_assets.platform.platform import Platform
from rag_assets.releases.history import History
from rag_assets.releases.registry import Registry, Release

from .pending import Pending, ShardPending, find_pending
from .release_due import release_due
from .retired import drop_shard

if TYPE_CHECKING:
    from dagster import DagsterInstance, Definitions, ExecuteInProcessResult

COUNTED = (
    "added",
    "changed",
    "renamed",
    "deleted",
    "parsed",
    "embedded",
    "embedding_cache_hits",
)


@dataclass
class Summary:
    """What one ingest did; ``ragline ingest --json`` prints it.

    Attributes:
        listed: documents the sources list now.
        added, changed, renamed, deleted: documents, against the manifest before.
        parsed: documents that went through a parser.
        quarantined: documents in quarantine now.
        chunks: chunks of the released index.
        embedded, embedding_cache_hits: distinct texts encoded, and found encoded already.
        release: id of the live release, or None.
        released: whether this ingest promoted it.
        waiting: why the index as it is has not been released, when promotions are held back.
        seconds: wall time in all and by stage.
        runs: Dagster run ids.
        unavailable: sources that could not be listed, with the reason.
        failed: shards or gates that failed, with the reason.
    """

    listed: int = 0
    added: int = 0
    changed: int = 0
    renamed: int = 0
    deleted: int = 0
    parsed: int = 0
    quarantined: int = 0
    chunks: int = 0
    embedded: int = 0
    embedding_cache_hits: int = 0
    release: int | None = None
    released: bool = False
    waiting: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)
    unavailable: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether everything that was asked for was done."""
        return not self.unavailable and not self.failed

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return asdict(self)


def ingest(
    platform: Platform,
    *,
    source: str | None = None,
    full: bool = False,
    announce: Callable[[Pending], None] = lambda pending: None,
) -> Summary:
    """Bring the released index in step with the sources.

    Args:
        platform: the deployment.
        source: only this source.
        full: read, parse, split and encode everything again.
        announce: told what is pending before the work begins.

    Raises:
        AlreadyRunning: another ingest is at work.
        ConfigurationError: no source is configured, or ``source`` is unknown.
    """
    started = time.perf_counter()
    with platform.lock("ingest", doing="ragline ingest"):
        pending = find_pending(platform, source)
        announce(pending)
        summary = Summary(listed=sum(shard.listed for shard in pending.shards))
        summary.unavailable = {shard.partition: shard.unavailable for shard in pending.unavailable}
        shards = (
            [shard for shard in pending.shards if not shard.unavailable] if full else pending.work
        )
        summary.seconds["find_pending"] = time.perf_counter() - started
        # where no source could ever be read, an empty release would only look like an answer
        if shards or pending.emptied or (pending.release_due and pending.anything_built):
            _run(platform, pending, shards, full, summary)
        elif pending.release_reason and not pending.release_due:
            _describe_verdict(platform, pending.release_reason, summary)
        _describe_state(platform, pending, summary)
    summary.seconds["total"] = time.perf_counter() - started
    summary.seconds = {name: round(value, 3) for name, value in summary.seconds.items()}
    return summary


def _run(
    platform: Platform, pending: Pending, shards: list[ShardPending], full: bool, summary: Summary
) -> None:
    started = time.perf_counter()
    # before anything large is in memory: the first export of a model takes a gigabyte of its own
    make_encoder(platform.settings.encoder, platform.state_path).prepare()
    summary.seconds["prepare_encoder"] = time.perf_counter() - started
    platform.contracts.warm_up()
    started = time.perf_counter()
    from rag_assets.platform.dagster_bridge import NEEDED_LATER, SOURCE_SHARDS
    from rag_assets.platform.processes import import_ahead
    from rag_assets.raw_documents.sources import partition_keys

    from .assembly import build_definitions
    from .instance import close_orphans, open_instance, sync_partitions

    instance = open_instance(platform.settings)
    close_orphans(instance)
    definitions = build_definitions(platform)
    configured = partition_keys(platform.settings)
    retired = [shard.partition for shard in pending.shards if shard.retired]
    sync_partitions(instance, SOURCE_SHARDS, [*configured, *retired])
    # the main thread will wait for the first contract while Great Expectations is being imported:
    # the imports of LanceDB and of the statistics, a second each, fit into that time
    import_ahead(*NEEDED_LATER)
    summary.seconds["load_dagster"] = time.perf_counter() - started
    for shard in shards:
        result = _execute(definitions, instance, "ingest", shard.partition, full)
        _collect(result, summary, shard.partition)
        if result.success and shard.retired:
            drop_shard(platform, shard.partition)
    for shard in pending.emptied:
        drop_shard(platform, shard.partition)
    sync_partitions(instance, SOURCE_SHARDS, configured)
    due, reason = release_due(platform)
    # where nothing speaks against it the release looks for itself: its version may have been lost
    if not summary.failed and (due or full or not reason):
        result = _execute(definitions, instance, "promote", None, full)
        _collect(result, summary, "release")
    elif not summary.failed:
        _describe_verdict(platform, reason, summary)
    platform.contracts.close()


def _execute(
    definitions: "Definitions",
    instance: "DagsterInstance",
    job: str,
    partition: str | None,
    full: bool,
) -> "ExecuteInProcessResult":
    from rag_assets.platform.dagster_bridge import FULL_TAG

    from .instance import cli_tags

    tags = cli_tags() | ({FULL_TAG: "true"} if full else {})
    return definitions.resolve_job_def(job).execute_in_process(
        instance=instance,
        partition_key=partition,
        raise_on_error=False,
        tags=tags,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )


def _collect(result: "ExecuteInProcessResult", summary: Summary, name: str) -> None:
    """Add up what the stages reported, and keep the reason of a failure."""
    summary.runs.append(result.run_id)
    for event in result.all_events:
        if event.is_step_materialization:
            metadata = event.materialization.metadata
            facts: dict[str, Any] = {key: item.value for key, item in metadata.items()}
            stage = event.asset_key.to_user_string() if event.asset_key else ""
            spent = summary.seconds.get(stage, 0.0)
            summary.seconds[stage] = spent + float(facts.get("seconds", 0.0))
            for key in COUNTED:
                setattr(summary, key, getattr(summary, key) + int(facts.get(key, 0)))
            if stage == "release" and result.success:
                summary.released = bool(facts["created"]) and facts["status"] == "live"
                summary.waiting = facts["reason"] if facts["status"] == "candidate" else ""
    if not result.success:
        summary.failed[name] = _failure(result)


def _failure(result: "ExecuteInProcessResult") -> str:
    """The reason of a failed run, as a person wants to read it."""
    failed = [
        f"{item.asset_key.to_user_string()}.{item.check_name}: {item.description or 'does not hold'}"
        for item in result.get_asset_check_evaluations()
        if not item.passed and item.severity.value == "ERROR"
    ]
    if failed:
        return "; ".join(failed)
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            if data.user_failure_data is not None and data.user_failure_data.description:
                return data.user_failure_data.description
            error = data.error
            while error is not None and error.cause is not None:
                error = error.cause
            if error is not None:
                return error.message.strip()
    return "the run failed; see it in the Dagster UI ('ragline ui')"


def _describe_verdict(platform: Platform, reason: str, summary: Summary) -> None:
    """Nothing is to be done, and yet what readers see is not what the sources say: say why."""
    if History(platform.database).hold() is not None:
        summary.waiting = reason
    else:
        summary.failed["release"] = reason


def _describe_state(platform: Platform, pending: Pending, summary: Summary) -> None:
    live: Release | None = Registry(platform.database).live()
    summary.release = live.id if live else None
    summary.chunks = live.chunks if live else 0
    for shard in pending.shards:
        stamp = platform.tables.stamp("parsed_documents", shard.partition)
        if stamp is not None:
            summary.quarantined += int(stamp.facts.get("documents_quarantined", 0))
