"""Real receivers of alerts on free ports: an HTTP server and an SMTP server that keep what they got."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


class HttpReceiver:
    """What an HTTP server was sent.

    Attributes:
        url: where it listens.
        bodies, headers, paths: of every request that it accepted or refused, in order.
        replies: statuses to give before it answers 200.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.bodies: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.replies: list[int] = []

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """The bodies, as JSON."""
        return [json.loads(body) for body in self.bodies]


@contextmanager
def http_receiver() -> Iterator[HttpReceiver]:
    """Run an HTTP server that takes POSTs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            receiver.bodies.append(self.rfile.read(length).decode())
            receiver.headers.append({key.lower(): item for key, item in self.headers.items()})
            receiver.paths.append(self.path)
            self.send_response(receiver.replies.pop(0) if receiver.replies else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = HttpReceiver(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Mailbox:
    """What an SMTP server was sent.

    Attributes:
        url: where it listens.
        mails: accepted, in order, each with the addresses that it was for.
        replies: replies to give to DATA before it accepts.
    """

    def __init__(self) -> None:
        self.url = ""
        self.mails: list[tuple[list[str], Message]] = []
        self.replies: list[str] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take an e-mail, or refuse it."""
        if self.replies:
            return self.replies.pop(0)
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append((envelope.rcpt_tos, message_from_bytes(content, policy=default)))
        return "250 OK"


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """Run an SMTP server that keeps every e-mail."""
    import asyncio
    import socket

    box = Mailbox()
    loop = asyncio.new_event_loop()
    # aiosmtpd's own thread probes a fixed port; a socket of ours gets a free one
    listener = socket.create_server(("127.0.0.1", 0))
    box.url = f"smtp://127.0.0.1:{listener.getsockname()[1]}"

    async def serve() -> asyncio.Server:
        return await loop.create_server(lambda: SMTP(box, loop=loop), sock=listener)

    server = loop.run_until_complete(serve())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield box
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
