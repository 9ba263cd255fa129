"""The default encoder on a CPU: a model exported once, then run without torch.

It computes in bfloat16 where the CPU has it and agrees with torch float32 to about four nines in
cosine (measured at export, recorded, and part of ``describe``). It still has a fingerprint of its
own: vectors of two back ends are never mixed in one index.
"""

import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rag_assets.platform.errors import EncoderError
from rag_assets.platform.fingerprint import fingerprint

from .base import Progress
from .exported import ensure_exported, exported_folder, read_agreement
from .models import ModelFolder, find_model
from .tokenizer import TokenCounter
from .weights import verify_weights, weights_sha256

if TYPE_CHECKING:
    import numpy as np

    from .openvino_runtime import Runtime

STAGE_VERSION = 1
SUPPORTED = ({"Transformer", "Pooling"}, {"Transformer", "Pooling", "Normalize"})


class CompiledEncoder:
    """See the protocol in ``base.py``.

    Args:
        source: the model's name or folder.
        state_path: the local state folder, where the exported model is kept.
        batch_size: texts per inference.

    Raises:
        EncoderError: there is no such model, or it does more than mean pooling.
    """

    def __init__(self, source: str, state_path: Path, *, batch_size: int = 16) -> None:
        self._source = source
        self._state_path = state_path
        self._batch_size = batch_size
        self._model = find_model(source)
        self.name = f"compiled:{self._model.name}"
        self.tokenizer = TokenCounter(self._model.tokenizer_path)
        self._loading = threading.Lock()
        self._runtime: Runtime | None = None
        _require_supported(self._model)

    @cached_property
    def fingerprint(self) -> str:
        return fingerprint(
            {
                "stage": "encoder",
                "version": STAGE_VERSION,
                "backend": "compiled",
                "weights": weights_sha256(self._model, self._state_path),
                "configuration": self._model.config_sha256,
                "max_tokens": self._model.max_tokens,
            }
        )

    @property
    def dimensions(self) -> int:
        return self._model.dimensions

    @property
    def max_tokens(self) -> int:
        return self._model.max_tokens

    def prepare(self) -> None:
        """Export the model if that was not done yet: 20 seconds and a gigabyte, elsewhere."""
        verify_weights(self._model, self._state_path)
        ensure_exported(self._model, self._source, self._state_path, self.fingerprint)

    def warm_up(self) -> None:
        """Export the model if that was not done yet, and load it."""
        self._load()

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> "np.ndarray":
        if not texts:
            import numpy as np

            return np.empty((0, self.dimensions), dtype=np.float32)
        return self._load().encode(texts, progress)

    def token_vectors(self, texts: Sequence[str]) -> "list[np.ndarray]":
        return self._load().token_vectors(texts) if texts else []

    def describe(self) -> dict[str, object]:
        """Facts for metadata; the agreement is there once the model has been exported."""
        facts: dict[str, object] = {
            "encoder": self.name,
            "backend": "compiled (OpenVINO)",
            "model": self._model.name,
            "device": "cpu",
            "dimensions": self.dimensions,
            "max_tokens": self.max_tokens,
            "fingerprint": self.fingerprint,
        }
        agreement = read_agreement(exported_folder(self._state_path, self.fingerprint)) or {}
        for name in ("precision", "cosine_mean", "cosine_min", "reference"):
            if name in agreement:
                facts[name] = agreement[name]
        return facts

    def _load(self) -> "Runtime":
        if self._runtime is None:
            with self._loading:
                if self._runtime is None:
                    self._runtime = self._open()
        return self._runtime

    def _open(self) -> "Runtime":
        from .openvino_runtime import shared_runtime

        verify_weights(self._model, self._state_path)
        folder = ensure_exported(self._model, self._source, self._state_path, self.fingerprint)
        return shared_runtime(folder, self._model, self._batch_size)


def _require_supported(model: ModelFolder) -> None:
    other = "Set encoder.backend to sentence-transformers, which runs any model."
    if set(model.modules) not in SUPPORTED or model.pooling != "mean":
        raise EncoderError(
            f"The model {model.name} ({' → '.join(model.modules)}, pooling {model.pooling}) is not "
            "supported by the compiled back end, which does mean pooling.",
            other,
        )
    if model.lower_case or model.default_prompt:
        raise EncoderError(
            f"The model {model.name} changes texts before its tokenizer sees them (a prompt, or "
            "lower case), which the compiled back end does not do.",
            other,
        )
