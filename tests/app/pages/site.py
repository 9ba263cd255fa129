"""A released deployment of a few documents of the sample handbook, served by a real server."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from rag_app.api.app import create_app
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import AuthSettings, ServerSettings, Settings, SourceSettings
from rag_assets.query.parameters import AbstentionModel, QueryParameters
from rag_assets.releases.registry import Registry
from tests.conftest import ROOT
from tests.jobs.harness import run_stages

HANDBOOK = ROOT / "sample" / "handbook"
TAKEN = (
    "it/laptop-lifecycle.md",
    "people/leave-policy.md",
    "finance/travel-policy-2026.md",
    "finance/bank-mandates.md",
    "product/tw40-datasheet.pdf",
    "product/tw40-datasheet.pdf.meta.toml",
)
STOLEN = "What should I do when my laptop is stolen?"
WORLD_CUP = "Who won the football world cup in 1974?"
MANDATES = "Who may sign payments for the bank mandates?"
# what a document may try on whoever reads it
HOSTILE = '<img src=x onerror="window.broken=1"><script>window.broken=1</script>'
HOSTILE_TEXT = f"""# The lighthouse {HOSTILE}

The lighthouse of Norderfeld is painted **every** nine years by {HOSTILE} the harbour office.
See [the plan](javascript:window.broken=1) and ![it](https://elsewhere.example/pixel.png).
"""
LIGHTHOUSE = "How often is the lighthouse of Norderfeld painted?"
# the less alike the best passage is, the less likely an answer is there
ABSTENTION = AbstentionModel(("dense",), (0.4,), (0.05,), (2.0,), 0.0, 0.3, "of the tests")


def released(folder: Path, models: Path, **sections: Any) -> Platform:
    """Write, ingest and release the documents in a folder of their own.

    Args:
        folder: of the deployment.
        models: where exported encoders are kept.
        sections: further settings.
    """
    home = folder / "home"
    home.mkdir(parents=True)
    models.mkdir(parents=True, exist_ok=True)
    (home / "models").symlink_to(models, target_is_directory=True)
    documents = folder / "handbook"
    for name in TAKEN:
        (documents / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(HANDBOOK / name, documents / name)
    (documents / "hostile.md").write_text(HOSTILE_TEXT, encoding="utf-8")
    (folder / "uploads").mkdir()
    sources = {
        name: SourceSettings(path=str(folder / name), acl=["public"])
        for name in ("handbook", "uploads")
    }
    server = ServerSettings(uploads_source="uploads", rate_limit="")
    settings = Settings(home=str(home), sources=sources, server=server, **sections)
    platform = Platform(settings)
    run_stages(platform)
    learned(platform)
    return platform


def learned(platform: Platform) -> None:
    """Let the live release abstain."""
    registry = Registry(platform.database)
    live = registry.live()
    assert live is not None
    registry.set_parameters(live.id, QueryParameters(abstention=ABSTENTION).to_dict())


def changed(platform: Platform, **sections: Any) -> Platform:
    """The same deployment with other settings."""
    return Platform(platform.settings.model_copy(update=sections))


AUTHENTICATED = AuthSettings(enabled=True)


@contextmanager
def serving(platform: Platform) -> Iterator[str]:
    """Serve a deployment on loopback; gives the address of its chat page."""
    config = uvicorn.Config(create_app(platform), log_level="critical", lifespan="on")
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive(), "the server did not start"
                time.sleep(0.02)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join()
