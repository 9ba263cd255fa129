"""The image and the compose file: valid for the real tools, and as careful as the docs say."""

import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from rag_assets.platform.settings import load_settings
from tests.docker.compose import DOCKER, ROOT, compose_config, secret_maker, services

OURS = ("prepare", "code", "webserver", "daemon", "api", "worker")
MAKER = secret_maker()
PASSWORDS, DERIVED, make = MAKER["PASSWORDS"], MAKER["DERIVED"], MAKER["make"]
HADOLINT = Path(sys.executable).with_name("hadolint")


def lint(file: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [HADOLINT, str(file)], capture_output=True, text=True, check=False, timeout=120
    )


def test_the_dockerfile_has_no_finding(tmp_path: Path) -> None:
    done = lint(DOCKER / "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")
    careless = tmp_path / "Dockerfile"
    careless.write_text("FROM python:latest\nRUN apt-get update && apt-get install curl\n")
    assert lint(careless).returncode != 0


def test_what_the_image_is_built_from_is_there() -> None:
    text = (DOCKER / "Dockerfile").read_text()
    copied = [
        name
        for line in text.splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for name in line.split()[1:-1]
    ]
    allowed = [
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    assert copied
    for name in copied:
        assert (ROOT / name).exists(), name
        assert name in allowed, name
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (extras,) = set(re.findall(r"^ARG EXTRAS=(\S+)$", text, re.MULTILINE))
    assert set(extras.split(",")) <= set(project["optional-dependencies"])


def test_the_image_runs_as_nobody_in_particular() -> None:
    text = (DOCKER / "Dockerfile").read_text()
    assert re.findall(r"^USER (\S+)$", text, re.MULTILINE) == ["10001:10001"]
    for command in re.findall(r"^(?:CMD|ENTRYPOINT) (.*)$", text, re.MULTILINE):
        assert command.startswith("["), "a shell would not hand on signals"


def test_compose_accepts_the_file_with_every_profile() -> None:
    assert set(services()) == {
        *OURS,
        *("postgres", "redis", "proxy", "vllm", "prometheus", "grafana", "collector"),
    }
    done = compose_config()
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "Compose warns of something"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("init: true", "init: perhaps", "init"),
        ("condition: service_healthy", "condition: service_happy", "condition"),
        ("networks: [data, dagster, edge]", "networks: [data, nowhere]", "nowhere"),
        ("secrets: [grafana_admin_password,", "secrets: [absent_password,", "absent_password"),
        ("stop_grace_period: 90s", "stop_grace: 90s", "stop_grace"),
    ],
)
def test_compose_refuses_a_mistake(tmp_path: Path, before: str, after: str, told: str) -> None:
    text = (DOCKER / "compose.yaml").read_text()
    assert before in text
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(text.replace(before, after))
    done = compose_config(wrong)
    assert done.returncode != 0
    assert told in done.stderr


@pytest.mark.parametrize("name", sorted(services()))
def test_every_service_is_confined(name: str) -> None:
    service = services()[name]
    assert re.search(r":v?\d+\.\d+", service["image"]), "an image is pinned to a version"
    assert service["init"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "stop_grace_period" in service
    assert service.get("read_only") is True or name == "vllm", "it compiles kernels at its start"
    limits = service["deploy"]["resources"]["limits"]
    assert {"cpus", "memory", "pids"} <= set(limits)
    assert isinstance(service.get("command") or [], list), "a shell would not hand on signals"
    assert service.get("user", "").split(":")[0] not in ("", "0", "root") or name in (
        *("vllm", "proxy"),  # the first has no other user; the second's image runs as 101
    )
    # what has no shell and no client in its image is watched by Prometheus
    assert ("healthcheck" in service) or name in ("collector", "prepare")
    for mount in service.get("volumes", []):
        if mount["type"] == "bind" and mount["source"].startswith(str(DOCKER)):
            assert Path(mount["source"]).is_file() or Path(mount["source"]).is_dir()
            assert mount["read_only"] is True


def test_only_the_proxy_may_be_reached_from_elsewhere() -> None:
    published = {
        name: {port.get("host_ip") for port in service["ports"]}
        for name, service in services().items()
        if service.get("ports")
    }
    assert set(published) == {"proxy", "webserver", "grafana"}
    assert set.union(*published.values()) == {"127.0.0.1"}
    text = (DOCKER / "compose.yaml").read_text()
    # these have no TLS, and the Dagster UI no login: no variable opens them
    assert "127.0.0.1:${RAGLINE_DAGSTER_PORT" in text
    assert "127.0.0.1:${RAGLINE_GRAFANA_PORT" in text
    assert set(services()["postgres"]["networks"]) == {"data"}
    networks = yaml.safe_load(text)["networks"]
    assert all(networks[name]["internal"] for name in ("data", "dagster", "front", "models"))


def test_secrets_are_files_and_nowhere_else(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    made = make(folder)
    assert set(made) == {*PASSWORDS, *DERIVED}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    declared = yaml.safe_load((DOCKER / "compose.yaml").read_text())["secrets"]
    assert {name: value["file"] for name, value in declared.items()} == {
        name: f"secrets/{name}" for name in made
    }
    used = {
        item["source"] for service in services().values() for item in service.get("secrets", [])
    }
    assert used == set(made)
    values = {(folder / name).read_text().strip() for name in PASSWORDS}
    assert len(values) == len(PASSWORDS)
    assert all(len(value) >= 32 for value in values)
    before = {name: (folder / name).read_text() for name in made}
    (folder / "redis_password").unlink()
    assert make(folder) == ["redis_password"]
    assert {name: (folder / name).read_text() for name in made if name != "redis_password"} == {
        name: text for name, text in before.items() if name != "redis_password"
    }
    for name, service in services().items():
        for variable, value in (service.get("environment") or {}).items():
            secret = re.search(r"PASSWORD|TOKEN|API_KEY|DATABASE_URL|REDIS_URL|CELERY", variable)
            assert not secret or str(value).startswith("/run/secrets/"), (name, variable)


def test_secrets_are_settings_that_ragline_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "secrets"
    make(folder)
    monkeypatch.setenv("RAG_SECRETS_DIR", str(folder))
    monkeypatch.setenv("RAG_CONFIG", str(DOCKER / "ragline.toml"))
    monkeypatch.chdir(tmp_path)
    for name, value in services()["api"]["environment"].items():
        if name.startswith("RAG_") and name != "RAG_SECRETS_DIR":
            monkeypatch.setenv(name, value)
    settings = load_settings()
    password = (folder / "platform_password").read_text().strip()
    assert f":{password}@postgres" in settings.database_url.get_secret_value()
    assert settings.orchestration.database_url.get_secret_value().endswith("/dagster")
    assert settings.cache.redis_url.get_secret_value().endswith("redis:6379/2")
    assert settings.auth.enabled
    assert settings.server.uploads_source in settings.sources
