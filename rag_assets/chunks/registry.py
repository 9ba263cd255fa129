"""The splitters by name."""

from collections.abc import Callable

from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.settings import ChunkingSettings

from .base import Splitter
from .fixed import FixedSplitter
from .recursive import RecursiveSplitter
from .semantic import Encode, SemanticSplitter
from .sentence import SentenceSplitter
from .structure import StructureSplitter

SPLITTERS: dict[str, Callable[[], Splitter]] = {
    StructureSplitter.name: StructureSplitter,
    RecursiveSplitter.name: RecursiveSplitter,
    FixedSplitter.name: FixedSplitter,
    SentenceSplitter.name: SentenceSplitter,
}
NAMES = (*SPLITTERS, SemanticSplitter.name)


def make_splitter(settings: ChunkingSettings, encode: Encode | None = None) -> Splitter:
    """Make the splitter that the settings name.

    Args:
        settings: ``splitter`` is one of ``NAMES``.
        encode: texts to unit vectors; only ``semantic`` needs it.

    Raises:
        ConfigurationError: there is no such splitter, or ``semantic`` has no encoder.
    """
    if settings.splitter in SPLITTERS:
        return SPLITTERS[settings.splitter]()
    if settings.splitter != SemanticSplitter.name:
        raise ConfigurationError(
            f"There is no splitter '{settings.splitter}'.",
            f"Set chunking.splitter to one of: {', '.join(NAMES)}.",
        )
    if encode is None:
        raise ConfigurationError(
            "The splitter 'semantic' needs an encoder, and none was given.",
            "Pass the encoder's encode, or set chunking.splitter = 'structure'.",
        )
    return SemanticSplitter(encode)
