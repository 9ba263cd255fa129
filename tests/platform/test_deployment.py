"""State and platform database belong together: a stranger is refused before anything is written."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from rag_assets.platform.database import open_database
from rag_assets.platform.deployment import KEY, claim, deployment
from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.platform.storage import LocalStorage
from rag_assets.releases.registry import Registry
from tests.platform.databases import fresh_database


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> sa.Engine:
    return open_database(fresh_database(request, tmp_path), tmp_path)


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "home")


def test_the_first_names_it_and_the_name_stays(engine: sa.Engine, storage: LocalStorage) -> None:
    name = claim(storage, engine)
    assert claim(storage, engine) == name
    assert json.loads(storage.read(KEY)) == {"id": name}
    with engine.connect() as connection:
        assert connection.execute(sa.select(deployment.c.id)).scalars().all() == [name]


def test_another_database_is_refused_and_says_what_to_do(
    engine: sa.Engine, storage: LocalStorage, tmp_path: Path
) -> None:
    name = claim(storage, engine)
    other = open_database(f"sqlite:///{tmp_path / 'other.db'}", tmp_path)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="belongs to another platform database") as no:
            claim(storage, other)
    assert str(tmp_path / "home") in no.value.message
    assert "RAG_DATABASE_URL" in no.value.hint
    assert claim(storage, engine) == name


def test_a_database_serves_another_empty_folder_by_the_same_name(
    engine: sa.Engine, storage: LocalStorage, tmp_path: Path
) -> None:
    # a folder that was lost or moved is built again; the registry stays
    name = claim(storage, engine)
    assert claim(LocalStorage(tmp_path / "moved"), engine) == name


def released(engine: sa.Engine) -> None:
    Registry(engine).add_candidate(
        table_name="chunks_x",
        lance_version=1,
        fingerprints={},
        partitions={},
        documents=0,
        chunks=0,
        manifest_sha256="0" * 64,
        run_id="run",
    )


def test_an_upgraded_database_with_releases_takes_the_name_that_the_state_has(
    engine: sa.Engine, storage: LocalStorage
) -> None:
    released(engine)
    storage.create(KEY, b'{"id": "kept"}')
    assert claim(storage, engine) == "kept"


def test_a_new_database_does_not_take_over_somebody_elses_state(
    engine: sa.Engine, storage: LocalStorage
) -> None:
    storage.create(KEY, b'{"id": "kept"}')
    with pytest.raises(ConfigurationError, match="another platform database"):
        claim(storage, engine)


CLAIM = """
import sys
from pathlib import Path
from rag_assets.platform.database import open_database
from rag_assets.platform.deployment import claim
from rag_assets.platform.storage import LocalStorage
engine = open_database(sys.argv[2], Path(sys.argv[1]))
sys.stdin.readline()
print(claim(LocalStorage(sys.argv[1]), engine))
"""


def test_processes_that_claim_at_once_agree(
    engine: sa.Engine, storage: LocalStorage, tmp_path: Path
) -> None:
    url = engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", CLAIM, storage.root, url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(4)]  # type: ignore[call-overload]
    names = {process.communicate("\n")[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert names == {claim(storage, engine)}


def test_two_registries_on_one_folder_are_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    def platform(name: str) -> Platform:
        url = f"sqlite:///{tmp_path / name}"
        return Platform(Settings(home=str(tmp_path / "home"), database_url=SecretStr(url)))

    with platform("one.db").lock("ingest", doing="testing"):
        pass
    entered = False
    with pytest.raises(ConfigurationError, match="belongs to another platform database"):
        with platform("two.db").lock("ingest", doing="testing"):
            entered = True
    assert not entered
    with platform("one.db").lock("ingest", doing="testing"):
        pass


@pytest.mark.parametrize("writers", [2, 8])
def test_of_several_that_create_one_wins(tmp_path: Path, writers: int) -> None:
    code = (
        "import sys\nfrom rag_assets.platform.storage import LocalStorage\n"
        "sys.stdin.readline()\n"
        "print(LocalStorage(sys.argv[1]).create('a/key', sys.argv[2].encode() * 1000))"
    )
    commands = [[sys.executable, "-c", code, str(tmp_path), str(n)] for n in range(writers)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for command in commands]  # type: ignore[call-overload]
    outcomes = [process.communicate("\n")[0].strip() for process in processes]
    assert sorted(outcomes) == ["False"] * (writers - 1) + ["True"]
    winner = outcomes.index("True")
    storage = LocalStorage(tmp_path)
    assert storage.read("a/key") == str(winner).encode() * 1000
    assert list(storage.list("")) == ["a/key"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["key"]
