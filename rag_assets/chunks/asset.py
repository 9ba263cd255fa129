"""The Dagster node ``chunks``."""

import dagster as dg

from rag_assets.platform.dagster_bridge import OWNERS, SOURCE_SHARDS, code_version, execute_stage
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings

from .stage import run_chunks
from .transform import STAGE_VERSION


def chunks_asset(settings: Settings) -> dg.AssetsDefinition:
    """Build the asset for a deployment's settings."""

    @dg.asset(
        partitions_def=SOURCE_SHARDS,
        deps=["parsed_documents"],
        group_name="ingest",
        kinds={"polars", "rust"},
        owners=OWNERS,
        code_version=code_version(
            STAGE_VERSION, settings.chunking.model_dump(), settings.encoder.model
        ),
    )
    def chunks(
        context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
    ) -> dg.MaterializeResult:
        """Passages with exact character and page spans of the parsed text.

        Cut along the document's structure and measured in the encoder's own tokens, so that an
        edit changes only the chunks it touches and nothing of a chunk is invisible to the encoder.
        """
        return execute_stage(context, platform, run_chunks)

    return chunks
