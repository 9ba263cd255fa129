"""Shards and partitions: every document is in exactly one."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from rag_assets.platform.settings import Settings, SourceSettings
from rag_assets.raw_documents.sources import (
    open_partition,
    parse_partition,
    partition_keys,
    shard_of,
)

NAMES = st.from_regex(r"[a-z0-9][a-z0-9_]{0,8}(-[a-z0-9_]{1,5}){0,2}", fullmatch=True)


def settings_of(**sources: SourceSettings) -> Settings:
    return Settings(sources=sources)


@given(document_id=st.text(), shards=st.integers(1, 4096))
def test_a_shard_is_stable_and_in_range(document_id: str, shards: int) -> None:
    assert 0 <= shard_of(document_id, shards) < shards
    assert shard_of(document_id, shards) == shard_of(document_id, shards)


def test_shards_never_move() -> None:
    """These values are stored in partition keys: a change would move every document."""
    assert [shard_of(f"handbook/{name}.md", 16) for name in "abcd"] == [6, 6, 13, 1]


@given(sources=st.dictionaries(NAMES, st.integers(1, 120), min_size=1, max_size=4))
def test_keys_can_be_taken_apart(sources: dict[str, int]) -> None:
    settings = settings_of(
        **{name: SourceSettings(path="x", shards=shards) for name, shards in sources.items()}
    )
    keys = partition_keys(settings)
    assert len(set(keys)) == len(keys) == sum(sources.values())
    taken = [parse_partition(key) for key in keys]
    for name, shards in sources.items():
        own = [(shard, total) for source, shard, total in taken if source == name]
        assert own == ([(None, 1)] if shards == 1 else [(n, shards) for n in range(shards)])


def test_keys_are_padded() -> None:
    settings = settings_of(handbook=SourceSettings(path="x", shards=16))
    assert partition_keys(settings)[2] == "handbook--03of16"
    assert parse_partition("handbook--03of16") == ("handbook", 2, 16)
    assert parse_partition("handbook") == ("handbook", None, 1)


@pytest.mark.parametrize("shards", [1, 2, 7, 16])
def test_every_document_is_in_exactly_one_partition(tmp_path: Path, shards: int) -> None:
    names = [f"n{number}.md" for number in range(60)]
    for name in names:
        (tmp_path / name).write_text(name)
    settings = settings_of(s=SourceSettings(path=str(tmp_path), shards=shards))
    found: list[str] = []
    for key in partition_keys(settings):
        partition = open_partition(settings, key)
        for listed in partition.list():
            assert partition.owns(listed.document_id)
            assert partition.fetch(listed, 1000).content == listed.document_id[2:].encode()
            found.append(listed.document_id)
    assert sorted(found) == sorted(f"s/{name}" for name in names)


@pytest.mark.parametrize("key", ["gone", "gone--1of2", "s", "s--1of3", "s--01of2", "s--3of2", "?"])
def test_a_partition_that_is_not_configured_is_retired(tmp_path: Path, key: str) -> None:
    (tmp_path / "a.md").write_text("x")
    settings = settings_of(s=SourceSettings(path=str(tmp_path), shards=2))
    partition = open_partition(settings, key)
    assert partition.retired
    assert list(partition.list()) == []


def test_a_secret_option_reaches_the_store_but_not_the_partition() -> None:
    pytest.importorskip("obstore")
    settings = Settings(
        sources={"s": SourceSettings(path="s3://bucket/docs")},
        storage_options={
            "aws_access_key_id": SecretStr("id"),
            "aws_secret_access_key": SecretStr("very-secret"),
            "aws_region": SecretStr("us-east-1"),
        },
    )
    assert "very-secret" not in repr(open_partition(settings, "s"))
