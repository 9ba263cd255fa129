"""The protocol of encoders: texts in, unit vectors out.

An encoder is made by ``make_encoder(settings, state_path)`` with a light constructor: no weights,
no network, no heavy import. The first ``encode`` (or ``warm_up``) loads the model. ``fingerprint``
and ``dimensions`` are known without loading weights where the back end allows it, because stages
compare fingerprints before they decide whether there is anything to do.

``encode(texts)`` returns a C-contiguous float32 array of shape ``(len(texts), dimensions)`` in the
order of the texts, every row of unit length (L2 norm within 1e-3 of 1) and finite, and does not
depend on how texts are batched together beyond 1e-3 in cosine. An empty list gives shape
``(0, dimensions)``. Texts longer than ``max_tokens`` are truncated; splitters see to it that this
does not happen. ``progress`` is called from the calling thread with the number of texts that were
finished since its last call; the calls add up to ``len(texts)``. Errors are ``EncoderError`` with
what to do. One encoder may be used from several threads.

``token_vectors(texts)`` is an optional capability, which late interaction needs: for each text a
float32 array of shape ``(tokens of that text, dimensions)`` with unit rows, in the order of the
tokens. Special tokens are left out, so that a text without tokens gives shape ``(0, dimensions)``,
and so are tokens beyond ``max_tokens``. Batching matters as little as for ``encode``. The result
takes 1.5 KB a token at 384 dimensions: callers pass what they can hold. A back end that has no
token vectors raises ``EncoderError``.

``tokenizer`` counts and locates tokens exactly as the model sees them (see ``tokenizer.py``).
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np

    from .tokenizer import TokenCounter

Progress = Callable[[int], None]


class Encoder(Protocol):
    """See the module's docstring."""

    name: str  # the back end and model, e.g. "compiled:all-MiniLM-L6-v2"

    @property
    def fingerprint(self) -> str: ...
    @property
    def dimensions(self) -> int: ...
    @property
    def max_tokens(self) -> int:
        """Most tokens the model sees, special tokens included."""
        ...

    @property
    def tokenizer(self) -> "TokenCounter": ...
    def prepare(self) -> None:
        """Do now what is done once per machine (an export), or nothing; loads no model here."""
        ...

    def warm_up(self) -> None: ...
    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> "np.ndarray": ...
    def token_vectors(self, texts: Sequence[str]) -> "list[np.ndarray]": ...
    def describe(self) -> dict[str, object]:
        """Facts for metadata: back end, model, device, precision, recorded agreement with fp32."""
        ...
