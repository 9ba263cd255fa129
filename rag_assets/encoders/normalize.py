"""Unit vectors: what every encoder returns."""

from typing import TYPE_CHECKING

from rag_assets.platform.errors import EncoderError

if TYPE_CHECKING:
    import numpy as np


def unit_rows(vectors: "np.ndarray") -> "np.ndarray":
    """Scale each row to unit length (L2 norm), in float32.

    Args:
        vectors: array of shape (texts, dimensions).

    Raises:
        EncoderError: a row is not finite or is zero, so that it has no direction.
    """
    import numpy as np

    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(norms).all() and (norms > 0).all()):
        raise EncoderError(
            "The encoder returned a vector that is zero or not finite.",
            "Check the model (or the endpoint) with one short text; it is not usable like this.",
        )
    return vectors / norms
