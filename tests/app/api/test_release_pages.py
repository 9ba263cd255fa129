"""Releases page by page, over HTTP and on the command line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from rag_app.api.app import create_app
from rag_app.service.release_views import PAGE
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import ServerSettings, Settings
from rag_assets.releases.registry import Registry
from rag_assets.releases.schema import releases
from tests.app.commands import ragline
from tests.releases.test_registry import candidate

LIVE, COUNT, REMOVED = 3, 120, range(4, 100)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A registry where the live release is an old one, and most of the others are gone."""
    home = tmp_path_factory.mktemp("pages") / ".ragline"
    made = Platform(Settings(home=str(home), server=ServerSettings(rate_limit="")))
    registry = Registry(made.database)
    for number in range(1, COUNT + 1):
        found = candidate(registry)
        if number <= LIVE:
            registry.promote(found.id, {})
        else:
            registry.reject(found.id, "a test", {})
    with made.database.begin() as connection:
        gone = sa.update(releases).where(releases.c.id.in_(list(REMOVED)))
        connection.execute(gone.values(removed_at=sa.func.current_timestamp()))
    return made


@pytest.fixture(scope="module")
def client(platform: Platform) -> Iterator[TestClient]:
    with TestClient(create_app(platform), base_url="http://127.0.0.1") as client:
        yield client


def pages(client: TestClient, **parameters: Any) -> Iterator[list[int]]:
    before = None
    while True:
        asked = parameters | ({"before": before} if before else {})
        found = client.get("/v1/releases", params=asked).json()
        assert found["live"] == LIVE
        yield [item["id"] for item in found["releases"]]
        if (before := found["next"]) is None:
            return


@pytest.mark.parametrize("limit", [7, COUNT - 1, COUNT, 500])
def test_pages_have_every_release_once_newest_first(client: TestClient, limit: int) -> None:
    found = list(pages(client, limit=limit))
    assert [number for page in found for number in page] == list(range(COUNT, 0, -1))
    assert all(len(page) == limit for page in found[:-1])
    assert len(found) == -(-COUNT // limit)


def test_a_page_is_not_long_unless_somebody_wants_it(client: TestClient) -> None:
    assert len(next(pages(client))) == PAGE


def test_what_is_gone_can_be_left_out(client: TestClient) -> None:
    found = [number for page in pages(client, readable=True, limit=10) for number in page]
    assert found == [*range(COUNT, 99, -1), 3, 2, 1]


@pytest.mark.parametrize(
    "wrong", [{"limit": 0}, {"limit": 501}, {"before": 0}, {"before": 2**31}, {"limit": "many"}]
)
def test_what_is_no_page_is_refused(client: TestClient, wrong: dict[str, Any]) -> None:
    response = client.get("/v1/releases", params=wrong)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


def test_on_the_command_line(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(platform.settings.home).parent)
    first = ragline("releases", "list", "--json")
    assert [item["id"] for item in first.json] == list(range(COUNT, COUNT - PAGE, -1))
    assert f"--before {COUNT - PAGE + 1}" in first.errors
    rest = ragline("releases", "list", "--before", "3", "--json")
    assert [item["id"] for item in rest.json] == [2, 1]
    assert not rest.errors
    assert "'--before 119' lists them" in ragline("releases", "list", "--limit", "2").output
