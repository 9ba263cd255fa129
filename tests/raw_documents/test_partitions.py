"""Shards and partitions: every document is in exactly one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from rag_assets.platform.errors import ConfigurationError, SourceUnavailable
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings, SourceSettings
from rag_assets.platform.stage import StageRun
from rag_assets.raw_documents.base import NO_TIME, Listed
from rag_assets.raw_documents.folder import FolderSource
from rag_assets.raw_documents.sources import (
    Partitions,
    open_partition,
    parse_partition,
    partition_keys,
    shard_of,
)
from rag_assets.raw_documents.stage import run_raw_documents

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


@pytest.mark.parametrize("kind", ["folder", "jsonl"])
@pytest.mark.parametrize("shards", [1, 2, 16])
def test_a_shared_listing_gives_each_shard_what_a_listing_of_its_own_does(
    tmp_path: Path, shards: int, kind: str
) -> None:
    folder, lines = tmp_path / "documents", tmp_path / "lines.jsonl"
    folder.mkdir()
    for number in range(60):
        (folder / f"n{number}.md").write_text("x")
    lines.write_text("".join(f'{{"_id": "n{n}.md", "text": "x"}}\n' for n in range(60)))
    path = {"folder": folder, "jsonl": lines}[kind]
    settings = settings_of(s=SourceSettings(path=str(path), shards=shards, kind=kind))
    forbidden = frozenset({"s/n3.md", "s/n40.md", "s/gone.md"})
    together = Partitions(settings, forbidden)
    for key in partition_keys(settings):
        alone, shared = open_partition(settings, key, forbidden), together.open(key)
        for _ in range(2):
            assert list(shared.list()) == list(alone.list())
            assert shared.forgotten == alone.forgotten
        for listed in shared.list():
            assert shared.fetch(listed, 1000).content == alone.fetch(listed, 1000).content
    assert together.open("s--9of9").retired


class Counted(FolderSource):
    """A source that counts how often it is walked."""

    walks = 0

    def list(self, *_: object) -> Iterator[Listed]:
        type(self).walks += 1
        return super().list()


def test_a_question_about_all_shards_walks_a_source_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag_assets.raw_documents.folder.FolderSource", Counted)
    folder = tmp_path / "documents"
    settings = settings_of(s=SourceSettings(path=str(folder), shards=16))
    missing, messages = Partitions(settings), set()
    for key in partition_keys(settings):
        with pytest.raises(SourceUnavailable) as caught:
            list(missing.open(key).list())
        messages.add(str(caught.value))
    assert len(messages) == 1
    assert Counted.walks == 1
    folder.mkdir()
    (folder / "a.md").write_text("x")
    present = Partitions(settings)
    found = [item for key in partition_keys(settings) for item in present.open(key).list()]
    assert [item.document_id for item in found] == ["s/a.md"]
    assert Counted.walks == 2


def test_every_shard_is_told_of_a_folder_that_cannot_be_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "a.md").write_text("x")
    settings = settings_of(s=SourceSettings(path=str(tmp_path), shards=4))
    hidden = Listed("s/closed", "", "", 0, NO_TIME, "", covers=True)
    listed = FolderSource.list
    monkeypatch.setattr(FolderSource, "list", lambda self, *_: iter([*listed(self), hidden]))
    together = Partitions(settings)
    parts = [list(together.open(key).list()) for key in partition_keys(settings)]
    assert all(hidden in part for part in parts)
    assert sum(len(part) for part in parts) == 4 + 1


@pytest.mark.parametrize("key", ["gone", "gone--1of2", "s", "s--1of3", "s--01of2", "s--3of2", "?"])
def test_a_partition_that_is_not_configured_is_retired(tmp_path: Path, key: str) -> None:
    (tmp_path / "a.md").write_text("x")
    settings = settings_of(s=SourceSettings(path=str(tmp_path), shards=2))
    partition = open_partition(settings, key)
    assert partition.retired
    assert list(partition.list()) == []


@pytest.mark.parametrize(
    ("shards", "told"), [(2, "s--1of2, s--2of2; choose"), (7, "s--5of7 and 2 more; choose")]
)
def test_a_run_for_a_shard_that_never_was_fails(tmp_path: Path, shards: int, told: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("x")
    source = SourceSettings(path=str(tmp_path / "docs"), shards=shards)
    platform = Platform(Settings(home=str(tmp_path / "home"), sources={"s": source}))
    with pytest.raises(ConfigurationError, match="There is no shard 's'") as raised:
        run_raw_documents(StageRun(platform, "s", "run"))
    assert told in str(raised.value)
    assert platform.tables.partitions("raw_documents") == []
    # one that was there once is emptied
    first = partition_keys(platform.settings)[0]
    run_raw_documents(StageRun(platform, first, "run"))
    settings = platform.settings.model_copy(update={"sources": {}})
    assert run_raw_documents(StageRun(Platform(settings), first, "run")).rows == 0
    with pytest.raises(ConfigurationError, match=r"under \[sources\]"):
        run_raw_documents(StageRun(Platform(settings), "s", "run"))


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
