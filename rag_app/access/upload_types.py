"""The type of an uploaded file: told by its name, proven by its content."""

from rag_assets.parsed_documents import formats
from rag_assets.raw_documents.media_types import media_type_of

from .errors import UnsupportedFile

_ZIP = frozenset({"zip", "docx", "xlsx", "pptx", "odt", "ods", "odp", "epub"})
# zip files whose content looks like that of another format
_LOOKS_LIKE = {"xlsm": "xlsx", "xlsb": "xlsx", "pages": "zip", "key": "zip", "numbers": "zip"}
_OLE = frozenset({"doc", "xls", "ppt", "msg"})
_PDF_HEADER_WITHIN = 1024
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")


def checked_format(name: str, content: bytes) -> str:
    """The format of a file.

    Args:
        name: of the file.
        content: its bytes.

    Returns:
        a format of ``parsed_documents.formats``.

    Raises:
        UnsupportedFile: nothing reads such files, or the content is not what the name says.
    """
    claimed = formats.claimed_format(media_type_of(name), name)
    if claimed in (formats.UNKNOWN, formats.RECORD, "media"):
        raise UnsupportedFile(
            "Files of this type are not read.",
            "Send text, Markdown, HTML, PDF, Office, mail or e-book files.",
        )
    if not content:
        raise UnsupportedFile("The file is empty.", "Send a file with content.")
    if not _is(claimed, content):
        raise UnsupportedFile(
            f"The content is not what the name says ({_words(claimed)}).",
            "Name the file after what it is; a file with a password cannot be read.",
        )
    return claimed


def _is(claimed: str, content: bytes) -> bool:
    if claimed == "pdf":
        return b"%PDF-" in content[:_PDF_HEADER_WITHIN]
    if claimed in _ZIP or claimed in _LOOKS_LIKE:
        kind = formats.real_format(formats.UNKNOWN, content)
        return kind == _LOOKS_LIKE.get(claimed, claimed)
    if claimed in _OLE:
        # an old habit: RTF under the name of a Word document
        kinds = ("doc", "rtf") if claimed == "doc" else ("doc",)
        return formats.real_format(formats.UNKNOWN, content) in kinds
    if claimed == "rtf":
        return content.startswith(b"{\\rtf")
    if claimed in ("gz", "tar", "7z", formats.IMAGE):
        return _signature(content, claimed)
    return _is_text(content)


def _signature(content: bytes, claimed: str) -> bool:
    """Whether one of the signatures in the content is that of the format."""
    import puremagic

    try:
        matches = puremagic.magic_string(content)
    except (puremagic.PureError, ValueError):
        return False
    for match in matches:
        if claimed == formats.IMAGE and (match.mime_type or "").startswith("image/"):
            return True
        if formats.claimed_format("", f"x{match.extension}") == claimed:
            return True
    return False


def _is_text(content: bytes) -> bool:
    """Whether content may be text: no format of text has NUL bytes, but for the wide encodings."""
    if content.startswith(_WIDE_MARKS):
        return True
    return b"\x00" not in content and formats.real_format("text", content) == "text"


def _words(claimed: str) -> str:
    return claimed.removeprefix("code:")
