"""The byte search finds a phrase in whatever form a program wrote it, and says where it could not."""

import csv
import html
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.erasure import byte_search
from rag_assets.erasure.byte_search import (
    Readable,
    files_below,
    search,
    tidy_databases,
)

PHRASE = 'the "\u00e9t\u00e9" clause of Jo\'s contract & more'


def write_forms(folder: Path) -> set[str]:
    """A file for each form in which programs write text."""
    (folder / "deep" / "er").mkdir(parents=True)
    contents = {
        "plain.txt": f"before {PHRASE} after".encode(),
        "deep/er/.hidden.writing": PHRASE.encode(),
        "windows.txt": PHRASE.encode("utf-16"),
        "big-endian.bin": b"\x00" + PHRASE.encode("utf-16-be"),
        "event.json": json.dumps({"report": PHRASE}).encode(),
        "event-utf8.json": json.dumps({"report": PHRASE}, ensure_ascii=False).encode(),
        "nested.json": json.dumps({"event": json.dumps({"report": PHRASE})}).encode(),
        "page.html": html.escape(PHRASE).encode(),
        "cells.html": html.escape(PHRASE, quote=False).encode(),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    with closing(sqlite3.connect(folder / "some.db")) as connection, connection:
        connection.execute("CREATE TABLE t (x TEXT)")
        connection.execute("INSERT INTO t VALUES (?)", [PHRASE])
    return {*contents, "some.db"}


def names(folder: Path, found: tuple[str, ...]) -> set[str]:
    return {str(Path(name).relative_to(folder)) for name in found}


def test_every_form_is_found_and_nothing_else(tmp_path: Path) -> None:
    expected = write_forms(tmp_path)
    (tmp_path / "other.txt").write_text(PHRASE.replace("clause", "claws"))
    (tmp_path / "empty").touch()
    with open(tmp_path / "table.csv", "w", newline="") as file:
        csv.writer(file).writerow(["no phrase", 1])
    result = search(files_below(tmp_path), [PHRASE, "a phrase that is nowhere at all"])
    assert names(tmp_path, result.found) == expected
    assert result.files == len(expected) + 3
    assert result.bytes == sum(
        path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()
    )
    assert search(files_below(tmp_path), []).found == ()


@given(
    before=st.integers(0, 40),
    block=st.integers(1, 9),
    batch=st.integers(1, 50),
    junk=st.sampled_from([b"x", b"\x00", b"\xff", "\u00e9".encode()]),
)
def test_a_phrase_across_blocks_is_found(before: int, block: int, batch: int, junk: bytes) -> None:
    content = junk * before + PHRASE.encode() + junk
    pieces = [content[start : start + block] for start in range(0, len(content), block)]
    files = [
        Readable("without", lambda: iter([junk * 7])),
        Readable("with", lambda: iter(pieces)),
        Readable("halves", lambda: iter([PHRASE.encode()[:-1]])),
        Readable("rest", lambda: iter([PHRASE.encode()[-1:]])),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(byte_search, "BATCH_BYTES", batch)
        result = search(files, [PHRASE, "something else altogether"])
    assert result.found == ("with",)
    assert result.files == len(files)


def test_folders_and_files_can_be_left_out_and_links_are_not_followed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for name in ("models", "sources", "kept"):
        (state / name).mkdir(parents=True)
        (state / name / "a.txt").write_text(PHRASE)
    (state / "one.jsonl").write_text(PHRASE)
    (state / "loop").symlink_to(state, target_is_directory=True)
    (state / "dangling").symlink_to(state / "nowhere")
    skip = [state / "models", state / "sources", state / "one.jsonl"]
    found = search(files_below(state, skip), [PHRASE]).found
    assert found == (str(state / "kept" / "a.txt"),)


def test_a_file_that_cannot_be_read_is_no_proof_of_absence() -> None:
    def denied() -> "list[bytes]":
        raise PermissionError("no")

    def vanished() -> "list[bytes]":
        raise FileNotFoundError("gone")

    files = [
        Readable("denied", lambda: iter(denied())),
        Readable("vanished", lambda: iter(vanished())),
    ]
    result = search(files, [PHRASE])
    assert result.unreadable == ("denied",)
    assert result.files == 1


def test_deleted_rows_leave_no_bytes_in_a_database_or_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE t (x TEXT)")
    connection.executemany("INSERT INTO t VALUES (?)", [[f"{PHRASE} {n}"] for n in range(200)])
    connection.commit()
    connection.execute("DELETE FROM t")
    connection.commit()
    assert search(files_below(tmp_path), [PHRASE]).found
    tidy_databases(tmp_path)
    assert search(files_below(tmp_path), [PHRASE]).found == ()
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
