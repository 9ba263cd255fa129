"""docker/compose.yaml as the real Docker Compose reads it; no engine is needed for that."""

import json
import os
import runpy
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"


def compose_config(
    file: Path = DOCKER / "compose.yaml", *options: str
) -> "subprocess.CompletedProcess[str]":
    """``docker compose config``, with no variables but those of ``.env.example``."""
    import compose

    # the launcher of the package drops the exit code of Compose
    program = Path(str(compose.__file__)).with_name("docker-compose")
    arguments = ["--file", str(file), "--env-file", str(DOCKER / ".env.example"), *options]
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [program, *arguments, "config", "--format", "json"],
        capture_output=True,
        text=True,
        env=kept,
        check=False,
        timeout=120,
    )


@cache
def services() -> dict[str, dict[str, Any]]:
    """Every service of every profile, as Compose would start it."""
    done = compose_config(DOCKER / "compose.yaml", "--profile", "*")
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)["services"]
    return found


def secret_maker() -> dict[str, Any]:
    """What ``docker/make_secrets.py`` defines; another package is called ``docker``."""
    return runpy.run_path(str(DOCKER / "make_secrets.py"))
