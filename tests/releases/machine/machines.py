"""Machines that share one folder or one object store, and one PostgreSQL; each a process."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
SETTINGS = """
[sources.docs]
path = "documents"
acl = ["public"]
exclude = [".*"]
[parsing]
workers = 1
[evaluation]
known_items = 0
learn = false
"""


@dataclass(frozen=True)
class Machine:
    """The environment in which a machine's processes run."""

    name: str
    environment: dict[str, str]

    def start(self, mode: str, rounds: int, documents: Path) -> "subprocess.Popen[str]":
        """A writer that waits for a line before it begins."""
        arguments = [mode, self.name, str(rounds), str(documents)]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.releases.machine.writer", *arguments],
            cwd=ROOT,
            env=os.environ | self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def machine(folder: Path, name: str, models: Path, **environment: str) -> Machine:
    """A machine whose local state (locks, Dagster, models) is in a folder of its own.

    Tables, blobs and the index are in the folder ``shared`` unless ``RAG_HOME`` says otherwise.
    """
    state = folder / name
    state.mkdir()
    models.mkdir(parents=True, exist_ok=True)
    (state / "models").symlink_to(models, target_is_directory=True)
    values = {
        "RAG_CONFIG": str(folder / "ragline.toml"),
        "RAG_STATE_DIR": str(state),
        "RAG_HOME": str(folder / "shared"),
    }
    return Machine(name, values | environment)


def run_together(writers: list["subprocess.Popen[str]"]) -> list[list[dict[str, Any]]]:
    """Let all begin at the same moment; what each of them told, when all have ended well."""
    for writer in writers:
        assert writer.stdout is not None
        told = writer.stdout.readline()
        assert told, writer.stderr and writer.stderr.read()
        assert json.loads(told)["what"] == "ready"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    found = []
    for writer in writers:
        output, errors = writer.communicate(timeout=300)
        assert writer.returncode == 0, errors
        found.append([json.loads(line) for line in output.splitlines()])
    return found
