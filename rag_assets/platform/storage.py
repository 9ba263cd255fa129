"""Byte storage under RAG_HOME: a local folder or an object store, with one behaviour.

Protocol: a key is a relative POSIX path. ``write`` is atomic (a reader sees the old bytes or the
new ones, never a part) and replaces what is there; ``create`` writes only where nothing is, and
says whether it did: of several callers at the same time one wins. ``read`` of a missing key raises
``KeyError``. ``touch`` makes what is there look as if it were written now, and says whether it could.
``path`` gives a local file for libraries that want one, or ``None`` on an object store.
"""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from .errors import StorageError, StorageFull

TEMPORARY_SUFFIX = ".writing"


class Storage(Protocol):
    """Where the platform keeps bytes; see the module's docstring for the rules."""

    root: str

    def read(self, key: str) -> bytes: ...
    def write(self, key: str, data: bytes) -> None: ...
    def create(self, key: str, data: bytes) -> bool: ...
    def touch(self, key: str) -> bool: ...
    def size(self, key: str) -> int | None: ...
    def list(self, prefix: str) -> Iterator[str]: ...
    def delete(self, key: str) -> None: ...
    def path(self, key: str) -> Path | None: ...


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Turn operating-system errors into errors that tell a person what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(
                f"No space left while writing {what}; nothing was half-written.",
                "Free some space (or move RAG_HOME) and run the command again.",
            ) from error
        if isinstance(error, FileNotFoundError):
            raise
        raise StorageError(
            f"Cannot access {what}: {error.strerror or error}.",
            "Check the permissions and the mount of RAG_HOME.",
        ) from error


class LocalStorage:
    """A folder on a local or shared file system."""

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root)
        self.root = str(self._root)

    def path(self, key: str) -> Path:
        return self._root / key

    def read(self, key: str) -> bytes:
        try:
            with storage_errors(self.root + "/" + key):
                return self.path(key).read_bytes()
        except FileNotFoundError:
            raise KeyError(key) from None

    def write(self, key: str, data: bytes) -> None:
        with self.writing(key) as temporary, open(temporary, "wb") as file:
            file.write(data)

    def create(self, key: str, data: bytes) -> bool:
        target = self.path(key)
        temporary = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}")
        with storage_errors(str(target)):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                temporary.write_bytes(data)
                os.link(temporary, target)  # unlike a rename, it fails where something is
            except FileExistsError:
                return False
            finally:
                temporary.unlink(missing_ok=True)
        return True

    def touch(self, key: str) -> bool:
        try:
            os.utime(self.path(key))
        except OSError:
            return False
        return True

    @contextmanager
    def writing(self, key: str, *, durable: bool = False) -> Iterator[Path]:
        """Give a temporary path beside ``key`` that replaces it when the block ends well.

        With ``durable`` the bytes are flushed to the disk first, so that even a power cut leaves
        the old content or the new one.
        """
        target = self.path(key)
        temporary = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}")
        with storage_errors(str(target)):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                yield temporary
                if durable:
                    with open(temporary, "rb+") as file:
                        os.fsync(file.fileno())
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)

    def size(self, key: str) -> int | None:
        try:
            return self.path(key).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def list(self, prefix: str) -> Iterator[str]:
        base = self.path(prefix)
        for folder, _, names in os.walk(base):
            for name in sorted(names):
                if not name.endswith(TEMPORARY_SUFFIX):
                    yield (Path(folder) / name).relative_to(self._root).as_posix()

    def delete(self, key: str) -> None:
        target = self.path(key)
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)


class ObjectStorage:
    """A bucket and prefix of an S3, GCS or Azure compatible store, through obstore."""

    def __init__(self, url: str, options: dict[str, str] | None = None) -> None:
        from .object_store import open_store

        self._store: Any = open_store(url, options or {})
        self.root = url

    def path(self, key: str) -> None:
        return None

    def read(self, key: str) -> bytes:
        import obstore

        try:
            with self._errors(key):
                return bytes(obstore.get(self._store, key).bytes())
        except FileNotFoundError:
            raise KeyError(key) from None

    def write(self, key: str, data: bytes) -> None:
        import obstore

        with self._errors(key):
            obstore.put(self._store, key, data)

    def create(self, key: str, data: bytes) -> bool:
        import obstore
        from obstore.exceptions import AlreadyExistsError

        with self._errors(key):
            try:
                obstore.put(self._store, key, data, mode="create")
            except AlreadyExistsError:
                return False
        return True

    def touch(self, key: str) -> bool:
        return False  # an object is young only when it is written again

    def size(self, key: str) -> int | None:
        import obstore

        try:
            with self._errors(key):
                return int(obstore.head(self._store, key)["size"])
        except FileNotFoundError:
            return None

    def list(self, prefix: str) -> Iterator[str]:
        import obstore

        with self._errors(prefix):
            for batch in obstore.list(self._store, prefix=prefix):
                yield from sorted(item["path"] for item in batch)

    def delete(self, key: str) -> None:
        import obstore

        for item in list(self.list(key)) or [key]:
            try:
                with self._errors(item):
                    obstore.delete(self._store, item)
            except FileNotFoundError:
                continue

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        from obstore.exceptions import BaseError

        from .object_store import store_reason

        try:
            yield
        except FileNotFoundError:
            raise
        except (BaseError, OSError) as error:
            raise StorageError(
                f"Cannot access {self.root}/{key}: {store_reason(error)}.",
                "Check that the store can be reached and RAG_STORAGE_OPTIONS.",
            ) from error


def is_url(location: str) -> bool:
    """Whether a location names an object store rather than a local path."""
    return "://" in location and not location.startswith("file://")


def open_storage(
    location: str, options: dict[str, str] | None = None
) -> LocalStorage | ObjectStorage:
    """Open the storage for a local path, a ``file://`` URL or an object-store URL."""
    if is_url(location):
        return ObjectStorage(location, options)
    return LocalStorage(location.removeprefix("file://"))
