"""A process that judges speaks to its judge only, and leaves no files behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evals.judges.telemetry import OFF, telemetry_off
from tests.evals.judges.judge_server import JudgeServer

ROOT = Path(__file__).parents[3]
SCRIPT = """
import asyncio, atexit, json, os, socket, sys

spoken, values = [], []

@atexit.register  # the first to be registered is the last to be called: what others send is seen
def tell():
    leaked = os.environ.get("OF_THE_DOTENV_FILE", "")
    print(json.dumps({"spoken": spoken, "judged": len(values), "leaked": leaked}))

connect, connect_ex, resolve = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

def watched(real):
    def call(self, address):
        spoken.append(repr(address))
        return real(self, address)
    return call

def watched_resolve(host, *rest, **named):
    spoken.append(repr((host,)))
    return resolve(host, *rest, **named)

socket.socket.connect, socket.socket.connect_ex = watched(connect), watched(connect_ex)
socket.getaddrinfo = watched_resolve

from evals.judges.registry import make_metrics
from rag_assets.platform.settings import JudgeSettings
from tests.evals.judges.conftest import SAMPLE, KnownEncoder

settings = JudgeSettings(base_url=sys.argv[1])
metrics = make_metrics(settings, KnownEncoder())

async def judge():
    return [(await metric.score(SAMPLE)).value for metric in metrics]

values.extend(asyncio.run(judge()))
"""


def test_nobody_but_the_judge_is_spoken_to(judge: JudgeServer, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OF_THE_DOTENV_FILE=1\n", encoding="utf-8")
    (tmp_path / "home").mkdir()
    clean = {name: value for name, value in os.environ.items() if name not in OFF}
    folders = {"HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}

    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, judge.url],
        cwd=tmp_path,
        env={**clean, **folders},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()  # and nothing else is printed
    found = json.loads(line)
    assert found["judged"] == 10
    assert found["leaked"] == ""
    assert found["spoken"], "the judge was spoken to"
    assert [item for item in found["spoken"] if "127.0.0.1" not in item] == []
    left = [path.name for path in tmp_path.rglob("*") if path.is_file() or "deepeval" in path.name]
    assert left == [".env"]


def test_all_of_it_is_off_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OFF:
        monkeypatch.delenv(name, raising=False)

    telemetry_off()

    assert {name: os.environ[name] for name in OFF} == {
        "RAGAS_DO_NOT_TRACK": "true",
        "DEEPEVAL_TELEMETRY_OPT_OUT": "1",
        "DEEPEVAL_DISABLE_DOTENV": "1",
        "DEEPEVAL_DISABLE_LEGACY_KEYFILE": "1",
        "GX_ANALYTICS_ENABLED": "false",
    }


def test_what_a_person_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OFF:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAGAS_DO_NOT_TRACK", "false")

    telemetry_off()

    assert os.environ["RAGAS_DO_NOT_TRACK"] == "false"
