"""Files of a local or mounted folder."""

import os
import stat
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote_from_bytes

from rag_assets.platform.errors import SourceUnavailable

from .base import NO_TIME, Problem
from .files import BLOCK_BYTES, SIDECAR, File, Prune, Read, is_ignored, too_large
from .local_status import (
    absolute_path,
    changed_at_of,
    file_uri,
    is_settled,
    modified_at_of,
    signature_of,
)

# a fifo that replaces a file between listing and reading must not block the open
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class _Folder(NamedTuple):
    absolute: str
    relative: str  # "" or ends with a slash
    real_ancestors: tuple[str, ...]  # real paths of this folder and those above it
    through_link: bool


class LocalTree:
    """Files below a local folder.

    Links are followed only to what is inside the root. A link to a folder is followed unless it
    leads to a folder that contains it, and links to folders below it are not followed again, so
    that no loop and no explosion is possible; nothing is lost by that, as every visible folder
    inside the root is listed under its own path as well.

    Args:
        root: the folder.
    """

    def __init__(self, root: str) -> None:
        self.root = absolute_path(root)
        self._base_uri = file_uri(self.root).rstrip("/") + "/"

    def uri(self, path: str) -> str:
        """The ``file://`` URI of a relative path."""
        return self._base_uri + quote_from_bytes(os.fsencode(path))

    def walk(self, prune: Prune) -> Iterator[File]:
        """See ``FileTree``; files of a folder come before its subfolders, each sorted by name."""
        identity = self._identity()
        real_root = os.path.realpath(self.root)
        pending = [_Folder(self.root, "", (real_root,), False)]
        while pending:
            folder = pending.pop()
            try:
                with os.scandir(folder.absolute) as scan:
                    entries = sorted(scan, key=lambda entry: entry.name)
            except (FileNotFoundError, NotADirectoryError):
                if not folder.relative:
                    raise self._unavailable("does not exist") from None
                continue  # deleted since its parent was listed
            except OSError as error:
                if not folder.relative:
                    raise self._unavailable(f"cannot be read: {error.strerror}") from error
                yield _unlistable(folder, error)
                continue
            subfolders: list[_Folder] = []
            yield from self._files_of(folder, entries, subfolders)
            pending.extend(sub for sub in reversed(subfolders) if not prune(sub.relative))
        if self._identity() != identity:
            raise self._unavailable("was replaced while it was listed")

    def read(self, location: str, max_bytes: int) -> Read:
        """Read one file, unless it is too large, changes meanwhile or leads outside the root."""
        started = time.time_ns()
        try:
            with open(os.open(location, _OPEN_FLAGS), "rb") as file:
                before = os.fstat(file.fileno())
                problem = self._refuse(location, before, max_bytes)
                if problem:
                    return _problem(problem, before)
                content = file.read(before.st_size + 1)
                after = os.fstat(file.fileno())
            in_place = Path(location).stat()
        except FileNotFoundError:
            return _problem(
                Problem("changed_while_reading", "The file was removed before it was read.")
            )
        except OSError as error:
            return _problem(Problem("unreadable", f"The file cannot be read: {error.strerror}."))
        signature = signature_of(after)
        if (
            not signature == signature_of(before) == signature_of(in_place)
            or len(content) != after.st_size
        ):
            return _problem(
                Problem("changed_while_reading", "The file changed while it was being read.")
            )
        return Read(content, signature, modified_at_of(after), settled=is_settled(after, started))

    def _files_of(
        self, folder: _Folder, entries: list["os.DirEntry[str]"], subfolders: list[_Folder]
    ) -> Iterator[File]:
        names = {entry.name for entry in entries}
        for entry in entries:
            name = entry.name
            if is_ignored(name) or name.endswith(SIDECAR):
                continue
            relative = folder.relative + name
            try:
                if entry.is_symlink():
                    file = self._linked(entry, relative, folder, subfolders)
                    if file is None:
                        continue
                elif entry.is_dir(follow_symlinks=False):
                    real = folder.real_ancestors[-1].rstrip("/") + "/" + name
                    ancestors = (*folder.real_ancestors, real)
                    subfolders.append(
                        _Folder(entry.path, relative + "/", ancestors, folder.through_link)
                    )
                    continue
                else:
                    file = _file(relative, entry.path, entry.stat(follow_symlinks=False))
                if name + SIDECAR in names:
                    _attach(file, entry.path + SIDECAR)
            except FileNotFoundError:
                continue  # deleted since the folder was read
            except OSError as error:
                text = f"The file cannot be examined: {error.strerror}."
                file = _broken(relative, entry.path, Problem("unreadable", text))
            yield file

    def _linked(
        self, entry: "os.DirEntry[str]", relative: str, folder: _Folder, subfolders: list[_Folder]
    ) -> File | None:
        real = os.path.realpath(entry.path)
        if not self._inside(real):
            text = "The link leads outside the folder of the source; it was not followed."
            return _broken(relative, entry.path, Problem("path_escapes_root", text))
        try:
            target = entry.stat()
        except OSError:
            text = "The link leads to nothing, or to itself."
            return _broken(relative, entry.path, Problem("unreadable", text))
        if stat.S_ISDIR(target.st_mode):
            if not folder.through_link and real not in folder.real_ancestors:
                ancestors = (*folder.real_ancestors, real)
                subfolders.append(_Folder(entry.path, relative + "/", ancestors, True))
            return None
        file = _file(relative, entry.path, target)
        # a link must not be a way around the sidecar (and its ACL) of the file that it leads to
        if os.path.lexists(real + SIDECAR) and not os.path.lexists(entry.path + SIDECAR):
            _attach(file, real + SIDECAR)
        return file

    def _refuse(self, location: str, status: os.stat_result, max_bytes: int) -> Problem | None:
        if not stat.S_ISREG(status.st_mode):
            return Problem("not_a_file", "It is not a regular file.")
        real = os.path.realpath(location)
        if not self._inside(real):
            return Problem("path_escapes_root", "It leads outside the folder of the source.")
        inside = Path(real).stat()
        if (inside.st_dev, inside.st_ino) != (status.st_dev, status.st_ino):
            return Problem(
                "changed_while_reading", "The file was replaced while it was being opened."
            )
        if status.st_size > max_bytes:
            return too_large(status.st_size, max_bytes)
        return None

    def _inside(self, real: str) -> bool:
        real_root = os.path.realpath(self.root)
        return real == real_root or real.startswith(real_root.rstrip("/") + "/")

    def _identity(self) -> tuple[int, int]:
        try:
            status = Path(self.root).stat()
        except (FileNotFoundError, NotADirectoryError):
            raise self._unavailable("does not exist") from None
        except OSError as error:
            raise self._unavailable(f"cannot be read: {error.strerror}") from error
        if not stat.S_ISDIR(status.st_mode):
            raise self._unavailable("is not a folder")
        return status.st_dev, status.st_ino

    def _unavailable(self, what: str) -> SourceUnavailable:
        return SourceUnavailable(
            f"The folder {os.fsencode(self.root).decode(errors='replace')} {what}.",
            "Create, mount or unlock it, or correct 'path' of the source in ragline.toml; "
            "documents ingested before are kept.",
        )


class LocalFile:
    """One local file, read in pieces.

    Args:
        path: the file.
    """

    def __init__(self, path: str) -> None:
        self.path = absolute_path(path)
        self.uri = file_uri(self.path)

    def version(self) -> tuple[str, datetime]:
        """See ``SingleFile``."""
        status = self._status()
        if not stat.S_ISREG(status.st_mode):
            raise SourceUnavailable(
                f"{self.path} is not a file.", "Set 'path' of the source to a .jsonl file."
            )
        return signature_of(status), modified_at_of(status)

    def changed_at(self) -> datetime:
        """See ``SingleFile``."""
        return changed_at_of(self._status())

    def blocks(self) -> Iterator[bytes]:
        """The whole file in blocks of a megabyte."""
        try:
            with open(os.open(self.path, _OPEN_FLAGS), "rb") as file:
                while block := file.read(BLOCK_BYTES):
                    yield block
        except OSError as error:
            raise self._unavailable(error) from error

    def read_range(self, start: int, length: int) -> bytes:
        """See ``SingleFile``."""
        try:
            with open(os.open(self.path, _OPEN_FLAGS), "rb") as file:
                file.seek(start)
                return file.read(length)
        except OSError as error:
            raise self._unavailable(error) from error

    def _status(self) -> os.stat_result:
        try:
            return Path(self.path).stat()
        except OSError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: OSError) -> SourceUnavailable:
        return SourceUnavailable(
            f"The file {self.path} cannot be read: {error.strerror}.",
            "Create or mount it, check its permissions, or correct 'path' of the source in "
            "ragline.toml; documents ingested before are kept.",
        )


def _file(relative: str, absolute: str, status: os.stat_result) -> File:
    times = modified_at_of(status), signature_of(status), changed_at_of(status)
    file = File(relative, status.st_size, *times, absolute)
    if not stat.S_ISREG(status.st_mode):
        file.problem = Problem("not_a_file", "It is not a regular file (a pipe, socket or device).")
    return file


def _attach(file: File, sidecar: str) -> None:
    file.sidecar = sidecar
    try:
        status = os.lstat(sidecar)
        if stat.S_ISLNK(status.st_mode):
            status = Path(sidecar).stat()
        file.signature += "+" + signature_of(status)
        file.changed_at = max(file.changed_at, changed_at_of(status))
    except OSError:
        # it exists but cannot be examined: reading it will say why, and must be tried again
        file.signature += "+?"


def _broken(relative: str, absolute: str, problem: Problem) -> File:
    try:
        status = os.lstat(absolute)
        size, modified, changed = status.st_size, modified_at_of(status), changed_at_of(status)
        signature = signature_of(status)
    except OSError:
        size, modified, changed, signature = 0, NO_TIME, NO_TIME, "?"
    signature = f"{problem.kind}:{signature}"
    return File(relative, size, modified, signature, changed, absolute, problem=problem)


def _unlistable(folder: _Folder, error: OSError) -> File:
    text = f"The folder cannot be listed: {error.strerror}; its known documents are kept."
    problem = Problem("unreadable", text)
    file = _broken(folder.relative.rstrip("/"), folder.absolute, problem)
    file.covers = True
    return file


def _problem(problem: Problem, status: os.stat_result | None = None) -> Read:
    if status is None:
        return Read(b"", "?", settled=False, problem=problem)
    return Read(b"", signature_of(status), modified_at_of(status), problem=problem)
