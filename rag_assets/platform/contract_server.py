"""Great Expectations, imported once for all runs that a long-lived process starts.

A run is a process of its own, and the import is the longest part of a small one. The process that
starts runs (Dagster's code server) therefore keeps a server of contracts beside it: every run that
connects gets a fork of it, which knows the library already and shares its memory. The address goes
to the runs by their environment. Where there is no server, a run starts a worker of its own.
"""

import os
import socket
import tempfile
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from .processes import end_with_parent

ADDRESS = "RAGLINE_CONTRACT_SERVER"
IDLE_SECONDS = 900.0
LOOK_SECONDS = 2.0
WAITING_RUNS = 64


class ContractServer:
    """Starts the server and tells the runs where it is; it ends with the process that started it."""

    def __init__(self) -> None:
        self._process: Any = None

    def start(self) -> None:
        """Start it where it does not run, without waiting for its import; runs can connect at once."""
        if self._process is not None and self._process.is_alive():
            return
        # nobody else may enter the folder; a path in it is short enough for a socket
        folder = Path(tempfile.mkdtemp(prefix="ragline-"))
        address = folder / "contracts"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(address))
        listener.listen(WAITING_RUNS)
        spawn = get_context("spawn")
        self._process = spawn.Process(target=_serve, args=(listener, str(address), os.getpid()))
        self._process.daemon = True
        self._process.start()
        listener.close()
        os.environ[ADDRESS] = str(address)

    def close(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
            _remove(os.environ.pop(ADDRESS, ""))


def connect() -> Connection | None:
    """A connection to the server that the environment names; ``None`` where nobody listens."""
    address = os.environ.get(ADDRESS)
    if not address:
        return None
    client = socket.socket(socket.AF_UNIX)
    try:
        client.connect(address)
    except OSError:
        client.close()
        return None
    return Connection(client.detach())


def _serve(listener: socket.socket, address: str, parent: int) -> None:
    """Import, then a fork for every run; until nobody has come for a long time, or the parent is gone.

    The kernel's own signal is no help: it comes when the thread ends that started this process.
    """
    from .contracts import import_great_expectations, rehearse

    import_great_expectations()
    rehearse()
    listener.settimeout(LOOK_SECONDS)
    last = time.monotonic()
    while os.getppid() == parent:
        if _has_children():
            last = time.monotonic()
        try:
            client, _ = listener.accept()
        except TimeoutError:
            if time.monotonic() - last > IDLE_SECONDS:
                break
            continue
        last = time.monotonic()
        server = os.getpid()
        if os.fork() == 0:
            listener.close()
            _answer(client, server)
        client.close()
    _remove(address)


def _answer(client: socket.socket, server: int) -> NoReturn:
    """What a fork does: serve one run, and end with the server."""
    from .contracts import answer_requests

    end_with_parent(server)
    try:
        # the listener's time limit is none of the connection's: a run may work for hours in between
        client.setblocking(True)
        answer_requests(Connection(client.detach()))
    finally:
        os._exit(0)


def _has_children() -> bool:
    """Whether forks are at work; those that have ended are taken away."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _remove(address: str) -> None:
    if address:
        Path(address).unlink(missing_ok=True)
        Path(address).parent.rmdir()
