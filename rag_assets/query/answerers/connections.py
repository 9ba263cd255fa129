"""Connections whose reads end when nobody waits for the answer any more.

A server that hangs says nothing, so that nothing would come to the thread that reads: it would be held
until the time limit. Here it reads in short pieces of time and looks in between.
"""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rag_assets.platform import interruption

if TYPE_CHECKING:
    import ssl

    import httpx2


def let_interrupt(client: "httpx2.Client") -> None:
    """Let the reads of a client end with ``interruption.Interrupted``.

    The library lets its pools take another network backend, but only those that are made by hand,
    which would lose the proxies of the environment: hence the attributes of its own.

    Args:
        client: that has not been used yet.
    """
    import httpx2

    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx2.HTTPTransport):
            pool = transport._pool
            pool._network_backend = _backend(pool._network_backend)


def _backend(inner: Any) -> Any:
    """A network backend of httpcore2 around another one."""
    import httpcore2

    class Stream(httpcore2.NetworkStream):
        def __init__(self, stream: httpcore2.NetworkStream) -> None:
            self._stream = stream

        def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
            if not interruption.may_happen():
                return self._stream.read(max_bytes, timeout)
            end = float("inf") if timeout is None else time.monotonic() + timeout
            while True:
                interruption.check()
                left = max(0.001, end - time.monotonic())  # 0 has another meaning
                try:
                    return self._stream.read(max_bytes, min(interruption.LOOK_SECONDS, left))
                except httpcore2.ReadTimeout:
                    if time.monotonic() >= end:
                        raise

        def write(self, buffer: bytes, timeout: float | None = None) -> None:
            self._stream.write(buffer, timeout)

        def close(self) -> None:
            self._stream.close()

        def start_tls(
            self,
            ssl_context: "ssl.SSLContext",
            server_hostname: str | None = None,
            timeout: float | None = None,
        ) -> httpcore2.NetworkStream:
            return Stream(self._stream.start_tls(ssl_context, server_hostname, timeout))

        def get_extra_info(self, info: str) -> Any:
            return self._stream.get_extra_info(info)

    class Backend(httpcore2.NetworkBackend):
        def connect_tcp(
            self,
            host: str,
            port: int,
            timeout: float | None = None,
            local_address: str | None = None,
            socket_options: Iterable[Any] | None = None,
        ) -> httpcore2.NetworkStream:
            return Stream(inner.connect_tcp(host, port, timeout, local_address, socket_options))

        def connect_unix_socket(
            self,
            path: str,
            timeout: float | None = None,
            socket_options: Iterable[Any] | None = None,
        ) -> httpcore2.NetworkStream:
            return Stream(inner.connect_unix_socket(path, timeout, socket_options))

        def sleep(self, seconds: float) -> None:
            inner.sleep(seconds)

    return Backend()
