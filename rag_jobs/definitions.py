"""What Dagster loads: the definitions of the deployment that this process finds itself in."""

from rag_assets.platform.platform import Platform

from .assembly import build_definitions

defs = build_definitions(Platform.load())
