"""API keys: made, checked, ended; on SQLite and on PostgreSQL."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from rag_app.access.authenticate import Authenticator
from rag_app.access.errors import IdentityUnavailable, Unauthorized
from rag_app.access.keys import KeyChecker, hash_of, make_key
from rag_assets.platform.database import open_database
from rag_assets.platform.errors import StorageError
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import AuthSettings, ServerSettings, Settings
from rag_assets.service_records.keys import ApiKey, ApiKeys
from tests.platform.databases import fresh_database


@pytest.fixture(params=["sqlite", "postgresql"])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> ApiKeys:
    return ApiKeys(open_database(fresh_database(request, tmp_path), tmp_path))


class Down(ApiKeys):
    """Keys whose database can be taken away."""

    down = False

    def get(self, key_id: str) -> ApiKey | None:
        if self.down:
            raise StorageError("The database is gone.")
        return super().get(key_id)


@pytest.fixture
def local(tmp_path: Path) -> Down:
    return Down(open_database("", tmp_path))


def test_a_key_says_who_somebody_is_and_what_they_may_do(keys: ApiKeys) -> None:
    made = make_key("reports", ["staff", "legal"], ["read", "upload"], timedelta(days=1))
    keys.add(made.key)
    found = KeyChecker(keys, 0).principal(made.text)
    assert found.name == f"key:{made.key.key_id}"
    assert found.caller.groups == {"staff", "legal"}
    assert found.caller.authenticated
    assert not found.caller.admin
    assert found.scopes == {"read", "upload"}
    assert keys.get(made.key.key_id) is not None
    assert keys.all()[0].key_sha256 == made.key.key_sha256


def test_an_admin_key_reads_everything(keys: ApiKeys) -> None:
    made = make_key("root", [], ["admin"])
    keys.add(made.key)
    found = KeyChecker(keys, 0).principal(made.text)
    assert found.caller.admin
    assert found.allows("forget")


def test_the_secret_is_stored_nowhere(local: Down, tmp_path: Path) -> None:
    made = make_key("reports", [], ["read"])
    local.add(made.key)
    KeyChecker(local, 0).principal(made.text)
    secret = made.text.rpartition("_")[2]
    assert len(secret) == 64
    assert secret not in repr(made.key)
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert made.key.key_id.encode() in stored
    assert hash_of(secret).encode() in stored
    assert secret.encode() not in stored


@pytest.mark.parametrize("change", ["secret", "id", "short", "long", "case", "space", "other"])
def test_a_key_that_is_not_exactly_right_is_refused(local: Down, change: str) -> None:
    made, other = make_key("a", [], ["read"]), make_key("b", [], ["admin"])
    for item in (made, other):
        local.add(item.key)
    text = made.text
    wrong = {
        "secret": text[:-1] + ("0" if text[-1] != "0" else "1"),
        "id": f"rag_{'0' * 12}_{text.rpartition('_')[2]}",
        "short": text[:-1],
        "long": text + "0",
        "case": text.upper(),
        "space": text + "\n",
        "other": f"rag_{other.key.key_id}_{text.rpartition('_')[2]}",
    }[change]
    with pytest.raises(Unauthorized) as caught:
        KeyChecker(local, 60).principal(wrong)
    assert caught.value.status == 401
    assert wrong.strip() not in str(caught.value)


def test_a_revoked_key_and_an_expired_one_are_refused_at_once(keys: ApiKeys) -> None:
    check = KeyChecker(keys, 0)
    made = make_key("a", [], ["read"], timedelta(hours=1))
    keys.add(made.key)
    assert check.principal(made.text)
    assert keys.revoke(made.key.key_id)
    assert not keys.revoke(made.key.key_id)
    with pytest.raises(Unauthorized, match="revoked"):
        check.principal(made.text)

    old = make_key("b", [], ["read"], timedelta(seconds=-1))
    keys.add(old.key)
    with pytest.raises(Unauthorized, match="expired"):
        check.principal(old.text)


def test_a_kept_row_ends_with_its_time_and_expiry_needs_no_row(local: Down) -> None:
    check = KeyChecker(local, 0.3)
    made = make_key("a", [], ["read"], timedelta(seconds=0.2))
    local.add(made.key)
    assert check.principal(made.text)
    time.sleep(0.25)
    with pytest.raises(Unauthorized, match="expired"):
        check.principal(made.text)

    other = make_key("b", [], ["read"])
    local.add(other.key)
    assert check.principal(other.text)
    local.revoke(other.key.key_id)
    time.sleep(0.35)
    with pytest.raises(Unauthorized, match="revoked"):
        check.principal(other.text)


def test_while_the_database_is_down_keys_that_were_seen_go_on(local: Down) -> None:
    check = KeyChecker(local, 0)
    seen, unseen = make_key("a", [], ["read"]), make_key("b", [], ["read"])
    for item in (seen, unseen):
        local.add(item.key)
    check.principal(seen.text)
    local.down = True
    assert check.principal(seen.text).allows("read")
    with pytest.raises(Unauthorized):  # but not with another secret
        check.principal(seen.text[:-4] + "0000")
    with pytest.raises(IdentityUnavailable) as caught:
        check.principal(unseen.text)
    assert caught.value.status == 503
    assert "Retry-After" in caught.value.headers


def test_the_last_use_is_noted_but_not_at_every_request(
    local: Down, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_key("a", [], ["read"])
    local.add(made.key)
    check = KeyChecker(local, 0)
    writes = 0

    def counted(*args: object) -> None:
        nonlocal writes
        writes += 1

    check.principal(made.text)
    noted = local.all()[0].last_used_at
    assert noted is not None
    assert abs((datetime.now(UTC) - noted).total_seconds()) < 60
    monkeypatch.setattr(local, "used", counted)
    for _ in range(20):
        check.principal(made.text)
    assert writes == 0


def test_a_last_use_that_cannot_be_noted_stops_nobody(
    local: Down, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_key("a", [], ["read"])
    local.add(made.key)

    def full(*args: object) -> None:
        raise StorageError("The disk is full.")

    monkeypatch.setattr(local, "used", full)
    assert KeyChecker(local, 0).principal(made.text).allows("read")


def test_two_keys_are_never_alike(local: Down) -> None:
    made = [make_key("a", [], ["read"]) for _ in range(100)]
    assert len({item.text for item in made}) == 100
    assert len({item.key.key_id for item in made}) == 100


def platform_with(tmp_path: Path, **auth: object) -> Platform:
    return Platform(Settings(home=str(tmp_path), auth=AuthSettings(**auth)))


@pytest.mark.parametrize("header", [None, ""])
def test_no_credential_is_told_how_to_give_one(tmp_path: Path, header: str | None) -> None:
    with pytest.raises(Unauthorized) as caught:
        Authenticator(platform_with(tmp_path, enabled=True)).principal(header)
    # RFC 6750: no error code where nothing was presented
    assert caught.value.headers["WWW-Authenticate"] == 'Bearer realm="ragline"'


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Basic bWlhOnB3", "rag_000000000000_" + "0" * 64, "Bearer x", "é", "\x00",
     "Bearer rag_", "Bearer a.b.c"],
)  # fmt: skip
def test_a_header_that_is_no_credential_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(Unauthorized):
        Authenticator(platform_with(tmp_path, enabled=True)).principal(header)


def test_the_scheme_may_be_written_in_any_case(tmp_path: Path) -> None:
    platform = platform_with(tmp_path, enabled=True)
    made = make_key("a", [], ["read"])
    ApiKeys(platform.database).add(made.key)
    found = Authenticator(platform).principal(f"bEARER   {made.text} ")
    assert found.name == f"key:{made.key.key_id}"


def test_without_authentication_everybody_is_anonymous(tmp_path: Path) -> None:
    here = Authenticator(platform_with(tmp_path)).principal("Bearer whatever")
    assert here.kind == "anonymous"
    assert not here.caller.authenticated
    assert not here.caller.admin
    assert here.allows("upload")
    assert here.allows("forget")

    settings = Settings(
        home=str(tmp_path),
        auth=AuthSettings(allow_anonymous_beyond_loopback=True),
        server=ServerSettings(host="0.0.0.0"),
    )
    everywhere = Authenticator(Platform(settings)).principal(None)
    assert everywhere.scopes == {"read", "feedback"}


def test_a_row_of_an_unknown_scope_gives_nothing_more(keys: ApiKeys) -> None:
    made = make_key("a", [], ["read"])
    keys.add(made.key)
    engine = keys._engine
    from rag_assets.service_records.tables import api_keys

    with engine.begin() as connection:
        connection.execute(sa.update(api_keys).values(scopes=["read", "everything"]))
    found = KeyChecker(keys, 0).principal(made.text)
    assert not found.allows("forget")
