"""A Kubernetes API on the loopback for Jobs: checks them against the strict schema, and runs them.

It stands where a cluster would: the real client sends what dagster_k8s makes of the values, the
server refuses what Kubernetes would refuse, and executes a Job's command as a process.
"""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

VERSION = "1.34"
NAMESPACE = "ragline"


@dataclass
class Cluster:
    """What was sent, and what runs.

    Attributes:
        kubeconfig: for the client.
        jobs: the Jobs by name.
        refused: why Jobs were refused.
    """

    kubeconfig: Path
    environment: dict[str, str]
    folder: Path
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def create(self, job: dict[str, Any]) -> str:
        """Start a Job; why it is refused, or nothing."""
        # the client leaves these out, kubectl and the server know them
        whole = {"apiVersion": "batch/v1", "kind": "Job"} | job
        try:
            kubernetes_validate.validate(whole, VERSION, strict=True)
        except kubernetes_validate.ValidationError as error:
            self.refused.append(str(error))
            return str(error)
        name = job["metadata"]["name"]
        (container,) = job["spec"]["template"]["spec"]["containers"]
        # of the environment only what is written out: secrets and maps are the test's own
        given = {
            item["name"]: item["value"] for item in container.get("env", []) if "value" in item
        }
        given.pop("DAGSTER_HOME", None)
        self.jobs[name] = whole
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [*(container.get("command") or []), *container["args"]],
                env=os.environ | given | self.environment,
                cwd=Path(__file__).parents[3],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return ""

    def status(self, name: str) -> dict[str, int]:
        """How a Job stands."""
        ended = self.processes[name].poll()
        if ended is None:
            return {"active": 1}
        return {"succeeded": 1} if ended == 0 else {"failed": 1}


@contextmanager
def kubernetes_api(folder: Path, environment: dict[str, str]) -> Iterator[Cluster]:
    """Serve Jobs until the block ends; those that still run are ended with it."""
    cluster = Cluster(folder / "kubeconfig", environment, folder)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            job = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reason = cluster.create(job)
            self._answer(422 if reason else 201, {"message": reason} if reason else job)

        def do_GET(self) -> None:
            name = self.path.partition("?")[0].removesuffix("/status").rpartition("/")[2]
            if name not in cluster.jobs:
                self._answer(404, {"message": f"no job {name}"})
                return
            self._answer(200, cluster.jobs[name] | {"status": cluster.status(name)})

        def do_DELETE(self) -> None:
            self._answer(200, {"kind": "Status", "status": "Success"})

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    context = {"cluster": "here", "user": "test", "namespace": NAMESPACE}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": address}}],
        "users": [{"name": "test", "user": {}}],
        "contexts": [{"name": "here", "context": context}],
    }
    cluster.kubeconfig.write_text(yaml.safe_dump(content))
    try:
        yield cluster
    finally:
        for process in cluster.processes.values():
            process.kill()
            process.wait()
        server.shutdown()
        server.server_close()
        thread.join()
