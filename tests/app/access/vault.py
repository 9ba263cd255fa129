"""A deployment with documents that only some may read, served by ``ragline serve``, and everybody's keys."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx

from rag_app.access.keys import make_key
from rag_assets.platform.platform import Platform
from rag_assets.service_records.keys import ApiKeys
from tests.app.access.identity import AUDIENCE, ISSUER, Provider
from tests.jobs.harness import run_stages

# words that stand in documents of few readers and nowhere else, least of all in a question
BOARD, SEALED = "cobaltwhistle", "marmosetquay"
TITLES = {BOARD: "emberlynx", SEALED: "quillthimble"}
QUESTIONS = {
    BOARD: "What is the code word of the orange vault?",
    SEALED: "Which password opens the green archive?",
}
DOCUMENTS = {
    "open/lighthouse.md": "# Lighthouse\n\nThe lighthouse of Norderfeld is painted every nine years.\n",
    "open/ferry.md": "# Ferry\n\nThe ferry to Norderfeld leaves at seven on every working day.\n",
    "staff/leave.md": "# Leave\n\nEverybody has thirty days of leave; the desk books the trains.\n",
    "board/vault.md": f"# The {TITLES[BOARD]} plan\n\nThe code word of the orange vault is {BOARD}.\n",
    # no ACL: with authentication on, administrators alone
    "sealed/archive.md": f"# {TITLES[SEALED]}\n\nThe password that opens the green archive is {SEALED}.\n",
}
SETTINGS = """
[auth]
enabled = true
jwks_url = "{jwks}"
issuer = "{issuer}"
audience = "{audience}"
admin_groups = ["platform"]
key_cache_seconds = 0

[server]
uploads_source = "inbox"
rate_limit = ""

[telemetry]
log_format = "json"
log_level = "DEBUG"

[sources.open]
path = "documents/open"
acl = ["public"]
[sources.staff]
path = "documents/staff"
acl = ["staff"]
[sources.board]
path = "documents/board"
acl = ["board"]
[sources.sealed]
path = "documents/sealed"
[sources.inbox]
path = "documents/inbox"
acl = ["staff"]
"""


@dataclass
class Vault:
    """The deployment and its server.

    Attributes:
        headers: the Authorization header of everybody, by name; None for no header.
        secrets: parts of credentials that must be written nowhere.
    """

    folder: Path
    platform: Platform
    provider: Provider
    url: str = ""
    headers: dict[str, str | None] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    clients: dict[str, httpx.Client] = field(default_factory=dict)

    def client(self, who: str) -> httpx.Client:
        """The client with somebody's credential; making one takes long."""
        if who not in self.clients:
            header = self.headers[who]
            headers = {} if header is None else {"Authorization": header}
            self.clients[who] = httpx.Client(base_url=self.url, headers=headers, timeout=120)
        return self.clients[who]

    def log(self) -> str:
        """What the server has written so far."""
        return (self.folder / "server.log").read_text(encoding="utf-8")


@contextmanager
def vault(folder: Path, models: Path, provider: Provider) -> Iterator[Vault]:
    """Write, ingest, release and serve the documents."""
    text = SETTINGS.format(jwks=provider.url, issuer=ISSUER, audience=AUDIENCE)
    (folder / "ragline.toml").write_text(text, encoding="utf-8")
    (folder / ".ragline").mkdir(parents=True)
    models.mkdir(parents=True, exist_ok=True)
    (folder / ".ragline" / "models").symlink_to(models, target_is_directory=True)
    (folder / "documents" / "inbox").mkdir(parents=True)
    for name, content in DOCUMENTS.items():
        path = folder / "documents" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
    config = (folder / "ragline.toml").read_text(encoding="utf-8")
    absolute = config.replace('"documents/', f'"{folder}/documents/')
    (folder / "ragline.toml").write_text(f'home = "{folder}/.ragline"\n{absolute}', "utf-8")
    platform = Platform.load(folder / "ragline.toml")
    run_stages(platform)
    made = Vault(folder, platform, provider)
    _give_credentials(made)
    with _serve(made):
        yield made
        for client in made.clients.values():
            client.close()
    platform.close()


def _give_credentials(made: Vault) -> None:
    keys = ApiKeys(made.platform.database)

    def key(name: str, groups: list[str], scopes: list[str], lives: timedelta | None = None) -> str:
        new = make_key(name, groups, scopes, lives)
        keys.add(new.key)
        made.secrets.append(new.text.rpartition("_")[2])
        made.headers[name] = f"Bearer {new.text}"
        return new.key.key_id

    def token(name: str, **claims: object) -> None:
        text = made.provider.token(**claims)  # type: ignore[arg-type]
        made.secrets.append(text.rpartition(".")[2])
        made.headers[name] = f"Bearer {text}"

    asks = ["read", "feedback"]
    made.headers |= {"nobody": None, "garbage": "Bearer nonsense", "basic": "Basic bWlhOnB3"}
    key("expired key", ["board"], asks, timedelta(seconds=-1))
    keys.revoke(key("revoked key", ["board"], asks))
    now = int(time.time())
    token("expired token", groups=["board"], exp=now - 3600, iat=now - 7200)
    token("other audience", groups=["board"], aud="payroll")
    token("other issuer", groups=["board"], iss="https://evil.example.org/")
    key("other group", ["sales"], asks)
    key("reader", ["staff"], asks)
    token("token reader", groups=["staff"])
    key("member", ["board"], asks)
    token("token member", groups=["board"])
    key("admin", [], ["admin"])
    token("token admin", groups=["platform"])
    for scope in ("read", "feedback", "upload", "releases", "forget"):
        key(f"only {scope}", ["staff"], [scope])


@contextmanager
def _serve(made: Vault) -> Iterator[None]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made.url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "rag_app.cli", "serve", "--port", str(port)]
    with open(made.folder / "server.log", "wb") as log:
        server = subprocess.Popen(
            command, cwd=made.folder, stdout=log, stderr=log, env={**os.environ, "RAG_CONFIG": ""}
        )
        try:
            _wait(made, server)
            yield
        finally:
            server.terminate()
            server.wait(60)


def _wait(made: Vault, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(1200):
        assert server.poll() is None, made.log()
        try:
            if httpx.get(f"{made.url}/readyz", timeout=10).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError(made.log())
