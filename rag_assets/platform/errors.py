"""Errors a person may meet. Each says what happened and what to do next."""

from pathlib import Path

ALMOST_FULL_BYTES = 1_000_000


class RaglineError(Exception):
    """Base of every error that is shown to a person without a traceback.

    Args:
        message: what happened, in one sentence.
        hint: what to do about it, in one sentence; shown after the message.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class ConfigurationError(RaglineError):
    """A setting is missing, unknown or has an impossible value."""


class MissingExtra(ConfigurationError):
    """A setting asks for a package that belongs to an extra which is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"The package '{package}' is not installed.",
            f"Install the extra: pip install 'ragline[{extra}]'.",
        )


class SourceUnavailable(RaglineError):
    """A source cannot be listed as a whole (missing or unreadable folder, store out of reach)."""


class SourceChanged(RaglineError):
    """A document changed while it was being read; it is tried again at the next ingest."""


class StorageFull(RaglineError):
    """The disk or the quota under RAG_HOME is full; nothing was half-written."""


class StorageError(RaglineError):
    """State under RAG_HOME cannot be read or written."""


class DatabaseUnavailable(StorageError):
    """The platform database cannot be reached."""


class AlreadyRunning(RaglineError):
    """Another process holds the lock that this operation needs."""


class ContractError(RaglineError):
    """A data contract could not be evaluated (which is not the same as: does not hold)."""


class EncoderError(RaglineError):
    """The encoder cannot be loaded, or does not agree with its reference."""


class IndexUnavailable(RaglineError):
    """The vector index cannot be opened or disagrees with what the platform recorded."""


class InvalidQuestion(RaglineError):
    """A question, filter or option of a query that cannot be used; the caller's to correct."""


class RerankerError(RaglineError):
    """A reranker cannot be loaded or failed; the engine goes on without it."""


class NoRelease(RaglineError):
    """There is no released index to read from yet."""


class ReleaseConflict(RaglineError):
    """Another writer was quicker, or a release is not in a state that allows what was asked."""


def explained_error(error: BaseException, home: Path) -> RaglineError | None:
    """The error for people that an error of a library stands for, if we know it.

    Disks fill up inside libraries too: SQLite, LanceDB and the operating system each say it in
    their own words, somewhere in a chain of exceptions; SQLite sometimes only speaks of an I/O
    error, so the disk itself is asked as well.

    Args:
        error: what was raised.
        home: the local state folder.
    """
    import errno

    link: BaseException | None = error
    while link is not None:
        if isinstance(link, RaglineError):
            return link
        full = isinstance(link, OSError) and link.errno in (errno.ENOSPC, errno.EDQUOT)
        words = ("database or disk is full", "No space left on device", "os error 28")
        unclear = "disk I/O error" in str(link) and _almost_full(home)
        if full or unclear or any(word in str(link) for word in words):
            return StorageFull(
                "No space left on the disk of RAG_HOME; nothing was half-written.",
                "Free some space (or move RAG_HOME) and run the command again.",
            )
        link = link.__cause__ or link.__context__
    return None


def _almost_full(folder: Path) -> bool:
    import shutil

    try:
        return shutil.disk_usage(folder).free < ALMOST_FULL_BYTES
    except OSError:
        return False
