"""Where the tokens of a document are: one tokenisation, then the cost of any range by bisection.

Word-piece tokenizers never join characters across white space, so that the tokens which start in a
range are exactly those of its text; for others this is a close estimate. Splitters verify their
final spans with the real counter (``spans.py``).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from rag_assets.encoders.tokenizer import TokenCounter

WINDOW = 200_000  # characters tokenised at once: bounds memory on very long texts
LONG_TOKEN = 24  # characters after which one token counts as several
STEP = 12


class TokenMap:
    """The start offsets of the tokens of a text.

    A stretch longer than ``LONG_TOKEN`` characters with one token (a word that the model does not
    know, a run of spaces) counts one token for each ``STEP`` characters: a passage of a few tokens
    must not be a megabyte long.

    Args:
        text: the document.
        counter: the encoder's tokenizer.
    """

    def __init__(self, text: str, counter: "TokenCounter") -> None:
        import numpy as np

        parts = [
            counter.offsets(text[start:end])[:, 0].astype(np.int64) + start
            for start, end in _windows(text)
        ]
        starts = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
        self.starts = _with_long_tokens(np.maximum.accumulate(starts), len(text))

    def cost(self, start: int, end: int) -> int:
        """The tokens of ``text[start:end]``."""
        first, last = self.starts.searchsorted((start, end))
        return int(last - first)

    def before(self, positions: "np.ndarray | list[int]") -> "np.ndarray":
        """For each position, the tokens that start before it."""
        return self.starts.searchsorted(positions)


def _windows(text: str) -> list[tuple[int, int]]:
    """Cut a text for tokenising: at a line break or a space where there is one."""
    windows = []
    start = 0
    while len(text) - start > WINDOW:
        limit = start + WINDOW
        end = max(text.rfind("\n", start, limit), text.rfind(" ", limit - WINDOW // 2, limit)) + 1
        end = end if end > start else limit
        windows.append((start, end))
        start = end
    if start < len(text):
        windows.append((start, len(text)))
    return windows


def _with_long_tokens(starts: "np.ndarray", length: int) -> "np.ndarray":
    import numpy as np

    edges = np.concatenate([[0], starts, [length]])
    long = np.flatnonzero(np.diff(edges) > LONG_TOKEN)
    if not len(long):
        return starts
    extra = [np.arange(edges[i] + STEP, edges[i + 1], STEP) for i in long]
    return np.sort(np.concatenate([starts, *extra]))
