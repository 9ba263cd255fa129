"""The platform as one object: settings, storage, tables, database, locks; each opened when used."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .contract_server import ContractServer
from .contracts import ContractRunner
from .errors import AlreadyRunning
from .settings import Settings, load_settings
from .storage import LocalStorage, ObjectStorage, is_url, open_storage

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from .tables import Tables

MOMENT_SECONDS = 0.5


class Platform:
    """Everything below the lineage graph, configured once and handed down.

    Args:
        settings: the effective settings.

    Attributes:
        contracts: validates tables.
        contract_server: validates them for the runs that this process starts.
        report: told of every stage's progress (a ``stage.Report``); the command line sets it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._renew: Callable[[], Settings] = lambda: settings
        self.contracts = ContractRunner()
        self.contract_server = ContractServer()
        self.report: Callable[[Any], None] = lambda report: None

    @classmethod
    def load(cls, config: Path | None = None) -> "Platform":
        """Make the platform from the settings of this deployment."""
        platform = cls(load_settings(config))
        platform._renew = lambda: load_settings(config)
        return platform

    def renewed(self) -> "Platform":
        """This platform, or another one when the configuration has been edited since.

        For processes that live long; one made from given settings never changes.

        Raises:
            ConfigurationError: the configuration as it is now cannot be used.
        """
        settings = self._renew()
        if settings == self.settings:
            return self
        platform = Platform(settings)
        platform._renew = self._renew
        platform.contract_server = self.contract_server
        return platform

    @property
    def state_path(self) -> Path:
        """The local state folder."""
        return self.settings.state_path

    @property
    def lancedb_uri(self) -> str:
        """Where LanceDB keeps its tables: a folder or a URL."""
        return self.settings.home_location.rstrip("/") + "/lancedb"

    @property
    def lancedb_is_local(self) -> bool:
        """Whether the LanceDB folder is on a local file system."""
        return not is_url(self.lancedb_uri)

    @cached_property
    def storage_options(self) -> dict[str, str]:
        """Object-store options with their secrets revealed, for the libraries that need them."""
        options = self.settings.storage_options
        return {key: value.get_secret_value() for key, value in options.items()}

    @cached_property
    def storage(self) -> LocalStorage | ObjectStorage:
        """Tables and blobs."""
        return open_storage(self.settings.home_location, self.storage_options)

    @cached_property
    def tables(self) -> "Tables":
        """The Parquet tables."""
        from .tables import Tables

        return Tables(self.storage)

    @cached_property
    def database(self) -> "Engine":
        """The platform database, at the current schema."""
        from .database import open_database

        return open_database(self.settings.database_url.get_secret_value(), self.state_path)

    @cached_property
    def log_database(self) -> "Engine":
        """The same database, for the answer log; see ``database.open_log_database``."""
        from .database import open_log_database

        return open_log_database(self.database)

    @cached_property
    def deployment_id(self) -> str:
        """The id that state and platform database share; see ``deployment.claim``."""
        from .deployment import claim

        return claim(self.storage, self.database)

    @contextmanager
    def lock(self, name: str, *, doing: str, timeout: float = 0.0) -> Iterator[None]:
        """Hold a lock against every other writer of this deployment, on any machine.

        It waits for a moment in any case: ``holder`` has a lock for that long. The lock lives where
        the registry lives: beside the SQLite file, or in PostgreSQL as well.

        Raises:
            AlreadyRunning: another process holds it.
            ConfigurationError: state and platform database do not belong together.
        """
        with self._lock(name, doing, max(timeout, MOMENT_SECONDS)):
            yield

    def holder(self, name: str) -> str:
        """Who holds a lock, for people; "" when nobody does."""
        try:
            with self._lock(name, "looking whether somebody is", 0.0):
                return ""
        except AlreadyRunning as error:
            return error.message

    @contextmanager
    def _lock(self, name: str, doing: str, timeout: float) -> Iterator[None]:
        from .locks import exclusive, exclusive_in_database, lock_folder

        assert self.deployment_id
        folder = lock_folder(self.database, self.state_path)
        with (
            exclusive(folder, name, doing=doing, timeout=timeout),
            exclusive_in_database(self.database, name, doing=doing, timeout=timeout),
        ):
            yield

    def close(self) -> None:
        """End helpers that this object started."""
        self.contracts.close()
