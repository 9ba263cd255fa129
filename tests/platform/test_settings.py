"""Settings: precedence, origins, masked secrets, and errors that say what to do."""

import json
from pathlib import Path

import pytest

from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.settings import load_settings, origins

SOURCE = '[sources.docs]\nkind = "folder"\npath = "documents"\n'


def test_environment_wins_over_dotenv_over_file_over_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ragline.toml").write_text(
        "[chunking]\nmax_tokens = 100\noverlap_tokens = 5\n[query]\nlimit = 3\n"
    )
    Path(".env").write_text(
        "RAG_CHUNKING__MAX_TOKENS=110\nRAG_CHUNKING__OVERLAP_TOKENS=6\nOTHER=1\n"
    )
    monkeypatch.setenv("RAG_CHUNKING__MAX_TOKENS", "120")
    settings = load_settings()
    assert settings.chunking.max_tokens == 120
    assert settings.chunking.overlap_tokens == 6
    assert settings.query.limit == 3
    assert settings.chunking.splitter == "structure"
    where = {item.name: item.source for item in origins(settings)}
    assert where["chunking.max_tokens"] == "environment"
    assert where["chunking.overlap_tokens"] == ".env"
    assert where["query.limit"] == "ragline.toml"
    assert where["chunking.splitter"] == "default"


def test_secrets_are_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAG_ENCODER__API_KEY", "hunter2hunter2")
    monkeypatch.setenv("RAG_DATABASE_URL", "postgresql+psycopg2://me:hunter2@host/db")
    settings = load_settings()
    printed = json.dumps([item._asdict() for item in origins(settings)], default=str)
    assert "hunter2" not in printed
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[chunking]\nmax_token = 3\n", "did you mean 'max_tokens'"),
        ("[sources.docs]\npath = 'x'\nshard = 2\n", "did you mean 'shards'"),
        ("[chunk]\n", "unknown key 'chunk'"),
        ("[chunking]\nmax_tokens = 'many'\n", "chunking.max_tokens"),
        ("[chunking\n", "not valid TOML"),
        ("[sources.'Bad Name']\npath = 'x'\n", "source name"),
        ("[sources.'a--b']\npath = 'x'\n", "source name"),
    ],
)
def test_a_wrong_file_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ragline.toml").write_text(text)
    with pytest.raises(ConfigurationError, match="(?s).*" + expected.replace(".", r"\.")) as caught:
        load_settings()
    assert caught.value.hint


def test_a_named_file_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_CONFIG", str(tmp_path / "absent.toml"))
    with pytest.raises(ConfigurationError, match="does not exist"):
        load_settings()


def test_paths_count_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "ragline.toml").write_text('home = "state"\n' + SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAG_CONFIG", str(folder / "ragline.toml"))
    settings = load_settings()
    assert settings.state_path == folder / "state"
    assert settings.sources["docs"].path == str(folder / "documents")


def test_a_home_in_an_object_store_keeps_local_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAG_HOME", "s3://bucket/prefix")
    settings = load_settings()
    assert settings.home_location == "s3://bucket/prefix"
    assert settings.state_path == tmp_path / ".ragline"
