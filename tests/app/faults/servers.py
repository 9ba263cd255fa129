"""Servers that a service needs, away for a while."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import psutil

from tests.postgres import PostgresServer
from tests.query.openai_server import OpenAIServer


class Postgres(PostgresServer):
    """A real PostgreSQL of its own."""

    @contextmanager
    def away(self) -> Iterator[None]:
        """Stop it, without waiting for its clients; it is started again in any case."""
        self.stop()
        try:
            yield
        finally:
            self.restart()  # knows the options of the start before, as 'start' does not

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Let none of its processes run: connections stay open, and the system takes new ones."""
        first = psutil.Process(self.pid)
        first.suspend()  # before its children are counted: it makes no others now
        stopped = [first, *first.children(recursive=True)]
        for process in stopped[1:]:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        try:
            yield
        finally:
            for process in stopped:
                with suppress(psutil.NoSuchProcess):
                    process.resume()


class LLM(OpenAIServer):
    """A language model by script that can be killed and started again."""

    def start(self) -> None:
        """Listen; on the same port as before."""
        self._serving = ExitStack()
        self._serving.enter_context(self.running())

    def stop(self) -> None:
        """Break everything off."""
        self._serving.close()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nobody listens; it is started again in any case."""
        self.stop()
        try:
            yield
        finally:
            self.start()
