"""The one engine of a process, as the API, the OpenAI-compatible routes and MCP use it."""

from rag_assets.platform.platform import Platform
from rag_assets.query.engine import QueryEngine


def open_engine(platform: Platform, release_id: int | None = None) -> QueryEngine:
    """The engine that answers questions; nothing is loaded before its first one.

    Args:
        platform: the deployment.
        release_id: pin this release; None follows the live one.
    """
    return QueryEngine(platform, release_id)
