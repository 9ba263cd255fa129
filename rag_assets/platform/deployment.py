"""One folder of state, one registry: two registries on one index would release over each other.

The storage keeps the deployment's id in ``deployment.json``, the platform database keeps it too.
Before anything is written, they must agree.
"""

import json
import uuid
from datetime import UTC, datetime

import sqlalchemy as sa

from .errors import ConfigurationError
from .storage import Storage

KEY = "deployment.json"

metadata = sa.MetaData()
deployment = sa.Table(
    "deployment",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
)


def claim(storage: Storage, engine: sa.Engine) -> str:
    """Make sure that storage and database belong together; the deployment's id.

    Raises:
        ConfigurationError: the storage was written with another platform database.
    """
    known = _in_database(engine)
    if known is None:
        # whoever is first names the deployment; the others find the name
        offered = _in_storage(storage) if _has_releases(engine) else None
        known = _name(engine, offered or uuid.uuid4().hex)
    stored = _in_storage(storage)
    if stored is None:
        storage.create(KEY, json.dumps({"id": known}).encode())
        stored = _in_storage(storage)
    if stored != known:
        raise ConfigurationError(
            f"The state in {storage.root} belongs to another platform database than the one that is "
            "configured.",
            "Set RAG_DATABASE_URL (or RAG_STATE_DIR) to the former one. If that is lost, remove "
            f"{KEY} and lancedb/ there and run 'ragline ingest'.",
        )
    return known


def _in_storage(storage: Storage) -> str | None:
    try:
        return str(json.loads(storage.read(KEY))["id"])
    except KeyError:
        return None


def _in_database(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        return connection.execute(sa.select(deployment.c.id)).scalar()


def _has_releases(engine: sa.Engine) -> bool:
    with engine.connect() as connection:
        return connection.execute(sa.text("SELECT 1 FROM releases LIMIT 1")).first() is not None


def _name(engine: sa.Engine, offered: str) -> str:
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("LOCK TABLE deployment IN SHARE ROW EXCLUSIVE MODE"))
        else:
            connection.execute(sa.delete(deployment).where(sa.false()))  # takes SQLite's lock
        there = connection.execute(sa.select(deployment.c.id)).scalar()
        if there is not None:
            return str(there)
        connection.execute(sa.insert(deployment).values(id=offered, created_at=datetime.now(UTC)))
    return offered
