"""What parsing one file gives: its text, or a typed reason why there is none."""

from dataclasses import dataclass, field
from enum import StrEnum


class ErrorKind(StrEnum):
    """Why a document is in quarantine. Kinds of the manifest's problems pass through unchanged."""

    # found by the parser
    PASSWORD_PROTECTED = "password_protected"  # encrypted; nothing can be read without the password
    MALFORMED = "malformed"  # truncated or damaged, or not what its name says
    UNSUPPORTED = "unsupported"  # a kind of file that no parser reads (audio, video, programs …)
    NEEDS_OCR = "needs_ocr"  # an image, and there is no Tesseract language data
    ARCHIVE_BOMB = "archive_bomb"  # a small archive that unpacks to far too much
    TEXT_TOO_LONG = "text_too_long"  # more text than parsing.max_text_mb
    BAD_RECORD = "bad_record"  # a record that is not {"title", "text"}
    NOT_REDACTED = "not_redacted"  # personal data could not be looked for
    # found by the supervisor of the workers
    TIMEOUT = "timeout"  # longer than parsing.timeout_seconds
    OUT_OF_MEMORY = "out_of_memory"  # more than parsing.memory_mb
    CRASHED = "crashed"  # the parser ended its process
    # found when the document was read
    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"
    BAD_METADATA = "bad_metadata"
    BAD_NAME = "bad_name"
    NOT_A_FILE = "not_a_file"
    DUPLICATE_ID = "duplicate_id"
    PATH_ESCAPES_ROOT = "path_escapes_root"
    CHANGED_WHILE_READING = "changed_while_reading"


@dataclass(frozen=True, slots=True)
class Extracted:
    """The text of one file.

    Attributes:
        text: Markdown, with ``\\n`` newlines, without control characters, always valid UTF-8; only
            white space (then empty) when the file has no text.
        title: the title that the file itself gives, or its first heading, or ``None``.
        page_starts: the character offset at which each page or slide starts; the text of page ``n``
            is ``text[page_starts[n - 1]:page_starts[n]]``. Empty for formats without fixed pages.
        parser: name and version of what read the file.
    """

    text: str
    title: str | None = None
    page_starts: list[int] = field(default_factory=list)
    parser: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one file has no text.

    Attributes:
        kind: an ``ErrorKind``.
        message: one sentence for a person.
        parser: name and version of what tried to read the file.
    """

    kind: str
    message: str
    parser: str = ""


Outcome = Extracted | Failure


class ExtractionFailed(Exception):
    """Carries a ``Failure`` out of the depths of a parser; never leaves ``extract``."""

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
