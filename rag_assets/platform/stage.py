"""What every stage of the lineage graph shares: its context, its outcome, its atomic write."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import polars as pl

from .platform import Platform
from .tables import Stamp


class Report(NamedTuple):
    """How far a stage has come: ``total`` is 0 while it is not known."""

    stage: str
    partition: str
    done: int
    total: int


@dataclass(frozen=True)
class StageRun:
    """The circumstances of one execution of a stage.

    Attributes:
        platform: settings, storage, tables.
        partition: the shard's partition key.
        run_id: the Dagster run.
        full: do the work again for every row.
        report: told how far the stage has come.
        now: UTC time of the run.
        settle_seconds: files that have been left alone for less are still being written, and are
            not read yet; 0 reads everything at once, as a person expects who asks for it.
    """

    platform: Platform
    partition: str
    run_id: str
    full: bool = False
    report: Callable[[Report], None] = lambda report: None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    settle_seconds: float = 0.0

    def progress(self, stage: str, total: int = 0) -> Callable[[int], None]:
        """A counter for a pure function that knows nothing of stages: told how many more are done."""
        done = 0

        def count(more: int) -> None:
            nonlocal done
            done += more
            self.report(Report(stage, self.partition, done, total))

        return count

    def stamp(self, digest: str, upstream: str, fingerprint: str, **facts: Any) -> Stamp:
        """The stamp of a table that this run writes."""
        written_at = self.now.isoformat(timespec="seconds")
        return Stamp(digest, upstream, fingerprint, self.run_id, written_at, facts)


@dataclass(frozen=True)
class StageOutcome:
    """What a stage did, for metadata and for the summary of ``ragline ingest``.

    Attributes:
        rows: rows of the table now.
        digest: the content's fingerprint; Dagster's data version.
        changed: whether the table was written.
        bytes_written: bytes written for it.
        facts: numbers and short texts worth plotting.
        preview: a few rows to look at.
        columns: names and types of the table's columns.
    """

    rows: int
    digest: str
    changed: bool
    bytes_written: int
    facts: dict[str, Any]
    preview: pl.DataFrame
    columns: dict[str, str]


def write_table(
    run: StageRun,
    asset: str,
    frame: pl.DataFrame,
    previous: pl.DataFrame,
    stamp: Stamp,
    *,
    preview: list[str],
) -> StageOutcome:
    """Write a shard's table if anything about it changed, and describe it.

    Args:
        run: the circumstances.
        asset: the table's name.
        frame, previous: the new and the stored rows.
        stamp: the new stamp, with the facts to report.
        preview: columns to show.
    """
    tables = run.platform.tables
    stored = tables.stamp(asset, run.partition)
    same_origin = stored is not None and (stored.digest, stored.upstream, stored.fingerprint) == (
        stamp.digest,
        stamp.upstream,
        stamp.fingerprint,
    )
    same_rows = stored is not None and frame.height == previous.height and frame.equals(previous)
    written = 0
    if not (same_origin and same_rows and _lasting(stored) == _lasting(stamp)):
        written = tables.write(asset, run.partition, frame, stamp)
    return StageOutcome(
        rows=frame.height,
        digest=stamp.digest,
        changed=not same_rows,
        bytes_written=written,
        facts=stamp.facts,
        preview=frame.select(preview).head(8),
        columns={name: str(kind) for name, kind in frame.schema.items()},
    )


def _lasting(stamp: Stamp | None) -> Any:
    return stamp.facts.get("next_retry_at") if stamp else None


def require_upstream(run: StageRun, asset: str) -> Stamp:
    """The stamp of an upstream table, which must be there."""
    from .errors import StorageError

    stamp = run.platform.tables.stamp(asset, run.partition)
    if stamp is None:
        raise StorageError(
            f"The table {asset} of '{run.partition}' is missing.",
            "Materialize the assets before this one first, or run 'ragline ingest'.",
        )
    return stamp
