"""Every source over every kind of place passes the conformance tests."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from rag_assets.platform.settings import SourceSettings
from rag_assets.raw_documents.base import Metadata, Source
from rag_assets.raw_documents.folder import FolderSource
from rag_assets.raw_documents.jsonl import JsonlSource
from rag_assets.raw_documents.sources import make_source
from tests.s3_server import s3_server

from .conformance import SourceConformance

obstore = pytest.importorskip("obstore")

DEFAULTS = Metadata(acl=["staff"])


def record(text: str) -> bytes:
    return json.dumps(
        {"text": text, "title": ""}, separators=(",", ":"), ensure_ascii=False
    ).encode()


def lines(documents: dict[str, str]) -> bytes:
    return b"".join(
        json.dumps({"_id": name, "text": text}).encode() + b"\n" for name, text in documents.items()
    )


class Folder(SourceConformance):
    def content(self, text: str) -> bytes:
        return text.encode()


class Jsonl(SourceConformance):
    def content(self, text: str) -> bytes:
        return record(text)


class TestLocalFolder(Folder):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.root = tmp_path / "docs"

    def put(self, documents: dict[str, str]) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir()
        for name, text in documents.items():
            path = self.root / f"folder-{name}" / f"{name}.md"
            path.parent.mkdir()
            path.write_text(text)

    def source(self) -> Source:
        return make_source("s", SourceSettings(path=str(self.root), acl=["staff"]), {})

    def missing(self) -> Source:
        return make_source("s", SourceSettings(path=str(self.root / "nowhere")), {})


class TestLocalJsonl(Jsonl):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.file = tmp_path / "corpus.jsonl"

    def put(self, documents: dict[str, str]) -> None:
        self.file.write_bytes(lines(documents))

    def source(self) -> Source:
        settings = SourceSettings(kind="jsonl", path=f"file://{self.file}", acl=["staff"])
        return make_source("s", settings, {})

    def missing(self) -> Source:
        settings = SourceSettings(kind="jsonl", path=str(self.file) + ".none")
        return make_source("s", settings, {})


class TestMemoryFolder(Folder):
    @pytest.fixture(autouse=True)
    def place(self) -> None:
        from obstore.store import MemoryStore

        self.store = MemoryStore()

    def put(self, documents: dict[str, str]) -> None:
        for chunk in obstore.list(self.store):
            for item in chunk:
                obstore.delete(self.store, item["path"])
        for name, text in documents.items():
            obstore.put(self.store, f"deep/{name}.md", text.encode())

    def source(self) -> Source:
        from rag_assets.raw_documents.object_files import ObjectTree

        return FolderSource("s", ObjectTree(self.store, "memory:///"), DEFAULTS)

    def missing(self) -> Source:
        from obstore.store import MemoryStore

        from rag_assets.raw_documents.object_files import ObjectTree

        return FolderSource("s", ObjectTree(MemoryStore(), "memory:///"), DEFAULTS)


class TestMemoryJsonl(Jsonl):
    @pytest.fixture(autouse=True)
    def place(self) -> None:
        from obstore.store import MemoryStore

        self.store = MemoryStore()

    def put(self, documents: dict[str, str]) -> None:
        obstore.put(self.store, "corpus.jsonl", lines(documents))

    def source(self) -> Source:
        return self._named("corpus.jsonl")

    def missing(self) -> Source:
        return self._named("none.jsonl")

    def _named(self, name: str) -> Source:
        from rag_assets.raw_documents.object_files import ObjectFile

        return JsonlSource("s", ObjectFile(self.store, name, f"memory:///{name}"), DEFAULTS)


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    """A real S3 server with a bucket; yields the storage options that reach it."""
    with s3_server("documents") as options:
        yield options


class OnS3(SourceConformance):
    kind: Literal["folder", "jsonl"] = "folder"
    path = "s3://documents/docs"

    @pytest.fixture(autouse=True)
    def place(self, s3: dict[str, str]) -> None:
        from rag_assets.platform.object_store import open_store

        self.options = s3
        self.store = open_store("s3://documents", s3)

    def source(self) -> Source:
        settings = SourceSettings(kind=self.kind, path=self.path, acl=["staff"])
        return make_source("s", settings, self.options)

    def missing(self) -> Source:
        settings = SourceSettings(kind=self.kind, path="s3://nobucket/docs/x.jsonl")
        return make_source("s", settings, self.options)


class TestS3Folder(OnS3, Folder):
    def put(self, documents: dict[str, str]) -> None:
        for chunk in obstore.list(self.store, "docs"):
            for item in chunk:
                obstore.delete(self.store, item["path"])
        for name, text in documents.items():
            obstore.put(self.store, f"docs/{name}.md", text.encode())

    def test_an_empty_prefix_counts_as_missing(self) -> None:
        from rag_assets.platform.errors import SourceUnavailable

        settings = SourceSettings(path="s3://documents/mistyped")
        with pytest.raises(SourceUnavailable, match="no object"):
            list(make_source("s", settings, self.options).list())


class TestS3Jsonl(OnS3, Jsonl):
    kind: Literal["folder", "jsonl"] = "jsonl"
    path = "s3://documents/corpus/all.jsonl"

    def put(self, documents: dict[str, str]) -> None:
        obstore.put(self.store, "corpus/all.jsonl", lines(documents))


def test_a_store_out_of_reach_is_an_error_that_says_what_to_do() -> None:
    from rag_assets.platform.errors import SourceUnavailable

    options = {
        "aws_endpoint": "http://127.0.0.1:9",
        "aws_access_key_id": "id",
        "aws_secret_access_key": "very-secret",
        "aws_region": "us-east-1",
        "allow_http": "true",
    }
    source = make_source("s", SourceSettings(path="s3://documents/docs"), options)
    with pytest.raises(SourceUnavailable, match="out of reach") as caught:
        list(source.list())
    assert "very-secret" not in str(caught.value)


def test_impossible_store_options_are_a_configuration_error() -> None:
    from rag_assets.platform.errors import ConfigurationError

    for path in ("s3://documents/docs", "ftp://host/docs"):
        with pytest.raises(ConfigurationError, match="cannot be opened"):
            make_source("s", SourceSettings(path=path), {"bogus": "1"})
