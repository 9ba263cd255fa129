"""Files that arrive through the service: looked at, put into a folder source, removed again.

An upload becomes a document the way every file of a source does: the next ingest finds it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rag_app.access.principal import Principal
from rag_app.access.uploads import check_upload, store_upload, upload_acl, uploads_source
from rag_assets.erasure.requests import ErasureRequests
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import SourceSettings
from rag_assets.platform.storage import LocalStorage, ObjectStorage, open_storage
from rag_assets.query.access import Caller
from rag_assets.raw_documents.files import SIDECAR

from .documents import Documents
from .errors import Conflict, Invalid


@dataclass(frozen=True)
class Described:
    """What an upload says of itself.

    Attributes:
        title: empty: the document's own.
        acl: groups that may read it; None: the default of the source.
        attributes: of the document, for filters.
    """

    title: str = ""
    acl: Sequence[str] | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


class Uploads:
    """Stores and removes files of the source of uploads.

    Args:
        platform: the deployment.
        documents: tells who may read what is there.
    """

    def __init__(self, platform: Platform, documents: Documents) -> None:
        self._platform = platform
        self._documents = documents

    def store(self, name: str, content: bytes, described: Described, principal: Principal) -> str:
        """Put a file into the source; an upload of the same name by the same principal is replaced.

        Args:
            name: as the client gave it.
            content: its bytes.
            described: title, rights and attributes.
            principal: who uploads.

        Returns:
            the id that the document has once it is ingested.

        Raises:
            Conflict: there are no uploads here, or a document of this id had to be forgotten.
            Refused: the file, its name or its groups are not taken; see ``access.uploads``.
            Invalid: the source passes over such files.
            StorageError, StorageFull: it cannot be written; what was there before still is.
        """
        _, settings = self._place()
        upload = check_upload(name, content, self._platform.settings)
        acl = upload_acl(principal, described.acl, self._platform.settings)
        if not _listed(upload.name, settings):
            raise Invalid(
                f"Files like '{upload.name}' are passed over by the source of uploads.",
                "Send another kind of file; the source's include and exclude say which.",
            )
        document_id = store_upload(
            self._platform,
            principal,
            upload,
            acl=acl,
            title=described.title,
            attributes=described.attributes,
        )
        self._documents.look_again()
        if document_id in ErasureRequests(self._platform.database).forbidden():
            # it would never be read: better said than kept in silence
            self.unlink(document_id)
            raise Conflict(
                f"A document '{document_id}' had to be forgotten and is not taken again.",
                "Give the file another name, or have 'ragline forget --allow-again' allow it.",
            )
        return document_id

    def remove(self, document_id: str, caller: Caller) -> bool:
        """Remove an uploaded file; the next ingest drops its document.

        Returns:
            whether there was a file.

        Raises:
            Conflict: it is not an upload.
            NotFound: there is no such document that the caller may read.
        """
        source, _ = self._place()
        self._documents.get(document_id, caller)
        if not document_id.startswith(source + "/"):
            raise Conflict(
                f"'{document_id}' was not uploaded: it belongs to another source.",
                "Remove it there, or send forget=true to erase it everywhere.",
            )
        return self.unlink(document_id)

    def unlink(self, document_id: str) -> bool:
        """Remove the file of a document, if it is an upload; whether there was one."""
        if not self._platform.settings.server.uploads_source:
            return False
        source, settings = self._place()
        key = document_id.removeprefix(source + "/")
        if key == document_id or not _plain(key):
            return False
        storage = self._storage(settings)
        local = storage.path(key)
        there = storage.size(key) is not None and (local is None or local.is_file())
        if there:
            # rights stand in the sidecar: the document goes first
            storage.delete(key)
            storage.delete(key + SIDECAR)
            self._documents.look_again()
        return there

    def _place(self) -> tuple[str, SourceSettings]:
        if not self._platform.settings.server.uploads_source:
            raise Conflict(
                "This service takes no uploads.",
                "Whoever runs it sets server.uploads_source to a folder source.",
            )
        return uploads_source(self._platform.settings)

    def _storage(self, settings: SourceSettings) -> LocalStorage | ObjectStorage:
        return open_storage(settings.path, self._platform.storage_options)


def _listed(name: str, source: SourceSettings) -> bool:
    from pathspec import GitIgnoreSpec

    included = GitIgnoreSpec.from_lines(source.include).match_file(name)
    return included and not GitIgnoreSpec.from_lines(source.exclude).match_file(name)


def _plain(key: str) -> bool:
    """Whether a key stays below its folder."""
    return not {"", ".", ".."} & set(key.split("/")) and "\\" not in key and "\x00" not in key
