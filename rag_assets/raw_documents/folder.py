"""A source whose documents are the files below a folder or an object-store prefix.

``include`` and ``exclude`` are patterns as in a ``.gitignore`` file (``pathspec``'s GitIgnoreSpec):
``*.md`` at any depth, ``/docs/*.md`` only there, ``docs/`` everything below, ``**`` across folders,
``!`` takes back. Hidden and temporary files are never documents.

Metadata: the defaults of the source < YAML front matter in Markdown < ``<file name>.meta.toml``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.fingerprint import fingerprint

from .base import UNSETTLED, Fetched, Listed, Metadata, PartitionFilter, Problem, failed
from .files import File, FileTree, Read, printable_path, too_large
from .front_matter import read_front_matter
from .media_types import is_markdown, media_type_of
from .metadata import (
    MAX_METADATA_BYTES,
    MetadataError,
    jsonable,
    normalise_acl,
    overlay,
    parse_sidecar,
)

_EVERYTHING = frozenset({"**/*", "**", "*"})


class FolderSource:
    """See the module's docstring and ``base``.

    Args:
        name: of the source.
        tree: the files.
        defaults: metadata of documents that say nothing.
        include: patterns of what is a document.
        exclude: patterns of what is not.

    Raises:
        ConfigurationError: a pattern is not valid.
    """

    def __init__(
        self,
        name: str,
        tree: FileTree,
        defaults: Metadata,
        include: Sequence[str] = ("**/*",),
        exclude: Sequence[str] = (),
    ) -> None:
        self.name = name
        self._tree = tree
        self._defaults = defaults
        # new defaults are new permissions: they have to reach documents that did not change
        self._mark = defaults_mark(defaults)
        self._included = _matcher(name, include)
        self._excluded = _matcher(name, exclude) if exclude else _nothing
        # an excluded folder need not be walked, unless a pattern takes something in it back
        takes_back = any(pattern.startswith("!") for pattern in exclude)
        self._prune = _nothing if takes_back else self._excluded

    def changed_at(self) -> datetime | None:
        """See ``base``: every file tells for itself."""
        return None

    def list(self, partition_filter: PartitionFilter | None = None) -> Iterator[Listed]:
        """See ``base``."""
        prefix = self.name + "/"
        for file in self._tree.walk(self._prune):
            stand_in = printable_path(file.path)
            document_id = prefix + (stand_in or file.path)
            if not file.covers:
                if partition_filter is not None and not partition_filter(document_id):
                    continue
                if not self._included(file.path) or self._excluded(file.path):
                    continue
            yield self._listed(file, document_id, bad_name=stand_in is not None)

    def fetch(self, listed: Listed, max_bytes: int) -> Fetched:
        """See ``base``."""
        if listed.problem_kind:
            problem = Problem(listed.problem_kind, listed.problem or "")
            return failed(listed, problem)
        location, sidecar = listed.locator
        if listed.size_bytes > max_bytes:
            # the limit is checked again on the open file, but an object need not even be asked for
            return failed(listed, too_large(listed.size_bytes, max_bytes))
        read = self._tree.read(location, max_bytes)
        beside = self._tree.read(sidecar, MAX_METADATA_BYTES) if sidecar else None
        signature = self._signature(read, beside)
        if read.problem:
            return failed(listed, read.problem, signature)
        try:
            metadata = self._metadata(listed, read, beside)
        except MetadataError as error:
            problem = Problem("bad_metadata", f"Its metadata is not valid: {error}.")
            return failed(listed, problem, signature)
        return Fetched(
            content=read.content,
            title=metadata.title,
            acl=metadata.acl,
            attributes=metadata.attributes,
            media_type=listed.media_type,
            signature=signature,
            size_bytes=len(read.content),
            modified_at=read.modified_at or listed.modified_at,
        )

    def _listed(self, file: File, document_id: str, *, bad_name: bool) -> Listed:
        problem = file.problem
        if bad_name and not file.covers:
            text = "The file name is not valid UTF-8 or has control characters; rename it."
            problem = Problem("bad_name", text)
        return Listed(
            document_id=document_id,
            uri=self._tree.uri(file.path),
            media_type=media_type_of(file.path.rpartition("/")[2]),
            size_bytes=file.size,
            modified_at=file.modified_at,
            signature=f"{file.signature}#{self._mark}",
            locator=(file.location, file.sidecar),
            changed_at=file.changed_at,
            problem_kind=problem.kind if problem else None,
            problem=problem.text if problem else None,
            covers=file.covers,
        )

    def _signature(self, read: Read, beside: Read | None) -> str:
        parts = read.signature if beside is None else f"{read.signature}+{beside.signature}"
        settled = read.settled and (beside is None or beside.settled)
        return f"{'' if settled else UNSETTLED}{parts}#{self._mark}"

    def _metadata(self, listed: Listed, read: Read, beside: Read | None) -> Metadata:
        metadata = self._defaults
        if is_markdown(listed.media_type):
            values = read_front_matter(read.content)
            if values is not None:
                # YAML allows keys that are not text
                texts = {str(key): value for key, value in values.items()}
                metadata = overlay(metadata, texts, other_keys=True)
        if beside is not None:
            if beside.problem:
                raise MetadataError(f"its sidecar: {beside.problem.text.rstrip('.')}")
            metadata = overlay(metadata, parse_sidecar(beside.content), other_keys=False)
        return metadata


def source_defaults(name: str, acl: Sequence[str], attributes: Mapping[str, Any]) -> Metadata:
    """The metadata that the settings give to every document of a source.

    Raises:
        ConfigurationError: the ACL or an attribute is not possible.
    """
    try:
        return Metadata(None, normalise_acl(list(acl)), jsonable(dict(attributes)))
    except MetadataError as error:
        raise ConfigurationError(
            f"The source '{name}' has impossible defaults: {error}.",
            "Correct 'acl' or 'attributes' of the source in ragline.toml.",
        ) from error


def defaults_mark(defaults: Metadata) -> str:
    """A short text that is part of every signature, so that new defaults reach every document."""
    return fingerprint([defaults.acl, defaults.attributes])[:12]


def _nothing(path: str) -> bool:
    return False


def _everything(path: str) -> bool:
    return True


def _matcher(source: str, patterns: Sequence[str]) -> Callable[[str], bool]:
    if any(pattern in _EVERYTHING for pattern in patterns) and not any(
        pattern.startswith("!") for pattern in patterns
    ):
        return _everything
    from pathspec import GitIgnoreSpec

    try:
        spec = GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise ConfigurationError(
            f"The source '{source}' has an impossible pattern: {error}.",
            "Correct 'include' or 'exclude' in ragline.toml; patterns are those of .gitignore.",
        ) from error
    return spec.match_file
