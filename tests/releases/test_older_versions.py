"""A release that an older version made stays readable, or says what to do."""

from collections.abc import Callable, Iterator
from pathlib import Path

import lance
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from rag_assets.platform.errors import IndexUnavailable
from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.query.lineage import UnknownAnswer, lineage_of
from rag_assets.releases.operations import roll_back
from rag_assets.releases.registry import Registry
from rag_assets.releases.schema import releases
from tests.platform.databases import fresh_database
from tests.query.editions import deployment, editions, live, question_of, release_edition
from tests.query.restricted import changed

ANYONE = Caller()
FERRY = question_of("ferry")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, model_cache: Path
) -> Platform:
    """Two releases in a database of each kind."""
    folder = tmp_path_factory.mktemp("older")
    url = SecretStr(fresh_database(request, folder))
    platform = changed(deployment(folder, model_cache), database_url=url)
    for edition in (1, 2):
        release_edition(platform, edition)
    return platform


@pytest.fixture
def platform(made: Platform) -> Iterator[Platform]:
    """The same; what a test does to the registry is taken back."""
    with made.database.connect() as connection:
        rows = [dict(row._mapping) for row in connection.execute(sa.select(releases))]
    yield made
    with made.database.begin() as connection:
        connection.execute(sa.update(releases).values(status="retired"))
        for row in rows:
            connection.execute(sa.update(releases).where(releases.c.id == row["id"]).values(**row))


def said(platform: Platform, release: int | None = None) -> list[int]:
    hits = QueryEngine(platform, release).search(FERRY, ANYONE)
    return editions(*(hit.text for hit in hits))


def without(platform: Platform, release_id: int, *columns: str) -> None:
    """Make the rows of a release as if these columns had not been thought of yet."""
    registry = Registry(platform.database)
    release = registry.get(release_id)
    assert release is not None
    uri = f"{platform.lancedb_uri}/{release.table_name}.lance"
    lance.dataset(uri, version=release.lance_version).restore()
    dataset = lance.dataset(uri)
    dataset.drop_columns(list(columns))
    version = dataset.latest_version
    dataset.tags.update(release.tag, version)
    registry.amend(release_id, "amended", reason="test", lance_version=version)


def older_rows(platform: Platform) -> None:
    """Registry rows as the first versions wrote them."""
    with platform.database.begin() as connection:
        connection.execute(
            sa.text(
                "UPDATE releases SET configuration = NULL, judged_with = '', parameters = NULL, "
                """metrics = '{"conservation": {"passed": true}}'"""
            )
        )


def test_rows_without_configuration_and_verdicts_are_read_and_returned_to(
    platform: Platform,
) -> None:
    older_rows(platform)
    release = live(platform)
    assert (release.configuration, release.judged_with, release.failed_gates) == (None, "", {})
    assert said(platform) == [2]
    assert said(platform, 1) == [1]
    roll_back(platform)
    assert said(platform) == [1]


@pytest.mark.parametrize(
    "columns", [("page_breaks",), ("readers",), ("attribute_values", "stale"), ("vector",)]
)
def test_a_table_without_columns_that_are_read_says_what_to_do(
    platform: Platform, columns: tuple[str, ...]
) -> None:
    answer = QueryEngine(platform, 1).ask(FERRY, ANYONE)
    without(platform, 1, *columns)
    words = rf"Release 1 .* older version .* no {', '.join(sorted(columns))}.* ingest --full"
    ask: list[Callable[[], object]] = [
        lambda: QueryEngine(platform, 1).search(FERRY, ANYONE),
        lambda: QueryEngine(platform, 1).ask(FERRY, ANYONE),
        lambda: QueryEngine(platform, 1).warm_up(),
    ]
    for attempt in ask:
        with pytest.raises(IndexUnavailable, match=words):
            attempt()
    assert said(platform) == [2]  # the live release has them all
    # an answer of that release keeps its lineage for admins, and says why it has gaps
    with pytest.raises(UnknownAnswer):
        lineage_of(platform, answer.answer_id, ANYONE)
    told = lineage_of(platform, answer.answer_id, Caller(admin=True))
    assert "older version" in told.index_problem


def test_a_live_release_of_an_older_version_that_cannot_be_read_gives_way_or_says_so(
    platform: Platform,
) -> None:
    without(platform, 2, "readers")
    retrieval = QueryEngine(platform).retrieve(FERRY, ANYONE)
    assert (retrieval.snapshot.release.id, retrieval.degraded) == (1, ["release_fallback"])
    without(platform, 1, "readers")
    with pytest.raises(IndexUnavailable, match=r"Release 2 .* older version .* ingest --full"):
        QueryEngine(platform).retrieve(FERRY, ANYONE)
