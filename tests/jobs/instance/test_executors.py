"""The same ingest in one process, in several and over Celery; workers that are killed in mid-step."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa
from dagster import DagsterEventType, DagsterInstance

from rag_assets.platform.settings import load_settings
from rag_assets.releases.registry import Registry
from rag_jobs.ingest import ingest
from rag_jobs.pending import find_pending
from tests.jobs.instance.deployment import (
    DOCUMENTS,
    ROOT,
    Deployment,
    make_deployment,
    make_state,
)
from tests.jobs.instance.servers import redis_server
from tests.postgres import create_database
from tests.releases.test_two_writers import served
from tests.s3_server import s3_server

STEPS = ("raw_documents", "parsed_documents", "chunks", "embeddings", "vector_index")
WORKERS = ("ant", "bee")


def start(deployment: Deployment, job: str, partition: str = "") -> "subprocess.Popen[str]":
    """A run in a process of its own, with the executor of the settings."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.jobs.instance.execute", job, partition],
        cwd=ROOT,
        env=os.environ | deployment.environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def end(deployment: Deployment, started: "subprocess.Popen[str]") -> str:
    """The id of the run, which must have succeeded."""
    output, _ = started.communicate(timeout=400)
    assert started.returncode == 0, deployment.logs()
    told = json.loads(output.splitlines()[-1])
    assert told["success"], deployment.logs()
    return str(told["run_id"])


def manifest(deployment: Deployment) -> str:
    with deployment.entered() as platform:
        live = Registry(platform.database).live()
        assert live is not None
        assert live.documents == len(DOCUMENTS)
        return live.manifest_sha256


def succeeded(instance: DagsterInstance, run_id: str) -> list[str]:
    """The steps of a run by their successes, asset checks left out."""
    entries = instance.all_logs(run_id, of_type=DagsterEventType.STEP_SUCCESS)
    return sorted(entry.step_key for entry in entries if entry.step_key in STEPS)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> str:
    """The manifest of an ingest in one process, as the command line does it."""
    deployment = make_deployment(tmp_path_factory.mktemp("one"), model_cache)
    with deployment.entered() as platform:
        summary = ingest(platform)
        assert summary.ok, summary.failed
    return manifest(deployment)


def test_several_processes_make_the_same(tmp_path: Path, model_cache: Path, expected: str) -> None:
    deployment = make_deployment(
        tmp_path / "several", model_cache, RAG_ORCHESTRATION__EXECUTOR="multiprocess"
    )
    deployment.prepare()
    run_id = end(deployment, start(deployment, "ingest", "docs"))
    end(deployment, start(deployment, "promote"))
    with deployment.instance() as instance:
        events = instance.all_logs(run_id, of_type=DagsterEventType.STEP_WORKER_STARTED)
        assert {entry.step_key for entry in events} >= set(STEPS)
    assert manifest(deployment) == expected


@dataclass(frozen=True)
class Cluster:
    """A deployment that shares nothing but servers, and its two workers."""

    deployment: Deployment
    workers: "dict[str, subprocess.Popen[bytes]]"

    def worker_of(self, process: int) -> str:
        """The worker that a process belongs to."""
        above = {parent.pid for parent in psutil.Process(process).parents()}
        return next(name for name, worker in self.workers.items() if worker.pid in above)

    def kill(self, name: str) -> None:
        """End a worker and all its processes at once, as a power cut would."""
        tree = psutil.Process(self.workers[name].pid)
        for process in [*tree.children(recursive=True), tree]:
            process.send_signal(signal.SIGKILL)


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, model_cache: Path, postgres_url: str
) -> Iterator[Cluster]:
    """Tables, blobs, documents and LanceDB on S3, both databases on PostgreSQL, Redis between."""
    folder = tmp_path_factory.mktemp("cluster")
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server(folder))
        options = stack.enter_context(s3_server("ragline"))
        put_documents(options)
        deployment = make_deployment(
            folder / "site",
            model_cache,
            source="s3://ragline/documents",
            RAG_HOME="s3://ragline/home",
            RAG_STORAGE_OPTIONS=json.dumps(options),
            RAG_DATABASE_URL=create_database(postgres_url),
            RAG_ORCHESTRATION__DATABASE_URL=create_database(postgres_url),
            RAG_ORCHESTRATION__EXECUTOR="celery",
            RAG_ORCHESTRATION__CELERY_BROKER=f"{redis}/0",
            RAG_ORCHESTRATION__CELERY_BACKEND=f"{redis}/1",
            RAG_ORCHESTRATION__LOST_WORKER_SECONDS="8",
            RAG_ORCHESTRATION__RUN_RETRIES="5",
            RAG_ORCHESTRATION__MAX_CONCURRENT_STEPS="1",
        )
        deployment.prepare()
        workers = {}
        for name in WORKERS:
            state = make_state(folder / name, model_cache)
            own = {"RAG_STATE_DIR": str(state), "DAGSTER_HOME": str(state / "dagster")}
            workers[name] = stack.enter_context(deployment.worker(name, **own))
        yield Cluster(deployment, workers)


def put_documents(options: dict[str, str]) -> None:
    from rag_assets.platform.storage import ObjectStorage

    storage = ObjectStorage("s3://ragline/documents", options)
    for name, text in DOCUMENTS.items():
        storage.write(name, text.encode())


def test_celery_makes_the_same_though_workers_are_killed(cluster: Cluster, expected: str) -> None:
    deployment = cluster.deployment
    parsing, embedding = deployment.hold("parsed_documents"), deployment.hold("embeddings")
    started = start(deployment, "ingest", "docs")
    # first the process that executes a step, e.g. for want of memory; its worker lives
    os.kill(parsing.reached(run=started), signal.SIGKILL)
    parsing.release()
    # then a whole worker
    lost = cluster.worker_of(embedding.reached(run=started))
    cluster.kill(lost)
    embedding.release()
    run_id = end(deployment, started)

    with deployment.instance() as instance:
        assert succeeded(instance, run_id) == sorted(STEPS)
        told = [entry.user_message or entry.message for entry in instance.all_logs(run_id)]
        again = [text for text in told if "is submitted again" in text]
        assert any("the process that executed it was killed" in text for text in again), again
        assert any(f"{lost}@" in text and "does not answer" in text for text in again), again
    end(deployment, start(deployment, "promote"))
    assert manifest(deployment) == expected
    with deployment.entered() as platform:
        rows = served(platform)
        assert rows["chunk_id"].n_unique() == rows.height
        assert sorted(rows["document_id"].unique()) == [f"docs/{name}" for name in DOCUMENTS]
        pending = find_pending(platform)
        assert not pending.work, pending.work


def test_workers_share_no_disk_and_know_no_secret_by_file(cluster: Cluster) -> None:
    """What the workers made is on the servers; their own folders hold logs, locks and models."""
    for name in WORKERS:
        state = cluster.deployment.folder.parent / name
        assert not list(state.glob("**/*.parquet"))
        assert not list(state.glob("**/*.lance"))
        assert not (state / "platform.db").exists()
        with cluster.deployment.entered():
            settings = load_settings()
        secrets = [
            settings.orchestration.celery_broker.get_secret_value(),
            settings.orchestration.database_url.get_secret_value(),
            sa.make_url(settings.database_url.get_secret_value()).database or "",
        ]
        for path in (state / "dagster").rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                assert not [secret for secret in secrets if secret.encode() in content], path
