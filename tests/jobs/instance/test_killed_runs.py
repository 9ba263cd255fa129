"""A run whose process is killed ends, gives back what it held, and is done by its retry."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRunStatus

from rag_jobs.pending import find_pending
from tests.jobs.instance.deployment import ROOT, Deployment, make_deployment
from tests.jobs.instance.servers import kill_group


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Deployment:
    return make_deployment(tmp_path_factory.mktemp("site"), model_cache)


@pytest.fixture(scope="module")
def daemon(deployment: Deployment) -> Iterator[DagsterInstance]:
    deployment.prepare()
    with deployment.daemon(), deployment.instance() as instance:
        yield instance


def check_done(deployment: Deployment, instance: DagsterInstance, run_id: str) -> None:
    """The run failed, another did its work, and nobody holds a slot any more."""
    retry = deployment.finished(instance, run_id)
    assert retry.run_id != run_id
    assert retry.tags["dagster/retry_number"] == "1"
    former = instance.get_run_by_id(run_id)
    assert former is not None
    assert former.status == DagsterRunStatus.FAILURE
    with deployment.entered() as platform:
        assert not find_pending(platform).work
    deployment.wait_for(
        lambda: not instance.event_log_storage.get_concurrency_run_ids(), "slots that are free"
    )


def test_the_process_of_a_run_is_killed(deployment: Deployment, daemon: DagsterInstance) -> None:
    with deployment.code_server():
        held = deployment.hold("embeddings")
        run_id = deployment.launch("ingest", "docs")
        os.kill(held.reached(), signal.SIGKILL)
        held.release()
        check_done(deployment, daemon, run_id)


def test_the_code_server_is_killed_with_all_its_runs(
    deployment: Deployment, daemon: DagsterInstance
) -> None:
    (deployment.folder / "documents" / "dogwood.md").write_text("A new station opened in May.")
    with deployment.code_server() as server:
        held = deployment.hold("embeddings")
        run_id = deployment.launch("ingest", "docs")
        held.reached()
        kill_group(server)
    held.release()
    with deployment.code_server():
        check_done(deployment, daemon, run_id)


def test_a_run_outlives_its_code_server(deployment: Deployment, daemon: DagsterInstance) -> None:
    """The process goes on with its work: to start it again would do the same twice."""
    (deployment.folder / "documents" / "elm.md").write_text("The elm fell in the storm of June.")
    with deployment.code_server() as server:
        held = deployment.hold("embeddings")
        run_id = deployment.launch("ingest", "docs")
        worker = held.reached()
        os.kill(server.pid, signal.SIGKILL)
        run = daemon.get_run_by_id(run_id)
        assert run is not None
        health = daemon.run_launcher.check_run_worker_health(run)
        assert f"its process {worker} is at work" in str(health)
        held.release()
        assert deployment.finished(daemon, run_id).run_id == run_id


def test_an_ingest_of_the_command_line_is_killed(deployment: Deployment) -> None:
    """Without a daemon the next ingest closes its run and takes its slots back."""
    deployment.prepare()
    (deployment.folder / "documents" / "fir.md").write_text("The fir was planted in July.")
    held = deployment.hold("embeddings")
    program = (
        "from rag_assets.platform.platform import Platform; from rag_jobs.ingest import ingest; "
        "from tests.jobs.instance.held import hold; "
        "p = Platform.load(); p.report = hold; s = ingest(p); assert s.ok, s.failed"
    )
    command = [sys.executable, "-c", program]
    environment = os.environ | deployment.environment
    started = subprocess.Popen(command, cwd=ROOT, env=environment)
    assert held.reached() == started.pid
    with deployment.instance() as instance:
        (run,) = instance.get_runs(limit=1)
        assert instance.run_launcher.check_run_worker_health(run).status.value == "RUNNING"
        started.kill()
        started.wait()
        assert instance.run_launcher.check_run_worker_health(run).status.value == "NOT_FOUND"
        assert instance.event_log_storage.get_concurrency_run_ids() == {run.run_id}
    held.release()
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=240)
    with deployment.instance() as instance:
        closed = instance.get_run_by_id(run.run_id)
        assert closed is not None
        assert closed.status == DagsterRunStatus.FAILURE
        assert not instance.event_log_storage.get_concurrency_run_ids()
