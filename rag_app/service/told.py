"""What callers are told of an error: a status, and words that give nothing away of what is inside."""

from pathlib import Path

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoneFree

from rag_app.access.errors import Refused
from rag_assets.platform import errors
from rag_assets.platform.errors import RaglineError
from rag_assets.query.lineage import UnknownAnswer

from .errors import Conflict, Invalid, NotFound
from .workers import Busy

# the most specific class comes first
STATUS: tuple[tuple[type[RaglineError], int], ...] = (
    (Busy, 503),
    (NotFound, 404),
    (Conflict, 409),
    (Invalid, 422),
    (UnknownAnswer, 404),
    (errors.InvalidQuestion, 422),
    (errors.NoRelease, 404),
    (errors.ReleaseConflict, 409),
    (errors.AlreadyRunning, 409),
    (errors.StorageFull, 507),
    (errors.SourceUnavailable, 503),
    (errors.SourceChanged, 503),
    (errors.StorageError, 503),
    (errors.EncoderError, 503),
    (errors.IndexUnavailable, 503),
)
# whose own words a caller may read; others may name paths and addresses
SPEAKING = (
    Refused,
    Busy,
    NotFound,
    Conflict,
    Invalid,
    UnknownAnswer,
    errors.InvalidQuestion,
    errors.NoRelease,
    errors.ReleaseConflict,
    errors.AlreadyRunning,
)
INTERNAL_WORDS = "Something went wrong that is not the request's fault."
INTERNAL_HINT = "Tell the operator the id of the request: the reason is in the logs."
LOGGED_HINT = "The operator finds the reason in the logs."


def as_known(error: Exception, state_path: Path) -> Exception:
    """An error of a library as the error of ours that it stands for; itself where it stands for none.

    Args:
        error: what was raised.
        state_path: the local state folder, whose disk may be full.
    """
    if isinstance(error, RaglineError):
        return error
    known = errors.explained_error(error, state_path)
    if known is None and isinstance(error, OperationalError | InterfaceError | NoneFree):
        return errors.DatabaseUnavailable("The platform database cannot be reached.")
    return known or error


def status_of(error: Exception) -> int:
    """The HTTP status that says what an error means; 500 for one that nobody foresaw."""
    if isinstance(error, Refused):
        return error.status
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def words_of(error: Exception) -> tuple[str, str]:
    """What happened and what to do about it, in words for callers."""
    if isinstance(error, SPEAKING):
        return error.message, error.hint
    if status_of(error) == 500:
        return INTERNAL_WORDS, INTERNAL_HINT
    # its kind says enough, and its own words may say too much
    return str(type(error).__doc__ or "").partition("\n")[0], LOGGED_HINT


def is_told(error: Exception) -> bool:
    """Whether the caller is told everything, so that nothing has to be logged."""
    return isinstance(error, SPEAKING)
