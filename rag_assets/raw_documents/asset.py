"""The Dagster node ``raw_documents``."""

import dagster as dg

from rag_assets.platform.dagster_bridge import OWNERS, SOURCE_SHARDS, code_version, execute_stage
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings

from .stage import STAGE_VERSION, run_raw_documents


def raw_documents_asset(settings: Settings) -> dg.AssetsDefinition:
    """Build the asset for a deployment's settings."""

    @dg.asset(
        partitions_def=SOURCE_SHARDS,
        group_name="ingest",
        kinds={"polars", "file"},
        owners=OWNERS,
        code_version=code_version(
            STAGE_VERSION, {name: item.model_dump() for name, item in settings.sources.items()}
        ),
    )
    def raw_documents(
        context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
    ) -> dg.MaterializeResult:
        """The manifest of the live documents of a source shard.

        The bytes are kept content-addressed, so that a document can be parsed again, or shown as
        it was, after the source has moved on. Partitioned by source shard, never by document.
        """
        return execute_stage(context, platform, run_raw_documents)

    return raw_documents
