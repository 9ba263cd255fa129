"""Run the stages without Dagster, and look at what a release serves; for tests of the rules."""

import io
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import polars as pl

from rag_assets.chunks.stage import run_chunks
from rag_assets.embeddings.stage import run_embeddings
from rag_assets.parsed_documents.stage import run_parsed_documents
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import load_settings
from rag_assets.platform.stage import StageOutcome, StageRun
from rag_assets.raw_documents.stage import run_raw_documents
from rag_assets.releases.candidate import Promotion, release_candidate
from rag_assets.releases.registry import Registry
from rag_assets.vector_index.reader import IndexReader
from rag_assets.vector_index.stage import run_vector_index
from rag_jobs.pending import STAGES, find_pending

RUNNERS = {
    "raw_documents": run_raw_documents,
    "parsed_documents": run_parsed_documents,
    "chunks": run_chunks,
    "embeddings": run_embeddings,
    "vector_index": run_vector_index,
}
SERVED = [
    "chunk_id",
    "document_id",
    "ordinal",
    "text",
    "title",
    "heading_path",
    "char_start",
    "char_end",
    "acl",
    "attributes",
    "content_sha256",
    "modified_at",
    "uri",
    "stale",
]


def run_stages(platform: Platform, run_id: str = "run") -> dict[str, dict[str, StageOutcome]]:
    """Do what ``ragline ingest`` does, without Dagster, contracts and evaluations."""
    done = build_index(platform, run_id)
    if done or find_pending(platform).release_due:
        promotion: Promotion = release_candidate(platform, run_id)
        assert promotion.promoted, promotion.release.reason
    return done


def build_index(platform: Platform, run_id: str = "run") -> dict[str, dict[str, StageOutcome]]:
    """Bring the index in step with the sources, and release nothing."""
    done: dict[str, dict[str, StageOutcome]] = {}
    pending = find_pending(platform)
    assert not pending.unavailable, pending.unavailable
    for shard in pending.work:
        run = StageRun(platform, shard.partition, run_id)
        done[shard.partition] = {stage: RUNNERS[stage](run) for stage in STAGES}
        if shard.retired:
            for stage in STAGES:
                platform.tables.drop(stage, shard.partition)
    return done


def served(platform: Platform) -> pl.DataFrame:
    """Every row that the live release serves, sorted, without what names a run."""
    live = Registry(platform.database).live()
    assert live is not None
    reader = IndexReader(platform.lancedb_uri, live.table_name, live.tag)
    frame = pl.from_arrow(reader._dataset.to_table(columns=SERVED))
    assert isinstance(frame, pl.DataFrame)
    return frame.sort("chunk_id")


def rebuilt(platform: Platform, home: Path) -> Platform:
    """The same deployment built from nothing in another folder."""
    settings = load_settings().model_copy(update={"home": str(home)})
    home.mkdir(parents=True)
    models = platform.state_path / "models"
    if models.exists():
        (home / "models").symlink_to(models.resolve(), target_is_directory=True)
    fresh = Platform(settings)
    run_stages(fresh, "rebuild")
    return fresh


def docx(paragraphs: list[str]) -> bytes:
    """A small Word document."""
    body = "".join(f"<w:p><w:r><w:t>{escape(text)}</w:t></w:r></w:p>" for text in paragraphs)
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    package = "http://schemas.openxmlformats.org/package/2006"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{main}"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}" Target="word/document.xml"/></Relationships>',
        "word/document.xml": f'<w:document xmlns:w="{word}"><w:body>{body}</w:body></w:document>',
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in parts.items():
            # a fixed date: the same paragraphs are the same bytes
            archive.writestr(
                zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), '<?xml version="1.0"?>' + text
            )
    return buffer.getvalue()
