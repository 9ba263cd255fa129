"""What the service adds to a language model's time to the first token.

A real vLLM (CPU build, the tiny random model of the tests), a deployment of the sample handbook, and
``ragline serve``. Every question is asked twice in turn, once of the service (``/v1/ask`` with
``stream``) and once of vLLM itself with the messages that the service sends. A first round is not
counted: after it vLLM has every prompt in its prefix cache, for both alike. What is added is the
caller's time to the first token less vLLM's own, less what the answer's ``timings_ms`` say of
retrieval. The first token is the first piece with a letter or a digit in it, on both sides: the
service holds back a blank or a quotation mark until it is known that not the whole answer is the
phrase of a refusal.

vLLM gets a core of its own, as it has a machine of its own elsewhere: where it shares all cores with the
service, every step of both waits for the other (``--shared-cores`` measures that).

Run: ``python -m benchmarks.first_token [--questions 30] [--shared-cores] [--json]``, after
``make vllm``.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from benchmarks.search import percentile
from benchmarks.service import serving
from tests.vllm.model import make_model
from tests.vllm.server import VLLMServer, running_server

ROOT = Path(__file__).parents[1]
HANDBOOK = ROOT / "sample" / "handbook"
QUESTIONS = (
    "How much may a room in London cost per night?",
    "How many days of paid holiday does an employee have?",
    "What do I do when my laptop is stolen?",
    "Who approves a business trip?",
    "How long is the notice period?",
    "When is first class allowed on a train?",
)
MAX_ANSWER_TOKENS = 16
SECONDS = 120


@dataclass(frozen=True)
class Taken:
    """One question, in milliseconds.

    Attributes:
        service: to the first token, as the caller of the service sees it.
        vllm: to the first token of the same messages, asked of vLLM.
        retrieval: finding and reading the passages, by the answer's own account.
    """

    service: float
    vllm: float
    retrieval: float

    @property
    def added(self) -> float:
        """What is neither vLLM's nor retrieval's."""
        return self.service - self.vllm - self.retrieval


class Recorder(ThreadingHTTPServer):
    """Notes what the service sends to the model, once, and lets everything else through."""

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Recording)
        self.upstream = upstream
        self.bodies: list[dict[str, Any]] = []


class _Recording(BaseHTTPRequestHandler):
    server: Recorder

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(json.loads(body))
        kind = {"Content-Type": self.headers["Content-Type"]}
        url = self.server.upstream + self.path
        self._answer(httpx.post(url, content=body, headers=kind, timeout=SECONDS))

    def do_GET(self) -> None:
        self._answer(httpx.get(self.server.upstream + self.path, timeout=SECONDS))

    def _answer(self, response: httpx.Response) -> None:
        self.send_response(response.status_code)
        self.send_header("Content-Type", response.headers["Content-Type"])
        self.send_header("Content-Length", str(len(response.content)))
        self.end_headers()
        self.wfile.write(response.content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing."""


@contextmanager
def recording(upstream: str) -> Iterator[Recorder]:
    """A recorder in front of a server."""
    recorder = Recorder(upstream)
    thread = threading.Thread(target=recorder.serve_forever, daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        recorder.shutdown()
        recorder.server_close()


def deployed(folder: Path) -> Path:
    """The home of a deployment of the sample handbook with a release."""
    import subprocess

    (folder / "ragline.toml").write_text(
        f'[sources.handbook]\nkind = "folder"\npath = "{HANDBOOK}"\nacl = ["public"]\n'
    )
    command = [sys.executable, "-m", "rag_app.cli", "ingest", "--json"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder / ".ragline"


def prompts(home: Path, vllm: VLLMServer, questions: Sequence[str]) -> list[dict[str, Any]]:
    """What the service sends to the model for every question."""
    with recording(vllm.root) as recorder:
        os.environ["RAG_LLM__BASE_URL"] = f"http://127.0.0.1:{recorder.server_address[1]}/v1"
        with serving(home, cache=False) as (port, _), httpx.Client(timeout=SECONDS) as client:
            for question in questions:
                body = {"question": question, "answerer": "llm"}
                client.post(f"http://127.0.0.1:{port}/v1/ask", json=body).raise_for_status()
        return list(recorder.bodies)


def first_token_of_service(client: httpx.Client, url: str, question: str) -> tuple[float, Any]:
    """Seconds to the first token, and the answer's timings."""
    body = {"question": question, "answerer": "llm", "stream": True}
    started, first, event = time.perf_counter(), 0.0, ""
    with client.stream("POST", f"{url}/v1/ask", json=body) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif event == "token" and not first and line.startswith("data: "):
                if has_word(json.loads(line.removeprefix("data: "))["text"]):
                    first = time.perf_counter() - started
            elif event == "timings" and line.startswith("data: "):
                return first, json.loads(line.removeprefix("data: "))["timings_ms"]
    raise SystemExit("The service's stream ended without timings.")


def first_token_of_vllm(client: httpx.Client, url: str, body: dict[str, Any]) -> float:
    """Seconds to the first piece of text."""
    started = time.perf_counter()
    first = 0.0
    with client.stream("POST", f"{url}/chat/completions", json=body) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if line.startswith("data: {"):
                choices = json.loads(line.removeprefix("data: "))["choices"]
                if choices and has_word(choices[0]["delta"].get("content")) and not first:
                    first = time.perf_counter() - started
    return first


def has_word(text: str | None) -> bool:
    """Whether a piece of an answer has a letter or a digit."""
    return any(character.isalnum() for character in text or "")


@contextmanager
def on_cores(cores: set[int]) -> Iterator[None]:
    """Processes that are started here stay on some cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure(folder: Path, count: int, *, shared: bool) -> list[Taken]:
    """Ask ``count`` questions of both."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(HANDBOOK.rglob("*.md"))]
    model = make_model(folder / "model", texts)
    os.environ |= {
        "RAG_LLM__MAX_ANSWER_TOKENS": str(MAX_ANSWER_TOKENS),
        # every question is to reach the model
        "RAG_QUERY__ABSTAIN": "false",
    }
    home = deployed(folder)
    taken = []
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2 and not shared:
        raise SystemExit("There is one core: vLLM can have none of its own (--shared-cores).")
    models, others = (set(cores), set(cores)) if shared else ({cores[0]}, set(cores[1:]))
    with ExitStack() as stack:
        with on_cores(models):
            vllm = stack.enter_context(running_server(model, folder / "vllm.log"))
        stack.enter_context(on_cores(others))
        bodies = prompts(home, vllm, QUESTIONS)
        if len(bodies) != len(QUESTIONS):
            raise SystemExit(f"{len(bodies)} prompts for {len(QUESTIONS)} questions.")
        os.environ["RAG_LLM__BASE_URL"] = vllm.url
        with serving(home, cache=False) as (port, _), httpx.Client(timeout=SECONDS) as client:
            url = f"http://127.0.0.1:{port}"
            for number in range(-len(QUESTIONS), count):
                question = QUESTIONS[number % len(QUESTIONS)]
                body = bodies[number % len(QUESTIONS)]
                own, timings = first_token_of_service(client, url, question)
                direct = first_token_of_vllm(client, vllm.url, body)
                if number >= 0:  # the first round is for what is loaded, or cached, at first use
                    found = timings["retrieve"] + timings.get("evidence", 0.0) + timings["context"]
                    taken.append(Taken(own * 1000, direct * 1000, found))
    return taken


def show(taken: Sequence[Taken]) -> None:
    """Medians and the 90th percentile."""
    table = Table("milliseconds", "p50", "p90", title="Time to the first token")
    for name in ("service", "vllm", "retrieval", "added"):
        values = [getattr(item, name) for item in taken]
        table.add_row(
            name, f"{statistics.median(values):.1f}", f"{percentile(values, 0.9) / 1000:.1f}"
        )
    Console().print(table)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Time to the first token beside vLLM's own.")
    parser.add_argument("--questions", type=int, default=30)
    parser.add_argument("--shared-cores", action="store_true", help="vLLM has no core of its own")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="first-token-") as folder:
        taken = measure(Path(folder), arguments.questions, shared=arguments.shared_cores)
    if arguments.json:
        print(json.dumps([asdict(item) | {"added": item.added} for item in taken], indent=2))
    else:
        show(taken)


if __name__ == "__main__":
    main()
