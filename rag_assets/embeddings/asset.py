"""The Dagster node ``embeddings``."""

import dagster as dg

from rag_assets.platform.dagster_bridge import OWNERS, SOURCE_SHARDS, code_version, execute_stage
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings

from .stage import run_embeddings
from .transform import STAGE_VERSION


def embeddings_asset(settings: Settings) -> dg.AssetsDefinition:
    """Build the asset for a deployment's settings."""
    encoder = settings.encoder

    @dg.asset(
        partitions_def=SOURCE_SHARDS,
        deps=["chunks"],
        group_name="ingest",
        kinds={"polars", "openvino" if encoder.backend == "compiled" else "python"},
        owners=OWNERS,
        pool="embed",
        code_version=code_version(
            STAGE_VERSION, encoder.backend, encoder.model, encoder.dimensions
        ),
    )
    def embeddings(
        context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
    ) -> dg.MaterializeResult:
        """One vector per distinct chunk text and encoder.

        Encoding is the dear part of an ingest, so a vector is computed once: texts that another
        chunk, another shard or an earlier run has embedded are taken from there.
        """
        return execute_stage(context, platform, run_embeddings)

    return embeddings
