"""Opens the files of a source where its path says they are: a local folder or an object store."""

from collections.abc import Mapping

from rag_assets.platform.errors import SourceUnavailable
from rag_assets.platform.storage import is_url

from .files import FileTree, SingleFile


def open_tree(path: str, storage_options: Mapping[str, str]) -> FileTree:
    """The tree of files at a local path or an object-store URL."""
    if is_url(path):
        from rag_assets.platform.object_store import open_store

        from .object_files import ObjectTree

        return ObjectTree(open_store(path, storage_options), path)
    from .local_files import LocalTree

    return LocalTree(path.removeprefix("file://"))


def open_single(path: str, storage_options: Mapping[str, str]) -> SingleFile:
    """The file at a local path or an object-store URL."""
    if is_url(path):
        from rag_assets.platform.object_store import open_store

        from .object_files import ObjectFile

        folder, _, name = path.rstrip("/").rpartition("/")
        if folder.endswith(":/") or folder.endswith("://") or not name:
            raise SourceUnavailable(
                f"{path} does not name a file.", "Set 'path' to the URL of a .jsonl object."
            )
        return ObjectFile(open_store(folder, storage_options), name, path)
    from .local_files import LocalFile

    return LocalFile(path.removeprefix("file://"))
