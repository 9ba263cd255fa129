"""Tokens of an identity provider: a real key server, really signed tokens."""

import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from rag_app.access import jwks
from rag_app.access.errors import IdentityUnavailable, Unauthorized
from rag_app.access.principal import Principal
from rag_app.access.tokens import ALGORITHMS, TokenChecker
from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.settings import AuthSettings
from tests.app.access.identity import (
    AUDIENCE,
    ISSUER,
    Provider,
    new_key,
    provider,
    public_pem,
    signed,
)


@pytest.fixture
def issuer() -> Iterator[Provider]:
    with provider() as made:
        yield made


def checker(issuer: Provider, **settings: Any) -> TokenChecker:
    values = {"jwks_url": issuer.url, "issuer": ISSUER, "audience": AUDIENCE} | settings
    return TokenChecker(AuthSettings(enabled=True, **values))


def refused(issuer: Provider, token: str, reason: str, **settings: Any) -> None:
    with pytest.raises(Unauthorized, match=reason) as caught:
        checker(issuer, **settings).principal(token)
    assert caught.value.status == 401
    assert 'error="invalid_token"' in caught.value.headers["WWW-Authenticate"]
    # nothing of the token is repeated
    assert not any(part in str(caught.value) for part in token.split(".") if len(part) > 8)


def test_a_token_says_who_somebody_is_and_what_they_may_read(issuer: Provider) -> None:
    found = checker(issuer).principal(issuer.token(groups=["staff", " legal "], email="mia@x.org"))
    assert found.name == "user:mia"
    assert found.kind == "token"
    assert found.caller.groups == {"staff", "legal"}
    assert found.caller.authenticated
    assert not found.caller.admin
    assert found.scopes == {"read", "feedback"}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_asymmetric_algorithm_is_understood(issuer: Provider, algorithm: str) -> None:
    issuer.keys.clear()
    issuer.add("only", algorithm)
    assert checker(issuer).principal(issuer.token()).name == "user:mia"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": "payroll"}, "another audience"),
        ({"aud": ["payroll", "crm"]}, "another audience"),
        ({"iss": "https://evil.example.org/"}, "another issuer"),
        ({"exp": None}, "claim is missing"),
        ({"sub": None}, "claim is missing"),
        ({"aud": None}, "claim is missing"),
        ({"iss": None}, "claim is missing"),
    ],
)
def test_claims_that_do_not_fit_are_refused(
    issuer: Provider, claims: dict[str, Any], reason: str
) -> None:
    refused(issuer, issuer.token(**claims), reason)


@pytest.mark.parametrize(
    ("claim", "seconds", "reason"),
    [("exp", -120, "expired"), ("nbf", 600, "not valid yet"), ("iat", 600, "not valid yet")],
)
def test_times_that_do_not_fit_are_refused(
    issuer: Provider, claim: str, seconds: int, reason: str
) -> None:
    refused(issuer, issuer.token(**{claim: int(time.time()) + seconds}), reason)


def test_a_signature_of_another_key_is_refused(issuer: Provider) -> None:
    refused(issuer, signed(new_key(), "RS256", {"kid": "first"}), "signature is wrong")


def test_a_changed_token_is_refused(issuer: Provider) -> None:
    head, _, mark = issuer.token(groups=["staff"]).split(".")
    body = signed(new_key(), "RS256", {}, groups=["board"]).split(".")[1]
    refused(issuer, f"{head}.{body}.{mark}", "signature is wrong")


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(issuer: Provider) -> None:
    import base64
    import hashlib
    import hmac
    import json

    secret = public_pem(issuer.keys["first"][0])
    for algorithm in ("HS256", "hs256"):

        def part(value: Any) -> str:
            return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

        now = int(time.time())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "mia", "exp": now + 600}
        text = f"{part({'alg': algorithm, 'kid': 'first', 'typ': 'JWT'})}.{part(claims)}"
        mark = hmac.new(secret, text.encode(), hashlib.sha256).digest()
        token = f"{text}.{base64.urlsafe_b64encode(mark).rstrip(b'=').decode()}"
        refused(issuer, token, "algorithm")


def test_a_token_without_a_signature_is_refused(issuer: Provider) -> None:
    token = jwt.encode(
        {"iss": ISSUER, "aud": AUDIENCE, "sub": "mia", "exp": int(time.time()) + 600},
        key=None,
        algorithm="none",
        headers={"kid": "first"},
    )
    refused(issuer, token, "algorithm")


def test_a_published_secret_is_no_key(issuer: Provider) -> None:
    secret = b"k" * 64
    value = jwt.get_algorithm_by_name("HS256").to_jwk(secret)
    import json

    issuer.extra.append({**json.loads(value), "kid": "shared"})
    refused(issuer, jwt.encode({"sub": "x"}, secret, "HS256", {"kid": "shared"}), "algorithm")
    assert all(key["kid"] != "shared" for key in jwks.fetch_keys(issuer.url))


def test_an_algorithm_that_the_key_is_not_for_is_refused(issuer: Provider) -> None:
    key = issuer.keys["first"][0]
    refused(issuer, signed(key, "RS512", {"kid": "first"}), "malformed")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "....", "é.é.é", "e30.e30.e30", "x" * 20_000])
def test_what_is_no_token_is_refused(issuer: Provider, token: str) -> None:
    refused(issuer, token, "token")


def test_an_unknown_key_is_asked_for_once_and_then_refused(issuer: Provider) -> None:
    check = checker(issuer)
    check.principal(issuer.token())
    assert issuer.fetched == 1
    token = signed(new_key(), "RS256", {"kid": "made-up"})
    for _ in range(20):
        with pytest.raises(Unauthorized, match="does not publish"):
            check.principal(token)
    assert issuer.fetched <= 2  # nobody can make us flood the provider
    check.principal(issuer.token())


def test_new_keys_are_taken_as_soon_as_a_token_names_one(
    issuer: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "AGAIN_SECONDS", 0.0)
    check = checker(issuer)
    old = issuer.token()
    check.principal(old)
    issuer.rotate("second")
    assert check.principal(issuer.token()).name == "user:mia"
    with pytest.raises(Unauthorized):  # the old key is not published any more
        check.principal(old)


def test_keys_are_kept_for_a_while(issuer: Provider) -> None:
    check = checker(issuer, jwks_cache_seconds=300)
    for _ in range(50):
        check.principal(issuer.token())
    assert issuer.fetched == 1


@pytest.mark.parametrize("status", [500, 404, 302])
def test_the_last_good_keys_go_on_while_the_provider_is_down(
    issuer: Provider, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(jwks, "AGAIN_SECONDS", 0.0)
    check = checker(issuer, jwks_cache_seconds=0.01)
    token = issuer.token()
    check.principal(token)
    issuer.broken = status
    time.sleep(0.05)
    before = issuer.fetched
    assert check.principal(token).name == "user:mia"
    assert issuer.fetched > before  # it was asked, in vain
    monkeypatch.setattr(jwks, "OUTAGE_SECONDS", 0.0)  # but not for ever
    with pytest.raises(IdentityUnavailable):
        check.principal(token)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"keys": 3}', b'{"keys": []}', b'{"keys": [1]}', b"x" * 2_000_000],
)
def test_an_answer_that_is_no_key_set_is_like_no_answer(issuer: Provider, body: bytes) -> None:
    issuer.body = body
    with pytest.raises(IdentityUnavailable) as caught:
        checker(issuer).principal(issuer.token())
    assert caught.value.status == 503
    assert int(caught.value.headers["Retry-After"]) > 0


def test_a_provider_that_was_never_reached_is_a_503(issuer: Provider) -> None:
    check = checker(issuer, jwks_url="http://127.0.0.1:9/jwks.json")
    with pytest.raises(IdentityUnavailable, match="out of reach"):
        check.principal(issuer.token())


@pytest.mark.parametrize(
    ("settings", "claims", "groups"),
    [
        ({}, {"groups": "staff,legal"}, {"staff", "legal"}),
        ({}, {"groups": {"staff": True}}, set()),
        ({}, {"groups": ["staff", 3, None, ""]}, {"staff"}),
        ({}, {}, set()),
        ({"groups_claim": "roles"}, {"roles": ["staff"], "groups": ["board"]}, {"staff"}),
        (
            {"groups_claim": "realm_access.roles"},
            {"realm_access": {"roles": ["staff"]}},
            {"staff"},
        ),
        ({"groups_claim": "https://x.org/groups"}, {"https://x.org/groups": ["a"]}, {"a"}),
        ({"groups_claim": "realm_access.roles"}, {"realm_access": ["staff"]}, set()),
    ],
)
def test_groups_come_from_the_claim_that_was_named(
    issuer: Provider, settings: dict[str, Any], claims: dict[str, Any], groups: set[str]
) -> None:
    assert checker(issuer, **settings).principal(issuer.token(**claims)).caller.groups == groups


def scopes_of(issuer: Provider, settings: dict[str, Any], **claims: Any) -> Principal:
    return checker(issuer, **settings).principal(issuer.token(**claims))


def test_scopes_come_from_the_token_only_with_the_prefix(issuer: Provider) -> None:
    # scopes of other programs in the same token give nothing here
    assert scopes_of(issuer, {}, scope="openid admin forget").scopes == {"read", "feedback"}
    named = scopes_of(issuer, {}, scope="openid ragline:read ragline:upload ragline:nonsense")
    assert named.scopes == {"read", "upload"}
    listed = scopes_of(issuer, {"scopes_claim": "scp"}, scp=["ragline:releases"])
    assert listed.scopes == {"releases"}
    assert scopes_of(issuer, {"default_scopes": []}).scopes == frozenset()


def test_members_of_an_admin_group_are_administrators(issuer: Provider) -> None:
    settings = {"admin_groups": ["platform"]}
    admin = scopes_of(issuer, settings, groups=["platform", "staff"])
    assert admin.caller.admin
    assert admin.allows("forget")
    assert not scopes_of(issuer, settings, groups=["staff"]).caller.admin
    assert not scopes_of(issuer, {}, groups=["platform"]).caller.admin


@pytest.mark.parametrize("missing", ["issuer", "audience"])
def test_settings_that_would_take_anybodys_tokens_are_refused(missing: str) -> None:
    values = {"jwks_url": "https://x.org/jwks", "issuer": "i", "audience": "a"} | {missing: ""}
    with pytest.raises(ConfigurationError, match=f"auth.{missing}"):
        TokenChecker(AuthSettings(enabled=True, **values))


def test_an_address_that_is_none_and_a_scope_that_is_none_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no web address"):
        TokenChecker(AuthSettings(jwks_url="file:///etc/passwd", issuer="i", audience="a"))
    with pytest.raises(ConfigurationError, match="no scope 'raed'"):
        TokenChecker(
            AuthSettings(
                jwks_url="https://x.org", issuer="i", audience="a", default_scopes=["raed"]
            )
        )
