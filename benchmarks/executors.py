"""The same ingest on the executors in-process, multiprocess and Celery: what each makes of it.

    python -m benchmarks.executors [--documents 400] [--shards 4]

Every executor gets a deployment of its own and the same documents. All shards are ingested as
runs, ``max_concurrent_runs`` of them at the same time, then one release is made. What is measured
is the time from the first run's start to the last run's end.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableRepository

from rag_assets.platform.dagster_bridge import SOURCE_SHARDS
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings, SourceSettings
from rag_assets.raw_documents.sources import partition_keys
from rag_jobs.instance import open_instance, sync_partitions

ROOT = Path(__file__).parents[1]
DEFINITIONS = "rag_jobs.definitions"
RUNS_AT_ONCE = 2
SETTINGS = """
[sources.docs]
path = "documents"
shards = {shards}
acl = ["public"]
[evaluation]
known_items = 0
learn = false
"""


def execute(job: str, partition: str = "", module: str = DEFINITIONS) -> dict[str, object]:
    """Run a job of this process's deployment with the executor of its settings.

    Args:
        job: its name.
        partition: its partition, where it has some.
        module: holds the definitions.

    Returns:
        ``run_id``, ``success`` and ``seconds`` of the run.
    """
    platform = Platform.load()
    with open_instance(platform.settings) as instance:
        sync_partitions(instance, SOURCE_SHARDS, partition_keys(platform.settings))
        target = ReconstructableRepository.for_module(module, "defs", str(ROOT))
        tags = {"dagster/partition": partition} if partition else {}
        started = time.perf_counter()
        result = dg.execute_job(
            target.get_reconstructable_job(job),
            instance=instance,
            tags=tags,
            raise_on_error=False,
        )
        seconds = time.perf_counter() - started
    return {"run_id": result.run_id, "success": result.success, "seconds": round(seconds, 2)}


def measure(executor: str, folder: Path, documents: int, shards: int, models: Path) -> None:
    """Ingest with one executor, and print what it took."""
    environment = _deployment(executor, folder, documents, shards, models)
    # the databases are made before several processes want them
    prepare = [Path(sys.executable).with_name("ragline"), "prepare"]
    subprocess.run(prepare, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    with ExitStack() as stack:
        if executor == "celery":
            for name in ("one", "two"):
                stack.enter_context(_worker(name, folder, environment))
        source = SourceSettings(path="documents", shards=shards)
        keys = partition_keys(Settings(sources={"docs": source}))
        started = time.perf_counter()
        with ThreadPoolExecutor(RUNS_AT_ONCE) as pool:
            told = list(pool.map(lambda key: _run(environment, "ingest", key), keys))
        seconds = time.perf_counter() - started
        assert all(item["success"] for item in told), told
        promoted = _run(environment, "promote", "")
        assert promoted["success"], promoted
    print(
        f"{executor:<13} {seconds:7.1f} s  {documents / seconds:7.1f} documents/s  "
        f"manifest {_manifest(environment)[:16]}"
    )


def _deployment(
    executor: str, folder: Path, documents: int, shards: int, models: Path
) -> dict[str, str]:
    (folder / "documents").mkdir(parents=True)
    (folder / "ragline.toml").write_text(SETTINGS.format(shards=shards))
    for number in range(documents):
        sections = "\n\n".join(
            f"## Part {part}\n\nStation {number} reports {part * 7 + number} millimetres of rain, "
            f"a wind of {number % 12} and {part} ships in the harbour of pier {number % 40}."
            for part in range(8)
        )
        (folder / "documents" / f"{number:05}.md").write_text(f"# Report {number}\n\n{sections}\n")
    (folder / "state").mkdir()
    (folder / "state" / "models").symlink_to(models.absolute(), target_is_directory=True)
    return {
        **os.environ,
        "RAG_CONFIG": str(folder / "ragline.toml"),
        "RAG_HOME": str(folder / "home"),
        "RAG_STATE_DIR": str(folder / "state"),
        "RAG_ORCHESTRATION__EXECUTOR": executor,
        # two steps at the same time everywhere: two runs, two workers of one step each
        "RAG_ORCHESTRATION__MAX_CONCURRENT_STEPS": "1",
        "DAGSTER_HOME": str(folder / "state" / "dagster"),
    }


@contextmanager
def _worker(name: str, folder: Path, environment: dict[str, str]) -> Iterator[None]:
    program = Path(sys.executable).with_name("ragline")
    options = ["-A", "rag_jobs.instance.celery_app", "-n", name]
    with (folder / f"{name}.log").open("wb") as log:
        started = subprocess.Popen(
            [program, "exec", "dagster-celery", "worker", "start", *options],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while b" ready." not in (folder / f"{name}.log").read_bytes():
                assert started.poll() is None, (folder / f"{name}.log").read_text()
                time.sleep(0.2)
            yield
        finally:
            with suppress(ProcessLookupError):
                os.killpg(started.pid, 15)
            started.wait(60)


def _run(environment: dict[str, str], job: str, partition: str) -> dict[str, object]:
    command = [sys.executable, "-m", "benchmarks.executors", "--execute", job, partition]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    told: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return told


def _manifest(environment: dict[str, str]) -> str:
    program = (
        "from rag_assets.platform.platform import Platform as P; "
        "from rag_assets.releases.registry import Registry as R; "
        "print(R(P.load().database).live().manifest_sha256)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout.strip()


def main() -> None:
    """Measure every executor."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=400)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--models", type=Path, default=Path(".ragline/models"))
    parser.add_argument("--execute", nargs=2, metavar=("JOB", "PARTITION"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.execute:
        print(json.dumps(execute(*arguments.execute)))
        return
    from tests.jobs.instance.servers import redis_server

    with tempfile.TemporaryDirectory() as scratch, redis_server(Path(scratch)) as redis:
        os.environ["RAG_ORCHESTRATION__CELERY_BROKER"] = f"{redis}/0"
        os.environ["RAG_ORCHESTRATION__CELERY_BACKEND"] = f"{redis}/1"
        for executor in ("in_process", "multiprocess", "celery"):
            measure(
                executor,
                Path(scratch) / executor,
                arguments.documents,
                arguments.shards,
                arguments.models,
            )


if __name__ == "__main__":
    main()
