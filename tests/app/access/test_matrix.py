"""Every route × every kind of caller × every form; and words that must never reach those who may not
read them, in answers, streams, tools, lists, lineage, errors, metrics or logs."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rag_assets.service_records.audit import AuditLog
from tests.app.access.identity import provider
from tests.app.access.looking import ways_to_ask, ways_to_look
from tests.app.access.table import OPEN, WAYS, Send, Way, delete, get, mcp, routes, upload
from tests.app.access.vault import BOARD, QUESTIONS, SEALED, TITLES, Vault, vault

INVALID = (
    "nobody", "garbage", "basic", "expired key", "revoked key", "expired token", "other audience",
    "other issuer",
)  # fmt: skip
ASKS = frozenset({"read", "feedback"})
SCOPES = {
    **dict.fromkeys(("other group", "reader", "token reader", "member", "token member"), ASKS),
    **{
        f"only {name}": frozenset({name})
        for name in ("read", "feedback", "upload", "releases", "forget")
    },
    **{name: frozenset({"admin"}) for name in ("admin", "token admin")},
}
# who may read what; everybody else none of it
MAY_READ = {
    "member": {BOARD},
    "token member": {BOARD},
    "admin": {BOARD, SEALED},
    "token admin": {BOARD, SEALED},
}
# everybody who is told different things; those who could read most come first
LOOKING = (
    "admin", "token admin", "member", "token member", "reader", "token reader", "other group",
    "only read", "only releases", "only forget", "nobody", "revoked key",
)  # fmt: skip
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Vault]:
    with provider() as issuer, vault(tmp_path_factory.mktemp("vault"), model_cache, issuer) as made:
        yield made


def test_the_tables_name_every_route_and_nothing_else(site: Vault) -> None:
    known = [*{way.route for way in WAYS}, *OPEN]
    assert sorted(routes(site.platform)) == sorted(known)


def named(way: Way) -> str:
    return f"{way.route[0]} {way.route[1]} {way.form}"


@pytest.mark.parametrize("way", WAYS, ids=named)
def test_a_credential_that_is_not_valid_is_refused_everywhere(site: Vault, way: Way) -> None:
    for who in INVALID:
        client = site.client(who)
        found = way.send(client)
        assert found.status_code == 401, (who, found.text)
        challenge = found.headers["www-authenticate"]
        assert challenge.startswith("Bearer")
        assert ("invalid_token" in challenge) == (who != "nobody")
        _is_problem(found, way.form)
        assert not any(secret in found.text for secret in site.secrets)


@pytest.mark.parametrize("way", WAYS, ids=named)
def test_a_valid_one_may_do_what_its_scopes_say(site: Vault, way: Way) -> None:
    for who, scopes in SCOPES.items():
        client = site.client(who)
        found = way.send(client)
        if "admin" in scopes or way.needs <= scopes:
            assert found.status_code not in (401, 403), (who, found.text)
            assert found.status_code < 500, (who, found.text)
        else:
            assert found.status_code == 403, (who, found.status_code, found.text)
            assert "insufficient_scope" in found.headers["www-authenticate"]
            _is_problem(found, way.form)


def _is_problem(found: httpx.Response, form: str) -> None:
    value = found.json()
    if form.startswith("openai"):
        assert value["error"]["message"]
        assert value["error"]["type"] in ("authentication_error", "permission_error")
        return
    assert found.headers["content-type"] == PROBLEM
    assert value["status"] == found.status_code
    assert value["title"]
    assert value["request_id"] == found.headers["x-request-id"]


@pytest.mark.parametrize("path", sorted(OPEN), ids=" ".join)
def test_what_is_open_is_the_same_for_everybody_or_their_own(
    site: Vault, path: tuple[str, str]
) -> None:
    for who in ("nobody", "garbage", "revoked key", "reader", "member", "admin"):
        client = site.client(who)
        found = OPEN[path](client)
        assert found.status_code < 500
        assert not _canaries(found.text)


# ---- words that are for few ----


def answers(site: Vault, who: str) -> dict[str, dict[str, Any]]:
    """The answers to the questions behind the words, as somebody gets them."""
    client = site.client(who)
    found = {word: client.post("/v1/ask", json={"question": QUESTIONS[word]}) for word in QUESTIONS}
    return {word: response.json() for word, response in found.items()}


@pytest.fixture(scope="module")
def admins(site: Vault) -> dict[str, dict[str, Any]]:
    """What the administrator was answered, before anybody else asked: every cache is warm."""
    found = answers(site, "admin")
    for word, answer in found.items():
        assert word in answer["answer"]
        assert answer["citations"]
    return found


def _canaries(text: str) -> set[str]:
    """The words of few readers whose text or title stands in a text."""
    low = text.lower()
    return {word for word in QUESTIONS if word in low or TITLES[word] in low}


@pytest.fixture(scope="module")
def told(site: Vault, admins: dict[str, dict[str, Any]]) -> dict[str, dict[str, httpx.Response]]:
    """What everybody is told by every way, the administrator first."""
    ids = [answer["answer_id"] for answer in admins.values()]
    found: dict[str, dict[str, httpx.Response]] = {}
    for who in LOOKING:
        ways = {
            f"{name}: {word}": send
            for word, question in QUESTIONS.items()
            for name, send in ways_to_ask(question).items()
        }
        client = site.client(who)
        found[who] = {name: send(client) for name, send in (ways | ways_to_look(ids)).items()}
    return found


@pytest.mark.parametrize("who", LOOKING)
def test_nobody_is_told_a_word_that_is_not_for_them(
    told: dict[str, dict[str, httpx.Response]], who: str
) -> None:
    allowed = MAY_READ.get(who, set())
    leaks = {
        name: words
        for name, response in told[who].items()
        if (words := _canaries(response.text) - allowed)
    }
    assert leaks == {}
    assert [name for name, response in told[who].items() if response.status_code >= 500] == []


@pytest.mark.parametrize("who", MAY_READ)
def test_those_who_may_read_them_are_told_by_every_way(
    told: dict[str, dict[str, httpx.Response]], who: str
) -> None:
    """Else the test before this one would prove nothing."""
    past = "search as of"  # there was no release yesterday
    for word in MAY_READ[who]:
        for name in ways_to_ask(QUESTIONS[word]):
            if name != past and not (name == "search of a source" and word == SEALED):
                assert word in told[who][f"{name}: {word}"].text, name
    assert "board/vault.md" in told[who]["documents"].text
    assert BOARD in told[who]["document board/vault.md"].text
    assert BOARD in told[who]["MCP document board/vault.md"].text
    assert TITLES[BOARD] in told[who]["lineage 0"].text.lower()


def test_a_document_that_is_not_for_somebody_looks_like_one_that_does_not_exist(
    site: Vault,
) -> None:
    def said(name: str, form: str) -> tuple[int, str]:
        sends: dict[str, Send] = {
            "get": get(f"/v1/documents/{name}"),
            "status": get(f"/v1/documents/{name}/status"),
            "mcp": mcp("get_document", document_id=name),
        }
        found = sends[form](client)
        value = json.loads(found.text)
        value.pop("request_id", None)
        return found.status_code, json.dumps(value).replace(name, "NAME")

    for who in ("reader", "other group", "token reader"):
        client = site.client(who)
        for form in ("get", "status", "mcp"):
            assert said("board/vault.md", form) == said("board/nothing.md", form)
            assert said("sealed/archive.md", form) == said("sealed/nothing.md", form)


def test_nobody_removes_or_forgets_what_they_may_not_read(site: Vault) -> None:
    from rag_app.access.keys import make_key
    from rag_assets.service_records.keys import ApiKeys

    made = make_key("cleaner", ["sales"], ["read", "upload", "forget"])
    ApiKeys(site.platform.database).add(made.key)
    site.headers["cleaner"] = f"Bearer {made.text}"
    client = site.client("cleaner")
    for params in ({}, {"forget": True}):
        found = delete("board/vault.md", **params)(client)
        nothing = delete("board/nothing.md", **params)(client)
        assert (found.status_code, nothing.status_code) == (404, 404)
    client = site.client("member")
    assert client.get("/v1/documents/board/vault.md").status_code == 200


def test_nobody_publishes_to_groups_they_are_not_in(site: Vault) -> None:
    client = site.client("only upload")
    assert upload(acl="board")(client).status_code == 403
    assert upload(acl="public")(client).status_code == 403
    assert upload("mine.md", acl="staff")(client).status_code == 202
    client = site.client("other group")
    assert "mine.md" not in client.get("/v1/documents").text
    client = site.client("reader")
    assert "mine.md" in client.get("/v1/documents").text


def test_the_past_gives_nobody_more(site: Vault, admins: dict[str, dict[str, Any]]) -> None:
    """Rights that were taken away count for releases that were made before, at once."""
    release = admins[BOARD]["release"]["id"]
    client = site.client("reader")
    query = {"query": QUESTIONS[BOARD], "filter": 'source = "board"'}
    found = client.post("/v1/search", params={"release": release}, json=query)
    assert found.json()["hits"] == []


def test_no_log_has_a_word_a_question_or_a_secret(
    site: Vault, told: dict[str, dict[str, httpx.Response]]
) -> None:
    log = site.log()
    assert len(log) > 1000
    assert not _canaries(log)
    assert not any(secret in log for secret in site.secrets)
    assert not any(question in log for question in QUESTIONS.values())


def test_the_audit_log_knows_who_did_what_and_no_words(
    site: Vault, told: dict[str, dict[str, httpx.Response]], admins: dict[str, dict[str, Any]]
) -> None:
    client = site.client("admin")
    request_id = client.post("/v1/ask", json={"question": QUESTIONS[BOARD]}).headers["x-request-id"]
    log = AuditLog(site.platform.database)
    for _ in range(300):  # questions are written a moment later
        entries = log.entries(limit=100_000)
        if any(entry.request_id == request_id for entry in entries):
            break
        time.sleep(0.1)
    (asked,) = [entry for entry in entries if entry.request_id == request_id]
    assert asked.principal.startswith("key:")
    assert asked.action == "ask"
    assert asked.release_id == admins[BOARD]["release"]["id"]
    assert {"ask", "chat", "search", "lineage", "document.read"} <= {
        entry.action for entry in entries if entry.outcome != "denied"
    }
    assert {entry.action for entry in entries if entry.outcome == "denied"}
    text = json.dumps([entry.__dict__ for entry in entries], default=str)
    assert not _canaries(text)
    assert not any(secret in text for secret in site.secrets)
    assert not any(question in text for question in QUESTIONS.values())
    documented = (Path(__file__).parents[3] / "docs" / "security.md").read_text(encoding="utf-8")
    assert {entry.action for entry in entries if f"`{entry.action}`" not in documented} == set()
