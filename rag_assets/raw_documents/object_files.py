"""Files of an object store (S3, GCS, Azure and what speaks their protocols), through obstore."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from rag_assets.platform.errors import SourceUnavailable
from rag_assets.platform.object_store import store_reason

from .base import Problem
from .files import SIDECAR, File, Prune, Read, is_ignored, too_large

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_LIST_CHUNK = 1000
_RANGE_BLOCK = 8 << 20
_CLOCK = timedelta(seconds=2)


class ObjectTree:
    """Objects below a prefix.

    A prefix without a single object counts as missing: a store cannot tell it from a mistyped one.

    Args:
        store: the store, rooted at the prefix.
        url: its address, for URIs and messages.
    """

    def __init__(self, store: "ObjectStore", url: str) -> None:
        self._store = store
        self.root = url.rstrip("/")

    def uri(self, path: str) -> str:
        """The URL of an object."""
        return f"{self.root}/{quote(path, errors='surrogatepass')}"

    def walk(self, prune: Prune) -> Iterator[File]:
        """See ``FileTree``; sorted by key."""
        objects = self._objects()
        folders = {path.rpartition("/")[0] for path in objects}
        for path in sorted(objects):
            meta = objects[path]
            if any(is_ignored(part) for part in path.split("/")) or path.endswith(SIDECAR):
                continue
            if meta["size"] == 0 and path in folders:
                continue  # a marker that some tools write for a folder
            written = meta["last_modified"]
            file = File(path, meta["size"], written, _signature(meta), written, path)
            sidecar = objects.get(path + SIDECAR)
            if sidecar is not None:
                file.sidecar = path + SIDECAR
                file.signature += "+" + _signature(sidecar)
                file.changed_at = max(written, sidecar["last_modified"])
            yield file

    def read(self, location: str, max_bytes: int) -> Read:
        """Read one object, unless it is too large."""
        import obstore
        from obstore.exceptions import PermissionDeniedError

        try:
            with store_errors(self.root):
                try:
                    result = obstore.get(self._store, location)
                except PermissionDeniedError:
                    return _unread(Problem("unreadable", "Access to the object was denied."))
                meta = result.meta
                if meta["size"] > max_bytes:
                    problem = too_large(meta["size"], max_bytes)
                    return Read(b"", _signature(meta), meta["last_modified"], problem=problem)
                content = bytes(result.bytes())
        except FileNotFoundError:
            text = "The object was removed before it was read."
            return _unread(Problem("changed_while_reading", text))
        if len(content) != meta["size"]:
            text = "The object changed while it was being read."
            return _unread(Problem("changed_while_reading", text))
        # with an entity tag every version has its own signature; with times alone it may not
        settled = bool(meta["e_tag"]) or datetime.now(UTC) - meta["last_modified"] > _CLOCK
        return Read(content, _signature(meta), meta["last_modified"], settled=settled)

    def _objects(self) -> dict[str, Any]:
        import obstore

        with store_errors(self.root):
            try:
                objects = {
                    item["path"]: item
                    for chunk in obstore.list(self._store, chunk_size=_LIST_CHUNK)
                    for item in chunk
                }
            except FileNotFoundError:
                objects = {}
        if not objects:
            raise SourceUnavailable(
                f"There is no object below {self.root}.",
                "Correct 'path' of the source; if it is meant to be empty, put an object named "
                "'.keep' there. Documents ingested before are kept.",
            )
        return objects


class ObjectFile:
    """One object, read in pieces.

    Args:
        store: the store, rooted at the folder of the object.
        name: its key there.
        url: its address.
    """

    def __init__(self, store: "ObjectStore", name: str, url: str) -> None:
        self._store = store
        self._name = name
        self.uri = url
        self._block = (0, b"")

    def version(self) -> tuple[str, datetime]:
        """See ``SingleFile``."""
        import obstore

        with self._errors():
            meta = obstore.head(self._store, self._name)
        self._block = (0, b"")
        return _signature(meta) + f"-{meta['last_modified'].isoformat()}", meta["last_modified"]

    def changed_at(self) -> datetime:
        """See ``SingleFile``; an upload is seen when it is whole, so that is the time of it."""
        return self.version()[1]

    def blocks(self) -> Iterator[bytes]:
        """The whole object as a stream."""
        import obstore

        with self._errors():
            for block in obstore.get(self._store, self._name).stream():
                yield bytes(block)

    def read_range(self, start: int, length: int) -> bytes:
        """See ``SingleFile``; neighbouring ranges are served from one request."""
        import obstore

        offset, block = self._block
        if not offset <= start <= start + length <= offset + len(block):
            with self._errors():
                size = obstore.head(self._store, self._name)["size"]
                if start >= size:
                    return b""
                end = start + min(max(length, _RANGE_BLOCK), size - start)
                block = bytes(obstore.get_range(self._store, self._name, start=start, end=end))
            offset = start
            self._block = (offset, block)
        return block[start - offset : start - offset + length]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with store_errors(self.uri):
                yield
        except FileNotFoundError:
            raise SourceUnavailable(
                f"The object {self.uri} does not exist.",
                "Correct 'path' of the source; documents ingested before are kept.",
            ) from None


@contextmanager
def store_errors(what: str) -> Iterator[None]:
    """Turn errors of the store into ``SourceUnavailable``; a missing object stays as it is."""
    from obstore.exceptions import BaseError, InvalidPathError

    try:
        yield
    except InvalidPathError as error:
        raise SourceUnavailable(
            f"{what} holds a key that cannot be a path: {store_reason(error)}.",
            "Rename that object (no empty, '.' or '..' parts, no control characters).",
        ) from error
    except BaseError as error:
        raise SourceUnavailable(
            f"The object store {what} is out of reach or refuses: {store_reason(error)}.",
            "Check 'path' of the source, the network and the credentials in 'storage_options'; "
            "documents ingested before are kept.",
        ) from error


def _unread(problem: Problem) -> Read:
    return Read(b"", "?", settled=False, problem=problem)


def _signature(meta: Any) -> str:
    if meta["e_tag"]:
        return f"{meta['size']}-{meta['e_tag']}"
    return f"{meta['size']}-{meta['last_modified'].isoformat()}"
