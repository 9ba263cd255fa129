"""Jobs: what runs together."""

from typing import Any

import dagster as dg

from rag_assets.platform.settings import Settings

from .instance.executors import small_job_executor

# they look at everything that is kept, which is more than a promotion should wait for
RELEASE_CHECKS = dg.AssetSelection.checks(
    *(dg.AssetCheckKey(dg.AssetKey("release"), name) for name in ("verified", "deletions_in_time"))
)
INGEST_ASSETS = ("raw_documents", "parsed_documents", "chunks", "embeddings", "vector_index")
INGEST_JOB = "ingest"
# not "release": a job and an asset cannot have the same name
PROMOTE_JOB = "promote"
REFRESH_JOB = "refresh"
RELEASING_JOBS = (PROMOTE_JOB, REFRESH_JOB)

ingest_job = dg.define_asset_job(
    INGEST_JOB,
    selection=dg.AssetSelection.assets(*INGEST_ASSETS),
    description="Bring one shard's documents into the index, stage by stage.",
    # no executor of its own: it goes by the setting orchestration.executor
)


def promote_job(settings: Settings) -> Any:
    """The job ``promote``: evaluate the candidate, judge it by its gates, promote it or not.

    Args:
        settings: with ``gates.answers`` questions are answered before every promotion too.
    """
    return dg.define_asset_job(
        PROMOTE_JOB,
        selection=dg.AssetSelection.assets(*_promoting(settings)) - RELEASE_CHECKS,
        description="Evaluate the candidate index, judge it by its gates, promote it if they pass.",
        executor_def=small_job_executor,
    )


def refresh_job(settings: Settings) -> Any:
    """The job ``refresh``: both in one process, which is started and loaded only once.

    Args:
        settings: as ``promote_job``.
    """
    assets = dg.AssetSelection.assets(*INGEST_ASSETS, *_promoting(settings))
    return dg.define_asset_job(
        REFRESH_JOB,
        selection=assets - RELEASE_CHECKS,
        description="Bring one shard's documents into the index, judge it, promote it.",
        executor_def=small_job_executor,
    )


def _promoting(settings: Settings) -> tuple[str, ...]:
    answers = ("answer_evaluation",) if settings.gates.answers else ()
    return ("golden_questions", "retrieval_evaluation", "replay", *answers, "release")


evaluate_answers_job = dg.define_asset_job(
    "evaluate_answers",
    selection=dg.AssetSelection.assets(
        "golden_questions", "answer_evaluation", "evaluation_dashboard"
    ),
    description="Answer the golden questions, judge the answers, renew the dashboard.",
    executor_def=small_job_executor,
)

live_job = dg.define_asset_job(
    "live",
    selection=dg.AssetSelection.assets("query_log", "live_faithfulness"),
    description="Add up a day's real queries and judge a sample of their answers.",
    executor_def=small_job_executor,
)

costs_job = dg.define_asset_job(
    "costs",
    selection=dg.AssetSelection.assets("query_log", "query_costs", "evaluation_dashboard"),
    description="Add up what a day's real queries cost, renew the dashboard.",
    executor_def=small_job_executor,
)

verify_job = dg.define_asset_job(
    "verify",
    selection=RELEASE_CHECKS,
    description="Compare the live release with what it should hold, look for overdue deletions.",
    executor_def=small_job_executor,
)
