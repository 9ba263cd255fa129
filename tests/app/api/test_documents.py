"""Uploads, their way into a release, removal and erasure; releases over HTTP."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient

from rag_app.api.app import create_app
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from tests.app.api.conftest import new_key
from tests.app.api.running import Service
from tests.app.commands import ragline

TEXT = b"# Parking\n\nThe quince garage has 312 parking spaces for visitors.\n"


@pytest.fixture
def admin(guarded: Service) -> Iterator[httpx.Client]:
    with guarded.client() as client:
        yield client


def test_an_upload_becomes_an_answer_and_goes_again(service: Service, client: httpx.Client) -> None:
    form = {"title": "Parking spaces", "acl": "public", "attributes": json.dumps({"team": "site"})}
    stored = client.post("/v1/documents", files={"file": ("parking.md", TEXT)}, data=form)
    assert stored.status_code == 202
    upload = stored.json()
    document_id = upload["document_id"]
    assert document_id.startswith("uploads/")
    assert document_id.endswith("/parking.md")
    assert upload["size_bytes"] == len(TEXT)
    waiting = client.get(upload["status_url"]).json()
    assert waiting["state"] == "pending"
    assert waiting["searchable"] is False
    listed = client.get("/v1/documents?source=uploads").json()["documents"]
    assert [(item["document_id"], item["state"]) for item in listed] == [(document_id, "pending")]
    assert listed[0]["title"] == "Parking spaces"

    done = ragline("ingest", folder=service.folder)
    assert done.code == 0, done.errors
    status = client.get(upload["status_url"]).json()
    assert status["state"] == "indexed"
    assert status["searchable"] is True
    question = {
        "question": "How many parking spaces has the quince garage?",
        "answerer": "extractive",
        "filter": 'team = "site"',
    }
    answer = client.post("/v1/ask", json=question).json()
    assert "312" in answer["answer"]
    assert answer["citations"][0]["title"] == "Parking spaces"

    removed = client.delete(f"/v1/documents/{document_id}")
    assert removed.json()["file_removed"] is True
    assert client.get(upload["status_url"]).json()["state"] == "deleted"
    assert not list((service.folder / "uploads").rglob("parking*"))
    again = client.delete(f"/v1/documents/{document_id}")
    assert again.json()["file_removed"] is False


def test_an_erased_document_is_gone_and_is_not_taken_again(
    guarded: Service, admin: httpx.Client
) -> None:
    document_id = "docs/holidays.md"
    assert admin.get(f"/v1/documents/{document_id}").status_code == 200
    done = admin.delete(f"/v1/documents/{document_id}?forget=true&reason=asked", timeout=300)
    assert done.status_code == 200
    receipt = done.json()["receipt"]
    assert receipt["document_id"] == document_id
    assert receipt["places"]
    found = admin.post("/v1/search", json={"query": "28 days of paid holiday"}).json()
    assert all(hit["document_id"] != document_id for hit in found["hits"])


def test_lists_have_pages(client: httpx.Client) -> None:
    everything = client.get("/v1/documents?source=docs").json()
    ids = [item["document_id"] for item in everything["documents"]]
    assert ids == sorted(ids)
    assert "docs/salaries.md" not in ids
    assert everything["total"] == len(ids)
    seen, after = [], ""
    while True:
        page = client.get("/v1/documents", params={"source": "docs", "limit": 1, "after": after})
        rows = page.json()
        seen += [item["document_id"] for item in rows["documents"]]
        after = rows["next"]
        if not after:
            break
    assert seen == ids
    prefixed = client.get("/v1/documents?prefix=docs/tra").json()["documents"]
    assert [item["document_id"] for item in prefixed] == ["docs/travel.md"]


@pytest.mark.parametrize(
    ("name", "content", "form", "status"),
    [
        ("../escape.md", TEXT, {}, 422),
        ("a/../../escape.md", TEXT, {}, 422),
        (".hidden.md", TEXT, {}, 422),
        ("x.md.meta.toml", b'acl = ["public"]', {}, 422),
        ("evil.exe", b"MZ\x90\x00", {}, 415),
        ("x.md", TEXT, {"attributes": "[1"}, 422),
        ("x.md", TEXT, {"attributes": "[1]"}, 422),
        ("x.md", TEXT, {"attributes": '{"a": {"b": 1}}'}, 422),
    ],
)
def test_what_cannot_be_taken_is_refused_and_leaves_nothing(
    service: Service,
    client: httpx.Client,
    name: str,
    content: bytes,
    form: dict[str, str],
    status: int,
) -> None:
    before = sorted(service.folder.rglob("*.md")) + sorted(service.folder.rglob("*.toml"))
    response = client.post("/v1/documents", files={"file": (name, content)}, data=form)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    after = sorted(service.folder.rglob("*.md")) + sorted(service.folder.rglob("*.toml"))
    assert after == before


GIGABYTE = 10**9


def answered_without_a_body(service: Service, length: int, key: str) -> tuple[int, str]:
    """Announce an upload and send none of it; status and body of what comes all the same."""
    address = urlsplit(service.url)
    head = [
        "POST /v1/documents HTTP/1.1",
        f"Host: {address.netloc}",
        "Content-Type: multipart/form-data; boundary=limit",
        f"Content-Length: {length}",
        *([f"Authorization: Bearer {key}"] if key else []),
    ]
    with socket.create_connection((str(address.hostname), int(address.port or 0))) as connection:
        connection.settimeout(60)
        connection.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
        answer = b""
        while part := connection.recv(65536):  # until it is closed: what follows is not read either
            answer += part
    return int(answer.split()[1]), answer.partition(b"\r\n\r\n")[2].decode()


@pytest.mark.parametrize("length", [10**7, GIGABYTE])
def test_nothing_is_read_of_an_upload_from_somebody_who_may_not_send_one(
    guarded: Service, platform: Platform, length: int
) -> None:
    status, body = answered_without_a_body(guarded, length, "")
    assert (status, json.loads(body)["title"]) == (401, "Unauthorized")
    status, body = answered_without_a_body(guarded, length, new_key(platform, scopes=("read",)))
    assert (status, json.loads(body)["detail"]) == (403, "This needs the scope 'upload'.")


def test_one_that_is_announced_as_too_large_is_not_read(guarded: Service) -> None:
    status, body = answered_without_a_body(guarded, GIGABYTE, guarded.key)
    assert (status, json.loads(body)["title"]) == (413, "Too large")


def test_an_upload_counts_once_against_the_limits(tmp_path: Path) -> None:
    (tmp_path / "uploads").mkdir()
    made = Platform(
        Settings(
            home=str(tmp_path / "home"),
            sources={"uploads": {"path": str(tmp_path / "uploads"), "acl": ["public"]}},
            server={"uploads_source": "uploads", "rate_limit": "9/hour"},
        )
    )
    with TestClient(create_app(made), base_url="http://127.0.0.1") as client:
        left = [
            client.post("/v1/documents", files={"file": ("a.md", TEXT)}).headers[
                "RateLimit-Remaining"
            ]
            for _ in range(2)
        ]
    assert left == ["8", "7"]


def test_only_uploads_can_be_removed(service: Service, client: httpx.Client) -> None:
    response = client.delete("/v1/documents/docs/travel.md")
    assert response.status_code == 409
    assert (service.folder / "documents" / "travel.md").exists()
    for path in ("uploads/..%2f..%2fragline.toml", "uploads/%2e%2e/ragline.toml"):
        assert client.delete(f"/v1/documents/{path}").status_code in (404, 405)
    assert (service.folder / "ragline.toml").exists()


def test_releases_are_shown_promoted_and_rolled_back(
    admin: httpx.Client, platform: Platform
) -> None:
    listed = admin.get("/v1/releases").json()
    live = listed["live"]
    assert live is not None
    assert listed["releases"][0]["id"] >= live
    details = admin.get(f"/v1/releases/{live}").json()
    assert details["status"] == "live"
    assert details["gates"]["conservation"]["verdict"] == "passed"
    assert details["gates"]["conservation"]["explanation"]
    assert details["events"]
    again = admin.post(f"/v1/releases/{live}/promote", json={"reason": "again"})
    assert again.status_code == 409
    assert again.json()["type"] == "urn:ragline:problem:release-conflict"
    older = [item["id"] for item in listed["releases"] if item["status"] == "retired"]
    if older:
        back = admin.post(f"/v1/releases/{older[0]}/rollback", json={"reason": "a test"})
        assert back.json()["status"] == "live"
        assert admin.get("/v1/releases").json()["hold"]["reason"].endswith("a test")
        forward = admin.post(f"/v1/releases/{live}/promote")
        assert forward.json()["status"] == "live"
    from rag_assets.service_records.audit import AuditLog

    actions = {(item.action, item.outcome) for item in AuditLog(platform.database).entries()}
    assert ("release.promote", "failed") in actions
