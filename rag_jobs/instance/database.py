"""Dagster's own PostgreSQL database: its address, and that it is not the platform's."""

import importlib.util

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from rag_assets.platform.errors import ConfigurationError, MissingExtra, StorageError
from rag_assets.platform.settings import Settings

SETTING = "RAG_ORCHESTRATION__DATABASE_URL"
# dagster-postgres installs this driver and no other
DRIVER = "postgresql+psycopg2"
# tables of the platform database that Dagster has none of
PLATFORM_TABLES = ("deployment", "release_events")
CONNECT_SECONDS = 10


def dagster_database(settings: Settings) -> sa.URL | None:
    """The address of Dagster's database, or None where SQLite is enough.

    Raises:
        ConfigurationError: it is no PostgreSQL address, or the platform's own database.
        MissingExtra: dagster-postgres is not installed.
    """
    text = settings.orchestration.database_url.get_secret_value()
    if not text:
        return None
    try:
        url = sa.make_url(text)
    except ArgumentError:
        raise ConfigurationError(
            f"{SETTING} is not the address of a database.",
            "Write it as postgresql://user:password@host:5432/dagster.",
        ) from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise ConfigurationError(
            f"{SETTING} names a database of kind '{url.get_backend_name()}'.",
            "Dagster's database is a PostgreSQL, or SQLite when this setting is empty.",
        )
    if importlib.util.find_spec("dagster_postgres") is None:
        raise MissingExtra("dagster-postgres", "postgres")
    url = url.set(drivername=DRIVER)
    platform = settings.database_url.get_secret_value()
    if platform and _place(sa.make_url(platform)) == _place(url):
        raise _shared(url)
    return url


def check_database(url: sa.URL) -> None:
    """Make sure that Dagster's database can be reached, and holds no tables of the platform.

    Two addresses may lead to one schema (a name and a number of the same host), so the database
    itself is asked as well.

    Raises:
        StorageError: it cannot be reached.
        ConfigurationError: the platform's tables are in it.
    """
    timeout = {"connect_timeout": CONNECT_SECONDS}
    engine = sa.create_engine(url, poolclass=NullPool, connect_args=timeout)
    try:
        with engine.connect() as connection:
            found = [
                connection.execute(sa.text("SELECT to_regclass(:name)"), {"name": name}).scalar()
                for name in PLATFORM_TABLES
            ]
    except SQLAlchemyError as error:
        raise StorageError(
            f"Dagster's database {_shown(url)} cannot be used: "
            f"{str(getattr(error, 'orig', None) or error).strip()}.",
            f"Check that it runs and that {SETTING} is right.",
        ) from error
    if all(found):
        raise _shared(url)


def _place(url: sa.URL) -> tuple[str, str, str, str]:
    """Where the tables of an address are: host, port, database, schema."""
    query = {name: _last(value) for name, value in url.query.items()}
    host = query.get("host") or url.host or "localhost"
    port = query.get("port") or str(url.port or 5432)
    return host, port, url.database or "", query.get("options", "")


def _last(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else value[-1]


def _shared(url: sa.URL) -> ConfigurationError:
    return ConfigurationError(
        f"Dagster and the platform would keep their tables in the same schema of {_shown(url)}; "
        "each has a table 'alembic_version' there.",
        f"Give {SETTING} a database of its own (createdb dagster), or a schema of its own "
        "(…?options=-csearch_path%3Ddagster).",
    )


def _shown(url: sa.URL) -> str:
    return url.render_as_string(hide_password=True)
