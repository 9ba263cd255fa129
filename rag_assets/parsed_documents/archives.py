"""Archives: bombs, found before anything is unpacked, and the files inside."""

import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator

from .outcome import ErrorKind, ExtractionFailed

MAX_UNPACKED_BYTES = 1 << 30
MAX_RATIO = 200  # text and XML shrink 5 to 50 times
HARMLESS_BYTES = 32 << 20  # below this, no ratio is a danger
MAX_ENTRIES = 20_000
_STEP = 1 << 20


def refuse_bomb(content: bytes) -> None:
    """Look at the directory of a zip file (Office files and e-books are zip files) or unpack a gzip
    stream into nowhere, and refuse what would unpack to far too much.

    Args:
        content: the bytes of a file of any kind.

    Raises:
        ExtractionFailed: the file is an ``archive_bomb``.
    """
    if content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        unpacked, entries = _zip_size(content)
    elif content.startswith(b"\x1f\x8b"):
        unpacked, entries = _gzip_size(content), 1
    else:
        return
    if entries > MAX_ENTRIES:
        raise ExtractionFailed(ErrorKind.ARCHIVE_BOMB, f"The archive has {entries:,} entries.")
    ratio = unpacked / max(1, len(content))
    if unpacked > MAX_UNPACKED_BYTES or (unpacked > HARMLESS_BYTES and ratio > MAX_RATIO):
        raise ExtractionFailed(
            ErrorKind.ARCHIVE_BOMB,
            f"The archive of {len(content):,} bytes unpacks to {unpacked:,} bytes or more.",
        )


def _zip_size(content: bytes) -> tuple[int, int]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        return 0, 0  # not readable as an archive: the parser says what is wrong with it
    return sum(entry.file_size for entry in entries), len(entries)


def _gzip_size(content: bytes) -> int:
    """Unpacked bytes of a gzip stream, counted until they are too many."""
    limit = min(MAX_UNPACKED_BYTES, max(HARMLESS_BYTES, MAX_RATIO * len(content)))
    total = 0
    rest = content
    try:
        while rest.startswith(b"\x1f\x8b") and total <= limit:
            stream = zlib.decompressobj(wbits=31)
            while rest and not stream.eof and total <= limit:
                total += len(stream.decompress(rest, _STEP))
                rest = stream.unconsumed_tail
            rest = stream.unused_data
    except zlib.error:
        return total
    return total


def members(content: bytes, format_name: str) -> Iterator[tuple[str, bytes]]:
    """The files in an archive that passed ``refuse_bomb``, in its own order.

    Args:
        content: the archive.
        format_name: ``zip``, ``tar`` or ``gz`` (a compressed file, or a compressed tar file).

    Raises:
        ExtractionFailed: it is damaged or needs a password.
    """
    try:
        if format_name == "zip":
            yield from _zip_members(content)
        elif format_name == "gz" and not _is_tar(content):
            yield "", gzip.decompress(content)
        else:
            yield from _tar_members(content)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise ExtractionFailed(ErrorKind.MALFORMED, f"The archive is damaged: {error}.") from error
    except (NotImplementedError, ValueError) as error:
        raise ExtractionFailed(ErrorKind.UNSUPPORTED, f"The archive: {error}.") from error


def _zip_members(content: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.infolist():
            if entry.flag_bits & 1:
                problem = "The archive is protected by a password."
                raise ExtractionFailed(ErrorKind.PASSWORD_PROTECTED, problem)
            if not entry.is_dir():
                with archive.open(entry) as file:
                    # the directory may lie about the size
                    yield entry.filename, file.read(entry.file_size)


def _tar_members(content: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for entry in archive:
            file = archive.extractfile(entry) if entry.isfile() else None
            if file is not None:
                yield entry.name, file.read()


def _is_tar(content: bytes) -> bool:
    try:
        with tarfile.open(fileobj=io.BytesIO(content)):
            return True
    except tarfile.TarError:
        return False
