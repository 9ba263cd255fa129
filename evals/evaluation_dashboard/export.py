"""The page on the disk: a folder that is never half-new, or one file."""

import re
import time
from pathlib import Path

from rag_assets.platform.storage import LocalStorage

from .page import INDEX, Page

# of ours, named by their content
_FILE = re.compile(r"^(dashboard|data|vega)-[0-9a-f]{12}\.(js|css)$")
# somebody may have the page before this one open
KEEP_SECONDS = 3600.0


def write_folder(page: Page, folder: Path) -> Path:
    """Write the page as a folder of files; it can be opened as it lies or served by any server.

    The parts are named by their content and written first, each atomically; the index, which names
    them, is replaced last. A reader sees the old page or the new one.

    Returns:
        the index.

    Raises:
        StorageError: the folder cannot be written.
    """
    storage, files = LocalStorage(folder), page.folder()
    for name, text in files.items():
        if name != INDEX and storage.size(name) is None:
            storage.write(name, text.encode("utf-8"))
    storage.write(INDEX, files[INDEX].encode("utf-8"))
    _clean(folder, set(files))
    return folder / INDEX


def write_single_file(page: Page, file: Path) -> Path:
    """Write the page as one file that needs nothing else, e.g. to send it to somebody.

    Raises:
        StorageError: the file cannot be written.
    """
    LocalStorage(file.parent).write(file.name, page.single_file().encode("utf-8"))
    return file


def _clean(folder: Path, current: set[str]) -> None:
    """Remove the parts of former pages; what is not ours stays."""
    before = time.time() - KEEP_SECONDS
    for item in folder.iterdir():
        if _FILE.match(item.name) and item.name not in current and item.stat().st_mtime < before:
            item.unlink(missing_ok=True)
