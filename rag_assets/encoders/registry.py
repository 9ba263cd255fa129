"""Which encoder the settings ask for."""

from pathlib import Path
from typing import TYPE_CHECKING

from rag_assets.platform.errors import EncoderError

from .base import Encoder

if TYPE_CHECKING:
    from rag_assets.platform.settings import EncoderSettings


def make_encoder(settings: "EncoderSettings", state_path: Path) -> Encoder:
    """Make the encoder of a deployment; nothing heavy is loaded before its first use.

    Args:
        settings: the section ``[encoder]`` of the settings.
        state_path: the local state folder; exported models and locks live in it.

    Raises:
        EncoderError: the model cannot be found, or the back end does not support it.
    """
    if settings.backend == "compiled":
        from .compiled import CompiledEncoder

        return CompiledEncoder(settings.model, state_path, batch_size=settings.batch_size)
    if settings.backend == "sentence-transformers":
        from .sentence_transformer import SentenceTransformerEncoder

        return SentenceTransformerEncoder(
            settings.model, state_path, batch_size=settings.batch_size, device=settings.device
        )
    if settings.backend == "openai":
        from .openai_compatible import OpenAICompatibleEncoder

        return OpenAICompatibleEncoder(settings, state_path)
    raise EncoderError(
        f"There is no encoder back end '{settings.backend}'.",
        "Set encoder.backend to compiled, sentence-transformers or openai.",
    )
