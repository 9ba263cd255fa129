"""``GET /v1/audit``: filters and pages, as an administrator reads them."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from rag_assets.platform.platform import Platform
from rag_assets.service_records.audit import AuditEntry, AuditLog
from tests.app.api.conftest import new_key
from tests.app.api.running import Service

# no other test writes at such times
START = datetime(2031, 1, 1, tzinfo=UTC)
WINDOW = {"since": START.isoformat(), "until": (START + timedelta(days=1)).isoformat()}
WRITTEN = [
    ("key:ann", "release.promote", "3", "ok"),
    ("key:ann", "ask", "a1", "ok"),
    ("user:bob", "release.rollback", "2", "failed"),
    ("user:bob", "ask", "a2", "denied"),
]


@pytest.fixture(scope="module")
def ids(platform: Platform) -> list[int]:
    """The ids of what was written, oldest first."""
    log = AuditLog(platform.database)
    log.append(
        [
            AuditEntry(*values, at=START + timedelta(hours=hour), details={"n": hour})
            for hour, values in enumerate(WRITTEN)
        ]
    )
    return [int(entry.id or 0) for entry in reversed(log.entries(since=START))]


@pytest.mark.parametrize(
    ("wanted", "hours"),
    [
        ({}, [3, 2, 1, 0]),
        ({"principal": "key:ann"}, [1, 0]),
        ({"action": "ask"}, [3, 1]),
        ({"action": "release."}, [2, 0]),
        ({"target": "a1"}, [1]),
        ({"outcome": "failed"}, [2]),
        ({"principal": "user:bob", "action": "ask"}, [3]),
        ({"since": (START + timedelta(hours=2)).isoformat()}, [3, 2]),
        ({"until": (START + timedelta(hours=1)).isoformat()}, [0]),
        ({"principal": "nobody"}, []),
    ],
)
def test_entries_are_found_by_what_is_asked_for(
    guarded: Service, ids: list[int], wanted: dict[str, str], hours: list[int]
) -> None:
    with guarded.client() as admin:
        found = admin.get("/v1/audit", params={**WINDOW, **wanted}).json()
    assert [entry["id"] for entry in found["entries"]] == [ids[hour] for hour in hours]
    assert [entry["details"] for entry in found["entries"]] == [{"n": hour} for hour in hours]
    assert found["next"] is None


def test_pages_go_through_all_of_them_once(guarded: Service, ids: list[int]) -> None:
    seen, query = [], {**WINDOW, "limit": "2"}
    with guarded.client() as admin:
        while True:
            page = admin.get("/v1/audit", params=query).json()
            seen.append([entry["id"] for entry in page["entries"]])
            if page["next"] is None:
                break
            query["before"] = page["next"]
    assert seen == [[ids[3], ids[2]], [ids[1], ids[0]]]


def test_what_cannot_be_asked_is_said(guarded: Service) -> None:
    with guarded.client() as admin:
        for name, value in (
            ("since", "0001-01-01T00:00:00+14:00"), ("since", "soon"), ("limit", "0"), ("outcome", "x"),
        ):  # fmt: skip
            assert admin.get("/v1/audit", params={name: value}).status_code == 422, (name, value)


def test_looking_is_an_entry_itself_and_only_for_administrators(
    guarded: Service, platform: Platform
) -> None:
    everything = ("read", "feedback", "upload", "releases", "forget")
    other = {"Authorization": f"Bearer {new_key(platform, scopes=everything)}"}
    looked = {"action": "audit.list", "outcome": "ok", "target": "who-is-looked-at"}
    denied = {"action": "audit.list", "outcome": "denied", "target": "/v1/audit"}
    with guarded.client() as client:
        assert client.get("/v1/audit", params={"principal": "who-is-looked-at"}).status_code == 200
        for wanted in (looked, denied):
            limit = time.monotonic() + 120  # written a moment later, denials so many a minute
            while True:
                assert client.get("/v1/audit", headers=other).status_code == 403
                found = client.get("/v1/audit", params=wanted).json()["entries"]
                if found:
                    break
                assert time.monotonic() < limit, wanted
                time.sleep(0.1)
            assert found[0].items() >= wanted.items()
