"""The parsing stage of one shard: read, parse what is new in worker processes, write."""

import time
from datetime import datetime, timedelta

import polars as pl

from rag_assets.platform.settings import ParsingSettings, Settings
from rag_assets.platform.stage import StageOutcome, StageRun, require_upstream, write_table
from rag_assets.privacy.redaction import redaction_fingerprint
from rag_assets.raw_documents.blobs import Blobs
from rag_assets.raw_documents.schema import RAW_DOCUMENTS
from rag_assets.raw_documents.sources import parse_partition

from .personal_data import PersonalData
from .schema import PARSED_DOCUMENTS
from .transform import parse_documents, parse_pending, parsed_digest, parser_fingerprint

ASSET = "parsed_documents"


def parsing_fingerprint(settings: Settings, partition: str) -> str:
    """The fingerprint of this stage's configuration for one shard.

    Raises:
        ConfigurationError: personal data is to be hashed, and there is no key.
    """
    redaction = redaction_fingerprint(settings, parse_partition(partition)[0])
    return parser_fingerprint(settings.parsing, redaction)


def run_parsed_documents(run: StageRun) -> StageOutcome:
    """Turn a shard's new and changed documents into text; see ``transform.parse_documents``."""
    started = time.perf_counter()
    platform, settings = run.platform, run.platform.settings.parsing
    upstream = require_upstream(run, "raw_documents")
    raw = platform.tables.read("raw_documents", run.partition, RAW_DOCUMENTS)
    previous = platform.tables.read(ASSET, run.partition, PARSED_DOCUMENTS)
    personal_data = PersonalData.of(platform.settings, parse_partition(run.partition)[0])
    redaction = personal_data.fingerprint if personal_data else ""
    waiting = parse_pending(previous, raw, settings, run.now, redaction)
    update = parse_documents(
        previous,
        raw,
        Blobs(platform.storage),
        settings,
        run_id=run.run_id,
        now=run.now,
        full=run.full,
        progress=run.progress(ASSET, waiting),
        personal_data=personal_data,
    )
    statuses = update.frame["status"]
    facts = {
        "parsed": update.parsed,
        "reused": update.reused,
        "renamed_reused": update.renamed_reused,
        "documents_indexed": int((statuses == "parsed").sum()),
        "documents_empty": int((statuses == "empty").sum()),
        "documents_quarantined": int((statuses == "quarantined").sum()),
        "documents_stale": int(update.frame["stale"].sum()),
        "retried": update.retried,
        "characters": update.characters,
        "seconds": round(time.perf_counter() - started, 3),
        "next_retry_at": next_retry_at(update.frame, settings),
        "errors_by_kind": update.errors_by_kind,
    }
    stamp = run.stamp(
        parsed_digest(update.frame),
        upstream.digest,
        parsing_fingerprint(platform.settings, run.partition),
        **facts,
    )
    preview = ["document_id", "status", "title", "parser", "error_kind", "attempts"]
    return write_table(run, ASSET, update.frame, previous, stamp, preview=preview)


def next_retry_at(parsed: pl.DataFrame, settings: ParsingSettings) -> str:
    """When the first quarantined document is due for another attempt (ISO 8601), or ""."""
    waiting = parsed.filter(
        (pl.col("status") == "quarantined")
        & (pl.col("attempts") < settings.max_attempts)
        & pl.col("content_sha256").is_not_null()
    )
    due: list[datetime] = [
        attempted + timedelta(seconds=settings.retry_seconds * 2 ** (attempts - 1))
        for attempted, attempts in waiting.select("attempted_at", "attempts").iter_rows()
    ]
    return min(due).isoformat() if due else ""
