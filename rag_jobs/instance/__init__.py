"""The Dagster instance of a deployment: made on first use, shared by command line, UI and daemon."""

from .home import open_instance, prepare_dagster_home
from .runs import CLI_TAG, CLI_VALUE, cli_tags, close_orphans, sync_partitions

__all__ = [
    "CLI_TAG",
    "CLI_VALUE",
    "cli_tags",
    "close_orphans",
    "open_instance",
    "prepare_dagster_home",
    "sync_partitions",
]
