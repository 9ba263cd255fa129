"""``ragline forget`` as a person or a script runs it."""

import os
import pty
import subprocess
from pathlib import Path

import pytest

from rag_assets.erasure.requests import ErasureRequests
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import load_settings
from rag_assets.releases.registry import Registry
from tests.app.commands import COMMAND, ragline
from tests.conftest import Deploy
from tests.jobs.harness import run_stages, served

DOCUMENT = "docs/lamps.md"


@pytest.fixture
def deployment(deploy: Deploy) -> Path:
    folder = deploy('[sources.docs]\npath = "documents"\nacl = ["public"]\n')
    (folder / "documents" / "lamps.md").write_text("# Lamps\n\nThe warden lights lamps at dusk.\n")
    (folder / "documents" / "leave.md").write_text("# Leave\n\nThere are thirty days of leave.\n")
    run_stages(Platform(load_settings()))
    return folder


def test_it_asks_first_then_erases_and_keeps_the_receipt(deployment: Path) -> None:
    refused = ragline("forget", DOCUMENT)
    assert refused.code == 2
    assert "--yes" in refused.errors
    assert DOCUMENT in served(Platform(load_settings()))["document_id"]

    done = ragline("forget", DOCUMENT, "--yes", "--json", "--reason", "a letter")
    assert done.code == 0, done.errors
    receipt = done.json
    assert receipt["complete"]
    assert {place["after"] for place in receipt["places"]} == {0}
    assert DOCUMENT not in served(Platform(load_settings()))["document_id"]

    [listed] = ragline("forget", "--list", "--json").json
    assert (listed["document_id"], listed["reason"]) == (DOCUMENT, "a letter")
    assert listed["actor"]
    assert listed["completed_at"]
    table = ragline("forget", "--list").output
    assert DOCUMENT in table
    assert "done" in table

    assert ragline("forget", DOCUMENT, "--allow-again").code == 0
    assert ErasureRequests(Platform(load_settings()).database).forbidden() == frozenset()
    assert ragline("forget", DOCUMENT, "--allow-again").code == 1


def test_mistakes_are_explained(deployment: Path) -> None:
    unknown = ragline("forget", "docs/nothing.md", "--yes")
    assert unknown.code == 1
    assert "docs/nothing.md" in unknown.errors
    assert ragline("forget").code == 1
    assert Registry(Platform(load_settings()).database).live() is not None


@pytest.mark.parametrize(("reply", "code"), [("n\n", 2), ("y\n", 0)])
def test_on_a_terminal_it_shows_what_would_go(deployment: Path, reply: str, code: int) -> None:
    terminal, inside = pty.openpty()
    os.write(terminal, reply.encode())
    done = subprocess.run(
        [*COMMAND, "forget", DOCUMENT],
        stdin=inside,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    os.close(terminal)
    os.close(inside)
    assert done.returncode == code, done.stderr
    assert "passages" in done.stdout
    gone = DOCUMENT not in served(Platform(load_settings()))["document_id"]
    assert gone == (code == 0)


def test_what_is_left_is_named_and_the_exit_code_says_so(deployment: Path) -> None:
    note = deployment / ".ragline" / "copied.txt"
    note.write_text("The warden lights lamps at dusk.")
    left = ragline("forget", DOCUMENT, "--yes")
    assert left.code == 1
    assert "copied.txt" in left.output.replace("\n", "")
    assert "again" in left.errors
    note.unlink()
    done = ragline("forget", DOCUMENT, "--yes")
    assert done.code == 0
    assert "Every trace is gone" in done.output or "Nothing was left" in done.output
