"""A scripted LLM server for the tests of the query path."""

from collections.abc import Iterator

import pytest

from tests.query.openai_server import OpenAIServer


@pytest.fixture(scope="session")
def shared_server() -> Iterator[OpenAIServer]:
    """One server for the session: its start and end take longer than most tests."""
    with OpenAIServer().running() as running:
        yield running


@pytest.fixture
def server(shared_server: OpenAIServer) -> OpenAIServer:
    """A server on loopback; give it a script."""
    shared_server.reset()
    return shared_server
