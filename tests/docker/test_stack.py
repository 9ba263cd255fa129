"""Every command of docker/compose.yaml, run by hand: healthy, answering, and ended in good order."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import pytest
import sqlalchemy as sa

from rag_assets.encoders import make_encoder
from rag_assets.platform.settings import EncoderSettings
from tests.docker.compose import services
from tests.docker.stack import Stack
from tests.docker.test_observability import DASHBOARDS, expressions, panels
from tests.jobs.instance.servers import kill_group

ORDER = ("redis", "code", "webserver", "daemon", "api-1", "api-2", "proxy")
QUESTION = {"question": "When does the ferry to Oldmere leave?", "answerer": "extractive"}
FERRY = "# Ferry\n\nThe ferry to Oldmere leaves at nine in the morning from the north pier.\n"
Found = TypeVar("Found")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Stack]:
    """All services that need no GPU, no Grafana and no collector, up and healthy."""
    folder = tmp_path_factory.mktemp("stack")
    state = folder / "image"
    state.mkdir()
    (state / "models").symlink_to(model_cache, target_is_directory=True)
    make_encoder(EncoderSettings(), state).prepare()
    made = Stack(folder, model_cache)
    try:
        made.make_databases()
        made.wait_until_healthy("postgres")
        prepared = made.run("prepare")
        assert prepared.returncode == 0, prepared.stderr
        for name in ORDER:
            made.start(name, *(["-c", f"{folder}/etc/nginx.conf"] if name == "proxy" else []))
            # what depends on nothing but the start of another does not wait for its health
            if not name.startswith("api"):
                made.wait_until_healthy(name)
        yield made
    finally:
        made.end()


@pytest.fixture
def fed(stack: Stack, reader: httpx.Client) -> None:
    """A document has come, and is answered from: whichever tests ran before, or none."""
    ferry = stack.documents / "ferry.md"
    if not ferry.exists():  # written again it would be read again
        ferry.write_text(FERRY)
    wait_for(lambda: answer(reader), "answer", stack)


@pytest.fixture(scope="module")
def reader(stack: Stack) -> Iterator[httpx.Client]:
    """A reader with a key, in front of the proxy."""
    made = stack.run("api-1", "ragline", "keys", "create", "--name", "reader", "--json")
    assert made.returncode == 0, made.stderr
    headers = {"Authorization": f"Bearer {json.loads(made.stdout)['key']}"}
    address = f"http://127.0.0.1:{stack.ports['proxy']}"
    with httpx.Client(base_url=address, headers=headers, timeout=60, trust_env=False) as client:
        yield client


def wait_for(
    look: Callable[[], Found | str], what: str, stack: Stack, seconds: float = 300
) -> Found:
    """Wait until something is found; ``look`` says in words what it found instead."""
    limit = time.monotonic() + seconds
    while isinstance(found := look(), str):
        assert time.monotonic() < limit, f"no {what} in {seconds} s, but {found}\n{stack.tails()}"
        time.sleep(0.5)
    return found


def answer(reader: httpx.Client) -> dict[str, Any] | str:
    reply = reader.post("/v1/ask", json=QUESTION)
    if reply.status_code != 200 or not reply.json()["citations"]:
        return f"{reply.status_code} {reply.text[:500]}"
    found: dict[str, Any] = reply.json()
    return found


def test_a_file_is_answered_from_without_any_command(stack: Stack, reader: httpx.Client) -> None:
    assert stack.is_healthy("api-1").returncode != 0, "there is nothing to answer from yet"
    (stack.documents / "ferry.md").write_text(FERRY)
    found = wait_for(lambda: answer(reader), "answer", stack)
    assert found["citations"][0]["document_id"] == "documents/ferry.md"
    assert "nine" in found["answer"]
    for name in ("api-1", "api-2"):
        stack.wait_until_healthy(name)


@pytest.mark.usefixtures("fed")
def test_the_proxy_hands_on_streams_and_hides_the_metrics(
    stack: Stack, reader: httpx.Client
) -> None:
    with reader.stream("POST", "/v1/ask", json=QUESTION | {"stream": True}) as reply:
        assert reply.status_code == 200
        assert reply.headers["content-type"].startswith("text/event-stream")
        events = [line for line in reply.iter_lines() if line.startswith("event:")]
    assert events[-1] == "event: done"
    assert reader.get("/metrics").status_code == 404
    direct = f"http://127.0.0.1:{stack.ports['api-1']}/metrics"
    assert "ragline_release_id" in httpx.get(direct, trust_env=False).text
    nobody = httpx.post(
        f"http://127.0.0.1:{stack.ports['proxy']}/v1/ask", json=QUESTION, trust_env=False
    )
    assert nobody.status_code == 401


@pytest.mark.usefixtures("fed")
def test_prometheus_reads_both_replicas_and_every_expression_can_be_computed(stack: Stack) -> None:
    stack.start("prometheus", f"--web.listen-address=127.0.0.1:{stack.ports['prometheus']}")
    stack.wait_until_healthy("prometheus")
    address = f"http://127.0.0.1:{stack.ports['prometheus']}/api/v1"

    def query(expression: str) -> Any:
        reply = httpx.get(f"{address}/query", params={"query": expression}, trust_env=False)
        assert reply.json()["status"] == "success", (expression, reply.text)
        return reply.json()["data"]["result"]

    def up() -> bool | str:
        found = query('sum(up{job="api"})')
        return bool(found and found[0]["value"][1] == "2") or f"up: {found}"

    def released() -> bool | str:
        return bool(query("max(ragline_release_id) > 0")) or "ragline_release_id is 0"

    wait_for(up, "two replicas", stack)
    wait_for(released, "release", stack)
    for expression in expressions():
        query(expression)
    rules = httpx.get(f"{address}/rules", trust_env=False).json()["data"]["groups"]
    assert {rule["health"] for group in rules for rule in group["rules"]} <= {"ok", "unknown"}


@pytest.mark.usefixtures("fed")
def test_the_panels_about_runs_read_dagsters_database(stack: Stack) -> None:
    password = (stack.secrets / "grafana_database_password").read_text().strip()
    engine = sa.create_engine(
        f"postgresql+psycopg2://grafana:{password}@/dagster?host={stack.postgres.socket}"
    )
    queries = [
        target["rawSql"]
        for dashboard in DASHBOARDS
        for panel in panels(dashboard)
        for target in panel["targets"]
        if "rawSql" in target
    ]
    assert queries
    with engine.connect() as connection:
        for text in queries:
            connection.execute(
                sa.text(text.replace("$__unixEpochFilter(end_time)", "end_time > 0"))
            )

        def succeeded() -> bool | str:
            query = queries[0].replace("$__unixEpochFilter(end_time)", "true")
            found = {row.metric for row in connection.execute(sa.text(query))}
            connection.rollback()  # what is read within a transaction may stay what it was
            return "SUCCESS" in found or f"the runs' states are {found}"

        wait_for(succeeded, "run that succeeded", stack)
        with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
            connection.execute(sa.text("DELETE FROM runs"))
    engine.dispose()


@pytest.mark.usefixtures("fed")
def test_a_replica_that_is_killed_is_not_missed(stack: Stack, reader: httpx.Client) -> None:
    kill_group(stack.running["api-2"].process)  # a container ends with all of its processes
    assert not [found for _ in range(6) if isinstance(found := answer(reader), str)]
    stack.start("api-2")
    stack.wait_until_healthy("api-2")


@pytest.mark.usefixtures("fed")
def test_everything_ends_in_good_order(stack: Stack) -> None:
    """The last test of this file: each is told to stop as Docker would, and ends in its time."""
    for name in reversed([name for name in stack.running if name != "redis"] + ["redis"]):
        service = stack.running.pop(name)
        children = service.children()
        code = service.stop()
        assert code == 0, f"{name} ended with {code}:\n{service.tail()}"
        # helpers end when they see that their parent is gone, a moment later
        _, left = psutil.wait_procs(children, timeout=service.grace)
        assert not left, f"{name} left children"
    assert set(services()) > {"postgres", "redis"}
