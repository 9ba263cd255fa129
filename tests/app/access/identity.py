"""A real identity provider: keys, signed tokens, and an HTTP server that publishes the keys."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ISSUER, AUDIENCE = "https://login.example.org/", "ragline"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def new_key(algorithm: str = "RS256") -> PrivateKey:
    """A private key that an algorithm signs with."""
    if algorithm.startswith(("RS", "PS")):
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ed25519.Ed25519PrivateKey.generate() if algorithm == "EdDSA" else curve(algorithm)


@cache
def first_key() -> PrivateKey:
    """One key for the beginning of every test: making one takes long."""
    return new_key()


def curve(algorithm: str) -> ec.EllipticCurvePrivateKey:
    """A key on the curve of ES256, ES384 or ES512."""
    curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
    return ec.generate_private_key(curves[algorithm])


def public_pem(key: PrivateKey) -> bytes:
    """The public half as text."""
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


class Provider:
    """Signs tokens and publishes its keys.

    Attributes:
        broken: the status that the server answers with instead of the keys; 0: it works.
        body: what it answers instead of the keys.
        fetched: how often the keys were asked for.
    """

    def __init__(self, url: str = "") -> None:
        self.url = url
        self.keys: dict[str, tuple[PrivateKey, str]] = {}
        self.extra: list[dict[str, Any]] = []
        self.broken = 0
        self.body: bytes | None = None
        self.fetched = 0
        self.keys["first"] = first_key(), "RS256"

    def add(self, key_id: str, algorithm: str = "RS256") -> None:
        """Make and publish a key."""
        self.keys[key_id] = new_key(algorithm), algorithm

    def rotate(self, key_id: str) -> None:
        """Publish a new key instead of all others."""
        self.keys.clear()
        self.add(key_id)

    def published(self) -> dict[str, Any]:
        """The key set."""
        found = []
        for key_id, (key, algorithm) in self.keys.items():
            kind = jwt.get_algorithm_by_name(algorithm)
            public = json.loads(kind.to_jwk(key.public_key()))
            found.append({**public, "kid": key_id, "use": "sig", "alg": algorithm})
        return {"keys": [*self.extra, *found]}

    def token(
        self, key_id: str | None = None, *, headers: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        """A signed token; a claim that is None is left out."""
        key_id = key_id or next(iter(self.keys))
        key, algorithm = self.keys[key_id]
        return signed(key, algorithm, {"kid": key_id, **(headers or {})}, **claims)


def signed(key: Any, algorithm: str, headers: dict[str, Any], **claims: Any) -> str:
    """A token with good claims but for those that are given."""
    now = int(time.time())
    values = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "mia",
        "iat": now,
        "exp": now + 600,
        **claims,
    }
    kept = {name: value for name, value in values.items() if value is not None}
    return jwt.encode(kept, key, algorithm=algorithm, headers=headers)


@contextmanager
def provider() -> Iterator[Provider]:
    """A provider whose key set is served over HTTP."""
    made = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.fetched += 1
            body = made.body if made.body is not None else json.dumps(made.published()).encode()
            self.send_response(made.broken or 200)
            self.send_header("Content-Length", str(len(body)))
            if 300 <= made.broken < 400:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}/jwks.json"
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
