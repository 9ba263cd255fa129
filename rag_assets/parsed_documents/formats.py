"""Which kind of file something is: from its media type and name, corrected by its first bytes.

A format is a short name (``pdf``, ``markdown``, ``code:python`` …). Together with the bytes it
decides the text: the same bytes under another name of the same format need not be parsed again.
"""

import io
import zipfile
from pathlib import PurePosixPath

RECORD_MEDIA_TYPE = "application/vnd.ragline.record+json"

MARKDOWN, TEXT, HTML, RECORD, IMAGE, UNKNOWN = (
    "markdown",
    "text",
    "html",
    "record",
    "image",
    "unknown",
)

# what kreuzberg reads, and the media type that it knows the format by
KREUZBERG = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xlsm": "application/vnd.ms-excel.sheet.macroEnabled.12",
    "xlsb": "application/vnd.ms-excel.sheet.binary.macroEnabled.12",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
    "rtf": "application/rtf",
    "epub": "application/epub+zip",
    "eml": "message/rfc822",
    "msg": "application/vnd.ms-outlook",
    "html": "text/html",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "xml": "application/xml",
    "ipynb": "application/x-ipynb+json",
    "rst": "text/x-rst",
    "org": "text/x-org",
    "zip": "application/zip",
    "tar": "application/x-tar",
    "gz": "application/gzip",
    "7z": "application/x-7z-compressed",
    "pages": "application/x-iwork-pages-sffpages",
    "key": "application/x-iwork-keynote-sffkey",
    "numbers": "application/x-iwork-numbers-sffnumbers",
}
# text formats among them: decoded here, so that kreuzberg always sees UTF-8
DECODED_FIRST = {"html", "csv", "tsv", "xml", "ipynb", "rst", "org"}

_EXTENSIONS = {
    "md": MARKDOWN, "markdown": MARKDOWN, "mdx": MARKDOWN, "txt": TEXT, "text": TEXT, "log": TEXT,
    "htm": "html", "xhtml": "html", "tgz": "gz", "docm": "docx", "dotx": "docx", "pptm": "pptx",
    "ppsx": "pptx", "nxml": "xml", "rss": "xml", "atom": "xml",
    "json": "code:json", "jsonl": "code:json", "ndjson": "code:json", "yaml": "code:yaml",
    "yml": "code:yaml", "toml": "code:toml", "ini": "code:ini", "xsd": "code:xml",
    "xsl": "code:xml", "xslt": "code:xml", "tex": "code:latex",
    "bib": "code:bibtex", "bst": "code:bibtex",
    "py": "code:python", "js": "code:javascript", "mjs": "code:javascript", "ts": "code:typescript",
    "tsx": "code:tsx", "jsx": "code:jsx", "go": "code:go", "rs": "code:rust", "java": "code:java",
    "kt": "code:kotlin", "c": "code:c", "h": "code:c", "cc": "code:cpp", "cpp": "code:cpp",
    "hpp": "code:cpp", "cs": "code:csharp", "rb": "code:ruby", "php": "code:php",
    "swift": "code:swift", "scala": "code:scala", "sh": "code:sh", "bash": "code:sh",
    "ps1": "code:powershell",
    "sql": "code:sql", "r": "code:r", "lua": "code:lua", "css": "code:css", "scss": "code:scss",
    "proto": "code:protobuf", "tf": "code:hcl", "vue": "code:vue", "svg": "code:xml",
}  # fmt: skip
_MEDIA_TYPES = {
    RECORD_MEDIA_TYPE: RECORD,
    "text/markdown": MARKDOWN,
    "text/x-markdown": MARKDOWN,
    "text/mdx": MARKDOWN,
    "application/xhtml+xml": "html",
    "text/xml": "xml",
    "text/rtf": "rtf",
    "application/json": "code:json",
    "application/jsonl": "code:json",
    "application/yaml": "code:yaml",
    "application/toml": "code:toml",
    "application/x-tex": "code:latex",
    "image/svg+xml": "code:xml",
    "application/vnd.ms-word.document.macroenabled.12": "docx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.template": "docx",
    "application/vnd.ms-powerpoint.presentation.macroenabled.12": "pptx",
    "application/vnd.openxmlformats-officedocument.presentationml.slideshow": "pptx",
    "application/vnd.oasis.opendocument.presentation": "odp",
} | {media_type.lower(): name for name, media_type in KREUZBERG.items()}
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_FORMATS = ("doc", "xls", "ppt", "msg")
_ZIP_FORMATS = (  # what may be a zip file by its name
    "zip",
    "docx",
    "xlsx",
    "xlsm",
    "xlsb",
    "pptx",
    "odt",
    "ods",
    "odp",
    "epub",
    "pages",
    "key",
    "numbers",
)
_ZIP_PARTS = (("word/", "docx"), ("xl/", "xlsx"), ("ppt/", "pptx"))


def claimed_format(media_type: str, file_name: str) -> str:
    """The format that a media type and a name promise.

    Args:
        media_type: e.g. ``application/pdf``; parameters after a semicolon are ignored.
        file_name: the name, with its extension.

    Returns:
        A key of ``KREUZBERG``, ``markdown``, ``text``, ``record``, ``image``, ``code:<language>``,
        ``odp``, ``media`` (sound and film), or ``unknown``.
    """
    media_type = media_type.split(";")[0].strip().lower()
    if media_type == RECORD_MEDIA_TYPE:
        return RECORD
    extension = PurePosixPath(file_name).suffix.lower().removeprefix(".")
    known = _EXTENSIONS.get(extension) or (extension if extension in KREUZBERG else None)
    if known:
        return known
    if media_type in _MEDIA_TYPES:
        return _MEDIA_TYPES[media_type]
    family = media_type.split("/")[0]
    if family in ("audio", "video"):
        return "media"
    return {"image": IMAGE, "text": TEXT}.get(family, UNKNOWN)


def real_format(claimed: str, content: bytes) -> str:
    """Correct a claimed format by the signature of the content, if it has a certain one."""
    if content.startswith(b"%PDF-"):
        return "pdf"
    if content.startswith(b"{\\rtf") and claimed in ("doc", "rtf", UNKNOWN):
        return "rtf"
    if content.startswith(_OLE) and claimed not in _OLE_FORMATS:
        # a password turns an Office file into an OLE container: its parser says so
        return claimed if claimed in _ZIP_FORMATS else "doc"
    if content.startswith(b"PK\x03\x04") and claimed not in _ZIP_FORMATS:
        return _kind_of_zip(content) or claimed
    return claimed


def _kind_of_zip(content: bytes) -> str | None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            if "mimetype" in names and archive.getinfo("mimetype").file_size < 200:
                declared = archive.read("mimetype").decode("ascii", "replace").strip()
                return _MEDIA_TYPES.get(declared, "zip")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError):
        return None
    return next(
        (kind for part, kind in _ZIP_PARTS if any(n.startswith(part) for n in names)), "zip"
    )
