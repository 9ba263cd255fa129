"""Files of runs that are gone: SQLite's file of each run, the logs of steps and ticks, stored values."""

import logging
import os
from datetime import datetime
from pathlib import Path

from dagster import DagsterInstance

SIDE_FILES = ("", "-wal", "-shm", "-journal")

logger = logging.getLogger(__name__)


def remove_run_files(instance: DagsterInstance, run_id: str) -> None:
    """Remove what a run left on the disk; its events are gone already."""
    storage = instance.event_log_storage
    if storage.is_run_sharded:
        path = storage.path_for_shard(run_id)  # type: ignore[attr-defined]
        for end in SIDE_FILES:
            Path(path + end).unlink(missing_ok=True)
    try:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    except OSError as error:  # a log that cannot go is no reason to keep everything else
        logger.warning("The logs of run %s cannot be removed: %s", run_id, error)


def remove_old_files(instance: DagsterInstance, before: datetime) -> None:
    """Remove files under the storage folder that are old and belong to no run that is kept."""
    root = Path(instance.storage_directory())
    if not root.is_dir():
        return
    kept = set(instance.get_run_ids())
    for top in [path for path in root.iterdir() if path.is_dir() and path.name not in kept]:
        # looked at first: to remove a file changes the time of its folder
        folders = [
            (Path(place), names, Path(place).stat().st_mtime < before.timestamp())
            for place, _, names in os.walk(top, topdown=False)
        ]
        for folder, names, is_old in folders:
            for path in (folder / name for name in names):
                if path.lstat().st_mtime < before.timestamp():
                    path.unlink(missing_ok=True)
            if is_old and not any(folder.iterdir()):
                folder.rmdir()
