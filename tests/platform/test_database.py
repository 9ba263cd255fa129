"""Migrations: a database of an older version is brought up to date with everything in it."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from evals import evaluations
from evals.judges import judgements
from evals.live import tables as live
from rag_assets.platform.database import (
    SCHEMA_REVISION,
    current_revision,
    migrate,
    open_database,
)
from rag_assets.query import log
from rag_assets.releases import registry
from rag_assets.releases.registry import Registry
from tests.platform.databases import fresh_database

INSERT = """
INSERT INTO releases (created_at, status, table_name, lance_version, fingerprints, partitions,
    documents, chunks, manifest_sha256, metrics, run_id)
VALUES ('2026-01-02 03:04:05', :status, 'chunks_x', 3, '{}', '{}', 2, 5, 'm', '{}', :run_id)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return fresh_database(request, tmp_path)


def test_a_database_of_the_first_version_keeps_its_releases(url: str, tmp_path: Path) -> None:
    old = sa.create_engine(url)
    migrate(old, "0001")
    assert current_revision(old) == "0001"
    with old.begin() as connection:
        for status in ("retired", "live"):
            values = {"status": status, "run_id": f"run-{status}"}
            connection.execute(sa.text(INSERT), values)
    assert not sa.inspect(old).has_table("answers")
    old.dispose()

    engine = open_database(url, tmp_path)
    assert current_revision(engine) == SCHEMA_REVISION
    found = Registry(engine).all()
    assert [(item.id, item.status, item.run_id) for item in found] == [
        (2, "live", "run-live"),
        (1, "retired", "run-retired"),
    ]
    assert [item.parameters for item in found] == [None, None]
    assert Registry(engine).set_parameters(2, {"fusion": "rrf"}).parameters == {"fusion": "rrf"}
    with engine.begin() as connection:  # the old rule is still in force
        with pytest.raises(sa.exc.IntegrityError):
            connection.execute(sa.text("UPDATE releases SET status = 'live' WHERE id = 1"))


def test_the_schema_is_the_one_the_code_describes(url: str, tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    described = sa.MetaData()
    for source in (registry, log, evaluations, judgements, live):
        for table in source.metadata.tables.values():
            table.to_metadata(described)
    with open_database(url, tmp_path).connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), described)
    # the migration alone knows this index: it is a rule of the database
    unexpected = [item for item in differences if "one_live_release" not in str(item)]
    assert unexpected == []
