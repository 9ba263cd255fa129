import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_assets.encoders import TokenCounter
from rag_assets.encoders.models import minilm_folder
from rag_assets.encoders.tokenizer import PIECE_CHARS
from rag_assets.platform.errors import EncoderError

COUNTER = TokenCounter(minilm_folder() / "tokenizer.json")
WORDS = st.sampled_from(
    ["internationalisation", "größer", "漢字", "a\u0301", "[SEP]", "x\x00y", "🙂", "don't\r\n"]
)


def reference(text: str) -> list[tuple[int, int]]:
    """The whole text in one call of the library, nothing truncated."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(COUNTER.json)
    return tokenizer.encode(text, add_special_tokens=False).offsets


def test_counts_are_not_truncated_by_the_file() -> None:
    written = json.loads(COUNTER.path.read_text())
    assert written["truncation"]["max_length"] == 128  # the trap
    assert json.loads(COUNTER.json)["truncation"] is None
    assert COUNTER.count("word " * 1000) == 1000


def test_special_tokens_are_not_counted() -> None:
    assert COUNTER.count("") == 0
    assert COUNTER.special_tokens == 2
    assert COUNTER.offsets("").shape == (0, 2)


def test_offsets_are_characters() -> None:
    text = "héé 🙂 漢字 end"
    spans = [text[start:end] for start, end in COUNTER.offsets(text)]
    assert spans == ["héé", "🙂", "漢", "字", "end"]


def test_lone_surrogates_keep_the_offsets() -> None:
    text = "before \ud800 after"
    start, end = COUNTER.offsets(text)[-1]
    assert text[start:end] == "after"
    assert COUNTER.counts([text, "x"])[1] == 1


@settings(max_examples=60)
@given(st.lists(st.one_of(st.text(max_size=30), WORDS), max_size=20))
def test_counts_agree_with_offsets(parts: list[str]) -> None:
    text = " ".join(parts)
    spans = COUNTER.offsets(text)
    assert COUNTER.count(text) == len(spans)
    assert (spans[:, 0] <= spans[:, 1]).all()
    assert spans.size == 0 or spans.max() <= len(text)


@settings(max_examples=8, deadline=None)
@given(st.lists(WORDS, min_size=3, max_size=9), st.integers(0, 30), st.sampled_from(" \n"))
def test_long_texts_are_cut_where_no_token_is(words: list[str], odd: int, gap: str) -> None:
    line = gap.join(words) + gap
    text = "x" * odd + line * (2 * PIECE_CHARS // len(line) + 1)
    assert [tuple(span) for span in COUNTER.offsets(text)] == reference(text)
    assert COUNTER.count(text) == len(reference(text))


def test_ten_megabytes() -> None:
    text = "the quick brown fox " * 500_000
    assert COUNTER.count(text) == 2_000_000


def test_a_long_text_without_spaces() -> None:
    assert COUNTER.count("x" * 300_000) == 1  # one unknown word


def test_splitter_can_be_built_from_it() -> None:
    from semantic_text_splitter import TextSplitter

    splitter = TextSplitter.from_huggingface_tokenizer_str(COUNTER.json, 50)
    text = "One sentence follows another here. " * 60
    chunks = splitter.chunks(text)
    assert max(COUNTER.counts(chunks)) <= 50
    assert re.sub(r"\s", "", "".join(chunks)) == re.sub(r"\s", "", text)


def test_broken_file(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    for path in (tmp_path / "tokenizer.json", tmp_path / "absent.json"):
        with pytest.raises(EncoderError, match="cannot be read"):
            TokenCounter(path).count("x")


def test_many_texts_keep_their_order() -> None:
    texts = ["word " * (i % 37) for i in range(5000)] + ["word " * 60_000, "one"]
    assert COUNTER.counts(texts) == [len(text.split()) for text in texts]
    assert np.array(COUNTER.counts([])).size == 0
