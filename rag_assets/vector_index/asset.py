"""The Dagster node ``vector_index``."""

import dagster as dg

from rag_assets.platform.dagster_bridge import OWNERS, SOURCE_SHARDS, code_version, execute_stage
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings

from .configuration import STAGE_VERSION
from .stage import UPSTREAM, run_vector_index


def vector_index_asset(settings: Settings) -> dg.AssetsDefinition:
    """Build the asset for a deployment's settings."""

    @dg.asset(
        partitions_def=SOURCE_SHARDS,
        deps=list(UPSTREAM),
        group_name="ingest",
        kinds={"lancedb"},
        owners=OWNERS,
        pool="index_write",
        code_version=code_version(STAGE_VERSION),
    )
    def vector_index(
        context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
    ) -> dg.MaterializeResult:
        """The shard's rows in LanceDB: vectors, full text, filters.

        Only rows that differ are written, in one atomic commit. Readers do not see them before a
        release names the version.
        """
        return execute_stage(context, platform, run_vector_index)

    return vector_index
