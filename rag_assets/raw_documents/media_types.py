"""Media types from file names.

The table comes first, because the answer of ``mimetypes`` depends on the machine's own tables.
"""

import mimetypes

UNKNOWN = "application/octet-stream"

_OFFICE = "application/vnd.openxmlformats-officedocument."
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."

_BY_EXTENSION = {
    "md": "text/markdown",
    "markdown": "text/markdown",
    "mdx": "text/mdx",
    "txt": "text/plain",
    "text": "text/plain",
    "log": "text/plain",
    "rst": "text/x-rst",
    "org": "text/x-org",
    "adoc": "text/asciidoc",
    "tex": "application/x-tex",
    "html": "text/html",
    "htm": "text/html",
    "xhtml": "application/xhtml+xml",
    "xml": "application/xml",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "ndjson": "application/jsonl",
    "ipynb": "application/x-ipynb+json",
    "toml": "application/toml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "pdf": "application/pdf",
    "rtf": "application/rtf",
    "epub": "application/epub+zip",
    "eml": "message/rfc822",
    "msg": "application/vnd.ms-outlook",
    "mbox": "application/mbox",
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
    "docx": _OFFICE + "wordprocessingml.document",
    "dotx": _OFFICE + "wordprocessingml.template",
    "docm": "application/vnd.ms-word.document.macroenabled.12",
    "xlsx": _OFFICE + "spreadsheetml.sheet",
    "xlsm": "application/vnd.ms-excel.sheet.macroenabled.12",
    "xlsb": "application/vnd.ms-excel.sheet.binary.macroenabled.12",
    "pptx": _OFFICE + "presentationml.presentation",
    "ppsx": _OFFICE + "presentationml.slideshow",
    "pptm": "application/vnd.ms-powerpoint.presentation.macroenabled.12",
    "odt": _OPEN_DOCUMENT + "text",
    "ods": _OPEN_DOCUMENT + "spreadsheet",
    "odp": _OPEN_DOCUMENT + "presentation",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "webp": "image/webp",
    "svg": "image/svg+xml",
    "zip": "application/zip",
    "tar": "application/x-tar",
    "gz": "application/gzip",
    "tgz": "application/gzip",
    "7z": "application/x-7z-compressed",
}


def media_type_of(name: str) -> str:
    """The media type of a file name; ``application/octet-stream`` when it says nothing."""
    stem, dot, extension = name.rpartition(".")
    if not dot or not stem:
        return UNKNOWN
    known = _BY_EXTENSION.get(extension.lower())
    if known:
        return known
    guessed, encoding = mimetypes.guess_type(f"file.{extension}", strict=False)
    return guessed if guessed and not encoding else UNKNOWN


def is_markdown(media_type: str) -> bool:
    """Whether documents of this type may start with front matter."""
    return media_type in ("text/markdown", "text/mdx")
