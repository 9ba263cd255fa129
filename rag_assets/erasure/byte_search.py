"""Search the raw bytes of every file for phrases, in the forms in which programs write text.

What is compressed inside a file is not seen here: that is searched, decoded, by the eraser of the
place. This search is for everything else: databases, logs, exports, and files nobody thought of.
"""

import html
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl

BLOCK_BYTES = 8 << 20
BATCH_BYTES = 16 << 20
SQLITE_MAGIC = b"SQLite format 3\x00"


@dataclass(frozen=True)
class ByteSearch:
    """What was searched, and where something was found.

    Attributes:
        files, bytes: searched.
        found: the names of files in which a phrase stands.
        unreadable: the names of files that could not be read.
    """

    files: int
    bytes: int
    found: tuple[str, ...]
    unreadable: tuple[str, ...] = ()


class Readable(NamedTuple):
    """A file to search: its name, and its bytes in blocks."""

    name: str
    blocks: Callable[[], Iterator[bytes]]


class _Block(NamedTuple):
    name: str
    content: bytes


def search(
    files: Iterable[Readable], phrases: Iterable[str], progress: Callable[[int], None] | None = None
) -> ByteSearch:
    """Look for phrases in files.

    Args:
        files: what to search.
        phrases: what to look for; see ``forms``.
        progress: called with 1 after each file.
    """
    patterns = sorted({form for phrase in phrases for form in forms(phrase)})
    words = [pattern.decode("latin-1") for pattern in patterns]
    overlap = max((len(pattern) for pattern in patterns), default=1) - 1
    counts = {"files": 0, "bytes": 0}
    found: dict[str, None] = {}
    unreadable: list[str] = []
    batch: list[_Block] = []

    def look() -> None:
        if batch and words:
            # one character a byte, so that any bytes can be searched as text
            texts = pl.Series([block.content.decode("latin-1") for block in batch], dtype=pl.String)
            for hit in texts.str.contains_any(words).arg_true():
                found[batch[hit].name] = None
        batch.clear()

    for file in files:
        counts["files"] += 1
        waiting, tail = sum(len(block.content) for block in batch), b""
        try:
            for block in file.blocks():
                counts["bytes"] += len(block)
                batch.append(_Block(file.name, tail + block))
                tail = (tail + block)[-overlap:] if overlap else b""
                waiting += len(batch[-1].content)
                if waiting >= BATCH_BYTES:
                    look()
                    waiting = 0
        except FileNotFoundError:
            counts["files"] -= 1  # gone meanwhile
        except OSError:
            unreadable.append(file.name)
        if progress is not None:
            progress(1)
    look()
    return ByteSearch(counts["files"], counts["bytes"], tuple(sorted(found)), tuple(unreadable))


def forms(phrase: str) -> set[bytes]:
    """The phrase as bytes: UTF-8, UTF-16, escaped in JSON (once and twice), escaped in HTML."""
    texts = {phrase, html.escape(phrase), html.escape(phrase, quote=False)}
    for ascii_only in (True, False):
        once = json.dumps(phrase, ensure_ascii=ascii_only)[1:-1]
        twice = json.dumps(once, ensure_ascii=ascii_only)[1:-1]
        texts |= {once, twice}
    found = {text.encode("utf-8", "surrogatepass") for text in texts}
    found |= {phrase.encode(name, "surrogatepass") for name in ("utf-16-le", "utf-16-be")}
    return found


def files_below(folder: Path, skip: Iterable[Path] = ()) -> Iterator[Readable]:
    """Every file below a folder, hidden and temporary ones too; links to folders are not followed.

    Args:
        folder: where to begin.
        skip: files and folders to leave out.
    """
    left_out = {path.absolute() for path in skip}
    for parent, folders, names in os.walk(folder):
        here = Path(parent).absolute()
        folders[:] = sorted(name for name in folders if here / name not in left_out)
        for name in sorted(names):
            if here / name not in left_out:
                yield from file_at(here / name)


def file_at(path: Path) -> Iterator[Readable]:
    """The file at a path, if there is one."""
    if path.is_file():
        yield Readable(str(path), lambda: _blocks(path))


def tidy_databases(folder: Path) -> None:
    """Write SQLite databases below a folder anew, so that deleted rows leave no bytes behind."""
    for parent, _, names in os.walk(folder):
        for name in names:
            tidy_database(Path(parent) / name)


def tidy_database(path: Path) -> None:
    """Write a SQLite database anew; one in use stays as it is, and the search says what it holds."""
    if not _is_sqlite(path):
        return
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as connection,
    ):
        connection.execute("PRAGMA secure_delete=ON")
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _is_sqlite(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
    except OSError:
        return False


def _blocks(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while block := file.read(BLOCK_BYTES):
            yield block
