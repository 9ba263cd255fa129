"""The registry: the same on SQLite and on a real PostgreSQL; one live release, whatever happens."""

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from rag_assets.platform.database import SCHEMA_REVISION, current_revision, open_database
from rag_assets.platform.errors import NoRelease, StorageError
from rag_assets.releases.registry import Registry, Release
from rag_assets.releases.schema import metadata, releases
from tests.platform.databases import fresh_database


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return fresh_database(request, tmp_path)


def candidate(registry: Registry, **changes: object) -> Release:
    values = {
        "table_name": "chunks_x",
        "lance_version": 3,
        "fingerprints": {"index": "f"},
        "partitions": {"docs": "digest"},
        "documents": 2,
        "chunks": 5,
        "manifest_sha256": "0" * 64,
        "run_id": "run",
    }
    return registry.add_candidate(**(values | changes))  # type: ignore[arg-type]


def test_promotion_retires_the_release_before(url: str, tmp_path: Path) -> None:
    registry = Registry(open_database(url, tmp_path))
    assert registry.live() is None
    first = registry.promote(candidate(registry).id, {"conservation": {"passed": True}})
    assert (first.status, first.partitions, first.tag) == ("live", {"docs": "digest"}, "release-1")
    assert first.created_at.tzinfo is not None
    second = candidate(registry)
    assert registry.live() == first
    registry.promote(second.id, {})
    assert [(item.id, item.status) for item in registry.all()] == [(2, "live"), (1, "retired")]
    assert "replaced by release 2" in registry.all()[1].reason


def test_a_rejected_candidate_leaves_the_live_release(url: str, tmp_path: Path) -> None:
    registry = Registry(open_database(url, tmp_path))
    registry.promote(candidate(registry).id, {})
    registry.reject(candidate(registry).id, "conservation: lost one", {"a": 1})
    live, rejected = registry.live(), registry.get(2)
    assert live is not None
    assert live.id == 1
    assert rejected is not None
    assert (rejected.status, rejected.reason) == ("rejected", "conservation: lost one")


def test_a_candidate_that_a_crash_left_behind_is_rejected(url: str, tmp_path: Path) -> None:
    registry = Registry(open_database(url, tmp_path))
    candidate(registry)
    candidate(registry)
    assert [(item.id, item.status) for item in registry.all()] == [
        (2, "candidate"),
        (1, "rejected"),
    ]


def test_two_live_releases_are_impossible(url: str, tmp_path: Path) -> None:
    engine = open_database(url, tmp_path)
    registry = Registry(engine)
    registry.promote(candidate(registry).id, {})
    other = candidate(registry)
    with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
        connection.execute(
            sa.update(releases).where(releases.c.id == other.id).values(status="live")
        )


LEARNED = {"fusion": "rrf", "fusion_weight": 0.3, "learned_from": {"questions": 20}}
SAME = {"parser": "p", "chunker": "c", "encoder": "e", "index": "i"}


def test_parameters_are_kept_with_a_release(url: str, tmp_path: Path) -> None:
    registry = Registry(open_database(url, tmp_path))
    first = candidate(registry)
    assert first.parameters is None
    assert registry.set_parameters(first.id, {"fusion": "weighted"}).parameters is not None
    assert registry.set_parameters(first.id, LEARNED).parameters == LEARNED
    assert registry.get(first.id) == registry.all()[0]
    with pytest.raises(NoRelease, match="no release 77"):
        registry.set_parameters(77, LEARNED)


@pytest.mark.parametrize(
    ("fingerprints", "expected"),
    [
        (SAME, LEARNED),
        ({**SAME, "parser": "another", "index": "another"}, LEARNED),
        ({**SAME, "encoder": "another"}, None),
        ({**SAME, "chunker": "another"}, None),
        ({"index": "i"}, None),
    ],
)
def test_a_promotion_takes_over_what_still_holds(
    fingerprints: dict[str, str], expected: object, tmp_path: Path
) -> None:
    registry = Registry(open_database("", tmp_path))
    first = registry.promote(candidate(registry, fingerprints=SAME).id, {})
    assert first.parameters is None
    registry.set_parameters(first.id, LEARNED)
    second = candidate(registry, fingerprints=fingerprints)
    assert second.parameters is None
    assert registry.promote(second.id, {"gate": 1}).parameters == expected
    assert registry.get(first.id).parameters == LEARNED  # type: ignore[union-attr]
    assert registry.get(second.id).metrics == {"gate": 1}  # type: ignore[union-attr]


def test_fingerprints_that_nobody_recorded_are_not_equal(tmp_path: Path) -> None:
    registry = Registry(open_database("", tmp_path))
    first = registry.promote(candidate(registry).id, {})
    registry.set_parameters(first.id, LEARNED)
    assert registry.promote(candidate(registry).id, {}).parameters is None


def test_a_candidates_own_parameters_win(url: str, tmp_path: Path) -> None:
    registry = Registry(open_database(url, tmp_path))
    first = registry.promote(candidate(registry, fingerprints=SAME).id, {})
    registry.set_parameters(first.id, LEARNED)
    second = candidate(registry, fingerprints=SAME)
    registry.set_parameters(second.id, {"fusion": "weighted"})
    assert registry.promote(second.id, {}).parameters == {"fusion": "weighted"}
    third = candidate(registry, fingerprints=SAME)
    assert registry.promote(third.id, {}).parameters == {"fusion": "weighted"}


def test_the_migrations_make_what_the_code_expects(url: str, tmp_path: Path) -> None:
    engine = open_database(url, tmp_path)
    assert current_revision(engine) == SCHEMA_REVISION
    inspector = sa.inspect(engine)
    for table in metadata.tables.values():
        found = {column["name"] for column in inspector.get_columns(table.name)}
        assert found == set(table.columns.keys())


def test_a_newer_schema_is_refused_with_a_reason(url: str, tmp_path: Path) -> None:
    engine = open_database(url, tmp_path)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match="newer"):
        open_database(url, tmp_path)


OPEN = """
import sys
from pathlib import Path
from rag_assets.platform.database import open_database
open_database(sys.argv[1], Path(sys.argv[2])).connect().close()
"""


def test_two_processes_may_meet_a_new_database_at_once(url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPEN, url, str(tmp_path)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    failures = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], failures


def test_a_database_out_of_reach_is_explained(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="RAG_DATABASE_URL") as caught:
        open_database("postgresql+psycopg2://me:hunter2@127.0.0.1:1/absent", tmp_path)
    assert "hunter2" not in str(caught.value)
