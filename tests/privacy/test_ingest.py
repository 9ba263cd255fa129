"""Nothing of what was planted in documents is left in anything that an ingest makes of them."""

import json
from pathlib import Path

import polars as pl
import pytest

from rag_assets.chunks.schema import CHUNKS
from rag_assets.parsed_documents.schema import PARSED_DOCUMENTS
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import PrivacySettings, Settings, SourceSettings
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.raw_documents.schema import RAW_DOCUMENTS
from rag_jobs.pending import find_pending
from tests.jobs.harness import run_stages, served

pytest.importorskip("presidio_analyzer")
PLANTED = {
    "jane.doe@example.com": "EMAIL_ADDRESS",
    "+49 30 901820": "PHONE_NUMBER",
    "DE89 3704 0044 0532 0130 00": "IBAN_CODE",
    "4111 1111 1111 1111": "CREDIT_CARD",
}
DOCS = 'source = "docs"'


def write_documents(folder: Path) -> None:
    folder.mkdir()
    said = "\n\n".join(
        f"The travel desk of office {number} is reached at {text} on every working day of the week."
        for number, text in enumerate(PLANTED)
    )
    (folder / "travel.md").write_text(
        f"---\ntitle: Ask jane.doe@example.com\nacl: [public]\nattributes:\n"
        f"  owner: jane.doe@example.com\n---\n# Travel desk +49 30 901820\n\n{said}\n",
        encoding="utf-8",
    )
    (folder / "mail.eml").write_text(
        "From: Jane Doe <jane.doe@example.com>\nTo: desk@example.org\n"
        f"Subject: Account DE89 3704 0044 0532 0130 00\n\n{said}\n",
        encoding="utf-8",
    )
    (folder / "plain.txt").write_text("Nothing of anybody: 24 days of leave.\n", encoding="utf-8")


def platform_of(tmp_path: Path, mode: str, **privacy: object) -> Platform:
    source = SourceSettings(
        path=str(tmp_path / "documents"),
        acl=["public"],
        personal_data=mode,  # type: ignore[arg-type]
    )
    other = SourceSettings(path=str(tmp_path / "others"), acl=["public"])
    settings = Settings(
        home=str(tmp_path / "home"),
        sources={"docs": source, "others": other},
        privacy=PrivacySettings(**privacy),  # type: ignore[arg-type]
    )
    return Platform(settings)


def tables(platform: Platform) -> dict[str, pl.DataFrame]:
    schemas = {
        "raw_documents": RAW_DOCUMENTS,
        "parsed_documents": PARSED_DOCUMENTS,
        "chunks": CHUNKS,
    }
    return {name: platform.tables.read(name, "docs", schema) for name, schema in schemas.items()}


def everything_said(platform: Platform) -> str:
    """All that can be read of the documents, in tables, index and answers."""
    engine = QueryEngine(platform)
    said = [frame.write_json() for frame in tables(platform).values()]
    said.append(
        served(platform).filter(pl.col("document_id").str.starts_with("docs/")).write_json()
    )
    questions = ["How is the travel desk reached?", "account of the office", *PLANTED]
    for question in questions:
        answer = engine.ask(question, Caller(), filter=DOCS)
        said.append(json.dumps(answer.to_dict()).replace(question, ""))
        said += [
            json.dumps(hit.to_dict()) for hit in engine.search(question, Caller(), filter=DOCS)
        ]
    return "\n".join(said)


def compact(text: str) -> str:
    return text.replace(" ", "")


def spans_are_exact(platform: Platform) -> None:
    made = tables(platform)
    texts = dict(made["parsed_documents"].select("document_id", "text").iter_rows())
    chunks = made["chunks"].select("document_id", "text", "char_start", "char_end")
    assert chunks.height > 2
    for document_id, text, start, end in chunks.iter_rows():
        assert texts[document_id][start:end] == text
    for hit in QueryEngine(platform).search("travel desk", Caller(), filter=DOCS):
        assert texts[hit.document_id][hit.char_start : hit.char_end] == hit.text


def test_a_change_of_the_setting_redoes_that_source_and_leaves_nothing(
    tmp_path: Path, model_cache: Path
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models").symlink_to(model_cache, target_is_directory=True)
    model_cache.mkdir(parents=True, exist_ok=True)
    write_documents(tmp_path / "documents")
    write_documents(tmp_path / "others")
    plain = platform_of(tmp_path, "off")
    run_stages(plain)
    said = everything_said(plain)
    assert all(compact(text) in compact(said) for text in PLANTED)
    assert find_pending(plain).nothing

    masked = platform_of(tmp_path, "mask")
    pending = find_pending(masked)
    assert [shard.partition for shard in pending.work] == ["docs"]
    outcome = run_stages(masked)["docs"]
    assert outcome["parsed_documents"].facts["parsed"] == 3
    said = everything_said(masked)
    leaks = [text for text in PLANTED if compact(text) in compact(said)]
    assert leaks == []
    assert all(f"[{kind}]" in said for kind in PLANTED.values())
    assert "24 days" in said
    spans_are_exact(masked)
    # the other source was not touched
    frame = served(masked).filter(pl.col("document_id") == "others/travel.md")
    assert "jane.doe@example.com" in frame.write_json()
    # nothing is done twice, though titles are redacted too
    assert find_pending(platform_of(tmp_path, "mask")).nothing
    again = run_stages(masked)
    assert again == {}

    hashed = platform_of(tmp_path, "hash", hash_key="the key of the test")
    run_stages(hashed)
    said = everything_said(hashed)
    assert [text for text in PLANTED if compact(text) in compact(said)] == []
    assert "[EMAIL_ADDRESS:" in said
    spans_are_exact(hashed)
    # a text that could not be read again does not go on serving as it was before
    run_stages(plain)
    (tmp_path / "documents" / "travel.md").write_bytes(b"---\nacl: [unclosed\n---\n")
    run_stages(platform_of(tmp_path, "mask"))
    said = everything_said(platform_of(tmp_path, "mask"))
    assert [text for text in PLANTED if compact(text) in compact(said)] == []
