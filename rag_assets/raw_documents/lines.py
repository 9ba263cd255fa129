"""Lines of a stream of bytes, with their places, in bounded memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank.

    Attributes:
        number: from 1, blank lines counted.
        offset: byte offset of its start in the file.
        length: its bytes, line end excluded.
        content: the bytes, or ``None`` when there are more than the limit.
    """

    number: int
    offset: int
    length: int
    content: bytes | None


def iter_lines(blocks: Iterable[bytes], limit: int) -> Iterator[Line]:
    r"""Yield the lines of a stream; they end with ``\n`` or ``\r\n``, the last one may not.

    Args:
        blocks: the stream.
        limit: longest line (bytes) whose content is kept.
    """
    number, offset = 0, 0  # of the line that is being collected
    parts: list[bytes] = []
    length = 0
    for block in blocks:
        start = 0
        while (end := block.find(b"\n", start)) >= 0:
            length += end - start
            if length <= limit:
                parts.append(block[start:end])
            number += 1
            yield from _line(number, offset, length, parts, limit)
            offset += length + 1
            parts, length, start = [], 0, end + 1
        length += len(block) - start
        if length <= limit:
            parts.append(block[start:])
        else:
            parts = []
    yield from _line(number + 1, offset, length, parts, limit)


def _line(number: int, offset: int, length: int, parts: list[bytes], limit: int) -> Iterator[Line]:
    if length > limit:
        yield Line(number, offset, length, None)
        return
    content = b"".join(parts)
    if offset == 0 and content.startswith(_BOM):
        offset, content = len(_BOM), content[len(_BOM) :]
    content = content.removesuffix(b"\r")
    if content.strip():
        yield Line(number, offset, len(content), content)
