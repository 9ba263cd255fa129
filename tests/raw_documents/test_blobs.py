"""Blobs: the same bytes once, and never wrong ones."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.platform.errors import StorageError
from rag_assets.platform.storage import LocalStorage, open_storage
from rag_assets.raw_documents.blobs import Blobs


@given(content=st.binary(max_size=500))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    blobs = Blobs(LocalStorage(tmp_path_factory.getbasetemp() / "blobs"))
    sha256 = blobs.put(content)
    assert blobs.put(content) == sha256
    assert blobs.get(sha256) == content
    path = blobs.path(sha256)
    assert path is not None
    assert path.read_bytes() == content


def test_a_blob_is_written_once_and_a_torn_one_again(tmp_path: Path) -> None:
    blobs = Blobs(LocalStorage(tmp_path))
    sha256 = blobs.put(b"content")
    path = tmp_path / "blobs" / sha256[:2] / sha256
    before = path.stat()
    blobs.put(b"content")
    assert path.stat().st_ino == before.st_ino  # the same file, not one that replaced it
    path.write_bytes(b"")
    blobs.put(b"content")
    assert blobs.get(sha256) == b"content"
    assert [item.name for item in path.parent.iterdir()] == [sha256]


def test_missing_and_damaged_blobs_are_told_apart(tmp_path: Path) -> None:
    blobs = Blobs(LocalStorage(tmp_path))
    sha256 = blobs.put(b"content")
    (tmp_path / blobs.key(sha256)).write_bytes(b"CONTENT")
    with pytest.raises(StorageError, match="damaged") as damaged:
        blobs.get(sha256)
    assert "ingest --full" in damaged.value.hint
    with pytest.raises(StorageError, match="missing"):
        blobs.get("0" * 64)
    assert blobs.path("0" * 64) is None


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "0" * 63])
def test_only_hashes_are_keys(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        Blobs(LocalStorage(tmp_path)).get(name)


def test_blobs_in_an_object_store() -> None:
    pytest.importorskip("obstore")
    blobs = Blobs(open_storage("memory:///"))
    sha256 = blobs.put(b"content")
    assert (blobs.get(sha256), blobs.path(sha256)) == (b"content", None)
    with pytest.raises(StorageError, match="missing"):
        blobs.get("0" * 64)
