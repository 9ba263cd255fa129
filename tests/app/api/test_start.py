"""The start of ``ragline serve``: before its database, and with settings that nobody can serve."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from tests.app.api.running import serving, wait_for
from tests.app.commands import ragline
from tests.conftest import Deploy
from tests.platform.databases import fresh_database

CHAT = {"model": "ragline", "messages": [{"role": "user", "content": "Is anybody there?"}]}


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short path: that of a socket may be 107 bytes long."""
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        yield Path(folder) / "server"


@pytest.fixture
def postgresql(request: pytest.FixtureRequest, tmp_path: Path) -> sa.URL:
    """An empty database on a real server."""
    return sa.make_url(fresh_database(request, tmp_path))


@pytest.mark.parametrize("postgresql", ["postgresql"], indirect=True)
def test_a_database_that_comes_later_is_waited_for(
    deploy: Deploy, postgresql: sa.URL, place: Path
) -> None:
    url = postgresql.update_query_dict({"host": str(place)})
    environment = {"RAG_DATABASE_URL": url.render_as_string(hide_password=False)}
    with serving(deploy(), environment=environment, ready=False) as service:
        with service.client() as client:
            ready = client.get("/readyz")
            assert (ready.status_code, ready.json()["ready"]) == (503, False)
            assert ready.json()["checks"]["database"]["problem"] == "DatabaseUnavailable"
            assert ready.json()["missing"] == ["database", "release", "index"]
            refused = client.post("/v1/ask", json={"question": "Is anybody there?"})
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) > 0
            assert refused.headers["content-type"] == "application/problem+json"
            problem = refused.json()
            assert problem["detail"] == "The platform database cannot be reached."
            assert problem["request_id"] == refused.headers["x-request-id"]
            assert client.get("/").headers["content-security-policy"]
            chat = client.post("/v1/chat/completions", json=CHAT)
            assert (chat.status_code, chat.json()["error"]["type"]) == (503, "server_error")

            place.symlink_to(str(postgresql.query["host"]), target_is_directory=True)
            wait_for(service, "/v1/releases")
            assert client.get("/v1/releases").json()["releases"] == []
            assert client.get("/readyz").json()["checks"]["database"] == {"ok": True, "problem": ""}
        assert service.stop() == 0
        log = service.log.read_text()
    assert "The service waits for the platform database" in log
    assert "Check that it runs and that RAG_DATABASE_URL is right." in log
    assert "Traceback" not in log
    assert "Finished server process" in log


def test_it_can_be_ended_while_it_waits(deploy: Deploy) -> None:
    environment = {"RAG_DATABASE_URL": "postgresql+psycopg2://nobody@127.0.0.1:1/nothing"}
    with serving(deploy(), environment=environment, ready=False) as service:
        assert httpx.get(service.url + "/readyz", timeout=60).status_code == 503
        assert service.stop() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_no_waiting_would_mend_ends_it_with_a_reason(
    deploy: Deploy, workers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_SERVER__RATE_LIMIT", "often")
    done = ragline("serve", "--port", "0", "--workers", workers, folder=deploy())
    assert done.code == 1
    assert "server.rate_limit = 'often' is no limit" in done.errors
    assert "Write it like 120/minute" in done.errors
    assert "Traceback" not in done.errors
