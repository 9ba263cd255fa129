"""A database of its own for a test: SQLite in its folder, or one on a real PostgreSQL server."""

from pathlib import Path

import pytest

from tests.postgres import create_database


def fresh_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database; ``request.param`` is ``sqlite`` or ``postgresql``."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'platform.db'}"
    return create_database(request.getfixturevalue("postgres_url"))
