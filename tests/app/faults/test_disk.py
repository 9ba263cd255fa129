"""The disk is full: answers go on without a lineage, uploads are refused whole, and it passes."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from .asking import QUOTED, Caller, errors_of, eventually, measured

NOTE = {"file": ("pool.md", b"# Pool\n\n" + b"The pool opens at seven. " * 4000, "text/markdown")}


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Not a byte is left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1_000_000, 1000, 1):
            with suppress(OSError):
                while file.write(b"\0" * size) == size:
                    continue
    try:
        yield
    finally:
        filler.unlink()


def stored(uploader: Caller) -> set[str]:
    folder = uploader.service.folder / "uploads"
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_full_disk_costs_lineage_and_uploads_and_no_answer(
    uploader: Caller, disk: Path | None
) -> None:
    if disk is None:
        pytest.skip("this machine does not let us mount a small disk")
    before = uploader.ask()
    rating = {"answer_id": before.body["answer_id"], "rating": "up"}
    assert shutil.disk_usage(disk).free > 1_000_000
    with full(disk):
        seen = uploader.ask()
        measured("disk: full, answer", seen.seconds)
        assert seen.degraded == ["log_failed"]
        assert QUOTED in seen.body["answer"]
        lineage = uploader.send("GET", f"/v1/answers/{seen.body['answer_id']}/lineage")
        assert lineage.status == 404
        upload = uploader.send("POST", "/v1/documents", files=NOTE)
        measured("disk: full, upload", upload.seconds)
        feedback = uploader.send("POST", "/v1/feedback", json=rating)
        assert {(item.status, item.kind) for item in (upload, feedback)} == {(507, "storage-full")}
        assert not stored(uploader)
        assert not uploader.missing()
    took = eventually(lambda: uploader.ask().degraded == [], "an answer with its lineage")
    measured("disk: has room again, answer complete", took)
    assert uploader.send("POST", "/v1/feedback", json=rating).status == 201
    assert uploader.send("POST", "/v1/documents", files=NOTE).status == 202
    assert "pool.md" in {Path(name).name for name in stored(uploader)}
    assert not list(errors_of(uploader.service))
