"""Any sentence-transformers model with its own library: on a GPU, or where nothing else runs it.

Importing torch and transformers costs seconds, which happens at the first ``encode``.
"""

import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag_assets.platform.errors import EncoderError
from rag_assets.platform.fingerprint import fingerprint

from .base import Progress
from .models import find_model
from .normalize import unit_rows
from .tokenizer import TokenCounter, without_lone_surrogates
from .weights import verify_weights, weights_sha256

if TYPE_CHECKING:
    import numpy as np

STAGE_VERSION = 1
# The library sorts the texts of one call by length: this is enough for that, and bounds the memory.
WINDOW = 1024
TOKEN_WINDOW = 128  # half a megabyte of padded states a text


class SentenceTransformerEncoder:
    """See the protocol in ``base.py``.

    Args:
        source: the model's name or folder.
        state_path: the local state folder, where hashes of weights are remembered.
        batch_size: texts per inference.
        device: a torch device, e.g. ``cuda:0``; "" takes CUDA or MPS when there is one.

    Raises:
        EncoderError: there is no such model on this machine.
    """

    def __init__(
        self, source: str, state_path: Path, *, batch_size: int = 16, device: str = ""
    ) -> None:
        self._state_path = state_path
        self._batch_size = batch_size
        self._device = device
        self._found = find_model(source)
        self.name = f"sentence-transformers:{self._found.name}"
        self.tokenizer = TokenCounter(self._found.tokenizer_path)
        # one call at a time: the library changes its tokenizer's truncation while it works
        self._using = threading.Lock()
        self._loaded: Any = None

    @cached_property
    def fingerprint(self) -> str:
        return fingerprint(
            {
                "stage": "encoder",
                "version": STAGE_VERSION,
                "backend": "sentence-transformers",
                "weights": weights_sha256(self._found, self._state_path),
                "configuration": self._found.config_sha256,
                "max_tokens": self._found.max_tokens,
            }
        )

    @property
    def dimensions(self) -> int:
        return self._found.dimensions

    @property
    def max_tokens(self) -> int:
        return self._found.max_tokens

    def prepare(self) -> None:
        """Nothing is done once."""

    def warm_up(self) -> None:
        """Import the library and load the model."""
        with self._using:
            self._load()

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> "np.ndarray":
        import numpy as np

        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for start in range(0, len(texts), WINDOW):
            window = [without_lone_surrogates(text) for text in texts[start : start + WINDOW]]
            with self._using:
                vectors[start : start + len(window)] = self._run(window)
            if progress:
                progress(len(window))
        return unit_rows(vectors)

    def token_vectors(self, texts: Sequence[str]) -> "list[np.ndarray]":
        found: list[np.ndarray] = []
        for start in range(0, len(texts), TOKEN_WINDOW):
            window = [without_lone_surrogates(text) for text in texts[start : start + TOKEN_WINDOW]]
            with self._using:
                found += self._run_tokens(window)
        return found

    def describe(self) -> dict[str, object]:
        """Facts for metadata; the device is known once the model is loaded."""
        device = str(self._loaded.device) if self._loaded else self._device or "chosen at load"
        return {
            "encoder": self.name,
            "backend": "sentence-transformers (torch)",
            "model": self._found.name,
            "device": device,
            "precision": "f32",
            "dimensions": self.dimensions,
            "max_tokens": self.max_tokens,
            "fingerprint": self.fingerprint,
        }

    def _run(self, texts: list[str]) -> "np.ndarray":
        vectors: np.ndarray = self._encode(texts)
        return vectors

    def _run_tokens(self, texts: list[str]) -> "list[np.ndarray]":
        """Unit vectors of the tokens of each text, without prompt, special tokens and padding."""
        first, last = _special_ids(self._load().tokenizer)
        found = []
        for item in self._encode(texts, output_value=None, prompt=""):
            seen = item["attention_mask"].bool()
            ids = item["input_ids"][seen].tolist()
            states = item["token_embeddings"][seen].float().cpu().numpy()
            start = 1 if ids and ids[0] in first else 0
            stop = len(ids) - 1 if len(ids) > start and ids[-1] in last else len(ids)
            found.append(unit_rows(states[start:stop]))
        return found

    def _encode(self, texts: list[str], **options: Any) -> Any:
        model = self._load()
        try:
            return model.encode(
                texts, batch_size=self._batch_size, show_progress_bar=False, **options
            )
        except RuntimeError as error:  # out of memory on the device, above all
            raise EncoderError(
                f"The model {self._found.name} failed on {model.device}: {error}.",
                "Lower encoder.batch_size, or set encoder.device to cpu.",
            ) from error

    def _load(self) -> Any:
        if self._loaded is not None:
            return self._loaded
        verify_weights(self._found, self._state_path)
        try:
            from sentence_transformers import SentenceTransformer
            from transformers.utils.logging import disable_progress_bar

            disable_progress_bar()
            # without local_files_only it asks the model hub about a local folder
            model = SentenceTransformer(
                str(self._found.path), device=self._device or None, local_files_only=True
            )
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            raise EncoderError(
                f"The model {self._found.name} cannot be loaded: {error}.",
                "Check encoder.model and encoder.device (empty: chosen for you).",
            ) from error
        model.max_seq_length = self._found.max_tokens
        self._loaded = model
        return model


def _special_ids(tokenizer: Any) -> tuple[set[int | None], set[int | None]]:
    """The tokens that a tokenizer puts before and after a text."""
    return (
        {tokenizer.cls_token_id, tokenizer.bos_token_id},
        {tokenizer.sep_token_id, tokenizer.eos_token_id},
    )
