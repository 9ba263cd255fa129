"""Embeddings: every distinct text is encoded once, ever; what is not used is kept for a while."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_assets.embeddings.schema import embeddings_schema
from rag_assets.embeddings.transform import EmbedUpdate, embed_chunks
from rag_assets.platform.fingerprint import sha256_text

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SCHEMA = embeddings_schema(4)


class CountingEncoder:
    """A tiny encoder of our own that remembers what it was asked."""

    name = "counting"
    max_tokens = 100
    dimensions = 4

    def __init__(self, fingerprint: str = "f" * 64) -> None:
        self.fingerprint = fingerprint
        self.seen: list[str] = []

    def encode(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> np.ndarray:
        self.seen += texts
        vectors = np.array(
            [[len(text), text.count("a"), ord(text[0]), 1] for text in texts], dtype=np.float32
        )
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def chunks(texts: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "embed_text": list(texts),
            "embed_sha256": [sha256_text(text) for text in texts],
            "token_count": [len(text.split()) for text in texts],
        },
        schema={"embed_text": pl.String, "embed_sha256": pl.String, "token_count": pl.Int64},
    )


def embed(
    previous: pl.DataFrame,
    texts: Sequence[str],
    encoder: CountingEncoder,
    now: datetime = NOW,
    elsewhere: pl.DataFrame | None = None,
) -> EmbedUpdate:
    return embed_chunks(
        previous,
        chunks(texts),
        encoder,  # type: ignore[arg-type]
        elsewhere=lambda hashes: (
            SCHEMA.to_frame()
            if elsewhere is None
            else elsewhere.filter(pl.col("embed_sha256").is_in(hashes))
        ),
        keep_unused=7 * DAY,
        now=now,
        run_id="run",
    )


@given(st.lists(st.lists(st.text("abc ", min_size=1, max_size=6)), max_size=6))
@settings(deadline=None)
def test_over_any_history_every_text_is_encoded_once(history: list[list[str]]) -> None:
    encoder, frame = CountingEncoder(), SCHEMA.to_frame()
    for texts in history:
        update = embed(frame, texts, encoder)
        frame = update.frame
        assert update.embedded + update.cache_hits == len(set(texts))
        used = frame.filter(pl.col("unused_since").is_null())
        assert set(used["embed_sha256"]) == {sha256_text(text) for text in texts}
    assert len(encoder.seen) == len(set(encoder.seen))


def test_the_vectors_belong_to_their_texts() -> None:
    encoder = CountingEncoder()
    texts = ["beta", "alpha alpha", "c"]
    found = embed(SCHEMA.to_frame(), texts, encoder).frame
    for text in texts:
        row = found.filter(pl.col("embed_sha256") == sha256_text(text))
        np.testing.assert_allclose(row["vector"][0].to_numpy(), encoder.encode([text])[0])


def test_unused_vectors_go_after_a_while_and_come_back_for_nothing() -> None:
    encoder = CountingEncoder()
    first = embed(SCHEMA.to_frame(), ["a", "b"], encoder).frame
    second = embed(first, ["a"], encoder, NOW + DAY)
    assert (second.unused, second.dropped, second.frame.height) == (1, 0, 2)
    back = embed(second.frame, ["a", "b"], encoder, NOW + 2 * DAY)
    assert (back.embedded, back.unused) == (0, 0)
    gone = embed(second.frame, ["a"], encoder, NOW + 9 * DAY)
    assert (gone.dropped, gone.frame.height) == (1, 1)


def test_another_encoder_never_lends_its_vectors() -> None:
    old, new = CountingEncoder("0" * 64), CountingEncoder("1" * 64)
    first = embed(SCHEMA.to_frame(), ["a"], old).frame
    update = embed(first, ["a"], new)
    assert update.embedded == 1
    assert update.frame["encoder"].to_list() == ["0" * 64, "1" * 64]


def test_other_shards_lend_theirs() -> None:
    encoder = CountingEncoder()
    elsewhere = embed(SCHEMA.to_frame(), ["a", "b"], encoder).frame
    update = embed(SCHEMA.to_frame(), ["b", "c"], encoder, elsewhere=elsewhere)
    assert (update.embedded, update.borrowed, update.cache_hits) == (1, 1, 1)


def test_no_chunks_need_no_encoder() -> None:
    encoder = CountingEncoder()
    assert embed(SCHEMA.to_frame(), [], encoder).frame.is_empty()
    assert encoder.seen == []
