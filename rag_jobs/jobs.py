"""Jobs: what runs together."""

import dagster as dg

INGEST_ASSETS = ("raw_documents", "parsed_documents", "chunks", "embeddings", "vector_index")

ingest_job = dg.define_asset_job(
    "ingest",
    selection=dg.AssetSelection.assets(*INGEST_ASSETS),
    description="Bring one shard's documents into the index, stage by stage, in one process.",
    executor_def=dg.in_process_executor,
)

# not "release": a job and an asset cannot have the same name
promote_job = dg.define_asset_job(
    "promote",
    selection=dg.AssetSelection.assets("release"),
    description="Judge the candidate index by its gates and promote it when they pass.",
    executor_def=dg.in_process_executor,
)
