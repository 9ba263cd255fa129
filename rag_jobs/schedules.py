"""Schedules: answers and checks every night, real answers every hour, maintenance every week; UTC.

A tick that has nothing to do says why. A day is requested again only when there is something new:
Dagster tells ticks apart, not what they ask for, so the run keys of earlier runs are looked up here.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from evals.live.days import ONE_DAY, day_of
from evals.live.store import queries_on
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.releases.registry import Registry

RUN_KEY_TAG = "dagster/run_key"
UNSUCCESSFUL = {DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED}
NO_RELEASE = "nothing has been released yet: run 'ragline ingest' first"
NO_LOG = "query.log is off: questions are not recorded"


def schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """Every schedule of a deployment; all of them run unless somebody stops them."""
    return [
        _whenever_released(
            settings.evaluation.answers_cron,
            "nightly_answer_evaluation",
            "evaluate_answers",
            "Answers the golden questions from the live release and judges the answers.",
        ),
        _hourly_faithfulness(settings.evaluation.live_cron, date_of(settings)),
        _daily_costs(settings.evaluation.costs_cron, date_of(settings)),
        _whenever_released(
            settings.releases.verify_cron,
            "nightly_verification",
            "verify",
            "Compares the live release with what it should hold, and looks for overdue deletions.",
        ),
        _whenever_released(
            settings.releases.maintenance_cron,
            "weekly_maintenance",
            "maintenance",
            "Optimizes the index; removes old releases, runs, events and bytes that nothing needs.",
        ),
    ]


def date_of(settings: Settings) -> date:
    """The first day that the daily assets have."""
    return date.fromisoformat(settings.evaluation.first_day)


def _whenever_released(
    cron: str, name: str, job_name: str, description: str
) -> dg.ScheduleDefinition:
    """A schedule of a job that needs nothing but a release."""

    @dg.schedule(
        cron,
        name=name,
        job_name=job_name,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=description,
    )
    def schedule(
        context: dg.ScheduleEvaluationContext, platform: dg.ResourceParam[Platform]
    ) -> dg.RunRequest | dg.SkipReason:
        if Registry(platform.database).live() is None:
            return dg.SkipReason(NO_RELEASE)
        return dg.RunRequest(run_key=f"{name}:{_now(context).isoformat()}")

    return schedule


def _hourly_faithfulness(cron: str, first: date) -> dg.ScheduleDefinition:
    @dg.schedule(
        cron,
        name="hourly_live_faithfulness",
        job_name="live",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Judges today's real answers, and once more yesterday's when it is over.",
    )
    def schedule(
        context: dg.ScheduleEvaluationContext, platform: dg.ResourceParam[Platform]
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        reason = _nothing_to_read(platform)
        if reason:
            yield dg.SkipReason(reason)
            return
        today = day_of(_now(context))
        wanted = [
            (day, f"live:{day}:{queries}{over}")
            # what came after yesterday's last run is counted by the first one of today
            for day, over in ((today - ONE_DAY, ":over"), (today, ""))
            if day >= first and (queries := queries_on(platform.database, day))
        ]
        pending = [(day, key) for day, key in wanted if not _requested(context, key)]
        for day, key in pending:
            yield dg.RunRequest(partition_key=day.isoformat(), run_key=key)
        if not pending:
            new = " since the last run" if wanted else " yesterday and today"
            yield dg.SkipReason(f"nothing was asked{new}")

    return schedule


def _daily_costs(cron: str, first: date) -> dg.ScheduleDefinition:
    @dg.schedule(
        cron,
        name="daily_query_costs",
        job_name="costs",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Adds up what yesterday's real queries cost.",
    )
    def schedule(
        context: dg.ScheduleEvaluationContext, platform: dg.ResourceParam[Platform]
    ) -> dg.RunRequest | dg.SkipReason:
        reason = _nothing_to_read(platform)
        if reason:
            return dg.SkipReason(reason)
        yesterday = day_of(_now(context)) - ONE_DAY
        if yesterday < first:
            return dg.SkipReason(f"{yesterday} is before evaluation.first_day ({first})")
        # a day without queries is a day too: its zeros are a fact, not a gap
        key = f"costs:{yesterday}:{queries_on(platform.database, yesterday)}"
        if _requested(context, key):
            return dg.SkipReason(f"the costs of {yesterday} have been added up")
        return dg.RunRequest(partition_key=yesterday.isoformat(), run_key=key)

    return schedule


def _nothing_to_read(platform: Platform) -> str:
    """Why there can be no queries; empty when there can."""
    if platform.settings.query.log == "off":
        return NO_LOG
    return "" if Registry(platform.database).live() is not None else NO_RELEASE


def _requested(context: dg.ScheduleEvaluationContext, key: str) -> bool:
    """Whether a run with this key is at work or has succeeded; one that failed is tried again."""
    statuses = [status for status in DagsterRunStatus if status not in UNSUCCESSFUL]
    filters = RunsFilter(tags={RUN_KEY_TAG: key}, statuses=statuses)
    return bool(context.instance.get_runs(filters, limit=1))


def _now(context: dg.ScheduleEvaluationContext) -> datetime:
    """The time the tick was meant for, which is the same however late it comes."""
    return context.scheduled_execution_time.astimezone(UTC)
