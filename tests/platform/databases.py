"""A database of its own for a test: SQLite in its folder, or one on a real PostgreSQL server."""

import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa


def fresh_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database; ``request.param`` is ``sqlite`` or ``postgresql``."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'platform.db'}"
    server: str = request.getfixturevalue("postgres_url")
    name = f"t{uuid.uuid4().hex}"
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    admin.dispose()
    return sa.make_url(server).set(database=name).render_as_string(hide_password=False)
