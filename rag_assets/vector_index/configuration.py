"""The configuration an index is built with, as fingerprints."""

from rag_assets.chunks.stage import chunking_fingerprint
from rag_assets.encoders import Encoder, make_encoder
from rag_assets.parsed_documents.transform import parser_fingerprint
from rag_assets.platform.fingerprint import fingerprint
from rag_assets.platform.platform import Platform

from .table import table_name

STAGE_VERSION = 3


def index_fingerprints(platform: Platform, encoder: Encoder | None = None) -> dict[str, str]:
    """Fingerprints of parser, chunker, encoder and of the index made of them."""
    settings = platform.settings
    encoder = encoder or make_encoder(settings.encoder, platform.state_path)
    parts = {
        "parser": parser_fingerprint(settings.parsing),
        "chunker": chunking_fingerprint(settings.chunking, encoder),
        "encoder": encoder.fingerprint,
    }
    return {**parts, "index": fingerprint({**parts, "version": STAGE_VERSION})}


def index_table_name(fingerprints: dict[str, str]) -> str:
    """The LanceDB table of a configuration."""
    return table_name(fingerprints["index"])
