"""A process that dies at a write: before its n-th write to disk, index or database, nothing follows."""

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from rag_assets.platform.platform import Platform


class Crash(BaseException):
    """No handler of errors may swallow it: the process is gone."""


class Writes:
    """Counts writes, and crashes before the chosen one."""

    def __init__(self, crash_at: int) -> None:
        self.left = crash_at
        self.crashed = False

    def one(self, *_: object) -> None:
        """Called before every write."""
        if self.crashed:
            raise Crash
        self.left -= 1
        if self.left < 0:
            self.crashed = True
            raise Crash

    def before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, as a write."""

        def counted(*arguments: Any, **named: Any) -> Any:
            self.one()
            return function(*arguments, **named)

        return counted


@contextmanager
def crashing(platform: Platform, crash_at: int) -> Iterator[Writes]:
    """Let the block die before its write number ``crash_at`` (from 0), if it makes so many.

    Everything after the crash fails as well, as after a kill: what a ``finally`` would still write
    is not written. The block's exception ends here.
    """
    import lancedb.merge
    import lancedb.table

    lance = importlib.import_module("lance.dataset")  # the package has a function of this name
    writes = Writes(crash_at)
    writers: list[tuple[Any, tuple[str, ...]]] = [
        (os, ("replace", "link", "unlink", "rmdir")),
        (lancedb.merge.LanceMergeInsertBuilder, ("execute",)),
        (lancedb.table.LanceTable, ("create_index", "optimize")),
        (lancedb.table.Tags, ("create", "update", "delete")),
        (
            lance.LanceDataset,
            ("delete", "restore", "create_index", "create_scalar_index", "cleanup_old_versions"),
        ),
        (lance.Tags, ("create", "update", "delete")),
        (lance.DatasetOptimizer, ("compact_files", "optimize_indices")),
    ]
    engine = platform.database
    with pytest.MonkeyPatch.context() as patch:
        for owner, names in writers:
            for name in names:
                patch.setattr(owner, name, writes.before(getattr(owner, name)))
        commit = lance.LanceDataset.commit
        patch.setattr(lance.LanceDataset, "commit", staticmethod(writes.before(commit)))
        sa.event.listen(engine, "commit", writes.one)
        try:
            yield writes
        except Crash:
            pass
        finally:
            sa.event.remove(engine, "commit", writes.one)
            if writes.crashed:
                engine.dispose()
