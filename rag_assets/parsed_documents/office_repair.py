"""Office files that Office opens and kreuzberg 4.10 refuses, made readable.

Two cases from real files: the main part of a DOCX has another name (Office 365 writes
``word/document2.xml``), and a picture of a PPTX refers to no image.
"""

import io
import re
import zipfile
from collections.abc import Callable

_MAIN_PART = re.compile(rb'<Relationship\b[^>]*?/relationships/officeDocument"[^>]*>')
_TARGET = re.compile(rb'\bTarget="/?word/([\w.-]+)\.xml"')
_PICTURE = re.compile(rb"<p:pic\b.*?</p:pic>", re.DOTALL)
_SLIDE = re.compile(r"ppt/slides/[^/]+\.xml")

Part = tuple[str, bytes]


def repair(content: bytes, format_name: str) -> bytes | None:
    """Rewrite a file that kreuzberg found malformed.

    Args:
        content: a DOCX or PPTX file.
        format_name: ``docx`` or ``pptx``; anything else is not repaired.

    Returns:
        The repaired file, or ``None`` when there is nothing to repair.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if format_name == "docx":
                return _rename_main_part(archive)
            if format_name == "pptx":
                return _rewrite(archive, _without_empty_pictures)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, ValueError, OSError):
        return None
    return None


def _rename_main_part(archive: zipfile.ZipFile) -> bytes | None:
    relation = _MAIN_PART.search(archive.read("_rels/.rels"))
    target = _TARGET.search(relation[0]) if relation else None
    if target is None or target[1] == b"document":
        return None
    old = target[1].decode()

    def rename(part: Part) -> Part:
        name, data = part
        if name in ("_rels/.rels", "[Content_Types].xml"):
            data = data.replace(b"word/" + target[1] + b".xml", b"word/document.xml")
        name = name.replace(f"word/{old}.xml", "word/document.xml")
        return name.replace(f"word/_rels/{old}.xml.rels", "word/_rels/document.xml.rels"), data

    return _rewrite(archive, rename)


def _without_empty_pictures(part: Part) -> Part:
    name, data = part
    if _SLIDE.fullmatch(name):
        data = _PICTURE.sub(lambda picture: picture[0] if b"r:embed=" in picture[0] else b"", data)
    return name, data


def _rewrite(archive: zipfile.ZipFile, change: Callable[[Part], Part]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as copy:
        for name in archive.namelist():
            copy.writestr(*change((name, archive.read(name))))
    return buffer.getvalue()
