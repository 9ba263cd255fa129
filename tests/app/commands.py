"""Run the ``ragline`` command as a person or a script would: in a process of its own."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-m", "rag_app.cli"]


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    output: str
    errors: str

    @property
    def json(self) -> Any:
        """The JSON document on standard output."""
        return json.loads(self.output)


def ragline(*arguments: str, folder: Path | None = None) -> Result:
    """Run a command to its end."""
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=300, cwd=folder, check=False
    )
    return Result(done.returncode, done.stdout, done.stderr)


def start(*arguments: str, folder: Path | None = None) -> "subprocess.Popen[str]":
    """Start a command and come back at once."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )
