"""YAML front matter at the start of a Markdown file.

A block is front matter when the first line is ``---``, a later line is ``---`` or ``...``, and what
is between is a YAML mapping. A document that merely starts with a horizontal rule is left alone:
its block is prose, without a line that starts with ``key:``. A block that looks like front matter
but cannot be parsed is an error, and so is a block with an ``acl`` line that is never closed.
"""

import re
from typing import Any

from .metadata import MAX_METADATA_BYTES, MetadataError

_OPENING = re.compile(r"---[ \t]*(?:\r\n|\n|\r)")
_CLOSING = re.compile(r"^(?:---|\.\.\.)[ \t]*(?:\r\n|\n|\r|\Z)", re.MULTILINE)
_KEY_LINE = re.compile(r"""^["']?[A-Za-z_][\w.-]*["']?[ \t]*:(?:[ \t]|$)""", re.MULTILINE)
_ACL_LINE = re.compile(r"""^["']?acl["']?[ \t]*:""", re.MULTILINE | re.IGNORECASE)
_MAX_NESTING = 32


def read_front_matter(content: bytes) -> dict[str, Any] | None:
    """The front matter of a Markdown file.

    Args:
        content: the whole file.

    Returns:
        Its mapping, or ``None`` when the file has none.

    Raises:
        MetadataError: it has a block that looks like front matter but is malformed.
    """
    decoded = _decode(content)
    if decoded is None:
        return None
    text, lossless = decoded
    span = _block(text)
    if span is None:
        _refuse_unclosed(text)
        return None
    block = text[span[0] : span[1]]
    plausible = bool(_KEY_LINE.search(block))
    if len(block) > MAX_METADATA_BYTES:
        if plausible:
            raise MetadataError("the front matter is too long")
        return None
    if not lossless and plausible:
        raise MetadataError("the front matter is not valid UTF-8")
    try:
        values = _load(block)
    except MetadataError:
        if plausible:
            raise
        return None
    return values if isinstance(values, dict) else None


def body_offset(text: str) -> int:
    """Where the text of a Markdown document starts: the character after its front matter, or 0."""
    bom = text.startswith("\ufeff")
    bare = text[1:] if bom else text
    span = _block(bare)
    if span is None or span[1] - span[0] > MAX_METADATA_BYTES:
        return 0
    try:
        values = _load(bare[span[0] : span[1]])
    except MetadataError:
        return 0
    return span[2] + bom if isinstance(values, dict) else 0


def _decode(content: bytes) -> tuple[str, bool] | None:
    """The text, and whether it is exact; ``None`` when it cannot start with front matter."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = content.decode("utf-16", "replace")
        return (text, "\ufffd" not in text) if text.startswith("---") else None
    bare = content.removeprefix(b"\xef\xbb\xbf")
    if not bare.startswith(b"---"):
        return None
    # the block alone has to be valid: what follows is the parser's business
    end = re.search(rb"[\r\n](?:---|\.\.\.)[ \t]*(?:[\r\n]|\Z)", bare)
    head = bare[: end.end()] if end else bare[:MAX_METADATA_BYTES]
    try:
        return head.decode(), True
    except UnicodeDecodeError:
        return head.decode("utf-8", "replace"), end is None


def _block(text: str) -> tuple[int, int, int] | None:
    """Start and end of the block between the delimiters, and the start of what follows."""
    opening = _OPENING.match(text)
    if not opening:
        return None
    # ^ knows only \n: look for the closing line in a copy of equal length
    lines = re.sub(r"\r(?!\n)", "\n", text[opening.end() :])
    closing = _CLOSING.search(lines)
    if not closing:
        return None
    start = opening.end()
    return start, start + closing.start(), start + closing.end()


def _refuse_unclosed(text: str) -> None:
    opening = _OPENING.match(text)
    if not opening:
        return
    lines = re.sub(r"\r\n?", "\n", text[opening.end() :])
    paragraph = re.split(r"\n[ \t]*\n", lines, maxsplit=1)[0]
    if _ACL_LINE.search(paragraph):
        raise MetadataError("the front matter with its acl is not closed by a line '---'")


def _load(block: str) -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    block = block.replace("\r\n", "\n").replace("\r", "\n")
    try:
        _check_nesting(yaml.parse(block, Loader=base))
        return yaml.load(block, Loader=_strict(base))
    except MetadataError:
        raise
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError) as error:
        reason = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise MetadataError(f"the front matter is not valid YAML: {reason}") from error


def _check_nesting(events: Any) -> None:
    # libyaml's composer recurses without a limit: deep nesting would crash the process
    import yaml

    depth = 0
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_NESTING:
                raise MetadataError("the front matter is nested too deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _strict(base: Any) -> Any:
    """A safe loader that refuses a key given twice (which acl would hold?) and merge keys."""
    import yaml

    class Loader(base):
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set()
            for key, _ in getattr(node, "value", []):
                if key.tag == "tag:yaml.org,2002:merge":
                    raise yaml.YAMLError("merge keys ('<<') are not supported")
                name = key.value if isinstance(key, yaml.ScalarNode) else id(key)
                if name in seen:
                    raise yaml.YAMLError(f"the key '{name}' is given twice")
                seen.add(name)
            return super().construct_mapping(node, deep=deep)

    return Loader
