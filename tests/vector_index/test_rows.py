"""Index rows: only what may serve, and a hash that notices every change that readers would."""

import polars as pl
import pytest

from rag_assets.vector_index.rows import attribute_values, difference, index_rows, portable_digests
from tests.vector_index.rows_for_tests import chunks, embeddings, parsed, raw, rows

TEXTS = {"docs/a": ["one", "two"], "docs/b": ["three"]}


def test_a_row_joins_chunk_document_and_manifest() -> None:
    row = rows(TEXTS).row(0, named=True)
    assert (row["document_id"], row["title"], row["acl"], row["partition"]) == (
        "docs/a",
        "docs/a",
        ["public"],
        "docs",
    )
    assert row["content_sha256"] == "c" * 64


def test_documents_that_may_not_serve_have_no_rows() -> None:
    manifest = raw({"docs/a": ["public"]})
    texts = parsed({"docs/a": "text", "docs/b": "text"})
    assert index_rows(manifest, texts, chunks(TEXTS), embeddings(TEXTS), "docs", "run")[
        "document_id"
    ].unique().to_list() == ["docs/a"]
    quarantined = parsed({"docs/a": None})
    assert index_rows(
        manifest, quarantined, chunks(TEXTS), embeddings(TEXTS), "docs", "run"
    ).is_empty()


def test_a_stale_document_serves_its_older_version() -> None:
    stale = parsed({"docs/a": "old text"}, status="quarantined", stale=True, served_sha256="0" * 64)
    old = {"docs/a": ["old"]}
    found = index_rows(
        raw({"docs/a": ["public"]}), stale, chunks(old), embeddings(old), "docs", "run"
    )
    assert found["content_sha256"].to_list() == ["0" * 64]
    assert found["stale"].to_list() == [True]


@pytest.mark.parametrize(
    "change",
    [
        {"acl": ["people"]},
        {"acl": []},
        {"attributes": '{"a":1}'},
        {"uri": "file:///elsewhere"},
        {"media_type": "text/html"},
    ],
)
def test_the_hash_notices_metadata(change: dict[str, object]) -> None:
    manifest = raw({"docs/a": ["public"]})
    schema = manifest.schema
    changed = manifest.with_columns(
        pl.Series(name, [value], dtype=schema[name]) for name, value in change.items()
    )
    one = {"docs/a": ["one"]}
    texts, passages, vectors = parsed({"docs/a": "text"}), chunks(one), embeddings(one)
    before = index_rows(manifest, texts, passages, vectors, "docs", "run")
    after = index_rows(changed, texts, passages, vectors, "docs", "run")
    assert before["row_sha256"].to_list() != after["row_sha256"].to_list()


def test_acls_that_join_alike_are_told_apart() -> None:
    def digest(acl: list[str]) -> str:
        texts = {"docs/a": ["x"]}
        found = index_rows(
            raw({"docs/a": acl}),
            parsed({"docs/a": "t"}),
            chunks(texts),
            embeddings(texts),
            "docs",
            "r",
        )
        return str(found["row_sha256"][0])

    assert len({digest(["a", "b"]), digest(["ab"]), digest(["a b"]), digest([]), digest([""])}) >= 4


def test_the_portable_hash_forgets_machine_and_shard() -> None:
    here = rows(TEXTS, partition="docs", run_id="one")
    there = rows(TEXTS, partition="docs--01of02", run_id="two").with_columns(uri=pl.lit("s3://x"))
    assert portable_digests(here).to_list() == portable_digests(there).to_list()


def test_the_difference_is_what_must_be_written_and_removed() -> None:
    before = rows({"docs/a": ["one", "two"], "docs/b": ["three"]}, run_id="first")
    after = rows({"docs/a": ["one", "2"], "docs/b": ["three"]}, run_id="second")
    write, remove = difference(after, before.select("chunk_id", "row_sha256"))
    assert write["text"].to_list() == ["2"]
    assert remove == ["docs/a#two"]
    assert difference(after, after.select("chunk_id", "row_sha256"))[0].is_empty()


def test_a_row_names_the_runs_that_made_it_and_ignores_them_when_comparing() -> None:
    row = rows(TEXTS, run_id="index-run").row(0, named=True)
    runs = [row[f"{stage}run_id"] for stage in ("raw_", "parse_", "chunk_", "embed_", "")]
    assert runs == ["r", "r", "r", "r", "index-run"]
    again = rows(TEXTS, run_id="other-run")
    assert again["row_sha256"].to_list() == rows(TEXTS)["row_sha256"].to_list()


def test_attributes_become_values_that_filters_compare_with() -> None:
    assert attribute_values('{"team":"HR","tags":["a","b"],"n":3,"ok":true,"deep":{"x":1}}') == [
        "n=3",
        "ok=true",
        "tags=a",
        "tags=b",
        "team=HR",
    ]
    assert attribute_values("{}") == []
