"""Gates: each passes what is sound, and names exactly what is not."""

import numpy as np
import polars as pl
import pytest

from rag_assets.releases.gates import (
    ShardFacts,
    ann_recall,
    conservation,
    encoder_agreement,
    index_integrity,
    quarantine_share,
)


def shard(**changes: object) -> ShardFacts:
    facts = {
        "listed": pl.DataFrame({"document_id": ["d/1", "d/2", "d/3", "d/4"]}),
        "states": pl.DataFrame(
            {
                "document_id": ["d/1", "d/2", "d/3", "d/4"],
                "status": ["parsed", "empty", "quarantined", "quarantined"],
                "stale": [False, False, False, True],
                "wordy": [True, False, False, True],
            }
        ),
        "chunks": pl.DataFrame({"document_id": ["d/1", "d/1", "d/4"], "chunk_id": ["a", "b", "c"]}),
        "indexed": pl.DataFrame(
            {"document_id": ["d/1", "d/1", "d/4"], "chunk_id": ["a", "b", "c"]}
        ),
        "rows_in_index": 3,
    }
    return ShardFacts(**(facts | changes))  # type: ignore[arg-type]


def test_a_sound_shard_is_conserved() -> None:
    gate = conservation({"docs": shard()})
    assert gate.passed
    assert gate.metadata == {"listed": 4, "indexed": 1, "empty": 1, "quarantined": 2, "chunks": 3}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"listed": pl.DataFrame({"document_id": ["d/1", "d/2", "d/3"]})},
            "1 state has no document",
        ),
        (
            {"listed": pl.DataFrame({"document_id": [f"d/{i}" for i in range(1, 6)]})},
            "1 listed document has no state",
        ),
        (
            {"indexed": pl.DataFrame({"document_id": ["d/1", "d/4"], "chunk_id": ["a", "c"]})},
            "1 chunk is not indexed",
        ),
        (
            {
                "indexed": pl.DataFrame(
                    {"document_id": ["d/1"] * 2 + ["d/4", "d/9"], "chunk_id": list("abcx")}
                )
            },
            "to no live document",
        ),
        ({"rows_in_index": 4}, "the index holds 4 rows"),
        (
            {"chunks": pl.DataFrame({"document_id": ["d/1", "d/1"], "chunk_id": ["a", "b"]})},
            "with words has no chunk",
        ),
    ],
)
def test_a_loss_is_named(changes: dict[str, object], expected: str) -> None:
    gate = conservation({"docs": shard(**changes)})
    assert not gate.passed
    assert expected in gate.explanation


def test_chunks_of_a_quarantined_document_without_an_older_version_are_a_leak() -> None:
    rows = pl.DataFrame({"document_id": ["d/1", "d/3", "d/4"], "chunk_id": ["a", "b", "c"]})
    gate = conservation({"docs": shard(chunks=rows, indexed=rows)})
    assert "1 indexed chunk belongs to no live document" in gate.explanation


UNIT = np.eye(4, dtype=np.float32)
FULL_TEXT = {"embed_text": {"kind": "FTS", "indexed": 3, "unindexed": 1}}


def test_index_integrity_passes_a_sound_index() -> None:
    assert index_integrity(rows=4, expected=4, indices=FULL_TEXT, vectors=UNIT).passed
    assert index_integrity(rows=0, expected=0, indices={}, vectors=np.zeros((0, 4))).passed


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"rows": 5}, "the table holds 5 rows"),
        ({"indices": {}}, "no full-text index"),
        ({"rows": 5, "expected": 5}, "knows 4 of 5"),
        ({"vectors": UNIT * 1.1}, "length is off"),
        ({"vectors": UNIT * np.nan}, "not finite"),
    ],
)
def test_index_integrity_names_what_is_wrong(arguments: dict[str, object], expected: str) -> None:
    facts = {"rows": 4, "expected": 4, "indices": FULL_TEXT, "vectors": UNIT} | arguments
    gate = index_integrity(**facts)  # type: ignore[arg-type]
    assert not gate.passed
    assert expected in gate.explanation


def test_ann_recall_is_the_mean_share_found() -> None:
    gate = ann_recall([["a", "b"], ["c", "d"]], [["b", "a"], ["c", "x"]])
    assert gate.metadata["recall"] == pytest.approx(0.75)
    assert not gate.passed
    assert ann_recall([["a", "b"]], [["a", "b"]]).passed
    assert ann_recall([], []).passed


def test_quarantine_share_counts_and_gives_reasons() -> None:
    states = pl.DataFrame(
        {
            "status": ["parsed", "quarantined", "quarantined", "empty"],
            "error_kind": [None, "malformed", "malformed", None],
        }
    )
    assert quarantine_share(states, 0.5).passed
    gate = quarantine_share(states, 0.4)
    assert not gate.passed
    assert "2 malformed" in gate.explanation
    assert quarantine_share(states.head(0), 0.0).passed


def unit_vectors(count: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, 16))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_vectors_of_their_own_texts_agree_in_spite_of_rounding() -> None:
    vectors = unit_vectors(32)
    gate = encoder_agreement(vectors.astype(np.float16).astype(np.float32), vectors)
    assert gate.passed
    assert gate.metadata["wrong"] == 0


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_one_vector_of_another_text_is_counted(value: float) -> None:
    vectors = unit_vectors(32)
    stored = vectors.copy()
    stored[5] = value
    gate = encoder_agreement(stored, vectors)
    assert gate.blocks
    assert gate.metadata["wrong"] == 1


def test_an_empty_index_is_not_judged_and_stops_nothing() -> None:
    gate = encoder_agreement(np.zeros((0, 16)), np.zeros((0, 16)))
    assert not gate.judged
    assert not gate.passed
    assert not gate.blocks
