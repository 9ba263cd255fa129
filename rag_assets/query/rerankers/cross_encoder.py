"""A cross-encoder reads question and text together: the closest look, and the slowest.

On two cores it costs seconds for fifty passages. Importing torch and transformers costs seconds
more, which happens at ``warm_up`` or at the first ``score``.
"""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rag_assets.encoders.tokenizer import without_lone_surrogates
from rag_assets.platform.errors import RerankerError

if TYPE_CHECKING:
    import numpy as np

BATCH_SIZE = 16
# more characters than any such model sees tokens of: bounds what is tokenised
MAX_CHARS = 20_000
OTHER = "or set query.reranker to another one."


class CrossEncoderReranker:
    """See the protocol in ``base.py``; a score is the model's output before any activation.

    Args:
        model: name or folder of a sentence-transformers ``CrossEncoder`` with one output; it must
            be on this machine (a name: in the model hub's cache), for nothing is downloaded.
    """

    name = "cross_encoder"

    def __init__(self, model: str) -> None:
        self._model = model
        # one call at a time: the library changes its tokenizer's truncation while it works
        self._using = threading.Lock()
        self._loaded: Any = None

    def warm_up(self) -> None:
        """Import the library and load the model.

        Raises:
            RerankerError: there is no such model on this machine, or it gives several scores.
        """
        with self._using:
            self._load()

    def score(self, question: str, texts: Sequence[str]) -> "np.ndarray":
        import numpy as np

        if not texts:
            return np.empty(0)
        asked, *read = (without_lone_surrogates(text[:MAX_CHARS]) for text in [question, *texts])
        pairs = [(asked, text) for text in read]
        with self._using:
            scores = np.asarray(self._predict(pairs), dtype=np.float64)
        if not np.isfinite(scores).all():
            raise RerankerError(
                f"The cross-encoder {self._model} gave a score that is not finite.",
                f"Give query.cross_encoder_model another model, {OTHER}",
            )
        return scores

    def describe(self) -> dict[str, object]:
        """Facts for metadata; the device is known once the model is loaded."""
        device = str(self._loaded.device) if self._loaded else "chosen at load"
        return {"reranker": self.name, "model": self._model, "device": device}

    def _predict(self, pairs: list[tuple[str, str]]) -> Any:
        model = self._load()
        from torch.nn import Identity

        try:
            # a sigmoid would make all good passages equally good
            return model.predict(
                pairs,
                batch_size=BATCH_SIZE,
                show_progress_bar=False,
                activation_fn=Identity(),
            )
        except (RuntimeError, ValueError, IndexError) as error:  # out of memory, above all
            raise RerankerError(
                f"The cross-encoder {self._model} failed on {model.device}: {error}.",
                f"Lower query.rerank_candidates, {OTHER}",
            ) from error

    def _load(self) -> Any:
        if self._loaded is None:
            self._loaded = _open(self._model)
        return self._loaded


def _open(name: str) -> Any:
    if not name:
        raise RerankerError(
            "The reranker cross_encoder has no model.",
            f"Set query.cross_encoder_model to the folder of one, {OTHER}",
        )
    try:
        from sentence_transformers import CrossEncoder
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        model = CrossEncoder(name, local_files_only=True)
    except Exception as error:  # a damaged file raises whatever its reader likes
        reason = str(error).partition("\n")[0]
        raise RerankerError(
            f"The cross-encoder '{name}' cannot be loaded: {reason}.",
            "Set query.cross_encoder_model to the folder of a CrossEncoder model ('hf download "
            f"NAME --local-dir FOLDER' fetches one), {OTHER}",
        ) from error
    if model.num_labels != 1:
        raise RerankerError(
            f"The model '{name}' gives {model.num_labels} scores a pair; a reranker needs one.",
            f"Set query.cross_encoder_model to a model trained for reranking, {OTHER}",
        )
    return model
