"""Late interaction: every token of the question looks for its best match in the text.

The token vectors are those of the deployment's own encoder, so no further model is needed. Source:
Khattab & Zaharia, "ColBERT: Efficient and Effective Passage Search via Contextualized Late
Interaction over BERT", 2020.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rag_assets.platform.errors import EncoderError, RerankerError

from .token_cache import TokenVectorCache

if TYPE_CHECKING:
    import numpy as np

    from rag_assets.encoders import Encoder

# half precision: about 400 passages of 200 tokens at 384 dimensions
CACHE_BYTES = 64 * 1024 * 1024
# texts encoded at a time: bounds the memory of a call whatever the number of texts
PORTION = 32
NOTHING = -1.0  # the lowest cosine: a text without tokens is the worst passage


class LateInteractionReranker:
    """See the protocol in ``base.py``; texts are truncated to what the encoder sees.

    Args:
        encoder: gives the token vectors.
        cache_bytes: memory for token vectors of texts that are met again; 0 for none.
    """

    name = "late_interaction"

    def __init__(self, encoder: "Encoder", *, cache_bytes: int = CACHE_BYTES) -> None:
        self._encoder = encoder
        self._cache = TokenVectorCache(cache_bytes)

    def warm_up(self) -> None:
        """Load the encoder.

        Raises:
            RerankerError: the encoder cannot be loaded or has no token vectors.
        """
        self._encode(["warm up"])

    def score(self, question: str, texts: Sequence[str]) -> "np.ndarray":
        import numpy as np

        scores = np.zeros(len(texts))
        if not len(texts):
            return scores
        asked = self._encode([question])[0]
        for start in range(0, len(texts), PORTION):
            portion = texts[start : start + PORTION]
            for index, vectors in enumerate(self._token_vectors(portion), start):
                scores[index] = max_similarity(asked, vectors)
        return scores

    def describe(self) -> dict[str, object]:
        return {"reranker": self.name, "model": self._encoder.name}

    def _token_vectors(self, texts: Sequence[str]) -> "list[np.ndarray]":
        """Of each text, float16, as they are kept: a hit and a miss of the cache give the same."""
        found = {text: self._cache.get(text) for text in texts}
        missing = [text for text, vectors in found.items() if vectors is None]
        for text, encoded in zip(missing, self._encode(missing), strict=True):
            half = encoded.astype("float16")
            found[text] = half
            self._cache.put(text, half)
        return [vectors for text in texts if (vectors := found[text]) is not None]

    def _encode(self, texts: Sequence[str]) -> "list[np.ndarray]":
        try:
            return self._encoder.token_vectors(texts)
        except EncoderError as error:
            raise RerankerError(error.message, error.hint) from error


def max_similarity(question: "np.ndarray", text: "np.ndarray") -> float:
    """The mean over the question's tokens of the highest cosine with a token of the text.

    The sum of ColBERT divided by the number of the question's tokens: the same order, on a scale
    that does not depend on the question's length.

    Args:
        question, text: unit rows, shapes (question's tokens, dimensions), (text's, dimensions).

    Returns:
        From -1 to 1; -1 for a text without tokens, 0 for a question without tokens.
    """
    if not len(question):
        return 0.0
    if not len(text):
        return NOTHING
    return float((question @ text.astype(question.dtype).T).max(axis=1).mean())
