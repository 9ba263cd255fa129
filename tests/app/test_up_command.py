"""``ragline up``: everything for real, until a dropped file is answered from; then nothing is left."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.app.commands import COMMAND, ragline
from tests.conftest import Deploy

SECONDS = 900.0  # the machine may be busy with much else
SETTINGS = """
[sources.docs]
path = "documents"
acl = ["public"]

[sources.inbox]
path = "inbox"
acl = ["public"]

[server]
uploads_source = "inbox"

[orchestration]
sensor_seconds = 2
settle_seconds = 0.5
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(look: Callable[[], Any], what: str, logs: Path) -> Any:
    """What ``look`` gives once it gives something; else an error with the end of every log."""
    limit = time.monotonic() + SECONDS
    while not (found := look()):
        if time.monotonic() > limit:
            tails = "\n".join(f"== {log}\n{log.read_text()[-2000:]}" for log in logs.glob("*.log"))
            raise AssertionError(f"not seen in {SECONDS} s: {what}\n{tails}")
        time.sleep(0.5)
    return found


@contextmanager
def up(folder: Path) -> Iterator[tuple["subprocess.Popen[str]", dict[str, str], Path]]:
    """Start it the way a script does, with SIGINT ignored; gives process, addresses, logs."""
    logs = folder / ".ragline" / "logs"
    ports = ["--port", str(free_port()), "--dagster-port", str(free_port())]
    process = subprocess.Popen(
        [*COMMAND, "up", "--json", *ports],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=(folder / "up.log").open("w"),
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        text = ""
        while not text.endswith("}\n") or text.count("{") != text.count("}"):
            line = process.stdout.readline()
            assert line, (folder / "up.log").read_text()
            text += line
        yield process, json.loads(text)["addresses"], logs
    finally:
        for child in psutil.Process(process.pid).children() if process.poll() is None else []:
            os.killpg(child.pid, signal.SIGKILL)
        process.kill()
        process.wait()


def ask(address: str, question: str) -> dict[str, Any]:
    response = httpx.post(f"{address}/ask", json={"question": question}, timeout=60)
    return response.json() if response.status_code == 200 else {}


def cited(answer: dict[str, Any]) -> set[str]:
    return {item["document_id"] for item in answer.get("citations", [])}


@pytest.mark.timeout(3600)
def test_everything_runs_answers_takes_in_files_and_ends(deploy: Deploy) -> None:
    folder = deploy(SETTINGS)
    (folder / "inbox").mkdir()
    leave = "Every employee may carry five days of leave over into the following year."
    (folder / "documents" / "leave.md").write_text(leave, encoding="utf-8")
    with up(folder) as (process, addresses, logs):
        assert httpx.get(addresses["Chat page"]).text.startswith("<!doctype html>")
        assert httpx.get(addresses["Dagster UI"]).status_code == 200
        assert httpx.get(addresses["Quality"]).status_code == 404
        api = addresses["API"]
        # nothing was ingested by hand: the sensor finds what is there, and what comes
        wait_for(
            lambda: "docs/leave.md" in cited(ask(api, "How many days of leave carry over?")),
            "an answer from the first document",
            logs,
        )
        budget = b"The budget of project Heron is 4711 euros in the coming year."
        stored = httpx.post(f"{api}/documents", files={"file": ("heron.md", budget)})
        assert stored.status_code == 202, stored.text
        uploaded = stored.json()["document_id"]
        question = "What is the budget of project Heron?"
        answer = wait_for(
            lambda: uploaded in cited(found := ask(api, question)) and found,
            "an answer from the upload",
            logs,
        )
        lineage = httpx.get(f"{api}/answers/{answer['answer_id']}/lineage", timeout=60).json()
        run = lineage["documents"][0]["runs"][0]
        assert run["run_url"] == f"{addresses['Dagster UI']}/runs/{run['run_id']}"
        assert httpx.get(run["run_url"]).status_code == 200

        (webserver,) = (
            child
            for child in psutil.Process(process.pid).children()
            if "dagster-webserver" in " ".join(child.cmdline())
        )
        webserver.kill()
        wait_for(
            lambda: "webserver ended with -9" in (folder / "up.log").read_text(), "a word", logs
        )
        wait_for(lambda: _answers(addresses["Dagster UI"]), "the webserver's return", logs)

        everybody = psutil.Process(process.pid).children(recursive=True)
        assert len(everybody) >= 4
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0
        assert not [one for one in everybody if _lives(one)]
        assert (folder / "up.log").read_text().endswith("Everything has ended.\n")
    assert not _answers(addresses["Chat page"])


def _lives(process: psutil.Process) -> bool:
    """Whether it still runs; one that nobody has reaped yet does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _answers(address: str) -> bool:
    try:
        return httpx.get(address).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize("option", ["--port", "--dagster-port"])
def test_a_port_that_is_taken_is_named_before_anything_starts(deploy: Deploy, option: str) -> None:
    folder = deploy(SETTINGS)
    ports = {"--port": free_port(), "--dagster-port": free_port()}
    with socket.socket() as other:
        other.bind(("127.0.0.1", ports[option]))
        other.listen()
        arguments = [text for name, port in ports.items() for text in (name, str(port))]
        result = ragline("up", "--json", *arguments, folder=folder)
    assert result.code == 1
    error = result.json["error"]
    assert str(ports[option]) in error["message"]
    assert option in error["hint"]
    assert not (folder / ".ragline" / "logs").exists()


def test_others_are_not_let_in_by_mistake(deploy: Deploy) -> None:
    result = ragline("up", "--json", "--host", "0.0.0.0", folder=deploy(SETTINGS))
    assert result.code == 1
    assert "Authentication is off" in result.json["error"]["message"]
