"""The one place where everything meets: assets, checks, jobs and resources of one platform."""

from dataclasses import replace

import dagster as dg

from evals.answer_evaluation.asset import answer_evaluation_asset
from evals.evaluation_dashboard.asset import evaluation_dashboard_asset
from evals.gates.gates import evaluation_gates
from evals.golden_questions.asset import golden_questions_asset
from evals.golden_questions.checks import CONTRACT as QUESTIONS_CONTRACT
from evals.live.asset import live_faithfulness_asset, query_costs_asset, query_log_asset
from evals.replay.asset import replay_asset
from evals.retrieval_evaluation.asset import retrieval_evaluation_asset
from rag_assets.chunks.asset import chunks_asset
from rag_assets.chunks.checks import CONTRACT as CHUNKS_CONTRACT
from rag_assets.embeddings.asset import embeddings_asset
from rag_assets.embeddings.checks import CONTRACT as EMBEDDINGS_CONTRACT
from rag_assets.parsed_documents.asset import parsed_documents_asset
from rag_assets.parsed_documents.checks import CONTRACT as PARSED_CONTRACT
from rag_assets.platform.dagster_bridge import PLATFORM, SOURCE_SHARDS, contract_check
from rag_assets.platform.platform import Platform
from rag_assets.query.resource import RAG_QUERY, rag_query_resource
from rag_assets.raw_documents.asset import raw_documents_asset
from rag_assets.raw_documents.checks import CONTRACT as RAW_CONTRACT
from rag_assets.releases.asset import release_asset
from rag_assets.vector_index.asset import vector_index_asset
from rag_assets.vector_index.checks import CONTRACT as INDEX_CONTRACT
from rag_assets.verification.checks import verified_check

from .forgetting.deletions import deletions_check
from .instance.executors import make_executor
from .jobs import costs_job, evaluate_answers_job, live_job, verify_job
from .maintain import maintenance_job
from .release_changes import release_changes
from .release_jobs import RELEASE_JOBS
from .schedules import schedules
from .sensors import sensors

CONTRACTS = {
    "raw_documents": RAW_CONTRACT,
    "parsed_documents": PARSED_CONTRACT,
    "chunks": CHUNKS_CONTRACT,
    "embeddings": EMBEDDINGS_CONTRACT,
    "vector_index": INDEX_CONTRACT,
}


def build_definitions(platform: Platform) -> dg.Definitions:
    """Everything Dagster serves, for one configured platform.

    Nothing of it knows another one: not a resource, and no asset that was shaped by its settings.

    Args:
        platform: where the runs will read and write.

    Raises:
        MissingExtra: the executor of the settings is not installed.
    """
    settings = platform.settings
    return dg.Definitions(
        assets=[
            raw_documents_asset(settings),
            parsed_documents_asset(settings),
            chunks_asset(settings),
            embeddings_asset(settings),
            vector_index_asset(settings),
            golden_questions_asset(settings),
            retrieval_evaluation_asset(settings),
            replay_asset(settings),
            answer_evaluation_asset(settings),
            release_asset(settings, replace(evaluation_gates(settings), describe=release_changes)),
            query_log_asset(settings),
            live_faithfulness_asset(settings),
            query_costs_asset(settings),
            evaluation_dashboard_asset(settings),
        ],
        asset_checks=[
            *(
                contract_check(asset, contract, SOURCE_SHARDS)
                for asset, contract in CONTRACTS.items()
            ),
            contract_check("golden_questions", QUESTIONS_CONTRACT, None),
            verified_check(settings),
            deletions_check(settings),
        ],
        # ingest, promote and refresh come with the sensor that starts them
        jobs=[
            evaluate_answers_job,
            live_job,
            costs_job,
            verify_job,
            maintenance_job,
            *RELEASE_JOBS,
        ],
        schedules=schedules(settings),
        sensors=sensors(settings),
        resources={PLATFORM: platform, RAG_QUERY: rag_query_resource(platform)},
        executor=make_executor(settings),
    )
