"""Garbage among the blobs: what is needed or young stays, on a folder and on a real S3 server."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.raw_documents.blobs import Blobs
from rag_assets.raw_documents.garbage import collect_blobs
from tests.s3_server import s3_server

FUTURE = datetime.now(UTC) + timedelta(days=1)
PAST = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture(scope="module")
def bucket() -> Iterator[dict[str, str]]:
    with s3_server("ragline") as options:
        yield options


@pytest.fixture(params=["folder", "s3"])
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Platform:
    if request.param == "folder":
        return Platform(Settings(home=str(tmp_path)))
    options = request.getfixturevalue("bucket")
    home = f"s3://ragline/{tmp_path.name}"
    return Platform(Settings(home=home, state_dir=str(tmp_path), storage_options=options))


def test_what_is_not_needed_goes(platform: Platform) -> None:
    blobs = Blobs(platform.storage)
    needed, garbage = blobs.put(b"needed"), blobs.put(b"garbage!")
    assert collect_blobs(platform, {needed}, FUTURE) == (1, len(b"garbage!"))
    assert blobs.get(needed) == b"needed"
    assert platform.storage.size(blobs.key(garbage)) is None
    assert collect_blobs(platform, {needed}, FUTURE) == (0, 0)


def test_what_is_young_stays(platform: Platform) -> None:
    sha256 = Blobs(platform.storage).put(b"just read by an ingest")
    assert collect_blobs(platform, set(), PAST) == (0, 0)
    assert Blobs(platform.storage).get(sha256) == b"just read by an ingest"


def test_what_is_no_blob_is_left_alone(platform: Platform) -> None:
    keys = ["blobs/README", f"blobs/aa/{'a' * 63}", "tables/chunks/docs.parquet"]
    for key in keys:
        platform.storage.write(key, b"somebody's")
    assert collect_blobs(platform, set(), FUTURE) == (0, 0)
    assert all(platform.storage.size(key) for key in keys)


def test_there_may_be_no_blobs(platform: Platform) -> None:
    assert collect_blobs(platform, set(), FUTURE) == (0, 0)


def test_leftovers_of_interrupted_writes_go(tmp_path: Path) -> None:
    platform = Platform(Settings(home=str(tmp_path)))
    sha256 = Blobs(platform.storage).put(b"needed")
    folder = tmp_path / "blobs" / sha256[:2]
    old, new = folder / f"{sha256}.1234abcd.writing", folder / f"{sha256}.5678abcd.writing"
    old.write_bytes(b"need")
    new.write_bytes(b"ne")
    hour_ago = time.time() - 3600
    os.utime(old, (hour_ago, hour_ago))
    grace = datetime.now(UTC) - timedelta(minutes=30)
    assert collect_blobs(platform, {sha256}, grace) == (1, 4)
    assert sorted(path.name for path in folder.iterdir()) == [sha256, new.name]
