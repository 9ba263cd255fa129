"""Migrations: a database of an older version is brought up to date with everything in it."""

from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from evals import evaluations
from evals.evaluations import Evaluations
from evals.judges import judgements
from evals.live import store
from evals.live import tables as live
from rag_assets.erasure import requests
from rag_assets.erasure.requests import ErasureRequests
from rag_assets.platform import deployment
from rag_assets.platform.database import (
    SCHEMA_REVISION,
    current_revision,
    migrate,
    open_database,
)
from rag_assets.platform.errors import ReleaseConflict
from rag_assets.query import log
from rag_assets.query.log import AnswerLog
from rag_assets.releases import schema
from rag_assets.releases.history import History
from rag_assets.releases.registry import Registry
from rag_assets.service_records import tables as service
from tests.platform import old_rows
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


@pytest.fixture(params=old_rows.REVISIONS)
def upgraded(request: pytest.FixtureRequest, url: str, tmp_path: Path) -> tuple[str, sa.Engine]:
    """A database of an earlier revision with rows in every table, brought up to date."""
    revision: str = request.param
    old = sa.create_engine(url)
    migrate(old, revision)
    old_rows.fill(old, revision)
    assert old_rows.stored(old, revision) == old_rows.rows_of(revision)
    old.dispose()
    engine = open_database(url, tmp_path)
    assert current_revision(engine) == SCHEMA_REVISION
    return revision, engine


def test_an_upgrade_keeps_every_row_of_every_table(upgraded: tuple[str, sa.Engine]) -> None:
    revision, engine = upgraded
    assert old_rows.stored(engine, revision) == old_rows.rows_of(revision)


def test_an_upgraded_registry_knows_what_was_live_when(upgraded: tuple[str, sa.Engine]) -> None:
    revision, engine = upgraded
    found = {item.id: item for item in Registry(engine).all()}
    history = History(engine)

    assert {number: item.status for number, item in found.items()} == {
        5: "candidate",
        4: "live",
        3: "retired",
        2: "rejected",
        1: "retired",
    }
    assert {number for number, item in found.items() if item.readable} == {1, 3, 4, 5}
    assert {item.configuration for item in found.values()} == {None}
    assert found[2].failed_gates == {"quality": "so it is"}
    learned = None if revision == "0001" else {"fusion": "rrf"}
    assert [found[4].parameters, found[3].parameters] == [learned, None]
    told = [(event.release_id, event.event, event.details) for event in history.events()]
    assert told == [(1, "promoted", {}), (3, "promoted", {}), (4, "promoted", {})]
    moments = [old_rows.NOON + timedelta(days=days) for days in (-0.1, 0, 1.9, 2, 2.9, 3, 99)]
    assert [history.live_at(moment) for moment in moments] == [None, 1, 1, 3, 3, 4, 4]
    hold = history.hold()
    assert (hold.actor if hold else None) == ("mia" if revision >= "0004" else None)


def test_an_upgraded_registry_goes_on(upgraded: tuple[str, sa.Engine]) -> None:
    engine = upgraded[1]
    registry = Registry(engine)
    before = registry.before_live()
    assert before is not None
    assert before.id == 3
    with pytest.raises(ReleaseConflict, match="Release 2 has been removed"):
        registry.promote(2, over=4)
    assert registry.promote(5, {}, over=4).status == "live"
    assert registry.promote(3, over=5, event="rolled_back").status == "live"
    assert [item.id for item in registry.all() if item.status == "live"] == [3]
    with engine.begin() as connection, pytest.raises(sa.exc.IntegrityError):
        connection.execute(sa.text("UPDATE releases SET status = 'live' WHERE id = 1"))


def test_what_else_was_kept_is_read_as_before(upgraded: tuple[str, sa.Engine]) -> None:
    revision, engine = upgraded
    forgotten = ErasureRequests(engine).forbidden()
    assert forgotten == ({"docs/gone.md"} if revision >= "0004" else set())
    if revision >= "0002":
        answer = AnswerLog(engine).get("answer-1")
        assert answer is not None
        assert (answer.question, answer.asked_at) == ("When does the ferry leave?", old_rows.NOON)
        assert answer.documents == {"docs/ferry.md"}
    if revision >= "0003":
        (evaluation,) = Evaluations(engine).of_release(4)
        assert (evaluation.dataset, evaluation.summary) == ("golden", {"ndcg": 0.5})
        day = date(2026, 1, 2)
        assert store.costs(engine, day, day)["queries"].to_list() == [3]
        assert store.judgements_of(engine, day)["score"].to_list() == [0.75]
        assert store.query_days(engine, day, day).height == 1


def test_the_schema_is_the_one_the_code_describes(url: str, tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    described = sa.MetaData()
    for source in (schema, log, evaluations, judgements, live, requests, deployment, service):
        for table in source.metadata.tables.values():
            table.to_metadata(described)
    with open_database(url, tmp_path).connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), described)
    # the migration alone knows this index: it is a rule of the database
    unexpected = [item for item in differences if "one_live_release" not in str(item)]
    assert unexpected == []
