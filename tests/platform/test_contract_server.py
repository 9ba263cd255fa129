"""The contract server: one import for all runs, and nothing depends on it."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import polars as pl
import psutil
import pytest

from rag_assets.platform.contract_server import ADDRESS, ContractServer
from rag_assets.platform.contracts import ContractRunner, not_null, unique

CONTRACT = (unique("id", ""), not_null("id", ""))
SECONDS = 120
STARTS = """
import sys, time
from rag_assets.platform.contract_server import ContractServer
server = ContractServer()
server.start()
print(server._process.pid, flush=True)
time.sleep(600)
"""


def table(*ids: str) -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame({"id": list(ids)}).write_parquet(buffer)
    return buffer.getvalue()


def broken(runner: ContractRunner, *ids: str) -> list[str]:
    outcomes = runner.validate(table(*ids), CONTRACT).outcomes
    return [item.name for item in outcomes if not item.passed]


@pytest.fixture
def server() -> Iterator[ContractServer]:
    server = ContractServer()
    server.start()
    yield server
    server.close()


def test_runs_are_served_by_one_import(server: ContractServer) -> None:
    first, second = ContractRunner(), ContractRunner()
    try:
        assert len(broken(first, "a", "a")) == 1
        assert broken(second, "a", "b") == []
        assert broken(first, "a", "b") == []
        children = psutil.Process(server._process.pid).children()
        assert len(children) == 2
        assert first._process is None
        assert second._process is None
    finally:
        first.close()
        second.close()


def test_a_server_that_is_gone_is_replaced_by_a_worker_in_the_midst_of_a_run(
    server: ContractServer,
) -> None:
    runner = ContractRunner()
    try:
        assert broken(runner, "a") == []
        server._process.kill()
        server._process.join()
        assert broken(runner, "a", "b") == []
        assert runner._process is not None
    finally:
        runner.close()


def test_an_address_where_nobody_listens_is_no_hindrance(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv(ADDRESS, f"{tmp_path}/nobody")
    runner = ContractRunner()
    try:
        assert broken(runner, "a") == []
    finally:
        runner.close()


def test_it_ends_with_the_process_that_started_it() -> None:
    parent = subprocess.Popen([sys.executable, "-c", STARTS], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    server = int(parent.stdout.readline())
    assert psutil.pid_exists(server)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    limit = time.monotonic() + SECONDS
    while psutil.pid_exists(server):
        assert time.monotonic() < limit
        time.sleep(0.2)


def test_it_is_started_once(server: ContractServer) -> None:
    process = server._process
    server.start()
    assert server._process is process
