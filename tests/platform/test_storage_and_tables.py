"""Storage and tables: atomic, stamped, the same on a folder and on an object store."""

import errno
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from rag_assets.platform.errors import StorageError, StorageFull
from rag_assets.platform.storage import LocalStorage, ObjectStorage, Storage, storage_errors
from rag_assets.platform.tables import Stamp, Tables

SCHEMA = pl.Schema({"name": pl.String, "acl": pl.List(pl.String)})
FRAME = pl.DataFrame({"name": ["a", "b"], "acl": [["x"], []]}, schema=SCHEMA)
STAMP = Stamp("digest", "upstream", "fingerprint", "run", "2026-01-01", {"rows": 2})


@pytest.fixture(params=["local", "object"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "local":
        return LocalStorage(tmp_path)
    (tmp_path / "bucket").mkdir()
    return ObjectStorage(f"file://{tmp_path / 'bucket'}")


def test_bytes_come_back(storage: Storage) -> None:
    storage.write("a/b/c.bin", b"one")
    storage.write("a/b/c.bin", b"two")
    storage.write("a/d.bin", b"")
    assert storage.read("a/b/c.bin") == b"two"
    assert storage.size("a/b/c.bin") == 3
    assert storage.size("a/nothing") is None
    assert sorted(storage.list("a/")) == ["a/b/c.bin", "a/d.bin"]
    storage.delete("a/b/c.bin")
    storage.delete("a/b/c.bin")
    assert sorted(storage.list("a/")) == ["a/d.bin"]
    with pytest.raises(KeyError):
        storage.read("a/b/c.bin")


def test_a_table_comes_back_with_its_stamp(storage: Storage) -> None:
    tables = Tables(storage)
    assert tables.stamp("chunks", "docs") is None
    assert tables.read("chunks", "docs", SCHEMA).is_empty()
    tables.write("chunks", "docs", FRAME, STAMP)
    tables.write("chunks", "docs--02of16", FRAME.head(1), STAMP)
    assert_frame_equal(tables.read("chunks", "docs", SCHEMA), FRAME)
    assert tables.stamp("chunks", "docs") == STAMP
    assert sorted(tables.partitions("chunks")) == ["docs", "docs--02of16"]
    tables.drop("chunks", "docs")
    assert tables.partitions("chunks") == ["docs--02of16"]


def test_a_table_with_other_columns_counts_as_absent(storage: Storage) -> None:
    tables = Tables(storage)
    tables.write("chunks", "docs", FRAME.drop("acl"), STAMP)
    assert tables.read("chunks", "docs", SCHEMA).is_empty()


def test_a_damaged_table_says_what_to_do(tmp_path: Path) -> None:
    tables = Tables(LocalStorage(tmp_path))
    tables.write("chunks", "docs", FRAME, STAMP)
    path = tmp_path / tables.key("chunks", "docs")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(StorageError, match="ragline ingest"):
        tables.read("chunks", "docs", SCHEMA)
    with pytest.raises(StorageError, match="ragline ingest"):
        tables.stamp("chunks", "docs")


def test_a_write_that_fails_leaves_the_old_bytes(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.write("file", b"old")

    def write_half() -> None:
        with storage.writing("file") as temporary:
            temporary.write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()
    assert storage.read("file") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_named() -> None:
    with pytest.raises(StorageFull, match="No space left"), storage_errors("the table"):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(StorageError, match="permissions"), storage_errors("the table"):
        raise PermissionError(errno.EACCES, "Permission denied")
