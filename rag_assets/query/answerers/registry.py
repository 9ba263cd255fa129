"""Which answerer a name stands for."""

from typing import TYPE_CHECKING

from rag_assets.platform.errors import ConfigurationError

from .base import Answerer

if TYPE_CHECKING:
    from rag_assets.encoders import Encoder
    from rag_assets.platform.settings import Settings

    from .client import LLMClient


def make_answerer(
    name: str, settings: "Settings", encoder: "Encoder", client: "LLMClient | None" = None
) -> Answerer:
    """Make an answerer; nothing heavy is loaded and nobody asked before its first use.

    Args:
        name: ``extractive`` or ``llm``.
        settings: of the deployment.
        encoder: of the release that is read.
        client: for ``llm``: one that is shared with others; default: its own.

    Raises:
        ConfigurationError: there is no answerer of that name, or no LLM server is configured.
    """
    if name == "extractive":
        from .extractive import ExtractiveAnswerer

        return ExtractiveAnswerer(encoder)
    if name == "llm":
        from .llm import LLMAnswerer

        return LLMAnswerer(settings.llm, settings.query, client)
    raise ConfigurationError(
        f"There is no answerer '{name}'.", "Set query.answerer to auto, extractive or llm."
    )
