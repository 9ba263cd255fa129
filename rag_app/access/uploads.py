"""Uploads: looked at before anything is stored, then written as a whole, with their readers beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from rag_assets.parsed_documents.archives import refuse_bomb
from rag_assets.parsed_documents.outcome import ExtractionFailed
from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings, SourceSettings
from rag_assets.platform.storage import LocalStorage, ObjectStorage, open_storage
from rag_assets.raw_documents.files import SIDECAR
from rag_assets.raw_documents.metadata import (
    MAX_METADATA_BYTES,
    MetadataError,
    jsonable,
    normalise_acl,
    parse_sidecar,
)

from .errors import Forbidden, TooLarge, UploadRefused
from .principal import ADMIN, Principal
from .upload_names import safe_name
from .upload_types import checked_format

_OWNER_CHARACTERS = 12


@dataclass(frozen=True)
class Upload:
    """A file that may be stored.

    Attributes:
        name: a plain file name in normal form.
        content: its bytes.
        format: what it is, by its content.
    """

    name: str
    content: bytes
    format: str


def check_upload(name: str, content: bytes, settings: Settings) -> Upload:
    """Look at an uploaded file.

    Args:
        name: as the client gave it.
        content: its bytes.
        settings: of the deployment.

    Raises:
        UploadRefused: the name is not plain, or the file unpacks to far too much.
        UnsupportedFile: nothing reads such files, or the content is not what the name says.
        TooLarge: it is larger than uploads or documents may be.
    """
    most = min(settings.server.max_upload_mb, settings.parsing.max_file_mb)
    if len(content) > most * 1e6:
        raise TooLarge(f"The file is larger than {most:g} MB.", "Send it in parts.")
    name = safe_name(name)
    found = checked_format(name, content)
    try:
        refuse_bomb(content)
    except ExtractionFailed as error:
        raise UploadRefused(
            "The file unpacks to far more than it should.", "Send its parts one by one."
        ) from error
    return Upload(name, content, found)


def upload_acl(principal: Principal, acl: Sequence[str] | None, settings: Settings) -> list[str]:
    """Who may read an upload: its source's groups, unless the uploader names some of their own.

    Args:
        principal: who uploads.
        acl: the groups that they name; None for none.
        settings: of the deployment.

    Raises:
        Forbidden: they are in none of a group that they name; an administrator may name any.
        UploadRefused: a name is none of a group.
        ConfigurationError: there is no source for uploads.
    """
    default = uploads_source(settings)[1].acl
    if acl is None:
        return list(default)
    try:
        names = normalise_acl(list(acl))
    except MetadataError as error:
        raise UploadRefused(f"The groups are not valid: {error}.", "Correct them.") from error
    own = {*principal.caller.groups, *default}
    if not principal.allows(ADMIN) and not own.issuperset(names):
        raise Forbidden(ADMIN)
    return names


def store_upload(
    platform: Platform,
    principal: Principal,
    upload: Upload,
    *,
    acl: Sequence[str],
    title: str = "",
    attributes: Mapping[str, Any] | None = None,
) -> str:
    """Write an upload into the source for uploads, in the uploader's own folder.

    So nobody can replace, or find out about, the file of another one by its name. At no moment does
    anybody see the content who is not among its readers: where it replaces a file with other readers,
    only those of both see it until it is done.

    Args:
        platform: the deployment.
        principal: who uploads.
        upload: what ``check_upload`` gave.
        acl: what ``upload_acl`` gave.
        title: of the document.
        attributes: of the document, for filters.

    Returns:
        the id that the document has when it is ingested.

    Raises:
        UploadRefused: title or attributes are not possible.
        ConfigurationError: there is no source for uploads.
        StorageError, StorageFull: it cannot be written; what was there before is still there.
    """
    source, settings = uploads_source(platform.settings)
    key = f"{_owner(principal)}/{upload.name}"
    storage = open_storage(settings.path, platform.storage_options)
    final = _sidecar(acl, title, attributes or {})
    before = _readers(storage, key + SIDECAR, settings.acl)
    if storage.size(key) is not None and set(before) != set(acl):
        both = sorted(set(before) & set(acl))
        _write(storage, key + SIDECAR, _sidecar(both, title, attributes or {}))
        _write(storage, key, upload.content)
        _write(storage, key + SIDECAR, final)
    else:
        # a document is never without its readers
        _write(storage, key + SIDECAR, final)
        _write(storage, key, upload.content)
    return f"{source}/{key}"


def uploads_source(settings: Settings) -> tuple[str, SourceSettings]:
    """The source that uploads go to.

    Raises:
        ConfigurationError: there is none, or it is no folder.
    """
    name = settings.server.uploads_source
    source = settings.sources.get(name)
    if not name or source is None:
        raise ConfigurationError(
            "There is no source for uploads.", "Set server.uploads_source to a folder source."
        )
    if source.kind != "folder":
        raise ConfigurationError(
            f"The source '{name}' is no folder.", "Set server.uploads_source to a folder source."
        )
    return name, source


def _owner(principal: Principal) -> str:
    """A folder for each uploader; a name may hold anything, so its hash stands for it."""
    return sha256(principal.name.encode()).hexdigest()[:_OWNER_CHARACTERS]


def _sidecar(acl: Sequence[str], title: str, attributes: Mapping[str, Any]) -> bytes:
    """The document's metadata in TOML; JSON strings are TOML strings, but for one escape."""
    import json

    def text(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

    lines = [f"acl = {text(list(acl))}"]
    if title:
        lines.append(f"title = {text(title)}")
    for name, value in attributes.items():
        if not isinstance(value, str | int | float | bool):
            raise UploadRefused(
                f"The attribute '{name}' is no text, number or truth value.", "Correct it."
            )
    if attributes:
        pairs = (f"{text(key)} = {text(value)}" for key, value in attributes.items())
        lines.append(f"attributes = {{ {', '.join(pairs)} }}")
    content = ("\n".join(lines) + "\n").encode("utf-8", "replace")
    if len(content) > MAX_METADATA_BYTES:
        raise UploadRefused("Title and attributes are too long.", "Shorten them.")
    try:
        jsonable(parse_sidecar(content))
    except MetadataError as error:
        raise UploadRefused("Title or attributes are not possible.", "Correct them.") from error
    return content


def _readers(
    storage: LocalStorage | ObjectStorage, key: str, default: Sequence[str]
) -> Sequence[str]:
    """Who reads the file that is there now."""
    try:
        found = parse_sidecar(storage.read(key)).get("acl", default)
        return normalise_acl(found)
    except KeyError:
        return default
    except MetadataError:
        return ()  # nobody does: the document is in quarantine


def _write(storage: LocalStorage | ObjectStorage, key: str, content: bytes) -> None:
    if isinstance(storage, LocalStorage):
        with storage.writing(key, durable=True) as temporary:
            temporary.write_bytes(content)
    else:
        storage.write(key, content)


__all__ = [
    "Upload",
    "check_upload",
    "store_upload",
    "upload_acl",
    "uploads_source",
]
