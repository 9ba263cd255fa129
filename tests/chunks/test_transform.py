"""The stage as a whole: incremental equals rebuilt, ids follow texts, pages are right."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_assets.chunks.registry import make_splitter
from rag_assets.chunks.schema import CHUNKS
from rag_assets.chunks.transform import (
    ChunkUpdate,
    chunk_documents,
    chunker_fingerprint,
    chunks_digest,
)
from rag_assets.parsed_documents.schema import PARSED_DOCUMENTS
from rag_assets.platform.fingerprint import fingerprint, sha256_text
from rag_assets.platform.settings import ChunkingSettings

from .counter import word_piece_counter
from .strategies import DOCUMENTS

COUNTER = word_piece_counter()
MAX_TOKENS = 256
SETTINGS = ChunkingSettings(max_tokens=60)

Document = tuple[str, str | None, list[int]]  # title, text, page starts


def parsed(documents: dict[str, Document]) -> pl.DataFrame:
    rows = [
        {
            "document_id": name,
            "status": "parsed" if text is not None else "empty",
            "title": title,
            "text": text,
            "text_sha256": fingerprint([title, text, pages]) if text is not None else None,
            "page_starts": pages,
        }
        for name, (title, text, pages) in documents.items()
    ]
    return pl.DataFrame(rows, schema=PARSED_DOCUMENTS)


def chunk(
    documents: dict[str, Document],
    previous: pl.DataFrame | None = None,
    run_id: str = "run-1",
    chunking: ChunkingSettings = SETTINGS,
    full: bool = False,
) -> ChunkUpdate:
    return chunk_documents(
        CHUNKS.to_frame() if previous is None else previous,
        parsed(documents),
        make_splitter(chunking),
        COUNTER,
        chunking,
        MAX_TOKENS,
        run_id=run_id,
        full=full,
    )


CORPORA = st.dictionaries(
    st.sampled_from(["s/a", "s/b", "s/c", "s/d"]),
    st.tuples(st.sampled_from(["", "Guide"]), st.none() | DOCUMENTS, st.just([])),
    max_size=4,
)


@settings(max_examples=20, deadline=None)
@given(CORPORA, CORPORA)
def test_incremental_equals_rebuilt(
    first: dict[str, Document], second: dict[str, Document]
) -> None:
    before = chunk(first)
    second = {**{k: v for k, v in first.items() if k == "s/a"}, **second}
    incremental = chunk(second, before.frame, "run-2")
    rebuilt = chunk(second, None, "run-2")
    assert incremental.frame.drop("run_id").equals(rebuilt.frame.drop("run_id"))
    assert chunks_digest(incremental.frame) == chunks_digest(rebuilt.frame)
    assert incremental.added + incremental.kept == incremental.chunks
    assert incremental.removed + incremental.kept == before.chunks
    assert incremental.over_limit == 0


@settings(max_examples=20, deadline=None)
@given(CORPORA)
def test_rows_say_the_truth(documents: dict[str, Document]) -> None:
    update = chunk(documents)
    assert update.frame.schema == CHUNKS
    assert update.frame["chunk_id"].n_unique() == update.chunks
    for row in update.frame.iter_rows(named=True):
        text = documents[row["document_id"]][1]
        assert text is not None
        assert row["text"] == text[row["char_start"] : row["char_end"]]
        assert row["embed_text"].endswith(row["text"])
        assert row["embed_sha256"] == sha256_text(row["embed_text"])
        assert row["token_count"] == COUNTER.count(row["embed_text"]) <= SETTINGS.max_tokens
        assert row["page_first"] is None
    for _, rows in update.frame.group_by("document_id"):
        assert rows["ordinal"].to_list() == list(range(rows.height))


def paragraphs(count: int) -> list[str]:
    return [
        f"Paragraph {n}: " + f"the rule number {n} holds for team {n * 7}. " * 4
        for n in range(count)
    ]


def test_an_unchanged_document_is_not_cut_again() -> None:
    documents: dict[str, Document] = {"s/a": ("A", "One.", []), "s/b": ("B", "Two.", [])}
    first = chunk(documents)
    documents["s/b"] = ("B", "Two and a half.", [])
    second = chunk(documents, first.frame, "run-2")
    assert (second.documents_chunked, second.documents_reused) == (1, 1)
    assert dict(second.frame.select("document_id", "run_id").iter_rows()) == {
        "s/a": "run-1",
        "s/b": "run-2",
    }


def test_an_edit_changes_few_ids_and_keeps_the_run_of_equal_rows() -> None:
    parts = paragraphs(30)
    first = chunk({"s/a": ("A", "\n\n".join(parts), [])})
    parts[20] = parts[20].replace("holds", "holds no longer")
    second = chunk({"s/a": ("A", "\n\n".join(parts), [])}, first.frame, "run-2")
    assert second.added <= 4
    assert second.kept >= first.chunks - 4
    runs = second.frame["run_id"].to_list()
    assert runs[0] == "run-1"
    assert "run-2" in runs


def test_a_full_run_cuts_everything_and_changes_nothing() -> None:
    documents: dict[str, Document] = {"s/a": ("A", "\n\n".join(paragraphs(5)), [])}
    first = chunk(documents)
    second = chunk(documents, first.frame, "run-2", full=True)
    assert second.documents_chunked == 1
    assert second.frame.equals(first.frame)


def test_the_same_text_twice_in_a_document_has_two_ids() -> None:
    row = "# Same\n\n" + "The same words again and again. " * 6
    update = chunk({"s/a": ("", f"{row}\n\n{row}\n\n{row}", [])})
    assert update.frame["text"].n_unique() < update.chunks
    assert update.frame["chunk_id"].n_unique() == update.chunks


def test_the_same_text_in_two_documents_is_embedded_once() -> None:
    update = chunk({"s/a": ("T", "The same words.", []), "s/b": ("T", "The same words.", [])})
    assert update.frame["chunk_id"].n_unique() == 2
    assert update.frame["embed_sha256"].n_unique() == 1


def test_a_deleted_or_emptied_document_leaves_nothing() -> None:
    first = chunk({"s/a": ("A", "One.", []), "s/b": ("B", "Two.", [])})
    second = chunk({"s/b": ("B", None, [])}, first.frame)
    assert (second.chunks, second.removed) == (0, 2)


def test_pages_come_from_the_page_starts() -> None:
    pages = [paragraph + "\n\n" for paragraph in paragraphs(6)]
    starts = [sum(map(len, pages[:n])) for n in range(len(pages))]
    update = chunk({"s/a": ("", "".join(pages), starts)}, chunking=ChunkingSettings(max_tokens=120))
    for row in update.frame.iter_rows(named=True):
        first = sum(start <= row["char_start"] for start in starts)
        last = sum(start < row["char_end"] for start in starts)
        assert (row["page_first"], row["page_last"]) == (first, last)
    assert update.frame["page_last"].max() == 6


def test_heading_context_is_embedded_once_and_can_be_off() -> None:
    body = "The rule holds. " * 30
    documents: dict[str, Document] = {"s/a": ("Leave", f"# Leave\n\n## Sick\n\n{body}", [])}
    embedded = chunk(documents).frame["embed_text"].to_list()
    assert embedded[0].startswith("# Leave\n\n## Sick\n\nThe rule")
    assert all(text.startswith("Leave > Sick\nThe rule") for text in embedded[1:])
    off = chunk(documents, chunking=SETTINGS.model_copy(update={"heading_context": False})).frame
    assert off["embed_text"].equals(off["text"].rename("embed_text"))


def test_the_fingerprint_follows_what_counts() -> None:
    base = chunker_fingerprint(SETTINGS, "tokenizer", 256, "encoder")
    assert chunker_fingerprint(SETTINGS, "tokenizer", 256, "other encoder") == base
    assert chunker_fingerprint(SETTINGS, "other", 256, "encoder") != base
    assert chunker_fingerprint(SETTINGS, "tokenizer", 512, "encoder") != base
    assert chunker_fingerprint(ChunkingSettings(max_tokens=61), "tokenizer", 256) != base
    semantic = ChunkingSettings(splitter="semantic")
    assert chunker_fingerprint(semantic, "t", 256, "a") != chunker_fingerprint(
        semantic, "t", 256, "b"
    )
