"""The chunking stage of one shard: read, split what changed, write."""

import hashlib
import time

from rag_assets.encoders import Encoder, make_encoder
from rag_assets.parsed_documents.schema import PARSED_DOCUMENTS
from rag_assets.platform.settings import ChunkingSettings
from rag_assets.platform.stage import StageOutcome, StageRun, require_upstream, write_table

from .registry import make_splitter
from .schema import CHUNKS
from .transform import chunk_documents, chunker_fingerprint, chunks_digest

ASSET = "chunks"


def chunking_fingerprint(settings: ChunkingSettings, encoder: Encoder) -> str:
    """The fingerprint of this stage's configuration, known without loading a model."""
    tokenizer = hashlib.sha256(encoder.tokenizer.path.read_bytes()).hexdigest()
    return chunker_fingerprint(settings, tokenizer, encoder.max_tokens, encoder.fingerprint)


def run_chunks(run: StageRun) -> StageOutcome:
    """Cut a shard's new and changed texts into passages; see ``transform.chunk_documents``."""
    started = time.perf_counter()
    platform, settings = run.platform, run.platform.settings
    encoder = make_encoder(settings.encoder, platform.state_path)
    upstream = require_upstream(run, "parsed_documents")
    own = chunking_fingerprint(settings.chunking, encoder)
    stored = platform.tables.stamp(ASSET, run.partition)
    previous = platform.tables.read(ASSET, run.partition, CHUNKS)
    same = stored is not None and stored.fingerprint == own
    update = chunk_documents(
        previous if same else CHUNKS.to_frame(),
        platform.tables.read("parsed_documents", run.partition, PARSED_DOCUMENTS),
        make_splitter(settings.chunking, encoder.encode),
        encoder.tokenizer,
        settings.chunking,
        encoder.max_tokens,
        run_id=run.run_id,
        full=run.full,
        progress=run.progress(ASSET),
    )
    facts = {
        "splitter": settings.chunking.splitter,
        "documents_chunked": update.documents_chunked,
        "documents_reused": update.documents_reused,
        "chunks": update.chunks,
        "chunks_added": update.added,
        "chunks_removed": update.removed,
        "chunks_kept": update.kept,
        "tokens": update.tokens,
        "tokens_p95": update.tokens_p95,
        "chunks_over_limit": update.over_limit,
        "seconds": round(time.perf_counter() - started, 3),
    }
    stamp = run.stamp(chunks_digest(update.frame), upstream.digest, own, **facts)
    # no text: events are kept longer than documents may be
    preview = ["chunk_id", "document_id", "ordinal", "heading_path", "token_count"]
    return write_table(run, ASSET, update.frame, previous, stamp, preview=preview)
