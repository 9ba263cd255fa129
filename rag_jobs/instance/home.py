"""DAGSTER_HOME of a deployment: ``dagster.yaml`` follows the settings, unless a person wrote it."""

import hashlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from rag_assets.platform.settings import Settings
from rag_assets.platform.storage import LocalStorage

from .configuration import DATABASE_VARIABLE, instance_configuration
from .database import check_database, dagster_database

if TYPE_CHECKING:
    from dagster import DagsterInstance

FILE = "dagster.yaml"
MARKER = "# Made by ragline from its settings; checksum "
NOTE = (
    "# It is renewed when the settings change ([orchestration] in ragline.toml). A file that was\n"
    "# edited is left as it is: delete it to have it made again.\n"
)
# what versions before this one put there, without a marker
FORMER = frozenset({"b529248fa4a09829dc11df9dcf646503b974e4378daaaa6c16af860d5eb80600"})

logger = logging.getLogger(__name__)


def prepare_dagster_home(settings: Settings) -> Path:
    """Make DAGSTER_HOME with its ``dagster.yaml`` and point this process, and its children, at it.

    Raises:
        ConfigurationError: Dagster's database is none, or the platform's.
        MissingExtra: a package that the settings ask for is not installed.
    """
    home = settings.dagster_home
    database = dagster_database(settings)
    home.mkdir(parents=True, exist_ok=True)
    _write(home, render(settings))
    os.environ["DAGSTER_HOME"] = str(home)
    if database is not None:
        os.environ[DATABASE_VARIABLE] = database.render_as_string(hide_password=False)
    return home


def open_instance(settings: Settings) -> "DagsterInstance":
    """The instance that records runs, events and partitions, with the pools of the settings.

    Raises:
        ConfigurationError, MissingExtra: as ``prepare_dagster_home``.
        StorageError: Dagster's database cannot be reached.
    """
    from dagster import DagsterInstance

    from .pools import set_pool_limits

    prepare_dagster_home(settings)
    database = dagster_database(settings)
    if database is not None:
        check_database(database)
    instance = DagsterInstance.get()
    set_pool_limits(instance, settings.orchestration.pools)
    return instance


def render(settings: Settings) -> str:
    """The text of ``dagster.yaml``, its first line a checksum of the rest."""
    body = NOTE + yaml.safe_dump(instance_configuration(settings), sort_keys=False)
    return f"{MARKER}{_digest(body)}\n{body}"


def _write(home: Path, wanted: str) -> None:
    path = home / FILE
    try:
        present = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        present = None
    if present == wanted:
        return
    if present is not None and not _is_ours(present):
        logger.warning(
            "%s was edited by hand and is left as it is; the settings of [orchestration] that it "
            "should hold do not reach Dagster. Delete it to have it made again.",
            path,
        )
        return
    LocalStorage(home).write(FILE, wanted.encode())


def _is_ours(text: str) -> bool:
    """Whether nobody has touched the file since a version of Ragline wrote it."""
    first, _, body = text.partition("\n")
    if first.startswith(MARKER):
        return first == MARKER + _digest(body)
    return hashlib.sha256(text.encode()).hexdigest() in FORMER


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
