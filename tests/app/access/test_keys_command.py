"""``ragline keys`` and ``ragline audit``: once in a process of its own, then in this one (quicker)."""

from collections.abc import Callable

import pytest

from rag_app.cli import main
from tests.app.commands import Result
from tests.app.commands import ragline as ragline_process
from tests.conftest import Deploy

SETTINGS = '[auth]\nenabled = true\n[sources.docs]\nkind = "folder"\npath = "documents"\n'


Run = Callable[..., Result]


@pytest.fixture
def ragline(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        said = capsys.readouterr()
        code = end.value.code
        return Result(code if isinstance(code, int) else int(code is not None), said.out, said.err)

    return run


def test_a_key_is_made_used_listed_and_ended(deploy: Deploy, ragline: Run) -> None:
    from rag_app.access.authenticate import Authenticator
    from rag_app.access.errors import Unauthorized
    from rag_assets.platform.platform import Platform

    folder = deploy(SETTINGS)
    made = ragline_process(
        "keys", "create", "--name", "nightly report", "--groups", "staff, legal",
        "--scopes", "read,upload", "--expires-in", "12h", "--json",
    )  # fmt: skip
    assert made.code == 0, made.errors
    text = made.json["key"]
    assert made.json["groups"] == ["legal", "staff"]
    assert made.json["scopes"] == ["read", "upload"]
    assert made.json["state"] == "active"
    principal = Authenticator(Platform.load()).principal(f"Bearer {text}")
    assert principal.caller.groups == {"staff", "legal"}

    listed = ragline("keys", "list", "--json")
    assert [item["key_id"] for item in listed.json] == [made.json["key_id"]]
    assert listed.json[0]["last_used_at"] is not None
    shown = ragline("keys", "list")
    assert "nightly" in shown.output
    secret = text.rpartition("_")[2]
    assert secret not in listed.output + shown.output
    assert "sha256" not in listed.output

    ended = ragline("keys", "revoke", "nightly report", "--json")
    assert (ended.json["state"], ended.json["changed"]) == ("revoked", True)
    assert ragline("keys", "revoke", text, "--json").json["changed"] is False
    with pytest.raises(Unauthorized, match="revoked"):
        Authenticator(Platform.load()).principal(f"Bearer {text}")

    log = ragline("audit", "list", "--action", "key.", "--json")
    assert [item["action"] for item in log.json] == ["key.revoke", "key.create"]
    assert {item["target"] for item in log.json} == {made.json["key_id"]}
    assert all(item["principal"].startswith("cli:") for item in log.json)
    assert ragline("audit", "list", "--outcome", "denied", "--json").json == []
    assert "key.create" in ragline("audit", "list").output
    state = [path for path in (folder / ".ragline").rglob("*") if path.is_file()]
    kept = [path for path in state if "models" not in path.parts]
    assert kept
    assert all(secret.encode() not in path.read_bytes() for path in kept)


def test_what_is_no_key_is_refused_with_a_hint(deploy: Deploy, ragline: Run) -> None:
    deploy(SETTINGS)
    for arguments, words in (
        (["create", "--name", "a", "--scopes", "raed"], "no scope 'raed'"),
        (["create", "--name", "a", "--scopes", ","], "without scopes"),
        (["create", "--name", " "], "needs a name"),
        (["create", "--name", "a\x1b[31m"], "needs a name"),
        (["create", "--name", "a", "--expires-in", "soon"], "no time"),
        (["create", "--name", "a", "--expires-in", "0d"], "no time"),
        (["create", "--name", "a", "--expires-in", "999999w"], "no time"),
        (["revoke", "nobody"], "no such key"),
    ):
        found = ragline("keys", *arguments, "--json")
        assert found.code == 1
        assert words in found.json["error"]["message"], found.output
        assert found.json["error"]["hint"]
    assert ragline("keys", "list", "--json").json == []


def test_two_keys_of_one_name_are_told_apart(deploy: Deploy, ragline: Run) -> None:
    deploy(SETTINGS)
    ids = [ragline("keys", "create", "--name", "a", "--json").json["key_id"] for _ in range(2)]
    found = ragline("keys", "revoke", "a", "--json")
    assert found.code == 1
    assert "2 keys" in found.json["error"]["message"]
    assert ragline("keys", "revoke", ids[0], "--json").json["changed"] is True
