"""The layers around the application, on a real server with real sockets."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.types import Receive, Scope, Send

from rag_app.access.errors import Refused
from rag_app.access.exposure import server_options
from rag_app.access.headers import DOCUMENT_POLICY
from rag_app.access.middleware import install
from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.settings import AuthSettings, ServerSettings, Settings

LIMIT = 100_000


async def refuse(scope: Scope, receive: Receive, send: Send, error: Refused) -> None:
    content = json.dumps({"status": error.status, "detail": error.message})
    response = Response(content, error.status, error.headers, "application/problem+json")
    await response(scope, receive, send)


def application(settings: Settings) -> FastAPI:
    app = FastAPI()

    @app.post("/v1/ask")
    async def ask(body: dict[str, Any]) -> dict[str, int]:
        return {"keys": len(body)}

    @app.post("/raw")
    async def raw(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    @app.post("/v1/documents")
    async def documents(request: Request) -> dict[str, int]:
        return {"bytes": sum([len(part) async for part in request.stream()])}

    @app.get("/file")
    async def file() -> Response:
        headers = {"Content-Security-Policy": DOCUMENT_POLICY, "Cache-Control": "private"}
        return Response(b"x", headers=headers)

    @app.get("/client")
    async def client(request: Request) -> dict[str, str]:
        return {"client": request.client.host if request.client else ""}

    install(app, settings, refuse)
    return app


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    config = uvicorn.Config(
        application(settings), port=0, log_level="error", **server_options(settings)
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)


def server_settings(**values: Any) -> ServerSettings:
    return ServerSettings(max_body_mb=LIMIT / 1e6, max_upload_mb=1, **values)


@pytest.fixture(scope="module")
def closed() -> Iterator[str]:
    """On loopback, without authentication."""
    with served(Settings(server=server_settings())) as url:
        yield url


@pytest.fixture(scope="module")
def configured() -> Iterator[str]:
    """With authentication, an allowed page and a proxy."""
    server = server_settings(
        cors_origins=["https://intranet.example.org"],
        trusted_proxies=["127.0.0.1"],
        allowed_hosts=["rag.example.org"],
    )
    with served(Settings(server=server, auth=AuthSettings(enabled=True))) as url:
        yield url


def chunks(size: int) -> Iterator[bytes]:
    for _ in range(size // 1000):
        yield b"x" * 1000


def test_a_body_within_the_limit_passes(closed: str) -> None:
    for content in (b"x" * LIMIT, chunks(LIMIT)):
        assert httpx.post(f"{closed}/raw", content=content).json() == {"bytes": LIMIT}


@pytest.mark.parametrize("path", ["/raw", "/v1/ask", "/v1/documents"])
@pytest.mark.parametrize("announced", [True, False])
def test_a_body_over_it_is_refused_announced_or_not(
    closed: str, path: str, announced: bool
) -> None:
    size = 2_000_000 if path == "/v1/documents" else LIMIT + 1000
    content: Any = b"x" * size if announced else chunks(size)
    headers = {"Content-Type": "application/json"}
    found = httpx.post(f"{closed}{path}", content=content, headers=headers)
    assert found.status_code == 413
    assert found.headers["content-type"] == "application/problem+json"
    assert "larger than" in found.json()["detail"]
    assert found.headers["connection"] == "close"


def test_an_upload_may_be_larger_than_other_requests(closed: str) -> None:
    found = httpx.post(f"{closed}/v1/documents", content=b"x" * 900_000)
    assert found.json() == {"bytes": 900_000}


def test_a_body_that_lies_about_its_length_is_counted(closed: str) -> None:
    host, port = closed.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        head = "POST /raw HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
        connection.sendall(f"{head}Content-Length: 5\r\n\r\n".encode())
        part = b"1000\r\n" + b"x" * 4096 + b"\r\n"
        try:
            for _ in range(2 * LIMIT // 4096):
                connection.sendall(part)
            answer = connection.recv(4096)
        except OSError:
            answer = b"HTTP/1.1 400 closed"
    # whichever the server makes of it: it is not taken
    assert answer.split()[1] in (b"400", b"413")


EXPECTED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/client"), ("GET", "/nothing"), ("POST", "/v1/ask"), ("PUT", "/raw")],
)
def test_every_response_has_the_headers(closed: str, method: str, path: str) -> None:
    headers = httpx.request(method, f"{closed}{path}").headers
    assert {name: headers.get(name) for name in EXPECTED} == EXPECTED
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy
    assert "server" not in headers
    assert "strict-transport-security" not in headers  # not over plain HTTP


def test_a_refusal_has_them_too(closed: str) -> None:
    headers = httpx.post(f"{closed}/raw", content=b"x" * (LIMIT + 1)).headers
    assert {name: headers.get(name) for name in EXPECTED} == EXPECTED


def test_a_route_may_say_something_else(closed: str) -> None:
    headers = httpx.get(f"{closed}/file").headers
    assert headers["content-security-policy"] == DOCUMENT_POLICY
    assert headers["cache-control"] == "private"


def test_https_is_remembered(configured: str) -> None:
    headers = {"X-Forwarded-Proto": "https", "Host": "rag.example.org"}
    found = httpx.get(f"{configured}/client", headers=headers)
    assert found.headers["strict-transport-security"].startswith("max-age=")


@pytest.mark.parametrize("origin", ["https://evil.example.org", "null", "http://127.0.0.1:1", "x"])
def test_pages_of_other_places_may_not_use_a_service_without_authentication(
    closed: str, origin: str
) -> None:
    for method, path in (("POST", "/raw"), ("GET", "/client"), ("OPTIONS", "/raw")):
        found = httpx.request(method, f"{closed}{path}", headers={"Origin": origin})
        assert found.status_code == 403
        assert "access-control-allow-origin" not in found.headers


def test_its_own_pages_and_programs_may(closed: str) -> None:
    assert httpx.post(f"{closed}/raw", headers={"Origin": closed}).status_code == 200
    assert httpx.post(f"{closed}/raw").status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example.org", "evil.example.org:8080", "", "127.0.0.1.x.org", "["]
)
def test_other_names_that_lead_to_loopback_are_refused(closed: str, host: str) -> None:
    found = httpx.get(f"{closed}/client", headers={"Host": host})
    assert found.status_code in (400, 403)


@pytest.mark.parametrize("host", ["localhost:1234", "127.0.0.1", "[::1]:80", "LOCALHOST"])
def test_loopback_names_are_its_own(closed: str, host: str) -> None:
    assert httpx.get(f"{closed}/client", headers={"Host": host}).status_code == 200


def test_only_configured_host_names_are_taken_when_there_are_some(configured: str) -> None:
    assert httpx.get(f"{configured}/client").status_code == 403
    good = httpx.get(f"{configured}/client", headers={"Host": "Rag.example.org:443"})
    assert good.status_code == 200


def test_cors_is_open_to_configured_pages_only(configured: str) -> None:
    def preflight(origin: str) -> httpx.Response:
        headers = {
            "Host": "rag.example.org",
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        return httpx.options(f"{configured}/v1/ask", headers=headers)

    good = preflight("https://intranet.example.org")
    assert good.status_code == 200
    assert good.headers["access-control-allow-origin"] == "https://intranet.example.org"
    assert "access-control-allow-credentials" not in good.headers
    bad = preflight("https://evil.example.org")
    assert bad.status_code == 400
    assert "access-control-allow-origin" not in bad.headers


def test_forwarded_addresses_count_behind_a_configured_proxy_only(
    closed: str, configured: str
) -> None:
    forwarded = {"X-Forwarded-For": "203.0.113.7"}
    assert httpx.get(f"{closed}/client", headers=forwarded).json() == {"client": "127.0.0.1"}
    behind = httpx.get(f"{configured}/client", headers={**forwarded, "Host": "rag.example.org"})
    assert behind.json() == {"client": "203.0.113.7"}


def test_a_service_for_everybody_and_every_page_is_refused() -> None:
    settings = Settings(server=ServerSettings(cors_origins=["*"]))
    with pytest.raises(ConfigurationError, match="every web page"):
        install(FastAPI(), settings, refuse)
