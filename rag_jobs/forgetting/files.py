"""The byte search at the end of an erasure: every file of the deployment."""

from collections.abc import Iterator
from pathlib import Path

from rag_assets.erasure.base import Subject
from rag_assets.erasure.byte_search import (
    ByteSearch,
    Readable,
    file_at,
    files_below,
    search,
    tidy_database,
    tidy_databases,
)
from rag_assets.platform.platform import Platform
from rag_assets.platform.storage import LocalStorage, is_url
from rag_assets.raw_documents.erasure import hashes_of_others

from .places import Progress
from .subject import hashes_in_releases


def search_everything(
    platform: Platform, subject: Subject, report: Progress
) -> tuple[ByteSearch, list[str]]:
    """Search every file under RAG_HOME and DAGSTER_HOME for phrases of the document.

    Encoder models are left out, because nothing of a document is ever written there, and so are
    sources: what stands there is outside.

    Returns:
        What was found, and the blobs of other documents that hold a phrase: their bytes may quote
        what their text does not show. Those are no traces.
    """
    folders = _folders(platform)
    for folder in folders:
        tidy_databases(folder)
    database = _database_file(platform)
    if database:
        tidy_database(database)
    files = list(_files(platform, folders))
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        report("byte search", done, len(files))

    searched = search(files, subject.phrases, count)
    needed = hashes_of_others(platform, subject.document_id)
    needed |= hashes_in_releases(platform, subject.document_id)
    theirs = [name for name in searched.found if Path(name).name in needed]
    rest = tuple(name for name in searched.found if name not in theirs)
    return ByteSearch(searched.files, searched.bytes, rest, searched.unreadable), theirs


def _folders(platform: Platform) -> list[Path]:
    """Local folders that hold nothing but state, none inside another."""
    found = [platform.state_path.absolute()]
    storage = platform.storage
    shared = [Path(storage.root).absolute()] if isinstance(storage, LocalStorage) else []
    for folder in (*shared, platform.settings.dagster_home):
        if not any(folder.is_relative_to(outer) for outer in found):
            found = [inner for inner in found if not inner.is_relative_to(folder)] + [folder]
    return found


def _files(platform: Platform, folders: list[Path]) -> Iterator[Readable]:
    for folder in folders:
        yield from files_below(folder, skip=_not_state(platform))
    database = _database_file(platform)
    if database and not any(database.is_relative_to(folder) for folder in folders):
        for name in (database.name, f"{database.name}-wal", f"{database.name}-journal"):
            yield from file_at(database.with_name(name))
    storage = platform.storage
    if not isinstance(storage, LocalStorage):
        for key in storage.list(""):
            yield Readable(key, lambda key=key: iter([storage.read(key)]))  # type: ignore[misc]


def _not_state(platform: Platform) -> list[Path]:
    """Encoder models, and sources that somebody keeps in the data directory."""
    sources = [item.path for item in platform.settings.sources.values() if not is_url(item.path)]
    local = [Path(path.removeprefix("file://")).absolute() for path in sources]
    return [platform.state_path / "models", *local]


def _database_file(platform: Platform) -> Path | None:
    url = platform.database.url
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database).absolute()
