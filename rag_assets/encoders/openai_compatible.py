"""Vectors from any OpenAI-compatible embeddings endpoint (vLLM, TEI, Ollama, OpenAI, …).

The server's tokenizer is not known here. Unless ``encoder.model`` is a local folder that holds it,
tokens are estimated with that of all-MiniLM-L6-v2, whose small vocabulary gives more tokens than
most: passages come out rather too short than truncated. Set ``encoder.max_input_tokens`` with that
in mind.
"""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rag_assets.platform.errors import EncoderError
from rag_assets.platform.fingerprint import fingerprint
from rag_assets.platform.storage import LocalStorage

from .base import Progress
from .endpoint import EmbeddingsEndpoint
from .models import minilm_folder
from .normalize import unit_rows
from .tokenizer import TokenCounter, without_lone_surrogates

if TYPE_CHECKING:
    import numpy as np

    from rag_assets.platform.settings import EncoderSettings

STAGE_VERSION = 1
DEFAULT_MAX_TOKENS = 512
REQUESTS_IN_FLIGHT = 4
WINDOW = 64  # batches handed to the pool at a time, so that a failure stops the rest


class OpenAICompatibleEncoder:
    """See the protocol in ``base.py``.

    Args:
        settings: the section ``[encoder]``; ``base_url`` and ``model`` are required.
        state_path: the local state folder, where the length of the vectors is remembered.
        first_wait: seconds of back-off after the first failure of a request.

    Raises:
        EncoderError: no endpoint is set.
    """

    def __init__(
        self, settings: "EncoderSettings", state_path: Path, *, first_wait: float = 0.5
    ) -> None:
        if not settings.base_url:
            raise EncoderError(
                "The encoder back end 'openai' has no address.",
                "Set encoder.base_url, e.g. to http://localhost:8000/v1.",
            )
        self._settings = settings
        self._storage = LocalStorage(state_path)
        self._endpoint = EmbeddingsEndpoint(
            settings.base_url,
            settings.model,
            settings.api_key,
            dimensions=settings.dimensions,
            first_wait=first_wait,
        )
        self.name = f"openai:{settings.model}"
        self.tokenizer = TokenCounter(_tokenizer_path(settings.model))

    @cached_property
    def fingerprint(self) -> str:
        """Of what was asked for; that a server keeps its promise is beyond our knowledge."""
        return fingerprint(
            {
                "stage": "encoder",
                "version": STAGE_VERSION,
                "backend": "openai",
                "endpoint": self._endpoint.url,
                "model": self._settings.model,
                "dimensions": self._settings.dimensions,
                "max_tokens": self.max_tokens,
            }
        )

    @cached_property
    def dimensions(self) -> int:
        """As set, else as remembered, else as the endpoint answers to one short text."""
        if self._settings.dimensions:
            return self._settings.dimensions
        try:
            return int(json.loads(self._storage.read(self._note))["dimensions"])
        except (KeyError, ValueError, TypeError):
            dimensions = int(self._endpoint.embed(["dimensions"]).shape[1])
            self._storage.write(self._note, json.dumps({"dimensions": dimensions}).encode())
            return dimensions

    @property
    def max_tokens(self) -> int:
        return self._settings.max_input_tokens or DEFAULT_MAX_TOKENS

    def prepare(self) -> None:
        """Nothing is done once."""

    def warm_up(self) -> None:
        """Ask the endpoint for one vector."""
        self.encode(["warm up"])

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> "np.ndarray":
        import numpy as np

        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        size = self._settings.batch_size
        starts = range(0, len(texts), size)
        with ThreadPoolExecutor(REQUESTS_IN_FLIGHT, thread_name_prefix="encoder") as pool:
            for window in range(0, len(starts), WINDOW):
                chosen = starts[window : window + WINDOW]
                batches = [self._clipped(texts[start : start + size]) for start in chosen]
                results = pool.map(self._endpoint.embed, batches)
                for start, result in zip(chosen, results, strict=True):
                    vectors[start : start + len(result)] = self._checked(result)
                    if progress:
                        progress(len(result))
        return unit_rows(vectors)

    def token_vectors(self, texts: Sequence[str]) -> "list[np.ndarray]":
        """Raise: an embeddings endpoint gives one vector a text."""
        raise EncoderError(
            f"The encoder {self.name} has no token vectors: an endpoint gives one vector a text.",
            "Set query.reranker to another one than late_interaction, or encoder.backend to "
            "compiled or sentence-transformers.",
        )

    def describe(self) -> dict[str, object]:
        """Facts for metadata; the length of the vectors is left out while it is not known."""
        facts: dict[str, object] = {
            "encoder": self.name,
            "backend": "openai (endpoint)",
            "model": self._settings.model,
            "device": self._endpoint.url,
            "precision": "the server's",
            "max_tokens": self.max_tokens,
            "fingerprint": self.fingerprint,
        }
        known = self._settings.dimensions or self.__dict__.get("dimensions")
        return facts | {"dimensions": known} if known else facts

    @property
    def _note(self) -> str:
        return f"models/openai-{self.fingerprint[:16]}.json"

    def _clipped(self, texts: Sequence[str]) -> list[str]:
        """Cut texts to the model's limit; an endpoint refuses longer ones, and empty ones."""
        limit = self.max_tokens - self.tokenizer.special_tokens
        clean = [without_lone_surrogates(text) for text in texts]
        # a token is at least one character, so that short texts need no counting
        return [self._cut(text, limit) if len(text) > limit else text or " " for text in clean]

    def _cut(self, text: str, limit: int) -> str:
        spans = self.tokenizer.offsets(text)
        return text if len(spans) <= limit else text[: int(spans[limit - 1, 1])]

    def _checked(self, vectors: "np.ndarray") -> "np.ndarray":
        if vectors.shape[1] != self.dimensions:
            raise EncoderError(
                f"The endpoint {self._endpoint.url} returned vectors of {vectors.shape[1]} "
                f"numbers, not {self.dimensions}.",
                "Set encoder.dimensions to what the model gives (a changed model needs a new "
                f"name), or delete {self._note} in the state folder.",
            )
        return vectors


def _tokenizer_path(model: str) -> Path:
    own = Path(model).expanduser() / "tokenizer.json"
    return own if own.is_file() else minilm_folder() / "tokenizer.json"
