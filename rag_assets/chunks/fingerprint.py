"""What chunks depend on besides the documents: known without loading a splitter or a model."""

from importlib.metadata import version

from rag_assets.platform.fingerprint import fingerprint
from rag_assets.platform.settings import ChunkingSettings

STAGE_VERSION = 1  # raise when the same settings give other chunks

_LIBRARIES = {"recursive": ("markdown-it-py", "semantic-text-splitter")}
_PARSER = ("markdown-it-py",)


def chunker_fingerprint(
    settings: ChunkingSettings, tokenizer: str, max_tokens: int, encoder: str = ""
) -> str:
    """The fingerprint of the chunking stage's configuration.

    Args:
        settings: the chunking settings.
        tokenizer: fingerprint of the encoder's tokenizer.
        max_tokens: most tokens the encoder sees, special tokens included.
        encoder: fingerprint of the encoder; only the splitter ``semantic`` depends on it.

    Returns:
        64 hexadecimal digits.
    """
    libraries = _LIBRARIES.get(settings.splitter, _PARSER)
    return fingerprint(
        {
            "stage": "chunks",
            "version": STAGE_VERSION,
            "settings": settings.model_dump(mode="json"),
            "tokenizer": tokenizer,
            "max_tokens": max_tokens,
            "encoder": encoder if settings.splitter == "semantic" else "",
            "libraries": {name: version(name) for name in libraries},
        }
    )
