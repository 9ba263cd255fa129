"""Every route of the service, what it needs, and a request of it in each form in which it can be asked."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi.routing import iter_route_contexts

from rag_app.api.app import create_app
from rag_assets.platform.platform import Platform
from tests.app.access.vault import BOARD, QUESTIONS

MCP_HEADERS = {
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2025-06-18",
}
Send = Callable[[httpx.Client], httpx.Response]


def mcp(tool: str, **arguments: Any) -> Send:
    """A call of a tool."""
    params = {"name": tool, "arguments": arguments}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return lambda client: client.post("/mcp", json=body, headers=MCP_HEADERS)


def post(path: str, body: Any = None, **more: Any) -> Send:
    """A POST of a JSON body."""
    return lambda client: client.post(path, json=body, **more)


def get(path: str, **more: Any) -> Send:
    """A GET."""
    return lambda client: client.get(path, **more)


def chat(question: str, **more: Any) -> Send:
    """A chat completion."""
    messages = [{"role": "user", "content": question}]
    return post("/v1/chat/completions", {"model": "ragline", "messages": messages, **more})


def upload(name: str = "note.md", **form: Any) -> Send:
    """An upload."""
    files = {"file": (name, b"# Note\n\nThe desk is open from nine.\n")}
    return lambda client: client.post("/v1/documents", files=files, data=form)


def delete(document_id: str, **params: Any) -> Send:
    """A removal."""
    return lambda client: client.delete(f"/v1/documents/{document_id}", params=params)


@dataclass(frozen=True)
class Way:
    """One way to use a route.

    Attributes:
        route: method and path, as the application knows them.
        needs: the scopes that a caller must have.
        send: makes the request.
    """

    route: tuple[str, str]
    needs: frozenset[str]
    send: Send
    form: str = "json"


def _way(method: str, path: str, needs: str, send: Send, form: str = "json") -> Way:
    return Way((method, path), frozenset(needs.split()), send, form)


QUESTION, NOTHING = QUESTIONS[BOARD], "open/nothing.md"
WAYS = [
    _way("POST", "/v1/ask", "read", post("/v1/ask", {"question": QUESTION})),
    _way(
        "POST", "/v1/ask", "read", post("/v1/ask", {"question": QUESTION, "stream": True}), "stream"
    ),
    _way("POST", "/v1/search", "read", post("/v1/search", {"query": QUESTION})),
    _way("GET", "/v1/answers/{answer_id}/lineage", "read", get("/v1/answers/nothing/lineage")),
    _way("GET", "/v1/documents", "read", get("/v1/documents")),
    _way("POST", "/v1/documents", "upload", upload(), "form"),
    _way(
        "GET",
        "/v1/documents/{document_id:path}/status",
        "read",
        get("/v1/documents/open/ferry.md/status"),
    ),
    _way("GET", "/v1/documents/{document_id:path}", "read", get("/v1/documents/open/ferry.md")),
    _way("DELETE", "/v1/documents/{document_id:path}", "read upload", delete(NOTHING)),
    _way(
        "DELETE",
        "/v1/documents/{document_id:path}",
        "read forget",
        delete(NOTHING, forget=True),
        "forget",
    ),
    _way("GET", "/v1/releases", "read", get("/v1/releases")),
    _way("GET", "/v1/releases/{release_id}", "read", get("/v1/releases/1")),
    _way("POST", "/v1/releases/{release_id}/promote", "releases", post("/v1/releases/999/promote")),
    _way(
        "POST", "/v1/releases/{release_id}/rollback", "releases", post("/v1/releases/999/rollback")
    ),
    _way("POST", "/v1/feedback", "feedback", post("/v1/feedback", {"answer_id": "nothing"})),
    _way("GET", "/v1/audit", "admin", get("/v1/audit?limit=5")),
    _way("GET", "/v1/models", "read", get("/v1/models"), "openai"),
    _way("GET", "/v1/models/{model}", "read", get("/v1/models/ragline"), "openai"),
    _way("POST", "/v1/chat/completions", "read", chat(QUESTION), "openai"),
    _way("POST", "/v1/chat/completions", "read", chat(QUESTION, stream=True), "openai stream"),
    _way("POST", "/evals/session", "releases", post("/evals/session")),
    _way("*", "/mcp", "read", mcp("search", query=QUESTION), "mcp search"),
    _way("*", "/mcp", "read", mcp("ask", question=QUESTION), "mcp ask"),
    _way("*", "/mcp", "read", mcp("get_document", document_id="open/ferry.md"), "mcp document"),
    _way("*", "/mcp", "read", mcp("list_releases"), "mcp releases"),
]
# nothing of a document, of a person or of a question is told here
OPEN: dict[tuple[str, str], Send] = {
    ("GET", "/healthz"): get("/healthz"),
    ("GET", "/readyz"): get("/readyz"),
    ("GET", "/metrics"): get("/metrics"),
    ("GET", "/openapi.json"): get("/openapi.json"),
    ("GET", "/"): get("/"),
    ("GET", "/static/{name}"): get("/static/main.js"),
    # what the caller may do and read; nothing without a valid credential
    ("GET", "/page/reader"): get("/page/reader"),
    ("GET", "/evals"): get("/evals"),
    # a form for the key; the dashboard comes with its own cookie
    ("GET", "/evals/"): get("/evals/"),
    ("GET", "/evals/{name}"): get("/evals/index.html"),
}


def routes(platform: Platform) -> Iterator[tuple[str, str]]:
    """Method and path of every route that the application has."""
    app = create_app(platform)
    app.state.services.close()
    for context in iter_route_contexts(app.routes):
        for method in sorted(set(context.methods or ["*"]) - {"HEAD"}):
            yield method, str(context.path)
