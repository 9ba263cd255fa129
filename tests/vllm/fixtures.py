"""The fixture ``vllm_server``: one real server for as long as no test kills it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.vllm.model import make_model
from tests.vllm.server import VLLMServer, running_server

HANDBOOK = Path(__file__).parents[2] / "sample" / "handbook"


@pytest.fixture(scope="session")
def running_vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], VLLMServer]]:
    """Gives the server that runs; starts one (35 to 45 s) when there is none or it was killed."""
    root = tmp_path_factory.mktemp("vllm")
    texts = [path.read_text(encoding="utf-8") for path in sorted(HANDBOOK.rglob("*.md"))]
    folder = make_model(root / "model", texts)
    servers: list[VLLMServer] = []
    with ExitStack() as stack:

        def running() -> VLLMServer:
            if not (servers and servers[-1].alive):
                stack.close()  # what is left of the one before
                log = root / f"server-{len(servers)}.log"
                servers.append(stack.enter_context(running_server(folder, log)))
            return servers[-1]

        yield running


@pytest.fixture
def vllm_server(running_vllm: Callable[[], VLLMServer]) -> VLLMServer:
    """A real vLLM server with a tiny random model. A test may kill it; the next starts another."""
    return running_vllm()
