"""dagster.yaml follows the settings, spares what a person wrote, and names no secret."""

import importlib.util
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.instance.config import dagster_instance_config
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._core.scheduler.instigation import TickStatus

from rag_assets.platform.database import open_database
from rag_assets.platform.errors import ConfigurationError, MissingExtra, StorageError
from rag_assets.platform.settings import Settings
from rag_jobs.instance import open_instance, prepare_dagster_home
from rag_jobs.instance.executors import make_executor
from rag_jobs.instance.run_launcher import WatchedRunLauncher
from tests.jobs.instance.deployment import ROOT
from tests.postgres import create_database

FORMER = """# The embedded Dagster instance: SQLite under DAGSTER_HOME, runs in their own processes.
telemetry:
  enabled: false
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config:
    max_concurrent_runs: 2
run_monitoring:
  enabled: true
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DAGSTER_HOME", "RAGLINE_DAGSTER_DATABASE_URL"):
        monkeypatch.setenv(name, "")  # so that it is put back at the end
        monkeypatch.delenv(name)


def settings(folder: Path, platform_url: str = "", **orchestration: Any) -> Settings:
    return Settings(home=str(folder), database_url=platform_url, orchestration=orchestration)


def written(folder: Path) -> dict[str, Any]:
    """What Dagster itself reads from the file."""
    config, _ = dagster_instance_config(str(folder / "dagster"))
    return dict(config)


def test_the_instance_is_what_the_settings_say(tmp_path: Path) -> None:
    chosen = settings(
        tmp_path,
        max_concurrent_runs=3,
        run_retries=4,
        monitor_seconds=7,
        start_timeout_seconds=99,
        pools={"parse": 5, "judge": 2},
    )
    with open_instance(chosen) as instance:
        assert isinstance(instance.run_launcher, WatchedRunLauncher)
        assert instance.run_launcher.supports_check_run_worker_health
        coordinator = instance.run_coordinator
        assert isinstance(coordinator, QueuedRunCoordinator)
        assert coordinator.dequeue_interval_seconds == 1
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        assert queue.max_concurrent_runs == 3
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_poll_interval_seconds == 7
        assert instance.run_monitoring_start_timeout_seconds == 99
        assert instance.run_retries_max_retries == 4
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert not instance.telemetry_enabled
        for kind in (InstigatorType.SENSOR, InstigatorType.AUTO_MATERIALIZE):
            kept_days = instance.get_tick_retention_settings(kind)
            assert kept_days[TickStatus.SKIPPED] == 1
            assert kept_days[TickStatus.SUCCESS] == -1, "for ever"
        pools = {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}
        assert pools == {"parse": 5, "judge": 2}
        config = instance.event_log_storage.get_pool_config()
        assert config.default_pool_limit == 1
        assert config.pool_granularity is not None
        assert config.pool_granularity.value == "op"
    changed = settings(tmp_path, max_concurrent_runs=9, run_retries=0, pools={"parse": 2})
    with open_instance(changed) as instance:
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        assert queue.max_concurrent_runs == 9
        assert not instance.run_retries_enabled
        pools = {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}
        assert pools == {"parse": 2, "judge": 2}


def test_the_file_of_a_former_version_is_renewed(tmp_path: Path) -> None:
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster" / "dagster.yaml").write_text(FORMER)
    prepare_dagster_home(settings(tmp_path))
    assert written(tmp_path)["run_retries"]["enabled"]


@pytest.mark.parametrize("edit", ["changed", "written"])
def test_what_a_person_wrote_is_left_alone_and_said(
    tmp_path: Path, edit: str, caplog: pytest.LogCaptureFixture
) -> None:
    prepare_dagster_home(settings(tmp_path))
    path = tmp_path / "dagster" / "dagster.yaml"
    text = path.read_text() if edit == "changed" else ""
    edited = text.replace("max_retries: 2", "max_retries: 6") + "# by hand\n"
    path.write_text(edited)
    with caplog.at_level(logging.WARNING):
        prepare_dagster_home(settings(tmp_path, max_concurrent_runs=5))
    assert path.read_text() == edited
    assert f"{path} was edited by hand" in caplog.text
    path.unlink()
    caplog.clear()
    prepare_dagster_home(settings(tmp_path, max_concurrent_runs=5))
    assert written(tmp_path)["concurrency"]["runs"]["max_concurrent_runs"] == 5
    assert not caplog.text


def test_postgres_is_named_by_a_variable(tmp_path: Path, postgres_url: str) -> None:
    url = sa.make_url(create_database(postgres_url)).set(password="hunter-2")
    text = url.render_as_string(hide_password=False)
    with open_instance(settings(tmp_path, database_url=text)) as instance:
        assert type(instance.run_storage).__name__ == "PostgresRunStorage"
        assert type(instance.event_log_storage).__name__ == "PostgresEventLogStorage"
        assert type(instance.schedule_storage).__name__ == "PostgresScheduleStorage"
        assert instance.get_runs() == []
    content = (tmp_path / "dagster" / "dagster.yaml").read_text()
    assert "hunter-2" not in content
    assert yaml.safe_load(content)["storage"] == {
        "postgres": {"postgres_url": {"env": "RAGLINE_DAGSTER_DATABASE_URL"}}
    }
    # a child finds it without knowing the settings
    program = "from dagster import DagsterInstance as I; print(type(I.get().run_storage).__name__)"
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert found.stdout.strip() == "PostgresRunStorage"


def test_one_schema_for_both_databases_is_refused(tmp_path: Path, postgres_url: str) -> None:
    platform = create_database(postgres_url)
    open_database(platform, tmp_path).dispose()
    with pytest.raises(ConfigurationError, match="same schema"):
        prepare_dagster_home(settings(tmp_path, platform, database_url=platform))
    # another way of writing the same address
    url = sa.make_url(platform)
    other = url.update_query_dict(
        {"application_name": "dagster", "options": "-csearch_path=public"}
    )
    text = other.render_as_string(hide_password=False)
    with pytest.raises(ConfigurationError, match="createdb dagster"):
        open_instance(settings(tmp_path, platform, database_url=text))
    engine = sa.create_engine(platform)
    assert not sa.inspect(engine).has_table("event_logs")
    # the same database with a schema of its own is good
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA dagster"))
    own = url.update_query_dict({"options": "-csearch_path=dagster"})
    text = own.render_as_string(hide_password=False)
    with open_instance(settings(tmp_path, platform, database_url=text)) as instance:
        assert instance.get_runs() == []
    assert sa.inspect(engine).has_table("event_logs", schema="dagster")
    assert not sa.inspect(engine).has_table("event_logs", schema="public")
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "error", "says"),
    [
        ("not an address", ConfigurationError, "is not the address of a database"),
        ("mysql://host/dagster", ConfigurationError, "kind 'mysql'"),
        ("postgresql://u:secret@127.0.0.1:1/dagster", StorageError, "cannot be used"),
    ],
)
def test_an_address_of_no_use_is_explained(
    tmp_path: Path, url: str, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as raised:
        open_instance(settings(tmp_path, database_url=url))
    assert "secret" not in str(raised.value)
    assert "RAG_ORCHESTRATION__DATABASE_URL" in str(raised.value)


@pytest.mark.parametrize("executor", ["in_process", "multiprocess", "celery", "kubernetes"])
def test_the_executor_is_the_one_of_the_settings(tmp_path: Path, executor: str) -> None:
    assert make_executor(settings(tmp_path, executor=executor)).name == executor


@pytest.mark.parametrize(
    ("executor", "module", "extra"),
    [("celery", "dagster_celery", "celery"), ("kubernetes", "dagster_k8s", "kubernetes")],
)
def test_an_extra_that_is_missing_is_named(
    tmp_path: Path, executor: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == module else find(name)
    )
    with pytest.raises(MissingExtra, match=rf"pip install 'ragline\[{extra}\]'"):
        make_executor(settings(tmp_path, executor=executor))


def test_an_instance_without_the_extra_postgres(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"ragline\[postgres\]"):
        prepare_dagster_home(settings(tmp_path, database_url="postgresql://h/dagster"))
    assert not (tmp_path / "dagster").exists()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_processes_open_a_new_instance_at_the_same_time(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    url = ""
    if kind == "postgresql":
        url = create_database(request.getfixturevalue("postgres_url"))
    # the tables are there, as after 'ragline prepare'; the pools are not
    with open_instance(settings(tmp_path, database_url=url, pools={})):
        pass
    chosen = {f"pool_{number}": 2 for number in range(6)}
    program = (
        "import sys; from rag_assets.platform.settings import Settings; "
        "from rag_jobs.instance import open_instance; "
        f"s = Settings(home={str(tmp_path)!r}, "
        f"orchestration={{'database_url': {url!r}, 'pools': {chosen!r}}}); "
        "sys.stdin.readline(); open_instance(s).dispose()"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=240)
        assert process.returncode == 0
    with open_instance(settings(tmp_path, database_url=url, pools=chosen)) as instance:
        pools = {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}
    assert pools == chosen
