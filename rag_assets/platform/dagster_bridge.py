"""Between Dagster and the rooms: partitions, metadata of a stage, contracts as asset checks.

Only ``asset.py`` and ``checks.py`` modules, and the packages above, import this module: everything
else in the rooms knows nothing of Dagster.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import dagster as dg
import polars as pl

from rag_assets.platform.wording import counted

from .contracts import Expectation, Outcome, Validation
from .errors import explained_error
from .fingerprint import fingerprint
from .platform import Platform
from .processes import import_ahead, release_memory
from .settings import Settings
from .stage import StageOutcome, StageRun

SOURCE_SHARDS = dg.DynamicPartitionsDefinition(name="source_shards")
FULL_TAG = "ragline/full"
# seconds and no moment: a run that waited in the queue, or is started again, judges by its own time
SETTLE_TAG = "ragline/settle_seconds"
# a second each, by the time the last stages of a run need them
NEEDED_LATER = ("lancedb", "scipy.stats")
OWNERS = ["team:knowledge-platform"]
PLATFORM = "platform"
DAILY = timedelta(days=1)


def code_version(*parts: Any) -> str:
    """A short code version from a stage's version and the settings that shape its output."""
    return fingerprint(list(parts))[:12]


def freshness(settings: Settings, cycle: timedelta = timedelta(0)) -> dg.FreshnessPolicy:
    """When an asset counts as late in the UI.

    Args:
        settings: ``orchestration.fresh_within_hours`` says how late is too late.
        cycle: how often it is made by itself.
    """
    allowed = max(
        timedelta(hours=settings.orchestration.fresh_within_hours) + cycle, timedelta(minutes=2)
    )
    return dg.FreshnessPolicy.time_window(fail_window=allowed, warn_window=allowed * 3 / 4)


def stage_run(context: dg.AssetExecutionContext, platform: Platform) -> StageRun:
    """The circumstances of a stage, taken from Dagster's context."""
    return StageRun(
        platform=platform,
        partition=context.partition_key,
        run_id=context.run_id,
        full=context.run.tags.get(FULL_TAG) == "true",
        report=platform.report,
        settle_seconds=float(context.run.tags.get(SETTLE_TAG, "0")),
    )


def execute_stage(
    context: dg.AssetExecutionContext, platform: Platform, stage: Callable[[StageRun], StageOutcome]
) -> dg.MaterializeResult:
    """Run a stage under its shard's lock and describe the result to Dagster."""
    run = stage_run(context, platform)
    name = context.asset_key.to_user_string()
    if platform.settings.orchestration.executor == "in_process":
        import_ahead(*NEEDED_LATER)
    doing = f"materializing {name} of '{run.partition}'"
    with explained(platform), platform.lock(f"shard-{run.partition}", doing=doing, timeout=900):
        outcome = stage(run)
    # a stage's tables are gone now: the next one should not have to fit beside them
    release_memory()
    return materialized(outcome)


@contextmanager
def explained(platform: Platform) -> Iterator[None]:
    """Show an error that is meant for people as such in the UI, without a traceback."""
    try:
        yield
    except Exception as error:
        known = explained_error(error, platform.state_path)
        if known is None:
            raise
        raise dg.Failure(description=str(known)) from error


def materialized(outcome: StageOutcome) -> dg.MaterializeResult:
    """Metadata that is worth plotting, a preview and the columns of a table."""
    columns = [dg.TableColumn(name, type=kind) for name, kind in outcome.columns.items()]
    return dg.MaterializeResult(
        data_version=dg.DataVersion(outcome.digest[:32]),
        metadata={
            "dagster/row_count": outcome.rows,
            "dagster/column_schema": dg.TableSchema(columns),
            "bytes_written": outcome.bytes_written,
            "table_changed": outcome.changed,
            "preview": preview_table(outcome.preview),
            **outcome.facts,
        },
    )


def preview_table(frame: pl.DataFrame, width: int = 120) -> dg.MetadataValue:
    """A few rows as a table in the UI; long values are cut."""
    names = frame.columns
    records = [
        dg.TableRecord({name: _cell(value, width) for name, value in zip(names, row, strict=True)})
        for row in frame.iter_rows()
    ]
    columns = [dg.TableColumn(name, type=str(kind)) for name, kind in frame.schema.items()]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns))


def _cell(value: Any, width: int) -> str | int | float | bool | None:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if len(text) <= width else text[: width - 1] + "…"


def contract_check(
    asset: str, contract: Sequence[Expectation], partitions: dg.PartitionsDefinition | None
) -> dg.AssetChecksDefinition:
    """Turn a room's contract into one asset check that lists every expectation's outcome.

    One check and not one per expectation: each costs three events in Dagster's log at every run,
    which would be most of the log and of the time of a small ingest.

    Args:
        asset: the asset's key, which is also the table's name.
        contract: its expectations; those of severity ``error`` stop what comes after the asset.
        partitions: how the asset is partitioned.
    """
    with warnings.catch_warnings():
        # checks of one partition are a preview of Dagster; the alternative, a check that knows only
        # the last shard's result, would hide the others
        warnings.simplefilter("ignore", dg.PreviewWarning)

        @dg.asset_check(
            asset=asset,
            name="contract",
            description=f"The Great Expectations suite of {asset}: "
            + "; ".join(f"{item.name} ({item.why})" for item in contract)
            + ".",
            blocking=True,
            partitions_def=partitions,
        )
        def check(
            context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
        ) -> dg.AssetCheckResult:
            key = platform.tables.key(asset, context.partition_key if partitions else "")
            table = platform.storage.path(key) or platform.storage.read(key)
            return check_result(contract, platform.contracts.validate(table, contract))

    return check


def check_result(contract: Sequence[Expectation], validation: Validation) -> dg.AssetCheckResult:
    """The bridge from a validation to Dagster: the verdict, and a table of all expectations."""
    broken = [
        (item, outcome)
        for item, outcome in zip(contract, validation.outcomes, strict=True)
        if not outcome.passed
    ]
    fatal = any(item.severity == "error" for item, _ in broken)
    rows = pl.DataFrame(
        {
            "expectation": [item.name for item in contract],
            "passed": [outcome.passed for outcome in validation.outcomes],
            "unexpected_rows": [outcome.unexpected for outcome in validation.outcomes],
            "examples": [", ".join(outcome.examples) for outcome in validation.outcomes],
            "error": [outcome.error for outcome in validation.outcomes],
            "why": [item.why for item in contract],
        }
    )
    return dg.AssetCheckResult(
        passed=not broken,
        severity=dg.AssetCheckSeverity.ERROR if fatal else dg.AssetCheckSeverity.WARN,
        description="; ".join(_breach(item, outcome) for item, outcome in broken) or None,
        metadata={
            "expectations": len(contract),
            "broken": len(broken),
            "rows": validation.rows,
            "seconds": round(validation.seconds, 3),
            "outcomes": preview_table(rows),
        },
    )


def _breach(item: Expectation, outcome: Outcome) -> str:
    found = outcome.error or counted(outcome.unexpected, "row")
    examples = f", e.g. {', '.join(outcome.examples)}" if outcome.examples else ""
    return f"{item.name} does not hold ({found}{examples}): {item.why}"
