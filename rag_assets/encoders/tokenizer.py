"""Counts and locates tokens exactly as a model sees them, through the Rust ``tokenizers`` library.

``tokenizer.json`` of a model often asks for truncation and padding (all-MiniLM-L6-v2: to 128), so
a counter that read it as it is would never see more than that. Both are switched off here; build
other tools from ``json``, not from the file.
"""

import json
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag_assets.platform.errors import EncoderError

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer

# Rust keeps about 450 bytes a token while it works, so long texts and long lists go in portions.
PIECE_CHARS = 50_000
PORTION_CHARS = 1_000_000
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
PIECE_END = re.compile("[ \n]")


class TokenCounter:
    """Counts and locates the tokens of texts; the file is read at the first use.

    Args:
        path: a ``tokenizer.json`` file.

    Raises:
        EncoderError: (at first use) the file is missing or not a tokenizer.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def count(self, text: str) -> int:
        """The number of tokens of a text, without the special tokens a model adds."""
        return self.counts([text])[0]

    def counts(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text, in order; several cores are used."""
        totals = [0] * len(texts)
        for portion in _portions(self._pieces(texts)):
            encodings = self._tokenizer.encode_batch_fast(
                [piece for _, _, piece in portion], add_special_tokens=False
            )
            for (index, _, _), encoding in zip(portion, encodings, strict=True):
                totals[index] += len(encoding)
        return totals

    def offsets(self, text: str) -> "np.ndarray":
        """Where each token of a text lies.

        Returns:
            int64 array of shape (tokens, 2): first character and one past the last, as Python
            counts characters.
        """
        import numpy as np

        spans = [np.empty((0, 2), dtype=np.int64)]
        for portion in _portions(self._pieces([text])):
            encodings = self._tokenizer.encode_batch(
                [piece for _, _, piece in portion], add_special_tokens=False
            )
            for (_, start, _), encoding in zip(portion, encodings, strict=True):
                spans.append(np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2) + start)
        return np.concatenate(spans)

    @cached_property
    def special_tokens(self) -> int:
        """How many tokens the model adds to one text."""
        return int(self._tokenizer.num_special_tokens_to_add(False))

    @cached_property
    def json(self) -> str:
        """The tokenizer as JSON, truncation and padding switched off."""
        return str(self._tokenizer.to_str())

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        tokenizer = load_tokenizer(self.path)
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _separable(self) -> bool:
        """Whether cutting a text at a space or line end leaves its tokens as they are."""
        pre_tokenizer = json.loads(self.json).get("pre_tokenizer") or {}
        return pre_tokenizer.get("type") in ("BertPreTokenizer", "WhitespaceSplit")

    def _pieces(self, texts: Sequence[str]) -> Iterator[tuple[int, int, str]]:
        """Yield (index of the text, start of the piece, piece) for the pieces of all texts."""
        for index, text in enumerate(texts):
            text = without_lone_surrogates(text)
            if len(text) <= PIECE_CHARS or not self._separable:
                yield index, 0, text
                continue
            start = 0
            while start < len(text):
                end = PIECE_END.search(text, start + PIECE_CHARS)
                stop = end.start() if end else len(text)
                yield index, start, text[start:stop]
                start = stop


def load_tokenizer(path: Path) -> Any:
    """Read a ``tokenizer.json`` as a ``tokenizers.Tokenizer``.

    Raises:
        EncoderError: the file is missing or not a tokenizer.
    """
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_buffer(path.read_bytes())
    except (OSError, ValueError) as error:
        raise EncoderError(
            f"The tokenizer {path} cannot be read: {error}.",
            "Give encoder.model a model folder that holds a valid tokenizer.json.",
        ) from error


def without_lone_surrogates(text: str) -> str:
    """Replace characters that are not Unicode text, one for one, so that spans stay right."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return LONE_SURROGATE.sub("\ufffd", text)
    return text


def _portions(
    pieces: Iterator[tuple[int, int, str]],
) -> Iterator[list[tuple[int, int, str]]]:
    """Group pieces so that one call of the Rust library holds a bounded amount of text."""
    portion: list[tuple[int, int, str]] = []
    size = 0
    for piece in pieces:
        portion.append(piece)
        size += len(piece[2])
        if size >= PORTION_CHARS:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion
