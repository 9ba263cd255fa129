"""The Dagster nodes ``query_log``, ``live_faithfulness`` and ``query_costs``: real use, by day."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

import dagster as dg

from rag_assets.platform.dagster_bridge import (
    DAILY,
    OWNERS,
    code_version,
    explained,
    freshness,
)
from rag_assets.platform.fingerprint import fingerprint
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.query.log import AnswerLog, AnswerRecord

from . import store
from .costs import costs_of_day
from .days import elapsed_share, window_of
from .faithfulness import judge_day, judge_with_llm, live_metrics
from .metadata import costs_metadata, coverage_check, day_metadata, faithfulness_metadata
from .query_log import summarize_day
from .sample import sampled

GROUP = "live"
# so long a second run of the same day waits for the first one
LOCK_SECONDS = 900.0


def daily_partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """The days of real use in UTC, today included, whose numbers go up to now."""
    return dg.DailyPartitionsDefinition(start_date=settings.evaluation.first_day, end_offset=1)


def query_log_asset(settings: Settings) -> dg.AssetsDefinition:
    """Build the asset for a deployment's settings."""

    @dg.asset(
        group_name=GROUP,
        kinds={"sqlalchemy"},
        owners=OWNERS,
        partitions_def=daily_partitions(settings),
        freshness_policy=freshness(settings, DAILY),
        code_version=code_version("query_log", 1),
    )
    def query_log(
        context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
    ) -> dg.MaterializeResult:
        """What was asked on a day: queries, latencies, abstentions, degradations, money.

        Partitioned by the day of UTC on which a question came, so that a day is computed again as
        a whole; today's numbers go up to the moment of the run.
        """
        day = _day(context)
        with _computing(platform, "query_log", day):
            summary = summarize_day(_records(platform, day), platform.settings.query.log)
            store.replace_query_day(platform.database, day, summary, context.run_id)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(fingerprint(summary)[:32]),
            metadata=day_metadata(summary),
        )

    return query_log


def live_faithfulness_asset(settings: Settings) -> dg.AssetsDefinition:
    """Build the asset for a deployment's settings."""
    judge = settings.judge

    @dg.asset(
        deps=["query_log"],
        group_name=GROUP,
        pool="judge",
        kinds={"ragas", "deepeval"},
        owners=OWNERS,
        partitions_def=daily_partitions(settings),
        code_version=code_version(
            "live_faithfulness",
            1,
            live_metrics(judge),
            judge.model,
            settings.evaluation.live_sample,
        ),
        check_specs=[
            dg.AssetCheckSpec(
                "coverage",
                asset="live_faithfulness",
                description="Enough of the sampled answers were judged for the scores to count.",
            )
        ],
    )
    def live_faithfulness(
        context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
    ) -> Iterator[dg.MaterializeResult]:
        """How faithful a day's real answers were to what was read for them.

        A random sample of the day is judged by the LLM that is configured as a judge, against the
        passages of the release that answered; the support of their sentences needs no judge.
        """
        day = _day(context)
        with _computing(platform, "live_faithfulness", day):
            share = elapsed_share(day, datetime.now(UTC))
            size = platform.settings.evaluation.live_sample
            sample = sampled(_records(platform, day), size, share)
            previous = store.judgements_of(platform.database, day)
            judged = judge_day(platform, sample, previous, judge_with_llm)
            store.replace_judgements(platform.database, day, judged.rows)
        scores = store.scores_of(judged.rows)
        yield dg.MaterializeResult(
            data_version=dg.DataVersion(fingerprint(scores.to_dicts())[:32]),
            metadata=faithfulness_metadata(judged, scores, platform.settings),
            check_results=[coverage_check(scores, judged, platform.settings.judge)],
        )

    return live_faithfulness


def query_costs_asset(settings: Settings) -> dg.AssetsDefinition:
    """Build the asset for a deployment's settings."""

    @dg.asset(
        # what judging a day cost is known when it was judged
        deps=["query_log", "live_faithfulness"],
        group_name=GROUP,
        kinds={"sqlalchemy"},
        owners=OWNERS,
        partitions_def=daily_partitions(settings),
        freshness_policy=freshness(settings, DAILY),
        code_version=code_version("query_costs", 1),
    )
    def query_costs(
        context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
    ) -> dg.MaterializeResult:
        """What a day's queries cost, by answerer and model, and what judging them cost.

        Money is what was recorded with each answer when it was given: a new price list does not
        rewrite the past.
        """
        day = _day(context)
        with _computing(platform, "query_costs", day):
            judgements = store.judgements_of(platform.database, day)
            costs = costs_of_day(_records(platform, day), judgements)
            store.replace_costs(platform.database, day, costs, context.run_id)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(fingerprint(costs.to_dicts())[:32]),
            metadata=costs_metadata(costs, platform.settings),
        )

    return query_costs


def _day(context: dg.AssetExecutionContext) -> date:
    return date.fromisoformat(context.partition_key)


def _records(platform: Platform, day: date) -> list[AnswerRecord]:
    return AnswerLog(platform.database).between(*window_of(day))


@contextmanager
def _computing(platform: Platform, asset: str, day: date) -> Iterator[None]:
    """One run of a day at a time; errors for people are shown as such."""
    name = f"{asset}-{day:%d}"  # of the month: a lock's file stays, and there should be few
    doing = f"computing {asset} of {day}"
    with explained(platform), platform.lock(name, doing=doing, timeout=LOCK_SECONDS):
        yield
