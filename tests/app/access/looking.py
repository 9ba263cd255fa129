"""Every way in which somebody could come across what a document says."""

from tests.app.access.table import Send, chat, get, mcp, post


def ways_to_ask(question: str) -> dict[str, Send]:
    """Every way to ask a question."""
    return {
        "search": post("/v1/search", {"query": question, "limit": 100}),
        "search documents": post("/v1/search", {"query": question, "documents": True}),
        "search of a source": post("/v1/search", {"query": question, "filter": 'source = "board"'}),
        "search of the past": post("/v1/search?release=1", {"query": question}),
        "search as of": post("/v1/search?as_of=yesterday", {"query": question}),
        "ask": post("/v1/ask", {"question": question, "limit": 100}),
        "ask again": post("/v1/ask", {"question": question, "limit": 100}),
        "ask a release": post("/v1/ask?release=1", {"question": question}),
        "ask, streamed": post("/v1/ask", {"question": question, "stream": True}),
        "chat": chat(question),
        "chat, streamed": chat(question, stream=True, stream_options={"include_usage": True}),
        "chat, extractive": chat(question, model="ragline-extractive"),
        "MCP search": mcp("search", query=question, limit=50),
        "MCP ask": mcp("ask", question=question),
        "MCP ask a release": mcp("ask", question=question, release=1),
    }


def ways_to_look(answer_ids: list[str]) -> dict[str, Send]:
    """Every other way to come across a document."""
    found: dict[str, Send] = {
        "documents": get("/v1/documents?limit=500"),
        "documents of a source": get("/v1/documents?source=board"),
        "documents by prefix": get("/v1/documents?prefix=board"),
        "releases": get("/v1/releases"),
        "a release": get("/v1/releases/1"),
        "MCP releases": mcp("list_releases"),
        "reader": get("/page/reader"),
        "dashboard": get("/evals/"),
        "metrics": get("/metrics"),
        "an error of a filter": post("/v1/search", {"query": "x", "filter": "title ="}),
    }
    for name in ("board/vault.md", "sealed/archive.md"):
        found |= {
            f"document {name}": get(f"/v1/documents/{name}"),
            f"document {name} of a release": get(f"/v1/documents/{name}?release=1"),
            f"status {name}": get(f"/v1/documents/{name}/status"),
            f"MCP document {name}": mcp("get_document", document_id=name),
            f"title of {name} by filter": post(
                "/v1/search", {"query": "plan", "filter": f'document_id = "{name}"'}
            ),
        }
    for number, answer_id in enumerate(answer_ids):
        found[f"lineage {number}"] = get(f"/v1/answers/{answer_id}/lineage")
        found[f"feedback {number}"] = post(
            "/v1/feedback", {"answer_id": answer_id, "rating": "down", "comment": "no"}
        )
    return found
