"""Bytes to text, without loss where the bytes say how, and never with an exception."""

import codecs
import re

# the longer marks first: the one of UTF-32 little-endian starts with the one of UTF-16
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NEWLINES = re.compile("\r\n|[\r\x0b\x0c\x85]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_SAMPLE_BYTES = 1 << 16
_MOST_BINARY = 0.001  # share of control bytes above which something is not text in any encoding


def decode(content: bytes) -> str:
    """Decode text of unknown encoding.

    A byte order mark decides; otherwise UTF-8; otherwise what ``charset-normalizer`` finds. Bytes
    that are invalid in the encoding become U+FFFD.

    Args:
        content: the whole file.

    Returns:
        The text, cleaned (see ``clean``).
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return clean(content[len(mark) :].decode(encoding, "replace"))
    try:
        return clean(content.decode("utf-8"))
    except UnicodeDecodeError:
        return clean(content.decode(_guess(content), "replace"))


def clean(text: str) -> str:
    """Normalise newlines to ``\\n``, drop controls but tabs, replace lone surrogates."""
    text = _NEWLINES.sub("\n", text)
    return _CONTROLS.sub("", _SURROGATES.sub("\ufffd", text))


def is_text(content: bytes) -> bool:
    """Whether bytes of an unknown kind are text, certainly or plausibly."""
    if any(content.startswith(mark) for mark, _ in _MARKS):
        return True
    sample = content[:_SAMPLE_BYTES]
    if len(_BINARY.findall(sample)) > _MOST_BINARY * len(sample):
        return False
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return _detect(sample) is not None
    return True


def _guess(content: bytes) -> str:
    # UTF-8 with some damage: more valid multi-byte sequences than invalid bytes
    text = content.decode("utf-8", "replace")
    invalid = text.count("\ufffd")
    if sum(character > "\x7f" for character in text) > 2 * invalid:
        return "utf-8"
    return _detect(content[:_SAMPLE_BYTES]) or "utf-8"


def _detect(sample: bytes) -> str | None:
    from charset_normalizer import from_bytes

    best = from_bytes(sample).best()
    return best.encoding if best is not None else None
