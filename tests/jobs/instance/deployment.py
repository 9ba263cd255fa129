"""A deployment with a code server, a daemon and, where wanted, workers: real processes all."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import TypeVar
from unittest.mock import patch

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import GrpcServerTarget
from dagster_graphql.client.query import LAUNCH_PIPELINE_EXECUTION_MUTATION
from dagster_graphql.test.utils import execute_dagster_graphql

from rag_assets.platform.dagster_bridge import SOURCE_SHARDS
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import load_settings
from rag_jobs.instance import open_instance, prepare_dagster_home, sync_partitions
from tests.jobs.instance.servers import free_port, process

ROOT = Path(__file__).parents[3]
MODULE = "tests.jobs.instance.held"
LOCATION = "ragline"
LIMIT_SECONDS = 300.0
SETTINGS = """
[sources.docs]
path = "{source}"
shards = {shards}
acl = ["public"]
[parsing]
workers = 1
[evaluation]
known_items = 0
learn = false
"""
DOCUMENTS = {
    f"{name}.md": f"# {name}\n\nThe station {name} was built in {1950 + number} by the harbour.\n"
    for number, name in enumerate(("alder", "birch", "cedar"))
}
Found = TypeVar("Found")


@dataclass
class Deployment:
    """A deployment's folder and the variables of its processes.

    Attributes:
        folder: holds documents, state and logs.
        environment: variables besides those of the test.
        port: of its code server.
    """

    folder: Path
    environment: dict[str, str]
    port: int = field(default_factory=free_port)

    @contextmanager
    def entered(self) -> Iterator[Platform]:
        """This process as one of the deployment."""
        with patch.dict(os.environ, self.environment):
            for name in ("DAGSTER_HOME", "RAGLINE_DAGSTER_DATABASE_URL"):
                os.environ.pop(name, None)
            yield Platform(load_settings())

    @contextmanager
    def instance(self) -> Iterator[DagsterInstance]:
        """The Dagster instance, for looking at it."""
        with self.entered() as platform, open_instance(platform.settings) as instance:
            yield instance

    def prepare(self) -> None:
        """Make DAGSTER_HOME, and keep what its processes need to know in their environment."""
        with self.entered() as platform:
            prepare_dagster_home(platform.settings)
            for name in ("DAGSTER_HOME", "RAGLINE_DAGSTER_DATABASE_URL"):
                if name in os.environ:
                    self.environment[name] = os.environ[name]

    @contextmanager
    def code_server(self) -> Iterator["Popen[bytes]"]:
        """``dagster api grpc`` on the deployment's port, ready to serve."""
        command = ["dagster", "api", "grpc", "-m", MODULE, "-h", "127.0.0.1", "-p", str(self.port)]
        with self._started(command, "code") as started:
            self._wait_for_server(started)
            yield started

    @contextmanager
    def daemon(self) -> Iterator["Popen[bytes]"]:
        """``dagster-daemon run``, which reaches the code server by its port."""
        workspace = self.folder / "workspace.yaml"
        server = {"host": "127.0.0.1", "port": self.port, "location_name": LOCATION}
        workspace.write_text(json.dumps({"load_from": [{"grpc_server": server}]}))
        with self._started(["dagster-daemon", "run", "-w", workspace], "daemon") as started:
            yield started

    @contextmanager
    def worker(self, name: str, **environment: str) -> Iterator["Popen[bytes]"]:
        """``dagster-celery worker start``, as an operator starts it; ready for steps."""
        command = ["ragline", "exec", "dagster-celery", "worker", "start"]
        options = ["-A", "rag_jobs.instance.celery_app", "-n", name]
        with self._started([*command, *options], name, environment) as started:

            def ready() -> bool:
                assert started.poll() is None, self.logs()
                return " ready." in (self.folder / f"{name}.log").read_text()

            self.wait_for(ready, f"worker {name}")
            yield started

    @contextmanager
    def running(self) -> Iterator[DagsterInstance]:
        """Code server and daemon together."""
        self.prepare()
        with ExitStack() as stack:
            stack.enter_context(self.code_server())
            stack.enter_context(self.daemon())
            yield stack.enter_context(self.instance())

    def launch(self, job: str, partition: str = "", **tags: str) -> str:
        """Launch a run as the UI does, by its GraphQL; the run's id."""
        if partition:
            tags["dagster/partition"] = partition
        parameters = {
            "selector": {
                "repositoryLocationName": LOCATION,
                "repositoryName": "__repository__",
                "pipelineName": job,
            },
            "mode": "default",
            "runConfigData": {},
            "executionMetadata": {
                "tags": [{"key": key, "value": value} for key, value in tags.items()]
            },
        }
        target = GrpcServerTarget("127.0.0.1", self.port, None, LOCATION)
        with self.instance() as instance:
            if partition:
                with self.entered() as platform:
                    names = {*instance.get_dynamic_partitions(SOURCE_SHARDS.name or ""), partition}
                    assert platform
                    sync_partitions(instance, SOURCE_SHARDS, sorted(names))
            with WorkspaceProcessContext(instance, target) as process_context:
                result = execute_dagster_graphql(
                    process_context.create_request_context(),
                    LAUNCH_PIPELINE_EXECUTION_MUTATION,
                    {"executionParams": parameters},
                )
        launched = result.data["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def wait_for(
        self, look: Callable[[], Found | None], what: str, seconds: float = LIMIT_SECONDS
    ) -> Found:
        """What ``look`` gives once it gives something."""
        limit = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < limit, f"no {what} in {seconds} s\n{self.logs()}"
            time.sleep(0.2)
        return found

    def hold(self, stage: str) -> "Held":
        """Make a stage wait in mid-step until it is let go."""
        place = Path(self.environment["RAGLINE_TEST_HOLD"]) / stage
        for note in place.parent.glob(f"{stage}.*.reached"):
            note.unlink()
        place.touch()
        return Held(self, place)

    def finished(self, instance: DagsterInstance, run_id: str) -> DagsterRun:
        """A run of the group of a run (itself or a retry) that has succeeded."""

        def look() -> DagsterRun | None:
            group = instance.get_run_group(run_id)
            runs = list(group[1]) if group else []
            own = instance.get_run_by_id(run_id)
            runs = runs or ([own] if own else [])
            return next((run for run in runs if run.status == DagsterRunStatus.SUCCESS), None)

        return self.wait_for(look, f"success of run {run_id}")

    def logs(self) -> str:
        """The ends of all logs."""
        paths = sorted(self.folder.glob("*.log"))
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-4000:]}" for path in paths
        )

    def _started(
        self, command: list[str | Path], name: str, environment: dict[str, str] | None = None
    ):  # type: ignore[no-untyped-def]
        program, *rest = command
        return process(
            [Path(sys.executable).with_name(str(program)), *rest],
            self.folder / f"{name}.log",
            self.environment | (environment or {}),
            ROOT,
        )

    def _wait_for_server(self, started: "Popen[bytes]") -> None:
        from dagster._grpc.client import DagsterGrpcClient

        client = DagsterGrpcClient(port=self.port, host="127.0.0.1")

        def look() -> bool:
            assert started.poll() is None, self.logs()
            try:
                client.ping("here")
            except Exception:
                return False
            return True

        self.wait_for(look, "code server")


@dataclass(frozen=True)
class Held:
    """A stage that waits."""

    deployment: Deployment
    place: Path

    def reached(self, partition: str = "docs", run: "Popen[str] | None" = None) -> int:
        """The process that waits, once it does; ``run`` must not end before."""
        note = self.place.with_name(f"{self.place.name}.{partition}.reached")

        def look() -> str | None:
            assert run is None or run.poll() is None, self.deployment.logs()
            return note.read_text() if note.exists() else None

        return int(self.deployment.wait_for(look, f"process in {self.place.name}"))

    def release(self) -> None:
        """Let it, and all after it, go on."""
        self.place.unlink()


def make_deployment(
    folder: Path,
    models: Path,
    settings: str = "",
    source: str = "documents",
    shards: int = 1,
    **environment: str,
) -> Deployment:
    """A deployment of a few documents in an empty folder.

    Args:
        folder: for its state.
        models: the exported encoder.
        settings: more TOML.
        source: where the documents are; they are written there when it is the folder.
        shards: of the source.
        environment: variables of all its processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = SETTINGS.format(source=source, shards=shards) + settings
    (folder / "ragline.toml").write_text(text, encoding="utf-8")
    documents, held = folder / "documents", folder / "hold"
    for made in (documents, held):
        made.mkdir(exist_ok=True)
    if source == "documents":
        for name, content in DOCUMENTS.items():
            (documents / name).write_text(content, encoding="utf-8")
    values = {
        "RAG_CONFIG": str(folder / "ragline.toml"),
        "RAG_HOME": str(folder / "shared"),
        "RAG_STATE_DIR": str(make_state(folder / "state", models)),
        "RAGLINE_TEST_HOLD": str(held),
        "RAG_ORCHESTRATION__MONITOR_SECONDS": "1",
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    return Deployment(folder, values | environment)


def make_state(folder: Path, models: Path) -> Path:
    """The local state of one machine, with the exported encoder in it."""
    folder.mkdir(parents=True)
    models.mkdir(parents=True, exist_ok=True)
    (folder / "models").symlink_to(models, target_is_directory=True)
    return folder
