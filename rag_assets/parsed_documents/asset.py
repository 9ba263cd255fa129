"""The Dagster node ``parsed_documents``."""

import dagster as dg

from rag_assets.platform.dagster_bridge import OWNERS, SOURCE_SHARDS, code_version, execute_stage
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings

from .stage import run_parsed_documents
from .transform import parser_fingerprint


def parsed_documents_asset(settings: Settings) -> dg.AssetsDefinition:
    """Build the asset for a deployment's settings."""

    @dg.asset(
        partitions_def=SOURCE_SHARDS,
        deps=["raw_documents"],
        group_name="ingest",
        kinds={"polars", "rust"},
        owners=OWNERS,
        pool="parse",
        code_version=code_version(parser_fingerprint(settings.parsing)),
    )
    def parsed_documents(
        context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
    ) -> dg.MaterializeResult:
        """Markdown text, title and page map of every document, or the reason why there is none.

        Parsing runs in worker processes with limits on time and memory: one bad document is
        quarantined and never fails the run.
        """
        return execute_stage(context, platform, run_parsed_documents)

    return parsed_documents
