"""``/v1/ask``, ``/v1/search`` and lineage, asked of a running server."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from rag_assets.platform.platform import Platform
from tests.app.api.conftest import new_key
from tests.app.api.running import Service
from tests.query.openai_server import OpenAIServer, Reply

QUESTION = "How much may a room in London cost per night?"
EXTRACTIVE = {"question": QUESTION, "answerer": "extractive"}


def events_of(response: httpx.Response) -> Iterator[tuple[str, Any]]:
    """The events of a stream, as they are written."""
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def streamed(client: httpx.Client, question: dict[str, Any]) -> list[tuple[str, Any]]:
    with client.stream("POST", "/v1/ask", json={**question, "stream": True}) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        return list(events_of(response))


def test_an_answer_has_its_citations_release_and_lineage(client: httpx.Client, live: int) -> None:
    answer = client.post("/v1/ask", json=EXTRACTIVE).json()
    assert "165 pounds" in answer["answer"]
    assert answer["abstained"] is False
    cited = {item["document_id"] for item in answer["citations"]}
    assert "docs/travel.md" in cited
    assert answer["release"]["id"] == live
    assert answer["answerer"] == "extractive"
    assert {"retrieve", "total"} <= set(answer["timings_ms"])

    lineage = client.get(f"/v1/answers/{answer['answer_id']}/lineage").json()
    assert lineage["question"] == QUESTION
    assert lineage["release"]["id"] == live
    assert {item["document_id"] for item in lineage["documents"]} >= cited


def test_weak_evidence_is_said_in_every_form(client: httpx.Client) -> None:
    """Nothing was learned for this release: the sentences that are quoted tell."""
    asked = {"question": "Who won the chess tournament in 1972?", "answerer": "extractive"}
    answer = client.post("/v1/ask", json=asked).json()
    assert "may not answer this" in answer["answer"]
    assert answer["weak_evidence"] is True
    assert answer["abstained"] is False
    assert client.post("/v1/ask", json=EXTRACTIVE).json()["weak_evidence"] is False
    (last,) = [data for name, data in streamed(client, asked) if name == "done"]
    assert last["weak_evidence"] is True
    message = {"role": "user", "content": asked["question"]}
    chat = {"model": "ragline-extractive", "messages": [message]}
    completion = client.post("/v1/chat/completions", json=chat).json()
    assert completion["ragline"]["weak_evidence"] is True


def test_a_quote_stands_in_the_document_at_its_span(client: httpx.Client) -> None:
    answer = client.post("/v1/ask", json=EXTRACTIVE).json()
    for citation in answer["citations"]:
        document = client.get(f"/v1/documents/{citation['document_id']}").json()
        start, end = citation["char_start"], citation["char_end"]
        assert document["text"][start:end] == citation["quote"]
        part = client.get(
            f"/v1/documents/{citation['document_id']}", params={"start": start, "end": end}
        ).json()
        assert part["text"] == citation["quote"]
        assert part["char_offset"] == start
        assert part["length"] == len(document["text"])
        assert any(item["char_start"] <= start < item["char_end"] for item in part["passages"])


def test_a_stream_tells_the_parts_in_order_and_ends_with_the_whole(
    client: httpx.Client, llm: OpenAIServer
) -> None:
    llm.default = Reply(tokens=("A room ", "may cost ", "165 pounds [1]."), usage=(70, 9))
    events = streamed(client, {"question": QUESTION})
    names = [name for name, _ in events]
    tokens = names.count("token")
    assert tokens >= 2
    assert names == ["token"] * tokens + ["citations", "usage", "timings", "done"]
    whole = events[-1][1]
    said = "".join(value["text"] for name, value in events if name == "token")
    assert said == whole["answer"] == "A room may cost 165 pounds [1]."
    assert events[tokens][1] == {"citations": whole["citations"]}
    assert whole["usage"]["prompt_tokens"] == 70
    assert whole["answerer"] == "llm:tiny"


def test_a_language_model_that_breaks_off_voids_what_it_said(
    client: httpx.Client, llm: OpenAIServer
) -> None:
    llm.default = Reply(tokens=("A room ", "may cost a ", "lot of "), break_after=3)
    events = streamed(client, {"question": QUESTION})
    names = [name for name, _ in events]
    reset = names.index("reset")
    assert "token" in names[:reset]
    assert "165" in "".join(value["text"] for name, value in events[reset:] if name == "token")
    whole = events[-1][1]
    assert whole["degraded"] == [events[reset][1]["reason"]]
    assert whole["answerer"] == "extractive"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=500, error={"error": {"message": "secret-of-the-server"}}),
        Reply(raw="<html>secret-of-the-server</html>"),
        Reply(tokens=("x",), finish=None),
    ],
    ids=["error", "garbage", "broken"],
)
def test_a_language_model_that_fails_gives_way_to_quotations(
    client: httpx.Client, llm: OpenAIServer, reply: Reply
) -> None:
    llm.default = reply
    response = client.post("/v1/ask", json={"question": QUESTION})
    assert response.status_code == 200
    answer = response.json()
    assert "165 pounds" in answer["answer"]
    assert answer["degraded"]
    assert "secret-of-the-server" not in response.text


def test_search_gives_passages_or_documents(client: httpx.Client, live: int) -> None:
    found = client.post("/v1/search", json={"query": "hotel in London", "limit": 3}).json()
    assert 1 <= len(found["hits"]) <= 3
    assert found["hits"][0]["document_id"] == "docs/travel.md"
    assert found["release"]["id"] == live
    documents = client.post(
        "/v1/search", json={"query": "hotel in London", "documents": True}
    ).json()["hits"]
    names = [hit["document_id"] for hit in documents]
    assert len(names) == len(set(names))
    none = client.post("/v1/search", json={"query": "hotel", "filter": 'source = "nowhere"'})
    assert none.json()["hits"] == []


def test_an_older_release_or_moment_can_be_named(client: httpx.Client, live: int) -> None:
    by_id = client.post("/v1/search?release=1", json={"query": "hotel"})
    assert by_id.json()["release"]["id"] == 1
    now = client.post("/v1/ask?as_of=now", json=EXTRACTIVE)
    assert now.json()["release"]["id"] == live
    for query, status, kind in (
        ("release=99", 404, "no-release"),
        ("as_of=1999-01-01", 404, "no-release"),
        ("as_of=gestern", 422, "invalid-question"),
        ("release=1&as_of=now", 422, "invalid-question"),
        ("release=0", 422, "invalid-request"),
    ):
        for path, body in (("/v1/ask", EXTRACTIVE), ("/v1/search", {"query": "hotel"})):
            response = client.post(f"{path}?{query}", json=body)
            assert response.status_code == status
            assert response.json()["type"] == f"urn:ragline:problem:{kind}"


def test_an_error_before_the_first_word_of_a_stream_has_its_status(client: httpx.Client) -> None:
    for question in ({"question": "  "}, {"question": "x", "filter": "source ="}):
        response = client.post("/v1/ask", json={**question, "stream": True})
        assert response.status_code == 422
        assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nowhere", None, 404),
        ("GET", "/v1/ask", None, 405),
        ("POST", "/v1/ask", b"{", 422),
        ("POST", "/v1/ask", b'{"question": 3}', 422),
        ("POST", "/v1/ask", b'{"question": "x", "unknown": 1}', 422),
        ("POST", "/v1/ask", b'{"question": "' + b"x" * 5000 + b'"}', 422),
        ("POST", "/v1/ask", b'{"question": "' + b"x" * 2_100_000 + b'"}', 413),
        ("POST", "/v1/ask?release=x", b'{"question": "x"}', 422),
        ("POST", "/v1/ask", b'{"question": "x", "answerer": "oracle"}', 422),
        ("GET", "/v1/answers/none/lineage", None, 404),
        ("GET", "/v1/documents/docs/none.md", None, 404),
        ("GET", "/v1/documents?limit=0", None, 422),
        ("GET", "/v1/releases/99", None, 404),
        ("DELETE", "/v1/documents/docs/none.md", None, 404),
    ],
)
def test_every_error_is_a_problem_document(
    client: httpx.Client, method: str, path: str, body: bytes | None, status: int
) -> None:
    headers = {"Content-Type": "application/json", "X-Request-ID": "asked-by-me"}
    response = client.request(method, path, content=body, headers=headers)
    problem = response.json()
    assert response.status_code == problem["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["type"].startswith("urn:ragline:problem:")
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"] == path.partition("?")[0]
    assert problem["request_id"] == response.headers["x-request-id"] == "asked-by-me"


def test_a_request_id_that_could_forge_a_log_line_is_replaced(client: httpx.Client) -> None:
    response = client.get("/healthz", headers={"X-Request-ID": "a b\tc"})
    assert len(response.headers["x-request-id"]) == 32


def test_health_tells_alive_from_ready(client: httpx.Client, live: int) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    ready = client.get("/readyz").json()
    assert ready["ready"]
    assert ready["release_id"] == live
    assert list(ready["checks"]) == ["database", "release", "index"]


def test_callers_get_what_they_may_read(guarded: Service, platform: Platform) -> None:
    body = {"question": "Where does the marmalade band start?"}
    secret = "81,234"
    readers = new_key(platform), new_key(platform, groups=("hr",))
    for key, allowed in zip(readers, (False, True), strict=True):
        with httpx.Client(
            base_url=guarded.url, headers={"Authorization": f"Bearer {key}"}, timeout=60
        ) as client:
            answer = client.post("/v1/ask", json=body)
            stream = client.post("/v1/ask", json={**body, "stream": True})
            search = client.post("/v1/search", json={"query": "marmalade band"})
            document = client.get("/v1/documents/docs/salaries.md")
            status = client.get("/v1/documents/docs/salaries.md/status")
            listed = client.get("/v1/documents")
            for response in (answer, stream, search):
                assert response.status_code == 200
                assert (secret in response.text) is allowed
            assert document.status_code == status.status_code == (200 if allowed else 404)
            assert ("docs/salaries.md" in listed.text) is allowed


def test_without_a_key_nothing_but_health_is_told(guarded: Service) -> None:
    for method, path, body in (
        ("POST", "/v1/ask", EXTRACTIVE),
        ("POST", "/v1/search", {"query": "x"}),
        ("GET", "/v1/documents", None),
        ("GET", "/v1/releases", None),
        ("POST", "/v1/releases/1/promote", {}),
        ("POST", "/mcp", {}),
    ):
        response = httpx.request(method, guarded.url + path, json=body, timeout=60)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert response.json()["type"] == "urn:ragline:problem:unauthorized"
    assert httpx.get(guarded.url + "/healthz", timeout=60).status_code == 200
    assert httpx.get(guarded.url + "/readyz", timeout=60).status_code == 200


def test_a_reader_may_not_change_anything(guarded: Service, platform: Platform) -> None:
    headers = {"Authorization": f"Bearer {new_key(platform)}"}
    with httpx.Client(base_url=guarded.url, headers=headers, timeout=60) as client:
        refused = [
            client.post("/v1/releases/1/promote", json={}),
            client.post("/v1/releases/1/rollback", json={}),
            client.post("/v1/documents", files={"file": ("a.md", b"# a")}),
            client.delete("/v1/documents/docs/travel.md"),
            client.delete("/v1/documents/docs/travel.md?forget=true"),
        ]
    assert [response.status_code for response in refused] == [403] * len(refused)
    assert all(item.json()["type"] == "urn:ragline:problem:forbidden" for item in refused)
