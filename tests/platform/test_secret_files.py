"""Secrets in files: read, masked, named right, and never silently left out."""

import json
from pathlib import Path

import pytest

from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.settings import load_settings, origins

URL = "postgresql+psycopg2://me:from-a-file@host/db"


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of secrets of a deployment in the working folder."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAG_CONFIG", raising=False)
    monkeypatch.setenv("RAG_SECRETS_DIR", str(folder))
    return folder


def test_settings_come_from_files_named_like_their_variables(secrets: Path) -> None:
    (secrets / "rag_database_url").write_text(URL + "\n")
    (secrets / "RAG_LLM__API_KEY").write_text("sk-from-a-file\n")
    (secrets / "postgres_password").write_text("of another program")
    settings = load_settings()
    assert settings.database_url.get_secret_value() == URL
    assert settings.llm.api_key.get_secret_value() == "sk-from-a-file"
    where = {item.name: item.source for item in origins(settings)}
    assert where["database_url"] == where["llm.api_key"] == "secret file"
    printed = json.dumps([item._asdict() for item in origins(settings)], default=str)
    assert "from-a-file" not in printed
    assert "from-a-file" not in repr(settings)


def test_the_environment_wins_over_files_over_dotenv_over_the_toml(
    secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("max_tokens", "overlap_tokens"):
        (secrets / f"rag_chunking__{name}").write_text("90")
    Path(".env").write_text("RAG_CHUNKING__OVERLAP_TOKENS=80\nRAG_QUERY__LIMIT=7\n")
    Path("ragline.toml").write_text("[chunking]\noverlap_tokens = 70\n")
    monkeypatch.setenv("RAG_CHUNKING__MAX_TOKENS", "120")
    settings = load_settings()
    assert settings.chunking.max_tokens == 120
    assert settings.chunking.overlap_tokens == 90
    assert settings.query.limit == 7


def test_links_as_kubernetes_makes_them_are_followed(secrets: Path) -> None:
    version = secrets / "..2026_11_28"
    version.mkdir()
    (version / "rag_database_url").write_text(URL)
    (secrets / "..data").symlink_to(version.name)
    (secrets / "rag_database_url").symlink_to("..data/rag_database_url")
    assert load_settings().database_url.get_secret_value() == URL


def test_a_name_that_is_no_setting_is_refused(secrets: Path) -> None:
    (secrets / "rag_databse_url").write_text(URL)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert "rag_databse_url" in str(caught.value)
    assert "rag_database_url" in str(caught.value.hint)
    assert "from-a-file" not in str(caught.value)


def test_a_wrong_name_within_a_section_is_refused(secrets: Path) -> None:
    (secrets / "rag_llm__apikey").write_text("sk-from-a-file")
    with pytest.raises(ConfigurationError, match=r"llm\.apikey") as caught:
        load_settings()
    assert "sk-from-a-file" not in str(caught.value)


def test_a_folder_that_is_not_there_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAG_SECRETS_DIR", str(tmp_path / "absent"))
    with pytest.raises(ConfigurationError, match="no folder"):
        load_settings()


def test_a_file_that_cannot_be_read_is_an_error(secrets: Path) -> None:
    (secrets / "rag_database_url").symlink_to("gone")
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        load_settings()


def test_a_file_that_is_no_text_is_an_error(secrets: Path) -> None:
    (secrets / "rag_database_url").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="cannot be read: it is not UTF-8 text"):
        load_settings()
